"""Measures: the latest of each, the course of one, entering by hand; what devices sent stands among them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from fhirserver.espace.profile import measuring, tables
from tests.portal.record.visiting import holder, logged_in, patient_named, professional
from tests.records import reference

if TYPE_CHECKING:
    from tests.application import Application
    from tests.portal.browser import Browser, Page

PHYSICIAN = "10000000018"


@pytest.fixture(scope="module")
def marc(french: Application) -> str:
    return patient_named(french, "Marc")


@pytest.fixture
def mine(french: Application, marc: str) -> Browser:
    return logged_in(french, holder(marc))


def entered(browser: Browser, patient: str, name: str, **typed: str) -> Page:
    path = f"/dossier/{patient}/mesures/{name}/ajouter"
    return browser.send(browser.get(path), path, typed)


@pytest.mark.parametrize("measure", measuring.entered(), ids=lambda each: str(each.name))
def test_each_measure_is_entered_by_hand(mine: Browser, marc: str, measure: tables.Measure) -> None:
    parts = tables.parts(measure.name) or (measure,)
    typed = {each.name: str(each.high).replace(".", ",") for each in parts}
    page = entered(mine, marc, measure.name, date="01/03/2026", heure="08:30", **typed)
    assert (page.status, page.path) == (200, f"/dossier/{marc}/mesures/{measure.name}?fait=ajoute")
    assert "1er mars 2026" in page.text
    assert ("8 h 30" in page.text) == measuring.has_time(measure)
    assert "indiqué par la personne" in page.text


def test_a_measure_is_changed_and_deleted(mine: Browser, marc: str) -> None:
    page = entered(mine, marc, "poids", poids="71,5", date="02/03/2026", heure="08:30")
    path = re.findall(r'href="([^"]*mesures/poids/[0-9a-f-]*)"[^>]*>Modifier', page.html)[0]
    change = mine.get(path)
    for value in ('value="71,5"', 'value="02/03/2026"', 'value="08:30"'):
        assert value in change.html
    page = mine.send(change, path, {"poids": "70,5"})
    assert "70,5 kg" in page.text
    assert "71,5 kg" not in page.text
    gone = mine.send(mine.get(path), f"{path}/supprimer")
    assert "C’est supprimé." in gone.text
    assert "70,5 kg" not in gone.text


def test_the_course_of_both_parts_of_a_pressure(mine: Browser, marc: str) -> None:
    for day, high, low in (("03", "120", "80"), ("04", "130", "85")):
        entered(mine, marc, "tension", systolique=high, diastolique=low, date=f"{day}/03/2026", heure="")
    page = mine.get(f"/dossier/{marc}/mesures/tension?du=2026-03-02")
    assert "Systolique 130 mmHg ; Diastolique 85 mmHg" in page.text
    images = [each.replace("&amp;", "&") for each in re.findall(r'src="([^"]*courbe[^"]*)"', page.html)]
    assert len(images) == 2
    for each in images:
        image = mine.get(each)
        assert image.headers["content-security-policy"].endswith("; sandbox")
        assert len(ElementTree.fromstring(image.html).findall("{*}circle")) == 2


def test_the_latest_of_each_and_the_index_of_an_adult(french: Application, mine: Browser, marc: str) -> None:
    entered(mine, marc, "poids", poids="80", date="10/03/2026")
    entered(mine, marc, "taille", taille="180", date="10/03/2026")
    page = mine.get(f"/dossier/{marc}/mesures")
    assert "80 kg" in page.text
    assert "24,7 kg/m²" in page.text
    doctor = logged_in(french, professional(PHYSICIAN)).get(f"/dossier/{marc}/mesures")
    assert "80 kg" in doctor.text
    assert "Ajouter" not in doctor.text


def test_what_a_device_sent_is_told_with_its_name(french: Application, mine: Browser, marc: str) -> None:
    device = {"identifier": {"system": "urn:example:device", "value": "S1"}, "display": "Balance du salon"}
    sent = measuring.observation(
        tables.measures()["poids"], {"poids": "79.9"}, "2026-03-12T07:00:00Z", f"Patient/{marc}",
        reference(f"Patient/{marc}"),
    ) | {"device": device}  # fmt: skip
    body = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": sent}]}
    assert (
        french.patient(marc).post(f"Patient/{marc}/$feed-measures", body).json["entry"][0]["response"]["status"][:3]
        == "201"
    )
    assert "79,9 kg indiqué par la personne – Balance du salon" in mine.get(f"/dossier/{marc}/mesures/poids").text


BAD = {
    "nothing": {"poids": ""},
    "words": {"poids": "lourd"},
    "a unit": {"poids": "72 kg"},
    "too exact": {"poids": "72,555"},
    "nobody": {"poids": "6000"},
    "negative": {"poids": "-72"},
    "markup": {"poids": "<script>alert(1)</script>"},
    "no day": {"poids": "72", "date": "32/01/2026"},
    "a month": {"poids": "72", "date": "01/2026"},
    "the future": {"poids": "72", "date": "01/01/2999"},
    "no time": {"poids": "72", "heure": "25:00"},
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_measure_is_told_and_stores_nothing(french: Application, mine: Browser, marc: str, case: str) -> None:
    before = french.counts()
    page = entered(mine, marc, "poids", **{"date": "01/03/2026", **BAD[case]})
    assert page.status == 422
    assert "<script>alert" not in page.html
    assert french.counts() == before


def test_what_is_no_measure_is_unknown(french: Application, mine: Browser, marc: str) -> None:
    claire = patient_named(french, "Claire")
    for path in ("x", "systolique", "imc/ajouter", "poids/nobody", "x/courbe.svg", "poids/a b"):
        assert mine.get(f"/dossier/{marc}/mesures/{path}", Accept="text/html").status == 404, path
    assert mine.get(f"/dossier/{claire}/mesures", Accept="text/html").status == 404
    assert mine.get(f"/dossier/{marc}/mesures/poids?page=x", Accept="text/html").status == 400
    assert mine.get(f"/dossier/{marc}/mesures/poids?du=x").status == 422
