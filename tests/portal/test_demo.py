from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.cli.demo import bundle
from tests.portal.browser import Browser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from tests.application import Application
    from tests.portal.browser import Page


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
        ("Jeanne EXEMPLE, dans son espace", "patient"),
        ("Marc EXEMPLE, tuteur de Jeanne EXEMPLE", "representative"),
        ("Docteur Dominique SOIGNANT, médecin", "practitioner"),
    ],
)
def test_the_demo_is_entered_by_two_clicks(demo: Application, said: str, kind: str) -> None:
    browser, page = _entered(demo, said)
    assert page.path.startswith("/patients" if kind == "practitioner" else "/dossier/")
    assert kind == "practitioner" or "Compte rendu de consultation" in page.text
    found = demo.services.sessions.find(browser.cookie("session"))
    assert found is not None
    assert (found.subject.kind, found.amr) == (kind, ("demo",))


def test_the_roles_stand_in_one_order_whatever_ids_they_have(demo: Application) -> None:
    said = [each.partition("<")[0] for each in Browser(demo).get("/").html.split("Entrer comme ")[1:]]
    assert [each.partition(" ")[0] for each in said] == [
        "Claire", "Marc", "Jeanne", "Claire", "Marc", "Docteur", "opérateur", "agent",
    ]  # fmt: skip


def test_the_physician_is_shown_the_numbers_of_the_family(demo: Application) -> None:
    browser, page = _entered(demo, "Docteur Dominique SOIGNANT, médecin")
    assert "284027505600134 – Claire EXEMPLE" in page.text
    assert "Le dossier de Claire EXEMPLE" in browser.send(page, "/patients", ins="284027505600134").text


@pytest.mark.parametrize(
    ("said", "path", "seen"),
    [("opérateur du service", "/operateur", 200), ("agent de l’Assurance Maladie", "/operateur/espaces", 404)],
)
def test_who_works_for_the_service_is_entered_as_too(demo: Application, said: str, path: str, seen: int) -> None:
    browser, page = _entered(demo, said)
    assert (page.status, page.path) == (200, path)
    assert [browser.get(each).status for each in ("/operateur/espaces", "/operateur/traces")] == [200, seen]
    found = demo.services.sessions.find(browser.cookie("session"))
    assert found is not None
    assert (found.subject.kind, found.amr) == ("operator", ("demo",))


def test_the_tutor_reads_and_writes_for_the_protected_adult(demo: Application) -> None:
    browser, page = _entered(demo, "Marc EXEMPLE, tuteur de Jeanne EXEMPLE")
    assert "Hypertension artérielle" in browser.get(f"{page.path}/profil").text
    assert "Vaccin antigrippal" in browser.get(f"{page.path}/profil").text
    assert "Marc EXEMPLE (vous) : tutelle, depuis le 3 juin 2024" in browser.get("/compte/espace").text
    form = f"{page.path}/mesures/tension/ajouter"
    written = browser.send(browser.get(form), form, systolique="131", diastolique="78")
    assert "131" in written.text


def test_nobody_enters_so_in_production(demo: Application) -> None:
    real = demo.under(environment="production")
    browser = Browser(real)
    home = browser.get("/")
    assert "Entrer comme" not in home.text
    shown = [each.fields["qui"] for each in Browser(demo).get("/").forms if each.action == "/entrer"]
    assert {"operator/demo", "agent/demo"} < set(shown)
    token = browser.get("/connexion").form("/connexion").fields["csrf"]
    assert {browser.post("/entrer", {"csrf": token, "qui": each}).status for each in shown} == {404}
    assert browser.cookie("session") is None


def test_without_demo_data_there_is_nobody_to_enter_as(application: Application) -> None:
    application.operator().create({"resourceType": "Patient", "active": True, "birthDate": "1980-01-01"})
    browser = Browser(application)
    assert "Entrer comme" not in browser.get("/").text
    token = browser.get("/connexion").form("/connexion").fields["csrf"]
    for who in ("patient/x", "operator/demo", "agent/demo"):
        assert browser.post("/entrer", {"csrf": token, "qui": who}).status == 404


def _entered(demo: Application, said: str) -> tuple[Browser, Page]:
    """A browser in which the button of a role was pressed, and the page that it led to."""
    browser = Browser(demo)
    home = browser.get("/")
    (form,) = [
        each
        for each in home.forms
        if each.action == "/entrer" and f"Entrer comme {said}<" in _of(home.html, each.fields["qui"])
    ]
    return browser, browser.post("/entrer", form.fields)


def _of(html: str, who: str) -> str:
    """The form of somebody."""
    return html.partition(f'value="{who}"')[2].partition("</form>")[0]
