"""A person, a real browser, an app: login by two factors, consent to a part, tokens, a search, the end of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.house import CLAIRE, MARC
from tests.browser.people import activates, logs_in
from tests.browser.visit import visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.house import House

pytestmark = pytest.mark.program("chromium")


@pytest.mark.parametrize(
    ("script", "proof", "login"), [(True, CLAIRE, "claire.exemple"), (False, MARC, "marc.exemple")]
)
def test_an_app_sees_what_it_was_let_see_until_it_is_taken_back(
    chromium: Browser, house: House, script: bool, proof: tuple[str, str], login: str
) -> None:
    with visiting(chromium, house.origins, script=script) as visit:
        activates(visit, house, proof, login)
        visit.press("Se déconnecter")

        visit.page.goto(house.app.home)
        visit.press("Relier mon dossier")
        assert visit.title() == "Se connecter"
        logs_in(visit, house, login)

        assert visit.title() == "Autoriser Carnet de mesures\u00a0?"
        boxes = visit.page.get_by_role("checkbox")
        assert not any(each.is_checked() for each in boxes.all())
        boxes.and_(visit.page.get_by_label("Consulter : résultats et mesures")).check()
        boxes.and_(visit.page.get_by_label("Garder cet accès")).check()
        visit.press("Autoriser ce que j’ai coché")

        assert visit.page.url == f"{house.app.home}/"
        assert re.search(r"H[ée]moglobin\S* 1\d\.\d g/dL", visit.text())
        assert "Vos documents ne sont pas partagés." in visit.text()
        assert "Votre nom n’est pas partagé." in visit.text()
        _the_app_cannot_read_documents(house)

        visit.page.goto(f"{house.root}/compte/applications")
        assert "Carnet de mesures" in visit.text()
        visit.press("Retirer l’autorisation")
        assert "L’autorisation est retirée" in visit.text()
        visit.page.goto(house.app.home)
        assert visit.title() == "L’accès a pris fin"


def _the_app_cannot_read_documents(house: House) -> None:
    """Not by its own modesty: its token does not reach them."""
    access = next(iter(house.app.accesses.values()))
    assert house.app.smart.search(access, "Observation")
    assert house.app.smart.search(access, "DocumentReference") == []
