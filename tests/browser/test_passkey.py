"""A passkey in a real browser, with an authenticator that Chromium plays (WebAuthn 3, section 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.house import MARC
from tests.browser.people import activates
from tests.browser.visit import visiting
from tests.portal.people import PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.house import House
    from tests.browser.visit import Visit

pytestmark = pytest.mark.program("chromium")


def test_a_passkey_is_made_and_then_is_the_second_factor(chromium: Browser, house: House) -> None:
    with visiting(chromium, house.origins) as visit:
        activates(visit, house, MARC, "marc.clef")
        _with_authenticator(visit)
        visit.page.goto(f"{house.root}/compte/cle")
        visit.fill(Nom_de_cette_clé="Mon téléphone")
        visit.press("Enregistrer la clé")
        assert "Clé d’accès « Mon téléphone »" in visit.text()
        visit.press("Se déconnecter")
        visit.page.goto(f"{house.root}/connexion")
        visit.fill(Identifiant="marc.clef", Mot_de_passe=PASSWORD)
        visit.press("Continuer")
        visit.press("Utiliser ma clé d’accès")
        assert visit.page.get_by_role("button", name="Se déconnecter").is_visible()


def _with_authenticator(visit: Visit) -> None:
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    protocol = visit.page.context.new_cdp_session(visit.page)
    protocol.send("WebAuthn.enable")
    protocol.send("WebAuthn.addVirtualAuthenticator", {"options": options | {"isUserVerified": True}})
