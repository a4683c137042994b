"""$reminders over HTTP: what is told to whom, and what becomes of an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Requester
from fhirserver.espace.reminders.reading import BASIC
from tests.espace.reminders.conftest import NOW
from tests.records import document, observation, patient

if TYPE_CHECKING:
    from tests.application import Answer, Application

BORN = "1961-05-01"
ATC = "http://www.whocc.no/atc"
SECRET = "INVISIBLE_REPRESENTANTS_LEGAUX"
WAITING = "INVISIBLE_PATIENT"


def vaccination(of: str, code: str, day: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": {"coding": [{"system": ATC, "code": code}]},
        "patient": {"reference": f"Patient/{of}"},
        "occurrenceDateTime": day,
    } | more


def born(house: Application, day: str = BORN, gender: str = "female", **more: Any) -> str:
    return house.operator().create(patient(birthDate=day, gender=gender, **more))


def told(answer: Answer) -> dict[str, dict[str, Any]]:
    """By key, the parts of each reminder."""
    assert answer.status == 200, answer.content
    found = [each["part"] for each in answer.json["parameter"] if each["name"] == "reminder"]
    named = [{part["name"]: next(part[key] for key in part if key != "name") for part in parts} for parts in found]
    return {each["key"]: each for each in named}


def states(answer: Answer) -> dict[str, str]:
    return {key: each["state"] for key, each in told(answer).items()}


def said(house: Application, id: str, **parameters: str) -> Answer:
    listed = [{"name": name, "valueCode": value} for name, value in parameters.items()]
    body = {"resourceType": "Parameters", "parameter": listed}
    return house.patient(id).post(f"Patient/{id}/$reminders-answer", body)


def test_the_holder_is_told_what_his_age_proposes(house: Application) -> None:
    id = born(house)
    found = told(house.patient(id).get(f"Patient/{id}/$reminders"))
    assert {"dtp-65": "due", "grippe": "due", "sein": "due", "pneumo-65": "due"}.items() <= {
        key: each["state"] for key, each in found.items()
    }.items()
    each = found["dtp-65"]
    assert (each["kind"], each["opens"], each["late"]) == ("vaccination", "2026-05-01", "2027-05-01")
    assert each["version"] == "2025"
    assert "Calendrier des vaccinations" in each["source"]
    assert "last" not in each


@pytest.mark.parametrize(
    ("resource", "key", "state"),
    [
        (lambda id: vaccination(id, "J07AL02", "2025-06-01"), "pneumo-65", None),
        (lambda id: vaccination(id, "J07AL02", "2025-06-01", status="entered-in-error"), "pneumo-65", "due"),
        (lambda id: vaccination(id, "J07AL02", "2025-06-01", status="not-done"), "pneumo-65", "due"),
        (lambda id: vaccination(id, "J07BB02", "2026-10-20"), "grippe", "ahead"),
        (lambda id: vaccination(id, "J07BK02", "2025-06-01"), "zona-1", "due"),
        (
            lambda id: vaccination(
                id,
                "V99",
                "2025-06-01",
                protocolApplied=[
                    {
                        "doseNumberPositiveInt": 1,
                        "targetDisease": [{"coding": [{"system": "http://snomed.info/sct", "code": "4740000"}]}],
                    }
                ],
            ),
            "zona-2",
            "due",
        ),
        (lambda id: observation(id, "29771-3", effectiveDateTime="2025-03-01"), "colorectal", "ahead"),
        (lambda id: observation(id, "29771-3", effectiveDateTime="2024-11-22"), "colorectal", "due"),
        (
            lambda id: {
                "resourceType": "Procedure",
                "status": "completed",
                "subject": {"reference": f"Patient/{id}"},
                "code": {"coding": [{"system": "urn:oid:1.2.250.1.213.2.5", "code": "QEQK004"}]},
                "performedDateTime": "2025-02-03",
            },
            "sein",
            "ahead",
        ),
        (
            lambda id: {
                "resourceType": "DiagnosticReport",
                "status": "final",
                "subject": {"reference": f"Patient/{id}"},
                "code": {"coding": [{"system": "http://loinc.org", "code": "24606-6"}]},
                "effectivePeriod": {"start": "2025-02-03"},
            },
            "sein",
            "ahead",
        ),
        (lambda id: document(id, type="83869-8", date="2025-02-03T10:00:00Z"), "bilan-60", None),
    ],
)
def test_what_was_done_closes_or_shifts(house: Application, resource: Any, key: str, state: str | None) -> None:
    id = born(house)
    assert states(house.patient(id).get(f"Patient/{id}/$reminders"))[key if key != "zona-2" else "zona-1"] == "due"
    house.operator().create(resource(id))
    assert states(house.patient(id).get(f"Patient/{id}/$reminders")).get(key) == state


def test_what_awaits_its_announcement_closes_nothing_for_the_holder(house: Application) -> None:
    id = born(house)
    shot = vaccination(id, "J07AL02", "2025-06-01", meta={"security": [{"code": WAITING}]})
    before = house.patient(id).get(f"Patient/{id}/$reminders").content
    house.operator().create(shot)
    assert house.patient(id).get(f"Patient/{id}/$reminders").content == before


def test_what_a_minor_keeps_secret_closes_nothing_for_the_representative(house: Application) -> None:
    child = born(house, "2014-06-01")
    parent = house.operator().create(
        {"resourceType": "RelatedPerson", "active": True, "patient": {"reference": f"Patient/{child}"}}
    )
    house.operator().create(vaccination(child, "J07BM01", "2026-06-01", meta={"security": [{"code": SECRET}]}))
    assert "hpv-1" in states(house.representative(child, parent).get(f"Patient/{child}/$reminders"))
    assert "hpv-1" not in states(house.patient(child).get(f"Patient/{child}/$reminders"))


def test_to_others_there_is_nothing(house: Application) -> None:
    id = born(house)
    body = {"resourceType": "Parameters", "parameter": [{"name": "answer", "valueCode": "silent"}]}
    for caller in (
        house.practitioner("10001112225"),
        house.practitioner("10001112225", purpose="BTG"),
        house.system("750000001"),
        house.patient("another"),
        house.representative(id, "stranger"),
        house.representative("another"),
    ):
        for method, path, sent in (("GET", "$reminders", None), ("POST", "$reminders-answer", body)):
            there, absent = (caller.call(method, f"Patient/{each}/{path}", sent) for each in (id, "nobody"))
            assert there.status == absent.status == 404
            assert there.content.decode().replace(id, "nobody") == absent.content.decode()


def test_a_token_for_less_is_refused(house: Application) -> None:
    id = born(house)
    narrow = house.caller(
        Requester("patient", f"patient/{id}", patient=id, purpose="PATRQT", scopes=("patient/Patient.rs",))
    )
    assert narrow.get(f"Patient/{id}/$reminders").status == 403
    reading = house.caller(
        Requester("patient", f"patient/{id}", patient=id, purpose="PATRQT", scopes=("patient/*.rs",))
    )
    assert reading.get(f"Patient/{id}/$reminders").status == 200
    body = {"resourceType": "Parameters", "parameter": [{"name": "answer", "valueCode": "silent"}]}
    assert reading.post(f"Patient/{id}/$reminders-answer", body).status == 403


def test_an_answer_is_one_entry_of_the_record_that_professionals_do_not_see(house: Application) -> None:
    id = born(house)
    assert states(said(house, id, reminder="pneumo-65", answer="elsewhere")).get("pneumo-65") is None
    assert states(said(house, id, reminder="grippe", answer="later"))["grippe"] == "postponed"
    assert states(said(house, id, reminder="grippe", answer="not-concerned")).get("grippe") is None
    assert said(house, id, reminder="grippe", answer="not-concerned").status == 200
    kept = house.patient(id).search(BASIC, patient=id)
    assert kept.total == 2
    assert {each["resource"]["author"]["reference"] for each in kept.json["entry"]} == {f"Patient/{id}"}
    house.operator().create(
        {
            "resourceType": "CareTeam",
            "status": "active",
            "subject": {"reference": f"Patient/{id}"},
            "participant": [
                {"member": {"identifier": {"system": "https://rpps.esante.gouv.fr", "value": "10001112225"}}}
            ],
        }
    )
    assert house.practitioner("10001112225").search(BASIC, patient=id).total == 0
    assert states(said(house, id, reminder="grippe", answer="again"))["grippe"] == "due"
    assert house.patient(id).search(BASIC, patient=id).total == 1


def test_answers_come_back_with_the_reminders(house: Application) -> None:
    id = born(house)
    said(house, id, reminder="pneumo-65", answer="later")
    found = said(house, id, answer="silent").json["parameter"]
    (one,) = [each["part"] for each in found if each["name"] == "answer"]
    assert [next(part[key] for key in part if key != "name") for part in one] == ["pneumo-65", "later", "2026-11-22"]
    assert found[-1] == {"name": "silent", "valueBoolean": True}
    assert said(house, id, answer="again").json["parameter"][-1] == {"name": "silent", "valueBoolean": False}


@pytest.mark.parametrize(
    ("parameters", "status", "words"),
    [
        ({}, 400, "answer is needed"),
        ({"answer": "maybe"}, 400, "none of silent, again"),
        ({"reminder": "grippe", "answer": "silent"}, 400, "none of elsewhere, later, not-concerned, again"),
        ({"reminder": "unknown", "answer": "later"}, 422, "Proposed now: bilan-60"),
        ({"reminder": "dtp-75", "answer": "later"}, 422, "not proposed"),
        ({"reminder": "grippe", "answer": "again"}, 422, "no answer"),
        ({"reminder": "<script>", "answer": "later"}, 422, "not proposed"),
        ({"reminder": "x" * 5000, "answer": "later"}, 422, "not proposed"),
        ({"other": "x", "answer": "later"}, 400, "other"),
    ],
)
def test_what_is_no_answer_is_refused(house: Application, parameters: dict[str, str], status: int, words: str) -> None:
    id = born(house)
    answer = said(house, id, **parameters)
    assert (answer.status, words in answer.told) == (status, True), answer.told
    assert house.patient(id).search(BASIC, patient=id).total == 0


def test_bodies_that_are_no_parameters_are_refused(house: Application) -> None:
    id = born(house)
    holder = house.patient(id)
    for body, status in ((b"{", 400), (b"[]", 400), (patient(), 400), (b"x" * 100, 400)):
        assert holder.post(f"Patient/{id}/$reminders-answer", body).status == status
    assert holder.get(f"Patient/{id}/$reminders?at=2020").status == 400


def test_reading_and_answering_are_traced(house: Application) -> None:
    id = born(house)
    house.patient(id).get(f"Patient/{id}/$reminders")
    said(house, id, reminder="grippe", answer="later")
    said(house, id, reminder="grippe", answer="not-concerned")
    said(house, id, reminder="grippe", answer="again")
    found = house.patient(id)
    assert found.search("AuditEvent", patient=id, subtype="operation").total == 1
    for subtype in ("create", "update", "delete"):
        told = [each["resource"] for each in found.search("AuditEvent", patient=id, subtype=subtype).json["entry"]]
        assert sum("Basic/" in str(each) for each in told) == 1


def test_of_the_dead_and_the_closed_nothing_is_proposed_or_written(house: Application) -> None:
    dead = born(house, deceasedDateTime="2026-01-01")
    assert house.patient(dead).get(f"Patient/{dead}/$reminders").status == 404
    closed = born(house)
    house.patient(closed).post(f"Patient/{closed}/$espace-close", None)
    assert house.patient(closed).get(f"Patient/{closed}/$reminders").status == 200
    assert said(house, closed, reminder="grippe", answer="later").status == 403


def test_the_zone_is_that_of_the_home(house: Application) -> None:
    """In Nouméa it is 23 November at 13:30 UTC of the 22nd."""
    away = born(house, "1951-11-23", address=[{"use": "home", "postalCode": "98800"}])
    here = born(house, "1951-11-23")
    later = house.at(NOW.replace(hour=13, minute=30))
    assert states(later.patient(away).get(f"Patient/{away}/$reminders"))["vrs-75"] == "due"
    assert states(later.patient(here).get(f"Patient/{here}/$reminders"))["vrs-75"] == "ahead"
