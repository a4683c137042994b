"""Home of a record, profile, journal of accesses, notifications."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from fhirserver.cli.demo import HOSPITAL, PHYSICIAN
from fhirserver.portal.record import journal
from tests.portal.browser import Browser
from tests.portal.record.visiting import holder, logged_in, patient_named, professional, representative
from tests.records import document, post

if TYPE_CHECKING:
    from tests.application import Application

XSS = '"><script>alert(1)</script>'
PAGES = ("", "/profil", "/documents", "/biologie", "/journal", "/notifications", "/partage", "/rappels")
PERSONAL = ("/journal", "/notifications", "/partage", "/rappels")


@pytest.fixture
def claire(demo: Application) -> str:
    return patient_named(demo, "Claire")


@pytest.fixture
def mine(demo: Application, claire: str) -> Browser:
    return logged_in(demo, holder(claire))


def test_the_home_of_a_record_shows_what_is_new(demo: Application, mine: Browser, claire: str) -> None:
    logged_in(demo, professional(PHYSICIAN, HOSPITAL)).get(f"/dossier/{claire}/documents")
    page = mine.get("/dossier")
    assert (page.status, page.path) == (200, f"/dossier/{claire}")
    for words in ("Bonjour Claire", "Compte rendu de consultation", "12,8 g/dL", "pour la première fois"):
        assert words in page.text, words


@pytest.mark.parametrize("path", PAGES)
def test_each_page_is_for_who_may_open_it(demo: Application, claire: str, path: str) -> None:
    marc, lea = patient_named(demo, "Marc"), patient_named(demo, "Léa")
    related = demo.operator().search("RelatedPerson", patient=f"Patient/{lea}").ids[0]
    assert logged_in(demo, holder(claire)).get(f"/dossier/{claire}{path}").status == 200
    assert logged_in(demo, representative(lea, related)).get(f"/dossier/{lea}{path}").status == 200
    physician = logged_in(demo, professional(PHYSICIAN)).get(f"/dossier/{claire}{path}", Accept="text/html")
    assert physician.status == (404 if path in PERSONAL else 200)
    assert Browser(demo).get(f"/dossier/{claire}{path}", follow=False).status == 303
    absent = logged_in(demo, professional("10000000444")).get("/dossier/absent", Accept="text/html")
    for stranger in (holder(marc), representative(lea, related), professional("10000000444")):
        page = logged_in(demo, stranger).get(f"/dossier/{claire}{path}", Accept="text/html")
        assert (page.status, "EXEMPLE Claire" in page.text) == (404, False)
        assert _bare(page.html) == _bare(absent.html) or stranger.kind != "practitioner"


def test_pages_name_their_fields_and_say_where_one_is(mine: Browser, claire: str) -> None:
    for path in PAGES:
        page = mine.get(f"/dossier/{claire}{path}")
        assert page.html.count("<h1") == 1, path
        assert f'href="/dossier/{claire}{path}" aria-current="page"' in page.html
        ids = re.findall(r'\sid="([^"]*)"', page.html)
        assert len(ids) == len(set(ids)), path
        fields = re.findall(r"<(?:input|select|textarea)(?![^>]*hidden)[^>]*\sid=\"([^\"]*)\"", page.html)
        assert {*fields} <= {*re.findall(r'<label for="([^"]*)"', page.html)}, path
        assert not re.search(r"\son[a-z]+=|style=|javascript:", page.html)


def test_the_journal_says_who_did_what_and_when(demo: Application, claire: str) -> None:
    marc = patient_named(demo, "Marc")
    id_ = demo.system(HOSPITAL).create(document(marc))
    logged_in(demo, professional(PHYSICIAN, HOSPITAL)).get(f"/dossier/{marc}/documents/{id_}")
    demo.practitioner("10000000777", purpose="BTG").get(f"Patient/{marc}")
    demo.practitioner("10000000778").get(f"Patient/{marc}")
    his = logged_in(demo, holder(marc))
    page = his.get(f"/dossier/{marc}/journal")
    physician = f"Dominique SOIGNANT ( médecin, RPPS {PHYSICIAN}, établissement FINESS {HOSPITAL} )"
    text = page.text.replace("(médecin", "( médecin").replace(f"{HOSPITAL})", f"{HOSPITAL} )")
    assert f"{physician} a consulté une liste : documents" in text
    assert f"Un établissement (établissement FINESS {HOSPITAL}) a ajouté : documents" in page.text
    assert "en urgence (bris de glace). Motif : unconscious" in page.text
    assert "Cette demande a été refusée." in page.text
    assert "Vous" not in page.html.partition("<ol")[2].partition("</ol>")[0]
    assert "Vous" in his.get(f"/dossier/{marc}/journal?miens=oui").html.partition("<ol")[2]
    assert "Aucun accès dans cette période" in his.get(f"/dossier/{marc}/journal?au=2020-01-01").text
    assert his.get(f"/dossier/{marc}/journal?du=x").status == 422


def test_the_journal_goes_on_by_links_of_this_record_only(demo: Application, mine: Browser, claire: str) -> None:
    marc = patient_named(demo, "Marc")
    operator = demo.operator()
    for _ in range(35):
        operator.get(f"Patient/{marc}")
    his = logged_in(demo, holder(marc))
    link = re.findall(r'href="([^"]*journal\?page=[^"]*)"', his.get(f"/dossier/{marc}/journal").html)[0]
    assert his.get(link).status == 200
    assert mine.get(link.replace(marc, claire), Accept="text/html").status == 400


def test_a_minors_secret_is_not_in_the_parents_journal(demo: Application) -> None:
    lea = patient_named(demo, "Léa")
    related = demo.operator().search("RelatedPerson", patient=f"Patient/{lea}").ids[0]
    elsewhere = [{"attachment": {"contentType": "text/plain", "title": "Secret"}}]
    secret = document(lea, labels=("INVISIBLE_REPRESENTANTS_LEGAUX",), content=elsewhere)
    parent = logged_in(demo, representative(lea, related))
    before = parent.get(f"/dossier/{lea}/journal").html.count("<li><strong>")
    id_ = demo.system(HOSPITAL, "lab").create(secret)
    demo.practitioner(PHYSICIAN).get(f"DocumentReference/{id_}")
    assert parent.get(f"/dossier/{lea}/journal").html.count("<li><strong>") == before
    assert logged_in(demo, holder(lea)).get(f"/dossier/{lea}/journal").html.count("<li><strong>") > before


def test_what_events_and_notices_say_is_never_markup(demo: Application) -> None:
    marc = patient_named(demo, "Marc")
    odd = professional("10000000999", reason=XSS, purpose="BTG")
    demo.caller(odd, name=XSS).get(f"Patient/{marc}")
    his = logged_in(demo, holder(marc))
    for path in PAGES:
        page = his.get(f"/dossier/{marc}{path}")
        assert page.status == 200
        assert "<script" not in page.html, path
    assert "alert(1)" in his.get(f"/dossier/{marc}/notifications").text


def test_an_event_of_another_system_is_told_as_far_as_it_says(demo: Application) -> None:
    agent = {"requestor": True, "who": {"display": "Logiciel"}}
    with demo.app.app_context():
        told = journal.line({"agent": [agent], "outcome": "0", "recorded": "2026-03-01T08:05:00Z"}, holder("p"))
        assert journal.line({}, holder("p")).who == "Le service"
    assert (told.when, told.who, told.did, told.what) == (
        "1er mars 2026 à 9\u00a0h\u00a005",
        "Logiciel",
        "est intervenu",
        "",
    )


def test_the_profile_tells_what_is_known_in_sections(demo: Application, mine: Browser, claire: str) -> None:
    subject = {"reference": f"Patient/{claire}"}
    demo.operator().transact(
        post(
            {
                "resourceType": "AllergyIntolerance",
                "patient": subject,
                "recorder": subject,
                "code": {"text": XSS + "Arachide"},
                "criticality": "high",
                "clinicalStatus": {"coding": [{"system": CLINICAL, "code": "active"}]},
                "reaction": [{"manifestation": [{"text": "Urticaire"}]}],
            }
        ),
        post(
            {
                "resourceType": "Immunization",
                "patient": subject,
                "status": "completed",
                "vaccineCode": {"text": "Vaccin tétanos"},
                "occurrenceDateTime": "2024-03-01",
            }
        ),
        post(
            {
                "resourceType": "MedicationStatement",
                "subject": subject,
                "status": "active",
                "medicationCodeableConcept": {"text": "Paracétamol"},
                "dosage": [{"text": "un comprimé le soir"}],
            }
        ),
    )
    page = mine.get(f"/dossier/{claire}/profil")
    assert page.status == 200
    for words in (
        "Vaccin tétanos 1er mars 2024",
        "Paracétamol – un comprimé le soir",
    ):
        assert words in page.text, words
    said = page.text.partition("Allergies et intolérances")[2].partition("Indiqué par la personne")[2]
    assert "Arachide – Urticaire ; risque élevé" in said.partition("Traitements")[0]
    assert "62,00 kg" in mine.get(f"/dossier/{claire}/mesures").text
    assert "<script" not in page.html


CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"


def _bare(html: str) -> str:
    return re.sub(r'name="csrf" value="[^"]*"', "", html)
