"""The record as others than its holder see it: each page of the menu, and the first thing that each leads to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.house import House
    from tests.browser.visit import Visit

PARENT = re.compile("^Entrer comme .*, parent de")
PHYSICIAN = "Entrer comme Docteur Dominique SOIGNANT, médecin"
INS = "284027505600134"


def representative(visit: Visit, house: House) -> Iterator[str]:
    """Léa's mother in Léa's record: all of it, and what she may enter there."""
    page = visit.page
    page.goto(house.root)
    with page.expect_navigation():
        page.get_by_role("button", name=PARENT).first.click()
    page.goto(f"{house.root}/dossier")
    record = page.url
    yield from _menu(visit, record, "representant")
    for name, path in (
        ("profil-ajout", "/profil/allergies/ajouter"),
        ("mesure-ajout", "/mesures/poids/ajouter"),
        ("groupe-sanguin", "/groupe-sanguin"),
        ("document-ajout", "/documents/ajouter"),
        ("agenda-note", "/agenda/noter"),
    ):
        page.goto(record + path)
        yield f"representant-{name}"
    page.goto(f"{house.root}/compte/espace")
    yield "representant-espace"


def care(visit: Visit, house: House) -> Iterator[str]:
    """Claire's physician in her record; the pages that are her own are not there for him."""
    page = visit.page
    page.goto(house.root)
    visit.press(PHYSICIAN)
    page.goto(f"{house.root}/patients")
    page.get_by_role("textbox").first.fill(INS)
    visit.press("Ouvrir")
    record = page.url
    yield from _menu(visit, record, "soin")
    for name, path in (("mesure", "/mesures/poids"), ("groupe-sanguin", "/groupe-sanguin")):
        page.goto(record + path)
        yield f"soin-{name}"
    page.goto(f"{record}/journal")
    assert page.locator("h1").inner_text() == "Page introuvable"
    yield "soin-refus"


def _menu(visit: Visit, record: str, who: str) -> Iterator[str]:
    page = visit.page
    links = page.locator(".record nav a")
    paths = [links.nth(at).get_attribute("href") or "" for at in range(links.count())]
    assert len(paths) > 5
    root = record.partition("/dossier/")[0]
    for path in paths:
        name = path.removeprefix(record.removeprefix(root)).strip("/").replace("/", "-") or "accueil"
        page.goto(root + path)
        assert page.locator(".record nav [aria-current=page]").count() == 1, path
        yield f"{who}-{name}"
        inner = page.locator(f"main a[href^='{path}/']:not(nav a, a[download])")
        if name != "accueil" and inner.count():
            inner.first.click()
            page.wait_for_load_state()
            yield f"{who}-{name}-un"
