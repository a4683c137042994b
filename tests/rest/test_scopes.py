"""Granular scopes (SMART App Launch 2): their search part is part of every query and every write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Requester
from tests import records
from tests.application import application, applications, embedded_uri

if TYPE_CHECKING:
    from tests.application import Application, Caller

__all__ = ["application", "applications", "embedded_uri"]

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
LABORATORY = f"category={CATEGORY}|laboratory"


def observation(category: str, **more: Any) -> records.Resource:
    return records.observation("p", category=[{"coding": [{"system": CATEGORY, "code": category}]}], **more)


@pytest.fixture(scope="module")
def record(application: Application) -> Application:
    operator = application.operator()
    operator.store(records.patient(id="p"))
    operator.store(records.patient(id="q"))
    operator.store(records.care_team("p", "Practitioner/alice", id="t"))
    operator.store(records.practitioner("10000000001", id="alice"))
    operator.store(observation("laboratory", id="lab", encounter=records.reference("Encounter/e")))
    operator.store(observation("vital-signs", id="vital", encounter=records.reference("Encounter/e")))
    operator.store(observation("survey", id="survey", status="preliminary"))
    operator.store({"resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "AMB"},
                    "subject": records.reference("Patient/p")})  # fmt: skip
    return application


def app(application: Application, *scopes: str) -> Caller:
    """An app of the patient."""
    return application.caller(Requester("patient", "patient/p", patient="p", purpose="PATRQT", scopes=scopes))


@pytest.mark.parametrize(
    ("scopes", "found"),
    [
        ([f"patient/Observation.rs?{LABORATORY}"], ["lab"]),
        ([f"patient/Observation.rs?{LABORATORY}", "patient/Observation.rs?category=vital-signs"], ["lab", "vital"]),
        ([f"patient/Observation.rs?{LABORATORY},{CATEGORY}|vital-signs"], ["lab", "vital"]),
        (["patient/Observation.rs?category=survey&status=final"], []),
        (["patient/Observation.rs?category=survey&status=preliminary"], ["survey"]),
        (["patient/Observation.rs?code=718-7&status:not=preliminary"], ["lab", "vital"]),
        ([f"patient/Observation.rs?{LABORATORY}", "patient/Observation.rs"], ["lab", "survey", "vital"]),
        (["patient/Observation.rs?colour=red"], []),
        (["patient/Observation.rs?date=ge2020"], []),
        (["patient/Observation.rs?subject:Patient.active=true"], []),
        (["patient/Observation.rs?_id=lab"], []),
        (["patient/Observation.rs?_sort=date"], []),
        (["patient/Observation.rs?"], []),
        (["patient/*.rs?code=718-7"], ["lab", "survey", "vital"]),
        (["user/Observation.rs?category=laboratory"], ["lab"]),
        (["system/Observation.rs?category=laboratory"], []),
        ([f"patient/Observation.cud?{LABORATORY}"], []),
        (["patient/Observation.s?category=laboratory", "patient/Observation.r?category=survey"], ["lab"]),
    ],
)
def test_a_search_part_narrows_searches_reads_and_totals(
    record: Application, scopes: list[str], found: list[str]
) -> None:
    caller = app(record, *scopes)
    answer = caller.search("Observation", _sort="_id")
    assert (answer.ids, answer.total) == (found, len(found))
    if len(scopes) < 2 or "rs" in scopes[1]:
        ids = ("lab", "survey", "vital")
        assert [each for each in ids if caller.get(f"Observation/{each}").status == 200] == found
        assert [each for each in ids if caller.get(f"Observation/{each}/_history").status == 200] == found


def test_reading_by_id_and_searching_are_granted_apart(record: Application) -> None:
    caller = app(record, "patient/Observation.s?category=laboratory", "patient/Observation.r?category=survey")
    assert [caller.get(f"Observation/{each}").status for each in ("lab", "survey", "vital")] == [404, 200, 404]
    assert app(record, "patient/Observation.r").search("Observation").ids == []
    assert app(record, "patient/Observation.s").get("Observation/lab").status == 404


def test_what_a_search_part_leaves_out_is_not_brought_along_nor_passed_through(record: Application) -> None:
    caller = app(record, f"patient/Observation.rs?{LABORATORY}", "patient/Encounter.rs")
    assert sorted(caller.search("Encounter", _revinclude="Observation:encounter").ids) == ["e", "lab"]
    assert caller.get("Encounter?_has:Observation:encounter:category=vital-signs").ids == []
    assert caller.get("Encounter?_has:Observation:encounter:category=laboratory").ids == ["e"]
    assert sorted(caller.get("Patient/p/$everything").ids if caller.get("Patient/p").status == 200 else []) == []


def test_a_superseded_version_is_reached_only_as_far_as_its_own_state(record: Application) -> None:
    operator = record.operator()
    operator.store(observation("vital-signs", id="moved"))
    operator.store(observation("laboratory", id="moved"))
    caller = app(record, f"patient/Observation.rs?{LABORATORY}")
    assert [caller.get(f"Observation/moved/_history/{version}").status for version in (1, 2)] == [404, 200]
    operator.delete("Observation/moved")


def test_writes_are_within_the_search_part_before_and_after(record: Application) -> None:
    """Forbidden where the requester sees it, absent where he does not."""
    caller = app(record, f"patient/Observation.cruds?{LABORATORY}")
    assert caller.post("Observation", observation("vital-signs")).status == 403
    made = caller.create(observation("laboratory"))
    moved = observation("vital-signs", id=made)
    assert caller.put(f"Observation/{made}", moved).status == 403
    assert caller.put(f"Observation/{made}", observation("laboratory", id=made, status="amended")).status == 200
    everything = app(record, "patient/Observation.rs", f"patient/Observation.cud?{LABORATORY}")
    mine = app(record, "patient/Observation.cruds").create(observation("vital-signs"))
    assert everything.delete(f"Observation/{mine}").status == 403
    assert everything.put(f"Observation/{mine}", observation("laboratory", id=mine)).status == 403
    assert caller.delete(f"Observation/{mine}").status == 204
    assert record.operator().get(f"Observation/{mine}").status == 200
    assert everything.delete(f"Observation/{made}").status == 204


def test_an_app_launched_for_one_patient_writes_to_no_other(record: Application) -> None:
    scopes = ("patient/Observation.c",)
    launched = Requester("practitioner", "a", rpps="10000000001", profession="G15_10", patient="p", scopes=scopes)
    caller = record.caller(launched)
    assert caller.post("Observation", records.observation("q")).status == 403
    assert caller.post("Observation", records.observation("p")).status == 201
