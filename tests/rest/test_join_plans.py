"""No chain, `_has` or include of one patient's record scans a collection, on whatever database the tests run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

from tests.records import care_team, observation, patient, practitioner, reference
from tests.store.listening import Pipelines, listening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Application, Caller

INS = "urn:oid:1.2.250.1.213.1.4.8"
ASKED = [
    "Observation?patient=p1&_include=*",
    "Observation?patient=p1&_include=Observation:subject&_include:iterate=Patient:general-practitioner",
    "Observation?patient=p1&_revinclude=Observation:derived-from",
    "Observation?patient=p1&performer:Practitioner.family=aubry",
    "Observation?patient=p1&performer.family:contains=ubr&code=718-7",
    "Observation?patient=p1&derived-from:Observation.code:not=1-1",
    "Observation?patient=p1&_has:Observation:derived-from:date=gt2020",
    f"Observation?patient.identifier={INS}|1",
    f"Observation?patient:Patient.identifier={INS}|1&date=gt2020&_sort=-date",
    "Encounter?patient=p1&diagnosis:Condition.code=x",
    "Patient?_id=p1&_has:Observation:patient:code=718-7",
    "Patient?_id=p1&_has:Observation:patient:date=gt2020",
    f"Patient?identifier={INS}|1&_has:Observation:patient:performer:Practitioner.family=aubry",
    "Patient?_id=p1&_revinclude=Observation:subject&_revinclude=Encounter:patient",
    "Patient/p1/Observation?code=718-7",
    "Patient/p1/Observation?performer:Practitioner.family=aubry&_include=Observation:performer",
    "Patient?_list=l",
    "Observation?patient=p1&_filter=code eq 718-7 or date gt 2020",
    "Observation?patient=p1&_filter=performer:Practitioner.family eq aubry or not (derived-from:Observation.code eq x)",
    "Observation?_filter=patient eq p1 and code eq 718-7",
    "Observation?patient=p1&_content=final",
    "Observation?patient=p1&code:in=http://hl7.org/fhir/ValueSet/ucum-units",
    "?_type=Observation,Encounter&patient=p1&_sort=date",
    "Patient/p1/*?_type=Observation,Condition&code=718-7",
    "CarePlan?patient=p1&instantiates-canonical:ActivityDefinition.title=x",
]


class Watched:
    def __init__(self, application: Application, pipelines: Pipelines) -> None:
        self.doctor: Caller = application.practitioner("10000000001")
        settings = application.services.settings
        self.uri, self.name, self.pipelines = str(settings.mongo), settings.database, pipelines

    def plans(self, asked: str) -> list[tuple[str, Any, str]]:
        """Collection, stages and plan of each query that a search makes."""
        self.pipelines.seen.clear()
        assert self.doctor.get(asked).status == 200
        seen = list(self.pipelines.seen)
        with MongoClient[dict[str, Any]](self.uri) as client:
            there = client[self.name].list_collection_names()
            return [
                (name, stages, str(client[self.name].command(
                    "explain", {"aggregate": name, "pipeline": stages, "cursor": {}}, verbosity="queryPlanner"
                )))
                for name, stages in seen if name in there
            ]  # fmt: skip


@pytest.fixture(scope="module")
def watched(applications: Callable[..., Any]) -> Iterator[Watched]:
    with listening() as pipelines, applications() as application:
        operator = application.operator()
        operator.store(practitioner("10000000001", id="a", name=[{"family": "Aubry"}]))
        for number in (1, 2, 3):
            p, doctor = f"p{number}", [reference("Practitioner/a")]
            operator.store(
                patient(id=p, identifier=[{"system": INS, "value": str(number)}], generalPractitioner=doctor)
            )
            operator.store(care_team(p, "Practitioner/a", id=f"t{number}"))
            operator.store(observation(p, id=f"o{number}", performer=doctor, effectiveDateTime="2024-01-01"))
            earlier = [reference(f"Observation/o{number}")]
            operator.store(observation(p, id=f"d{number}", derivedFrom=earlier, effectiveDateTime="2024-01-02"))
            operator.store({"resourceType": "Condition", "id": f"c{number}", "subject": reference(f"Patient/{p}")})
            encounter = {
                "resourceType": "Encounter",
                "id": f"e{number}",
                "status": "finished",
                "class": {"code": "AMB"},
            }
            plan = {
                "resourceType": "CarePlan",
                "status": "active",
                "intent": "plan",
                "instantiatesCanonical": ["http://a.org/x"],
            }
            operator.store(plan | {"id": f"cp{number}", "subject": reference(f"Patient/{p}")})
            diagnosis = [{"condition": reference(f"Condition/c{number}")}]
            operator.store(encounter | {"subject": reference(f"Patient/{p}"), "diagnosis": diagnosis})
        activity = {"resourceType": "ActivityDefinition", "id": "x", "status": "active", "url": "http://a.org/x"}
        operator.store(activity | {"title": "x"})
        entry = [{"item": reference("Patient/p1")}]
        operator.store({"resourceType": "List", "id": "l", "status": "current", "mode": "working", "entry": entry})
        yield Watched(application, pipelines)


@pytest.mark.parametrize("asked", ASKED)
def test_every_step_within_a_record_is_served_by_an_index(watched: Watched, asked: str) -> None:
    plans = watched.plans(asked)
    assert plans
    for collection, stages, plan in plans:
        if stages[0] == {"$match": {"_id": {"$in": []}}}:
            continue
        assert "COLLSCAN" not in plan, (collection, stages)
        assert "IXSCAN" in plan, (collection, stages)


def test_a_chain_that_leads_to_one_patient_searches_his_record_alone(watched: Watched) -> None:
    searched = [
        stages for name, stages, _ in watched.plans(f"Observation?patient.identifier={INS}|1") if name == "Observation"
    ]
    assert searched
    assert all(stages[0]["$match"].get("pat") == "p1" for stages in searched)
