"""The person enters, changes and deletes entries of the profile; professionals see them apart; bad forms store none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from fhirserver.espace.profile import tables
from tests.portal.record.visiting import holder, logged_in, patient_named, professional, representative
from tests.records import observation

if TYPE_CHECKING:
    from tests.application import Application
    from tests.portal.browser import Browser, Page

PHYSICIAN = "10000000018"
XSS = '"><script>alert(1)</script>'
FILLED = {
    "allergies": {"substance": "latex", "texte": "gants", "depuis": "04/2019"},
    "traitements": {"texte": "Lévothyroxine", "posologie": "un le matin", "depuis": "12/04/2019"},
    "problemes": {"texte": "Asthme", "depuis": "1999"},
    "vaccinations": {"vaccin": "ror", "date": "01/05/1986"},
    "operations": {"texte": "Appendicectomie", "date": "07/2001"},
    "famille": {"lien": "mere", "texte": "Diabète", "age": "60"},
    "habitudes": {"tabac": "ancien", "alimentation": "végétarienne"},
    "dispositifs": {"sorte": "stimulateur", "depuis": "2020"},
}
SHOWN = {
    "allergies": "Latex (gants) avril 2019",
    "traitements": "Lévothyroxine – un le matin depuis 12 avril 2019",
    "problemes": "Asthme 1999",
    "vaccinations": "Rougeole, oreillons, rubéole 1er mai 1986",
    "operations": "Appendicectomie juillet 2001",
    "famille": "Diabète – Mère",
    "habitudes": "Tabac – Ancien fumeur",
    "dispositifs": "Stimulateur cardiaque depuis 2020",
}


@pytest.fixture(scope="module")
def marc(french: Application) -> str:
    return patient_named(french, "Marc")


@pytest.fixture
def mine(french: Application, marc: str) -> Browser:
    return logged_in(french, holder(marc))


def form(browser: Browser, patient: str, section: str) -> Page:
    return browser.get(f"/dossier/{patient}/profil/{section}/ajouter")


def entered(browser: Browser, patient: str, section: str, **typed: str) -> Page:
    page = form(browser, patient, section)
    return browser.send(page, f"/dossier/{patient}/profil/{section}/ajouter", typed)


def link(page: Page, words: str) -> str:
    """Where an entry is changed."""
    found = re.findall(r'href="([^"]*)">Modifier<span class="away"> : ([^<]*)<', page.html)
    return next(str(path) for path, name in found if words in name)


@pytest.mark.parametrize("section", FILLED)
def test_an_entry_is_made_changed_and_deleted(mine: Browser, marc: str, section: str) -> None:
    page = entered(mine, marc, section, **FILLED[section])
    assert (page.status, page.path) == (200, f"/dossier/{marc}/profil?fait=ajoute#{section}")
    assert "C’est enregistré." in page.text
    assert SHOWN[section] in page.text
    path = link(page, SHOWN[section].split(" – ")[0].split(" (")[0].split(" depuis ")[0][:6])
    change = mine.get(path)
    assert change.status == 200
    changed = mine.post(path, change.form(path).fields | typed_of(change))
    assert "C’est modifié." in changed.text
    assert SHOWN[section] in changed.text
    again = mine.get(path)
    gone = mine.send(again, f"{path}/supprimer")
    assert "C’est supprimé." in gone.text
    assert SHOWN[section] not in gone.text
    assert mine.get(path, Accept="text/html").status == 404


def typed_of(page: Page) -> dict[str, str]:
    """What the selects and boxes of a form show."""
    chosen = re.findall(r'<select[^>]* name="([^"]*)".*?</select>', page.html, re.DOTALL)
    found = {}
    for name in chosen:
        part = page.html.partition(f'name="{name}"')[2].partition("</select>")[0]
        if picked := re.findall(r'value="([^"]*)" selected', part):
            found[name] = picked[0]
    return found


def test_every_section_is_tried() -> None:
    assert FILLED.keys() == SHOWN.keys() == tables.sections().keys()


def test_what_is_no_longer_current_says_so(mine: Browser, marc: str) -> None:
    page = entered(mine, marc, "problemes", texte="Varicelle", depuis="1990", jusque="03/1990")
    assert "Varicelle – résolu 1990" in page.text
    page = entered(mine, marc, "traitements", texte="Pénicilline", depuis="02/2020", jusque="03/2020")
    assert "Pénicilline de février 2020 à mars 2020" in page.text


def test_of_each_habit_the_latest_is_shown(mine: Browser, marc: str) -> None:
    entered(mine, marc, "habitudes", alcool="souvent", activite="1")
    page = entered(mine, marc, "habitudes", alcool="rarement")
    assert "Alcool – rarement" in page.text
    assert "souvent" not in page.text
    assert "Activité physique – 1 jours par semaine" in page.text


def test_a_professional_sees_both_apart_and_changes_nothing(french: Application, mine: Browser, marc: str) -> None:
    entered(mine, marc, "allergies", texte="Kiwi")
    french.operator().create({
        "resourceType": "AllergyIntolerance", "patient": {"reference": f"Patient/{marc}"}, "code": {"text": "Iode"},
        "clinicalStatus": {"coding": [{"code": "active", "system": CLINICAL}]},
    })  # fmt: skip
    doctor = logged_in(french, professional(PHYSICIAN))
    page = doctor.get(f"/dossier/{marc}/profil")
    others, said = page.text.partition("Indiqué par la personne")[::2]
    assert "Iode" in others
    assert "Kiwi" not in others
    assert "Kiwi" in said.partition("Traitements")[0]
    assert "Modifier" not in page.text
    assert "Ajouter" not in page.text
    path = link(mine.get(f"/dossier/{marc}/profil"), "Kiwi")
    for each in (path, f"/dossier/{marc}/profil/allergies/ajouter", f"/dossier/{marc}/mesures/poids/ajouter"):
        assert doctor.get(each, Accept="text/html").status == 404
    summary = french.practitioner(PHYSICIAN).get(f"Patient/{marc}/$summary").json
    section = next(
        each for each in summary["entry"][0]["resource"]["section"] if each["code"]["coding"][0]["code"] == "48765-2"
    )
    assert section["text"]["div"].index("Iode") < section["text"]["div"].index("Entered by the person:")
    assert section["text"]["div"].index("Entered by the person:") < section["text"]["div"].index("Kiwi")


CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"


def test_the_holder_changes_what_a_representative_entered_not_the_other_way(french: Application) -> None:
    lea = patient_named(french, "Léa")
    related = french.operator().search("RelatedPerson", patient=f"Patient/{lea}").ids[0]
    parent, child = logged_in(french, representative(lea, related)), logged_in(french, holder(lea))
    path = link(entered(parent, lea, "allergies", texte="Fraise"), "Fraise")
    assert child.get(path).status == 200
    page = child.get(path)
    assert "C’est modifié." in child.send(page, path, {"texte": "Fraise des bois"}).text
    own = link(entered(child, lea, "allergies", texte="Noix"), "Noix")
    assert parent.get(own, Accept="text/html").status == 404
    assert "Noix" in parent.get(f"/dossier/{lea}/profil").text


def test_a_form_sent_twice_stores_once(french: Application, mine: Browser, marc: str) -> None:
    page = form(mine, marc, "operations")
    path = f"/dossier/{marc}/profil/operations/ajouter"
    for _ in range(2):
        assert mine.send(page, path, {"texte": "Fracture"}).status == 200
    assert french.patient(marc).get("Procedure?_summary=count").total == 1


BAD = {
    "nothing": {},
    "too long": {"texte": "x" * 201},
    "control characters": {"texte": "a\x07b"},
    "bidirectional": {"texte": "a\u202eb"},
    "no choice": {"texte": "x", "substance": "nulle-part"},
    "a list": {"texte": "x", "substance": "latex,chat"},
    "no date": {"texte": "x", "depuis": "hier"},
    "the future": {"texte": "x", "depuis": "2999"},
    "no day": {"texte": "x", "depuis": "31/02/2020"},
    "injection": {"texte": "x", "depuis": XSS},
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_form_is_told_and_stores_nothing(french: Application, mine: Browser, marc: str, case: str) -> None:
    before = french.counts()
    page = entered(mine, marc, "allergies", **BAD[case])
    assert page.status == 422
    assert 'role="alert"' in page.html
    assert "<script>alert" not in page.html
    assert french.counts() == before


def test_a_form_that_is_far_too_large_is_refused(french: Application, mine: Browser, marc: str) -> None:
    before = french.counts()
    assert entered(mine, marc, "allergies", texte="x" * 3_000_000).status == 413
    assert french.counts() == before


def test_markup_is_shown_as_it_was_typed(mine: Browser, marc: str) -> None:
    page = entered(mine, marc, "dispositifs", texte=XSS, serie=XSS)
    assert "<script>alert" not in page.html
    assert XSS in page.text
    again = mine.get(link(page, "&#34;&gt;"))
    assert "<script>alert" not in again.html


def test_forged_and_stale_forms_are_refused(french: Application, mine: Browser, marc: str) -> None:
    base = f"/dossier/{marc}/profil"
    path = link(entered(mine, marc, "allergies", texte="Céleri"), "Céleri")
    page, before = mine.get(path), french.counts()
    fields = page.form(path).fields | {"texte": "Autre"}
    assert mine.post(path, {**fields, "csrf": "x"}).status == 403
    assert mine.post(path, {name: each for name, each in fields.items() if name != "csrf"}).status == 403
    for version in ("", "x", "٣", "1;2"):
        assert mine.post(path, {**fields, "version": version}).status == 400
    assert mine.post(path, {**fields, "version": "99"}).status == 409
    assert mine.post(f"{path}/supprimer", {**fields, "version": "99"}).status == 409
    sending = form(mine, marc, "allergies").form(f"{base}/allergies/ajouter").fields | {"texte": "x"}
    for value in ("", "x", "A" * 32, "0" * 31 + "|"):
        assert mine.post(f"{base}/allergies/ajouter", {**sending, "envoi": value}).status == 400
    assert french.counts() == before


def test_what_is_elsewhere_or_of_another_kind_is_unknown(french: Application, mine: Browser, marc: str) -> None:
    claire = patient_named(french, "Claire")
    foreign = link(entered(logged_in(french, holder(claire)), claire, "allergies", texte="Melon"), "Melon")
    id_ = foreign.rpartition("/")[2]
    vital = french.patient(marc).create(observation(marc, "29463-7"))
    odd = (
        f"allergies/{id_}",
        f"habitudes/{vital}",
        "allergies/nobody",
        "allergies/a b",
        f"problemes/{id_}",
        "x/ajouter",
    )
    for each in odd:
        assert mine.get(f"/dossier/{marc}/profil/{each}", Accept="text/html").status == 404, each
    assert mine.get(foreign, Accept="text/html").status == 404
    assert Browserless(french).get(f"/dossier/{marc}/profil/allergies/ajouter", follow=False).status in (302, 303)


def Browserless(application: Application) -> Browser:  # noqa: N802 - stands for a class
    from tests.portal.browser import Browser

    return Browser(application)


def test_the_pages_speak_english(mine: Browser, marc: str) -> None:
    mine.send(mine.get("/catalogue"), "/langue", {"langue": "en"})
    page = form(mine, marc, "allergies")
    assert "Allergies and intolerances" in page.text
    assert "Peanut" in page.text
    assert "Write a date" in entered(mine, marc, "allergies", texte="x", depuis="x").text
    assert "Blood pressure" in mine.get(f"/dossier/{marc}/mesures").text


def test_the_card_of_the_blood_group(french: Application, mine: Browser, marc: str) -> None:
    path = f"/dossier/{marc}/groupe-sanguin"
    assert "Aucune détermination complète" in mine.get(path).text
    laboratory = [{"coding": [{"system": CATEGORY, "code": "laboratory"}]}]
    said = {"valueCodeableConcept": {"text": "AB-"}, "effectiveDateTime": "2024-01-01", "category": laboratory}
    french.patient(marc).create(observation(marc, "882-1", **said))
    page = mine.get(path)
    assert "Indiqué par la personne, non vérifié : AB-" in page.text
    assert 'class="blood-group"' not in page.html
    for day in ("2020-01-01", "2021-01-01"):
        french.operator().create(
            observation(
                marc, "882-1", **said | {"effectiveDateTime": day, "valueCodeableConcept": {"text": "O Rh positif"}}
            )
        )
    page = mine.get(path)
    assert '<p class="blood-group">O+</p>' in page.html
    assert "Deux déterminations au moins" in page.text
    assert "ne suffit pas pour transfuser" in page.text
    assert logged_in(french, professional("10000000555")).get(path, Accept="text/html").status == 404
    claire = patient_named(french, "Claire")
    demo = logged_in(french, holder(claire)).get(f"/dossier/{claire}/groupe-sanguin")
    assert '<p class="blood-group">A+</p>' in demo.html


CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
