"""Chains, `_has` and `_list` (https://hl7.org/fhir/R4/search.html#chaining, #has)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.store import joins
from tests.application import BASE
from tests.records import observation, organization, patient, practitioner, reference

if TYPE_CHECKING:
    from typing import Any

    from tests.application import Application, Caller

INS = "urn:oid:1.2.250.1.213.1.4.8"


def resources() -> list[dict[str, Any]]:
    encounter = {"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}}
    condition = {"resourceType": "Condition", "subject": reference("Patient/p")}
    diagnosis = [{"condition": reference("Condition/flu")}]
    return [
        organization("750000001", id="trust", name="Trust"),
        organization("750000002", id="ward", name="Ward", partOf=reference("Organization/trust")),
        practitioner("10000000001", id="alice", name=[{"family": "Aubry"}]),
        patient(id="p", identifier=[{"system": INS, "value": "185056322012345"}], name=[{"family": "Éluard"}]),
        patient(id="q", name=[{"family": "Prévert"}], managingOrganization=reference("Organization/ward")),
        patient(id="s", name=[{"family": "Saint-John"}]),
        {"resourceType": "Group", "id": "g", "type": "person", "actual": True,
         "identifier": [{"value": "185056322012345"}]},
        condition | {"id": "flu", "code": {"coding": [{"system": "http://snomed.info/sct", "code": "6142004"}]}},
        encounter | {"id": "e", "subject": reference("Patient/p"), "diagnosis": diagnosis},
        observation("p", id="o1", encounter=reference("Encounter/e"), performer=[reference("Practitioner/alice")]),
        observation(id="o2", subject=reference(f"{BASE}/Patient/p"), code="2160-0"),
        observation(id="o3", subject=reference("Patient/q/_history/1"), derivedFrom=[reference("Observation/o1")]),
        observation(id="o4", subject=reference("Group/g")),
        observation(id="o5", subject=reference("Patient/never")),
        observation("s", id="o6", performer=[reference("Practitioner/alice"), reference("Organization/ward")]),
        {"resourceType": "List", "id": "l", "status": "current", "mode": "working",
         "entry": [{"item": reference(each)} for each in ("Patient/q", "Observation/o1", "Patient/p", "Patient/x")]},
    ]  # fmt: skip


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    caller = application.operator()
    for each in resources():
        caller.store(each)
    return caller


FOUND = [
    ("Observation?subject:Patient.family=eluard", ["o1", "o2"]),
    ("Observation?subject.family=eluard", ["o1", "o2"]),
    ("Observation?patient.family=eluard,prevert", ["o1", "o2", "o3"]),
    ("Observation?patient.family:exact=Éluard", ["o1", "o2"]),
    ("Observation?patient.family:contains=lua&code=2160-0", ["o2"]),
    ("Observation?patient.family:missing=true", []),
    ("Observation?patient.identifier=urn:oid:1.2.250.1.213.1.4.8|185056322012345", ["o1", "o2"]),
    ("Observation?subject.identifier=185056322012345", ["o1", "o2", "o4"]),
    ("Observation?subject:Group.identifier=185056322012345", ["o4"]),
    ("Observation?subject.identifier:missing=true", ["o3", "o6"]),
    ("Observation?subject._id=q,g", ["o3", "o4"]),
    ("Observation?patient.organization.name=ward", ["o3"]),
    ("Observation?patient.organization.partof.name=trust", ["o3"]),
    ("Observation?patient.organization.partof.partof.name=trust", []),
    ("Observation?performer:Practitioner.family=aubry", ["o1", "o6"]),
    ("Observation?performer:Practitioner.family=aubry&patient=p", ["o1"]),
    ("Observation?performer:Practitioner.family=aubry&performer:Organization.name=ward", ["o6"]),
    ("Observation?performer.name=aubry", ["o1", "o6"]),
    ("Observation?patient=s&performer:Practitioner.family=nobody", []),
    ("Observation?derived-from:Observation.patient.family=eluard", ["o3"]),
    ("Observation?encounter.diagnosis.code=6142004", ["o1"]),
    ("Observation?encounter:Encounter.diagnosis:Condition.code=http://snomed.info/sct|6142004&patient=p", ["o1"]),
    ("Observation?patient.family=eluard&patient.family=prevert", []),
    ("Observation?patient=p&patient.family=prevert", []),
    ("Observation?patient.family=eluard&patient=p", ["o1", "o2"]),
    ("Patient?_has:Observation:patient:code=2160-0", ["p"]),
    ("Patient?_has:Observation:subject:code=718-7", ["p", "q", "s"]),
    ("Patient?_has:Observation:patient:code=718-7&_id=p,q", ["p", "q"]),
    ("Patient?_has:Observation:patient:code=718-7&_id=p", ["p"]),
    ("Patient?_has:Observation:patient:code=2160-0&family=prevert", []),
    ("Patient?_has:Observation:patient:code=2160-0&_has:Observation:patient:code=718-7", ["p"]),
    ("Patient?_has:Observation:patient:_has:Observation:derived-from:status=final", ["p"]),
    ("Patient?_has:Observation:patient:performer:Practitioner.family=aubry", ["p", "s"]),
    ("Patient?_has:Encounter:patient:diagnosis.code=6142004", ["p"]),
    ("Patient?_has:Observation:patient:derived-from:missing=false", ["q"]),
    ("Practitioner?_has:Observation:performer:code=718-7", ["alice"]),
    ("Practitioner?_has:Observation:performer:patient.family=saint", ["alice"]),
    ("Organization?_has:Patient:organization:_has:Observation:patient:code=718-7", ["ward"]),
    ("Observation?patient._has:Encounter:patient:status=finished", ["o1", "o2"]),
    ("Condition?_has:Encounter:diagnosis:class=AMB&patient=p", ["flu"]),
    ("Patient?_list=l", ["p", "q"]),
    ("Observation?_list=l", ["o1"]),
    ("Practitioner?_list=l", []),
    ("Patient?_list=never", []),
    ("Observation?patient._list=l", ["o1", "o2", "o3"]),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "ids"), FOUND)
@pytest.mark.parametrize("few", [500, 0])
def test_what_lies_in_other_resources_is_found(
    operator: Caller, asked: str, ids: list[str], few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the join is narrowed first or not."""
    monkeypatch.setattr(joins, "FEW", few)
    answer = operator.get(f"{asked}&_sort=_id")
    assert answer.ids == ids
    assert answer.total == len(ids)
    assert operator.get(f"{asked}&_summary=count").total == len(ids)
    assert answer.link("self") == f"{asked}&_sort=_id".replace("É", "%C3%89")


def test_pages_follow_one_another(operator: Caller) -> None:
    answer = operator.get("Observation?patient.family=eluard,prevert&_count=2&_sort=_id")
    link = answer.link("next")
    assert link is not None
    following = operator.get(link)
    assert (answer.ids, following.ids) == (["o1", "o2"], ["o3"])
    assert answer.total == following.total == 3


@pytest.mark.parametrize("few", [500, 0])
@pytest.mark.parametrize(
    "asked",
    ["Observation?subject:Patient.active=true", "Patient?_has:Observation:patient:code=718-7",
     "Observation?code=718-7,2160-0&subject.identifier=185056322012345"],
)  # fmt: skip
def test_a_step_over_too_much_is_refused_with_the_way_out(
    operator: Caller, asked: str, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joins, "FEW", few)
    monkeypatch.setattr(joins, "MOST", 1)
    answer = operator.get(asked)
    assert answer.status == 400
    assert answer.issue["code"] == "too-costly"
    assert "narrow it" in answer.told


@pytest.mark.parametrize("asked", ["target.family=chained", "target.identifier=chained-1", "target._id=chained"])
def test_an_untyped_chain_tries_every_type_of_resource_that_has_the_parameter(operator: Caller, asked: str) -> None:
    operator.store(patient(id="chained", name=[{"family": "Chained"}], identifier=[{"value": "chained-1"}]))
    agent = [{"who": reference("Patient/chained")}]
    for id in ("chained", "another"):
        provenance = {"resourceType": "Provenance", "recorded": "2024-01-01T00:00:00Z", "agent": agent, "id": id}
        operator.store(provenance | {"target": [reference(f"Patient/{id}")]})
    assert operator.search("Provenance", **dict([asked.split("=")])).ids == ["chained"]


@pytest.mark.parametrize(
    "asked",
    [
        "Provenance?target.subject.organization.partof.name=x",
        "Observation?focus.focus.focus.focus.colour=x",
        "Observation?focus.focus._id=x",
        f"Organization?{'partof.' * 900}name=x",
        f"Observation?{'_has:Observation:focus:' * 300}code=x",
    ],
)
def test_a_chain_that_fans_out_without_end_is_refused(operator: Caller, asked: str) -> None:
    answer = operator.get(asked)
    assert answer.issue["code"] == "too-costly"
    assert "subject:Patient.name" in answer.told


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("Observation?subject:Patient.colour=x", "colour"),
        ("Observation?subject.colour=x", "colour"),
        ("Observation?code.text=x", "code"),
        ("Observation?nothing.name=x", "nothing"),
        ("Observation?subject:Nothing.name=x", "Nothing"),
        ("Observation?subject:Medication.code=x", "Medication"),
        ("Observation?subject:Patient.birthdate=yesterday", "birthdate"),
        ("Observation?subject:Patient.name=", "name"),
        ("Observation?subject:Patient.name:fuzzy=x", ":fuzzy"),
        ("Observation?subject:Patient._count=3", "_count"),
        ("Observation?subject:identifier.name=x", "identifier"),
        ("QuestionnaireResponse?questionnaire:Patient.name=x", "never leads to Patient"),
        ("QuestionnaireResponse?questionnaire.colour=x", "colour"),
        ("Patient?_has:Observation:patient=x", "_has"),
        ("Patient?_has:Observation=x", "_has"),
        ("Patient?_has:Nothing:patient:code=x", "Nothing"),
        ("Patient?_has:Observation:code:code=x", "code"),
        ("Patient?_has:Observation:patient:colour=x", "colour"),
        ("Patient?_has:Observation:device:code=x", "never leads to Patient"),
        ("Patient?_list=$current-problems", "_list"),
        ("Patient?_list=a,b", "_list"),
        ("Patient?_list=", "_list"),
    ],
)
def test_a_step_that_cannot_be_taken_is_refused_and_named(operator: Caller, asked: str, named: str) -> None:
    answer = operator.get(asked)
    assert answer.status == 400
    assert named in answer.told


def test_a_lenient_client_is_told_by_the_self_link_that_a_chain_was_passed_over(operator: Caller) -> None:
    answer = operator.get("Observation?subject.colour=x&code=2160-0", Prefer="handling=lenient")
    assert answer.ids == ["o2"]
    assert answer.link("self") == "Observation?code=2160-0"
