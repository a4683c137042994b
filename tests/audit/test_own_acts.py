"""What others did in a record is found without looking through what its holder did; what is found is the same."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

from fhirserver.access import Requester
from fhirserver.audit import Entity, Event
from fhirserver.store.view import View
from tests.application import application, applications, embedded_uri

if TYPE_CHECKING:
    from tests.application import Answer, Application, Caller

__all__ = ["application", "applications", "embedded_uri"]

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def seeds(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the looks into the trace begin with."""
    seen: list[dict[str, Any]] = []
    run = View._run

    def watched(view: View, collection: Any, stages: Any) -> list[dict[str, Any]]:
        seen.extend([dict(stages[0]["$match"])] if collection.name == "trace" else [])
        return run(view, collection, stages)

    monkeypatch.setattr(View, "_run", watched)
    return seen


def of_others(caller: Caller, patient: str, who: str) -> list[str]:
    found = caller.search("AuditEvent", patient=f"Patient/{patient}", _count="100", _total="none", **{"altid:not": who})
    return found.ids


def naive(caller: Caller, patient: str, who: str) -> list[str]:
    """The same of all that is shown, one by one."""
    found = caller.search("AuditEvent", patient=f"Patient/{patient}", _count="100", _total="none")
    return [each["id"] for each in events(found) if all(agent.get("altId") != who for agent in each["agent"])]


def events(answer: Answer) -> list[dict[str, Any]]:
    return [each["resource"] for each in answer.json.get("entry", ())]


def lived(application: Application) -> str:
    """A record in which the holder, who represents him, and an operator were."""
    operator = application.operator()
    patient = operator.create({"resourceType": "Patient", "birthDate": "2015-06-21"})
    parent = operator.create({"resourceType": "RelatedPerson", "patient": {"reference": f"Patient/{patient}"}})
    for caller in (application.patient(patient), operator, application.representative(patient, parent)):
        for _ in range(3):
            caller.get(f"Patient/{patient}")
    return patient


def test_what_others_did_is_found_among_new_and_older_records(
    application: Application, seeds: list[dict[str, Any]]
) -> None:
    patient = lived(application)
    who, holder = f"patient/{patient}", application.patient(patient)
    expected = naive(holder, patient, who)
    assert len(expected) >= 6
    seeds.clear()
    assert of_others(holder, patient, who) == expected
    assert [each["own"] for each in seeds] == [None]
    with MongoClient[dict[str, Any]](application.services.settings.mongo) as client:
        trace = client[application.services.settings.database]["trace"]
        assert trace.count_documents({"pats": patient, "own": True}) >= 5
        older = [each["_id"] for each in trace.find({"own": True}).sort("_id", 1)][::2]
        trace.update_many({"_id": {"$in": older}}, {"$unset": {"own": ""}})
    assert of_others(holder, patient, who) == expected


def test_who_asks_for_all_or_is_not_the_holder_looks_through_all(
    application: Application, seeds: list[dict[str, Any]]
) -> None:
    patient = lived(application)
    (parent,) = application.operator().search("RelatedPerson", patient=patient).ids
    mother, who = application.representative(patient, parent), f"RelatedPerson/{parent}"
    seeds.clear()
    assert of_others(mother, patient, who) == naive(mother, patient, who)
    assert of_others(application.patient(patient), patient, "patient/other")
    assert not any("own" in each for each in seeds)
    shown = events(mother.search("AuditEvent", patient=f"Patient/{patient}", **{"altid:not": who}))
    assert f"patient/{patient}" in {agent.get("altId") for each in shown for agent in each["agent"]}


@pytest.mark.parametrize(
    ("kind", "who", "concerned", "own"),
    [
        ("patient", "patient/p", ("p",), True),
        ("patient", "patient/p", (), True),
        ("patient", "patient/p", ("p", "q"), None),
        ("patient", "p", ("p",), None),
        ("representative", "RelatedPerson/r", ("p",), None),
        ("operator", "operator/p", ("p",), None),
    ],
)
def test_an_act_is_ones_own_where_it_concerns_nobody_else(
    kind: str, who: str, concerned: tuple[str, ...], own: bool | None
) -> None:
    event = Event("read", 200, tuple(Entity("Patient", each, 1, each) for each in concerned))
    assert event.record(Requester(kind, who, patient="p"), NOW).get("own") is own
