"""Moments that a page cannot put into a day are shown as they are written, and break no page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.portal.record.visiting import holder, logged_in
from tests.records import document, patient

if TYPE_CHECKING:
    from tests.application import Application

ODD = {
    "0001-01-01T00:00:00+14:00": "1er janvier 1",
    "9999-12-31T23:59:59-12:00": "31 décembre 9999",
    "2026-03-02T12:00:60Z": "2 mars 2026",
}
PAGES = (
    "", "/documents", "/biologie", "/mesures", "/mesures/poids", "/profil", "/agenda", "/groupe-sanguin", "/rappels",
)  # fmt: skip
LOINC = "http://loinc.org"


def observed(id: str, odd: str, category: str, code: str, **more: Any) -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    return {
        "resourceType": "Observation", "status": "final", "subject": {"reference": f"Patient/{id}"},
        "category": [{"coding": [{"system": system, "code": category}]}], "effectiveDateTime": odd,
        "code": {"coding": [{"system": LOINC, "code": code}], "text": code}, **more,
    }  # fmt: skip


def resources(id: str, odd: str) -> list[dict[str, Any]]:
    who = {"reference": f"Patient/{id}"}
    weight = {"value": 70, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"}
    act = {"coding": [{"system": "http://www.whocc.no/atc", "code": "J07CA01"}], "text": "Vaccin"}
    return [
        observed(id, odd, "laboratory", "718-7", valueQuantity={"value": 13, "unit": "g/dL"}),
        observed(id, odd, "laboratory", "883-9", valueString="A"),
        observed(id, odd, "vital-signs", "29463-7", valueQuantity=weight),
        {"resourceType": "Immunization", "status": "completed", "vaccineCode": act, "patient": who,
         "occurrenceDateTime": odd},
        document(id) | {"date": odd, "context": {"period": {"start": odd, "end": odd}}},
    ]  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
def test_odd_moments_that_anybody_entered_break_no_page(application: Application, odd: str) -> None:
    id = application.operator().create(patient(birthDate="1980-01-01", gender="female"))
    sender = application.practitioner("10000000018")
    for each in resources(id, odd):
        sender.create(each)
    browser = logged_in(application, holder(id))
    assert {path: browser.get(f"/dossier/{id}{path}").status for path in PAGES} == dict.fromkeys(PAGES, 200)
    assert ODD[odd] in browser.get(f"/dossier/{id}/documents").text


@pytest.mark.parametrize("odd", ODD)
def test_what_a_device_measured_at_an_odd_moment_is_refused_alone(application: Application, odd: str) -> None:
    id = application.operator().create(patient(birthDate="1980-01-01"))
    measured = resources(id, odd)[2] | {"device": {"identifier": {"system": "urn:example", "value": "1"}}}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": measured}]}
    answer = application.patient(id).post(f"Patient/{id}/$feed-measures", bundle)
    assert answer.status == 200, answer
    assert answer.json["entry"][0]["response"]["status"][:3] in ("422", "201")


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_note_at_the_ends_of_the_calendar_is_refused(application: Application, day: str) -> None:
    id = application.operator().create(patient(birthDate="1980-01-01"))
    browser = logged_in(application, holder(id))
    form = browser.get(f"/dossier/{id}/agenda/noter")
    assert browser.send(form, f"/dossier/{id}/agenda/noter", titre="x", jour=day, heure="00:00").status == 422
