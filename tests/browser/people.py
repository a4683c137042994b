"""What people do at the pages: activate a space, log in, let an app in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.portal.people import PASSWORD, code_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.house import House
    from tests.browser.visit import Visit


def activates(visit: Visit, house: House, proof: tuple[str, str], login: str, **also: str) -> None:
    """From a provisional code to an account whose second factor are codes by e-mail."""
    for _ in activation_steps(visit, house, proof, login, **also):
        pass


def activation_steps(visit: Visit, house: House, proof: tuple[str, str], login: str, **also: str) -> Iterator[str]:
    """The same, with the name of each page on the way."""
    page, (birth, matricule) = visit.page, proof
    page.goto(f"{house.root}/activation")
    yield "activation"
    visit.fill(Code_provisoire=house.code(matricule, **also), Date_de_naissance=birth)
    visit.fill(Numéro_de_sécurité_sociale=matricule)
    visit.press("Continuer")
    yield "activation-compte"
    visit.fill(Identifiant_de_votre_choix=login, Mot_de_passe=PASSWORD)
    page.get_by_label("Le même mot de passe").fill(PASSWORD)
    page.get_by_label("Un code par courriel").check()
    page.get_by_label("Votre adresse de courriel").fill(f"{login}@exemple.fr")
    visit.press("Continuer")
    yield "activation-code"
    confirms(visit, house, login, "Confirmer")
    assert page.locator(".codes .code").count() == 10
    yield "codes-de-secours"
    visit.press("J’ai noté mes codes")


def logs_in(visit: Visit, house: House, login: str) -> None:
    """The two steps, from the page of the first one."""
    visit.fill(Identifiant=login, Mot_de_passe=PASSWORD)
    visit.press("Continuer")
    assert visit.title() == "Confirmez que c’est vous"
    confirms(visit, house, login, "Se connecter")


def confirms(visit: Visit, house: House, login: str, button: str) -> None:
    """The code of the e-mail that was just sent."""
    address = f"{login}@exemple.fr"
    visit.page.get_by_label("Code", exact=False).fill(code_for(house.box, address))
    house.box.messages.clear()
    visit.press(button)
