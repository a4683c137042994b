"""Who sees what, and what the person decides of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.cli.demo import HOSPITAL, PHYSICIAN
from tests.portal.record.visiting import holder, logged_in, patient_named, professional, representative
from tests.records import care_team, consent, document, practitioner

if TYPE_CHECKING:
    from tests.application import Application
    from tests.portal.browser import Browser

NURSE = "10000000666"


@pytest.fixture(scope="module")
def claire(demo: Application) -> str:
    id_ = patient_named(demo, "Claire")
    nurse = demo.operator().create(practitioner(NURSE, name=[{"family": "AIDANT", "given": ["Sacha"]}]))
    demo.operator().create(care_team(id_, f"Practitioner/{nurse}"))
    return id_


@pytest.fixture
def path(claire: str) -> str:
    return f"/dossier/{claire}/partage"


@pytest.fixture
def mine(demo: Application, claire: str) -> Browser:
    return logged_in(demo, holder(claire))


def test_a_professional_is_blocked_in_pages_and_api_and_let_in_again(
    demo: Application, mine: Browser, claire: str, path: str
) -> None:
    theirs, api = logged_in(demo, professional(NURSE)), demo.practitioner(NURSE)
    assert "Sacha AIDANT" in mine.get(path).text
    assert (theirs.get(f"/dossier/{claire}").status, api.get(f"Patient/{claire}").status) == (200, 200)
    page = mine.send(mine.get(path), f"{path}/blocage", numero="1000 0000 666")
    assert "Cet accès est bloqué." in page.text
    assert f"Sacha AIDANT, RPPS {NURSE}" in page.text
    assert api.get(f"Patient/{claire}").status == 404
    for each in ("", "/documents", "/biologie", "/profil"):
        assert theirs.get(f"/dossier/{claire}{each}", Accept="text/html").status == 404
    page = mine.send(page, f"{path}/retrait")
    assert "Ce choix est retiré." in page.text
    assert theirs.get(f"/dossier/{claire}").status == 200


def test_an_establishment_is_blocked(demo: Application, mine: Browser, claire: str, path: str) -> None:
    page = mine.send(mine.get(path), f"{path}/blocage", numero=HOSPITAL)
    assert f"Hôpital de démonstration, FINESS {HOSPITAL}" in page.text
    assert demo.practitioner(NURSE, organization=HOSPITAL).get(f"Patient/{claire}").status == 404
    mine.send(page, f"{path}/retrait")
    assert demo.practitioner(NURSE, organization=HOSPITAL).get(f"Patient/{claire}").status == 200


@pytest.mark.parametrize("typed", ["", "x", "123", "1234567890a", "１０００００００６６６", "7500000011", "<b>"])
def test_what_is_no_number_is_told(mine: Browser, path: str, typed: str) -> None:
    page = mine.send(mine.get(path), f"{path}/blocage", numero=typed)
    assert page.status == 422
    assert "Personne n’est bloqué." in page.text
    assert "<b>" not in page.html
    page = mine.send(page, f"{path}/traitant", rpps=typed)
    assert (page.status, "(11 chiffres)" in page.text) == (422, True)


def test_emergencies_are_refused_and_allowed_again(demo: Application, mine: Browser, claire: str, path: str) -> None:
    urgent = demo.practitioner("10000000123", purpose="BTG")
    assert urgent.get(f"Patient/{claire}").status == 200
    page = mine.send(mine.get(path), f"{path}/urgence")
    assert "vous l’avez refusé" in page.text
    assert urgent.get(f"Patient/{claire}").status == 404
    mine.send(page, f"{path}/retrait")
    assert urgent.get(f"Patient/{claire}").status == 200
    csrf = page.form("/deconnexion").fields["csrf"]
    assert mine.post(f"{path}/urgence", {"csrf": csrf, "urgence": "TREAT"}).status == 400


def test_the_medecin_traitant_is_named_and_sees_what_is_masked(
    demo: Application, mine: Browser, claire: str, path: str
) -> None:
    id_ = demo.operator().create(document(claire, labels=("MASQUE_PS",)))
    assert "Dominique SOIGNANT" in mine.get(path).text
    page = mine.send(mine.get(path), f"{path}/traitant", rpps=NURSE)
    assert "Le médecin traitant est enregistré." in page.text
    assert demo.practitioner(NURSE).get(f"DocumentReference/{id_}").status == 200
    assert demo.practitioner(PHYSICIAN).get(f"DocumentReference/{id_}").status == 404
    page = mine.send(page, f"{path}/traitant", decision="aucun")
    assert "Aucun médecin traitant n’est indiqué." in page.text
    assert demo.practitioner(NURSE).get(f"DocumentReference/{id_}").status == 404
    page = mine.send(page, f"{path}/traitant", rpps="10000000999")
    assert (page.status, "L’annuaire ne connaît pas" in page.text) == (422, True)


def test_who_sees_a_masked_document_is_told(demo: Application, mine: Browser, claire: str, path: str) -> None:
    id_ = demo.operator().create(document(claire, labels=("MASQUE_PS",)))
    page = mine.get(f"{path}?document={id_}")
    assert page.status == 200
    assert "Sacha AIDANT" not in page.html.partition("<tbody")[2].partition("</tbody>")[0]
    marc = patient_named(demo, "Marc")
    other = demo.operator().create(document(marc))
    assert mine.get(f"{path}?document={other}", Accept="text/html").status == 404


def test_a_choice_of_another_is_not_ended(demo: Application, mine: Browser, claire: str, path: str) -> None:
    marc = patient_named(demo, "Marc")
    his = demo.operator().create(consent(marc, "deny", performer=[]) | {"provision": {"type": "deny"}})
    csrf = mine.get(path).form("/deconnexion").fields["csrf"]
    for sent in ({"choix": his, "version": "1"}, {"choix": "absent"}, {"choix": "../Patient/x"}, {}):
        assert mine.post(f"{path}/retrait", {"csrf": csrf, **sent}, Accept="text/html").status == 404
    assert demo.operator().get(f"Consent/{his}").json["status"] == "active"


def test_choices_need_the_forms_token_and_the_persons_side(demo: Application, claire: str, path: str) -> None:
    mine, theirs = logged_in(demo, holder(claire)), logged_in(demo, professional(PHYSICIAN))
    csrf = theirs.get("/catalogue").form("/deconnexion").fields["csrf"]
    for each in ("blocage", "retrait", "urgence", "traitant"):
        assert mine.post(f"{path}/{each}", {"numero": NURSE, "urgence": "BTG"}).status == 403
        assert theirs.post(f"{path}/{each}", {"csrf": csrf}, Accept="text/html").status == 404


def test_a_representative_decides_for_the_child(demo: Application) -> None:
    lea = patient_named(demo, "Léa")
    related = demo.operator().search("RelatedPerson", patient=f"Patient/{lea}").ids[0]
    parent, path = logged_in(demo, representative(lea, related)), f"/dossier/{lea}/partage"
    page = parent.send(parent.get(path), f"{path}/blocage", numero=PHYSICIAN)
    assert "Cet accès est bloqué." in page.text
    assert demo.practitioner(PHYSICIAN).get(f"Patient/{lea}").status == 404
