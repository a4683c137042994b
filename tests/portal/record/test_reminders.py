"""The page of reminders: what it tells whom, what is said of it, and what it refuses."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from fhirserver.cli.demo import PHYSICIAN
from fhirserver.espace.reminders.reading import BASIC
from tests.portal.browser import Browser
from tests.portal.record.visiting import holder, logged_in, patient_named, professional, representative
from tests.records import patient

if TYPE_CHECKING:
    from tests.application import Application

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
XSS = '"><script>alert(1)</script>'


@pytest.fixture
def now(demo: Application) -> Application:
    return demo.at(NOW)


@pytest.fixture
def born(now: Application) -> str:
    """Somebody who is 65 today."""
    name = [{"family": "EXEMPLE", "given": ["Paule"]}]
    return now.operator().create(patient(birthDate="1961-11-22", gender="female", name=name))


def sent(browser: Browser, id: str, said: str, key: str = "", *, follow: bool = True) -> tuple[int, str]:
    page = browser.get(f"/dossier/{id}/rappels")
    fields = {"csrf": page.form(f"/dossier/{id}/rappels/reponse").fields["csrf"], "reponse": said, "rappel": key}
    answer = browser.post(f"/dossier/{id}/rappels/reponse", fields, follow=follow)
    return answer.status, answer.text


def test_what_an_age_proposes_with_its_source_and_version(now: Application, born: str) -> None:
    page = logged_in(now, holder(born)).get(f"/dossier/{born}/rappels")
    for words in (
        "Grippe saisonnière",
        "Vaccination – À faire avant le 1er février 2027",
        "Dépistage du cancer du sein : mammographie Dépistage – À faire Pourquoi",
        "Calendrier des vaccinations et recommandations vaccinales (ministère chargé de la santé), 2025",
        "Le dossier ne dit pas que c’est fait.",
        "à voir avec votre médecin",
    ):
        assert words in page.text, words


def test_the_home_of_the_record_shows_the_next_two(now: Application, born: str) -> None:
    page = logged_in(now, holder(born)).get(f"/dossier/{born}")
    section = page.html.partition("<h2>Prévention</h2>")[2].partition("</ul>")[0]
    assert section.count("<li>") == 2
    assert f'href="/dossier/{born}/rappels"' in page.html
    claire = patient_named(now, "Claire")
    assert "<h2>Prévention</h2>" not in logged_in(now, professional(PHYSICIAN)).get(f"/dossier/{claire}").html


def test_a_representative_sees_the_childs(now: Application) -> None:
    lea = patient_named(now, "Léa")
    related = now.operator().search("RelatedPerson", patient=f"Patient/{lea}").ids[0]
    page = logged_in(now, representative(lea, related)).get(f"/dossier/{lea}/rappels")
    assert "Papillomavirus (HPV) : 1re dose" in page.text
    assert "Examen obligatoire de l’enfant entre 11 et 13 ans" in page.text
    assert "À venir Examen bucco-dentaire de prévention (M’T dents)" in page.text


def test_an_answer_is_kept_shown_and_taken_back(now: Application, born: str) -> None:
    mine = logged_in(now, holder(born))
    status, text = sent(mine, born, "not-concerned", "grippe")
    assert (status, "Votre réponse est enregistrée." in text) == (200, True)
    assert "Ne me concerne pas – 22 novembre 2026" in text
    assert "À faire avant le 1er février 2027" not in text.partition("Covid")[0]
    for _ in range(2):
        assert sent(mine, born, "elsewhere", "pneumo-65")[0] == 200
    assert now.patient(born).search(BASIC, patient=born).total == 2
    assert "Votre choix est annulé." in sent(mine, born, "again", "grippe")[1]
    assert now.patient(born).search(BASIC, patient=born).total == 1


def test_a_vaccination_entered_in_the_profile_closes_its_reminder(now: Application, born: str) -> None:
    mine, form = logged_in(now, holder(born)), f"/dossier/{born}/profil/vaccinations/ajouter"
    before = mine.get(f"/dossier/{born}/rappels")
    assert f'href="{form}"' in before.html
    assert "Pneumocoque à partir de 65 ans" in before.text
    assert mine.send(mine.get(form), form, {"vaccin": "pneumocoque", "date": "01/06/2026"}).status == 200
    assert "Pneumocoque à partir de 65 ans" not in mine.get(f"/dossier/{born}/rappels").text


def test_notices_are_switched_off_and_on(now: Application, born: str) -> None:
    mine = logged_in(now, holder(born))
    assert "Vous n’êtes pas prévenu des rappels." in sent(mine, born, "silent")[1]
    assert "Ne plus être prévenu" in sent(mine, born, "again")[1]


@pytest.mark.parametrize(
    ("said", "key", "status"),
    [
        ("later", "unknown", 422),
        ("later", "dtp-75", 422),
        ("again", "grippe", 422),
        ("later", XSS, 422),
        ("later", "x" * 5000, 422),
        (XSS, "grippe", 400),
        ("", "grippe", 400),
        ("", "", 400),
        ("silent", "grippe", 400),
        ("later", "", 400),
    ],
)
def test_what_is_no_answer_is_refused_and_never_markup(
    now: Application, born: str, said: str, key: str, status: int
) -> None:
    mine = logged_in(now, holder(born))
    page = mine.get(f"/dossier/{born}/rappels")
    fields = {"csrf": page.form(f"/dossier/{born}/rappels/reponse").fields["csrf"], "reponse": said, "rappel": key}
    refused = mine.post(f"/dossier/{born}/rappels/reponse", fields)
    assert (refused.status, "<script>alert" in refused.html) == (status, False)
    assert "Votre réponse n’a pas été enregistrée" in refused.text
    assert now.patient(born).search(BASIC, patient=born).total == 0


def test_forms_from_elsewhere_are_refused(now: Application, born: str) -> None:
    mine, theirs = logged_in(now, holder(born)), Browser(now)
    path = f"/dossier/{born}/rappels/reponse"
    foreign = theirs.get("/connexion").form("/connexion").fields["csrf"]
    for fields in ({}, {"csrf": ""}, {"csrf": foreign}, {"csrf": "x"}):
        assert mine.post(path, {"reponse": "silent", **fields}).status == 403
    good = mine.get(f"/dossier/{born}/rappels").form(path).fields["csrf"]
    assert mine.post(path, {"reponse": "silent", "csrf": good}, Sec_Fetch_Site="cross-site").status == 403
    assert mine.post(path, {"reponse": "silent", "csrf": good, "more": "x" * 100_000}).status == 413
    assert mine.get(path, Accept="text/html").status == 405
    assert now.patient(born).search(BASIC, patient=born).total == 0


def test_the_page_is_for_the_persons_own_side(now: Application, born: str) -> None:
    claire = patient_named(now, "Claire")
    absent = logged_in(now, holder(claire)).get("/dossier/absent/rappels", Accept="text/html")
    for stranger in (holder(claire), representative(born), professional(PHYSICIAN), professional("10000000444")):
        page = logged_in(now, stranger).get(f"/dossier/{born}/rappels", Accept="text/html")
        assert page.status == absent.status == 404
        assert "EXEMPLE Paule" not in page.text
    assert Browser(now).get(f"/dossier/{born}/rappels", follow=False).status == 303


def test_the_page_in_english(now: Application, born: str) -> None:
    mine = logged_in(now, holder(born))
    mine.client.set_cookie("langue", "en")
    page = mine.get(f"/dossier/{born}/rappels")
    for words in ("Prevention", "Seasonal influenza", "Done elsewhere", "To be done before"):
        assert words in page.text, words
    assert not re.search(r"Grippe|Fait ailleurs|À faire", page.text)


def test_each_field_and_button_is_named_once(now: Application, born: str) -> None:
    page = logged_in(now, holder(born)).get(f"/dossier/{born}/rappels")
    ids = re.findall(r'\sid="([^"]*)"', page.html)
    assert len(ids) == len(set(ids))
    buttons = re.findall(r"<button[^>]*>(.*?)</button>", page.html, re.DOTALL)
    assert len(buttons) == len(set(buttons)) or "langue" in page.html
    assert page.html.count("<h1") == 1
    assert not re.search(r"\son[a-z]+=|style=|javascript:", page.html)
