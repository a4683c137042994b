from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.cli.demo import bundle
from tests.portal.browser import Browser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from tests.application import Application


@pytest.fixture(scope="module")
def demo(applications: Callable[..., Any]) -> Iterator[Application]:
    """A server with the demo data, under the French profiles."""
    with applications("french") as opened:
        answer = opened.operator().post("", bundle())
        assert answer.status == 200, answer.json
        yield opened


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Claire EXEMPLE, dans son espace", "patient"),
        ("Marc EXEMPLE, dans son espace", "patient"),
        ("Claire EXEMPLE, parent de Léa EXEMPLE", "representative"),
        ("Docteur Dominique SOIGNANT, médecin", "practitioner"),
    ],
)
def test_the_demo_is_entered_by_two_clicks(demo: Application, said: str, kind: str) -> None:
    browser = Browser(demo)
    home = browser.get("/")
    (form,) = [
        each
        for each in home.forms
        if each.action == "/entrer" and f"Entrer comme {said}<" in _of(home.html, each.fields["qui"])
    ]
    page = browser.post("/entrer", form.fields)
    assert page.path.startswith("/patients" if kind == "practitioner" else "/dossier/")
    assert kind == "practitioner" or "Compte rendu de consultation" in page.text
    found = demo.services.sessions.find(browser.cookie("session"))
    assert found is not None
    assert (found.subject.kind, found.amr) == (kind, ("demo",))


def test_nobody_enters_so_in_production(demo: Application) -> None:
    real = demo.under(environment="production")
    browser = Browser(real)
    home = browser.get("/")
    assert "Entrer comme" not in home.text
    shown = Browser(demo).get("/").form("/entrer").fields
    token = browser.get("/connexion").form("/connexion").fields["csrf"]
    assert browser.post("/entrer", shown | {"csrf": token}).status == 404
    assert browser.cookie("session") is None


def test_without_demo_data_there_is_nobody_to_enter_as(application: Application) -> None:
    application.operator().create({"resourceType": "Patient", "active": True, "birthDate": "1980-01-01"})
    browser = Browser(application)
    assert "Entrer comme" not in browser.get("/").text
    token = browser.get("/connexion").form("/connexion").fields["csrf"]
    assert browser.post("/entrer", {"csrf": token, "qui": "patient/x"}).status == 404


def _of(html: str, who: str) -> str:
    """The form of somebody."""
    return html.partition(f'value="{who}"')[2].partition("</form>")[0]
