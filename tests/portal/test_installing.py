from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from fhirserver.portal.installing import THEME
from tests.portal.browser import Browser

if TYPE_CHECKING:
    from tests.application import Application


def test_the_manifest_names_icons_that_are_there(application: Application) -> None:
    browser = Browser(application)
    page = browser.get("/manifest.webmanifest")
    assert (page.status, page.headers["content-type"]) == (200, "application/manifest+json")
    manifest = json.loads(page.html)
    assert (manifest["name"], manifest["lang"], manifest["display"]) == ("Espace de santé", "fr", "standalone")
    assert {(each["sizes"], each["purpose"]) for each in manifest["icons"]} == {
        ("192x192", "any"),
        ("512x512", "any"),
        ("512x512", "maskable"),
    }
    for each in manifest["icons"]:
        icon = browser.client.get(each["src"])
        assert (icon.status_code, icon.content_type, icon.data[:4]) == (200, "image/png", b"\x89PNG")
    assert all(browser.get(each["url"], follow=False).status in (200, 303) for each in manifest["shortcuts"])
    browser.client.set_cookie("langue", "en")
    assert json.loads(browser.get("/manifest.webmanifest").html)["name"] == "Health space"


def test_each_page_names_the_manifest_and_its_colours(application: Application) -> None:
    page = Browser(application).get("/connexion")
    assert 'rel="manifest" href="/manifest.webmanifest"' in page.html
    assert "manifest-src 'self'" in page.headers["content-security-policy"]
    touch = re.search(r'rel="apple-touch-icon" href="([^"]+)"', page.html)
    assert touch
    assert Browser(application).client.get(touch[1]).status_code == 200
    style = Browser(application).get(re.findall(r'href="(/static/[^"]+portal.css)"', page.html)[0]).html
    papers = re.findall(r"--paper: (#\w+);", style)
    assert papers == list(THEME.values())
    assert all(f'content="{colour}"' in page.html for colour in papers)
