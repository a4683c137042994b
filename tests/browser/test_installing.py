"""Chromium takes the pages for something to install; and for something in English, when that is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.visit import visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.house import House

pytestmark = pytest.mark.program("chromium")

OF_THE_WINDOW = {"in-incognito"}
"""What keeps a window of tests from installing anything."""


def test_the_pages_can_be_installed(chromium: Browser, house: House) -> None:
    with visiting(chromium, house.origins) as visit:
        visit.page.goto(house.root)
        protocol = visit.page.context.new_cdp_session(visit.page)
        found = protocol.send("Page.getAppManifest")
        assert (found["url"], found["errors"]) == (f"{house.root}/manifest.webmanifest", [])
        assert '"display":"standalone"' in found["data"]
        faults = protocol.send("Page.getInstallabilityErrors")["installabilityErrors"]
        assert {each["errorId"] for each in faults} <= OF_THE_WINDOW


def test_the_language_is_chosen_on_any_page_and_kept(chromium: Browser, house: House) -> None:
    with visiting(chromium, house.origins) as visit:
        visit.page.goto(f"{house.root}/connexion/oubli")
        visit.press("English")
        assert visit.page.url == f"{house.root}/connexion/oubli"
        assert visit.title() == "Forgotten password"
        assert visit.page.locator("html").get_attribute("lang") == "en"
        visit.page.goto(f"{house.root}/connexion")
        assert visit.title() == "Log in"
        visit.press("Français")
        assert visit.title() == "Se connecter"
