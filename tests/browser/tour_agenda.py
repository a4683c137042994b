"""The way through the agenda: Claire's, then the physician's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.house import House
    from tests.browser.visit import Visit


def agenda(visit: Visit, house: House) -> Iterator[str]:
    """A person books, notes and makes a link; a professional opens slots and cancels."""
    page = visit.page
    page.goto(house.root)
    visit.press("Entrer comme Claire EXEMPLE, dans son espace")
    visit.press("Agenda")
    yield "agenda"
    base = page.url.partition("?")[0]
    visit.press("Prendre un rendez-vous")
    page.get_by_role("textbox").first.fill("x")
    visit.press("Chercher")
    yield "agenda-recherche-refus"
    page.get_by_role("textbox").first.fill("soignant")
    visit.press("Chercher")
    yield "agenda-recherche"
    visit.press("DR Dominique SOIGNANT")
    yield "agenda-creneaux"
    page.locator("main .slots a").first.click()
    page.wait_for_load_state()
    yield "agenda-creneau"
    visit.fill(**{"Motif du rendez-vous (facultatif)": "Renouvellement"})
    visit.press("Prendre ce rendez-vous")
    yield "agenda-pris"
    page.goto(f"{base}/noter")
    visit.fill(Titre="Dentiste", Jour="2030-03-31", Heure="02:30")
    visit.press("Noter")
    yield "agenda-note-refus"
    page.goto(base)
    page.locator("main a[href*='/agenda/rendez-vous/']").first.click()
    page.wait_for_load_state()
    yield "agenda-rendez-vous"
    page.goto(f"{base}/passes")
    yield "agenda-passes"
    page.goto(base)
    visit.press("Faire un lien")
    yield "agenda-lien"
    page.goto(house.root)
    visit.press("Se déconnecter")
    page.goto(house.root)
    visit.press("Entrer comme Docteur Dominique SOIGNANT, médecin")
    visit.press("Agenda")
    yield "mon-agenda"
    visit.fill(Du="2030-03-28", Au="2030-03-20")
    visit.press("Ouvrir ces créneaux")
    yield "mon-agenda-refus"
    page.goto(f"{base}/inscrire")
    yield "agenda-inscrire"
