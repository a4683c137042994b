"""What a requester may see by scope, launch or emergency holds for each step of a join, and no step widens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.store import joins
from tests.application import BASE
from tests.leaks.world import ALICE, BOB, CLINIC, World
from tests.records import observation, reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from tests.application import Answer


@pytest.fixture(scope="module")
def world(applications: Callable[..., Any]) -> Iterator[World]:
    with applications() as application:
        made = World(application)
        made.operator.store(observation("patient-p", id="link-pq", derivedFrom=[reference("Observation/hidden-r1")]))
        made.operator.store(observation("patient-r", id="link-rp", derivedFrom=[reference("Observation/seen-p1")]))
        provenance = {"resourceType": "Provenance", "recorded": "2026-01-01T00:00:00Z"}
        agent = [{"who": reference("Practitioner/bob")}]
        for id, target in (("seen-t", "Observation/seen-p1"), ("hidden-t", "Observation/hidden-r1")):
            made.operator.store(provenance | {"id": id, "agent": agent, "target": [reference(target)]})
        yield made


@pytest.fixture(params=[500, 0], autouse=True)
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joins, "FEW", request.param)


def found(answer: Answer) -> list[str]:
    assert answer.status == 200, answer
    return [each["fullUrl"].removeprefix(f"{BASE}/") for each in answer.json.get("entry", ())]


def test_a_type_out_of_scope_is_neither_included_nor_joined(world: World) -> None:
    narrow = world.application.practitioner(ALICE, organization=CLINIC, scopes=("user/Observation.rs",))
    wide = world.alice
    for asked in (
        "Observation?_id=seen-p1&_include=Observation:subject",
        "Observation?_id=seen-p1&_include=*",
        "Observation?_id=seen-p1&_revinclude=*",
    ):
        assert found(narrow.get(asked)) == ["Observation/seen-p1"]
    for asked in (
        "Observation?_id=seen-p1&subject:Patient.family=martin",
        "Observation?patient.family=martin",
        "Observation?_has:DocumentReference:related:status=current",
        "Observation?patient._has:CareTeam:patient:status=active",
    ):
        assert narrow.get(asked).total == 0
    assert "Patient/patient-p" in found(wide.get("Observation?_id=seen-p1&_include=Observation:subject"))
    assert wide.get("Observation?_id=seen-p1&subject:Patient.family=martin").total == 1


def test_under_patient_scopes_nothing_leads_to_another_patient(world: World) -> None:
    me = world.patient("p")
    assert found(me.get("Observation?_id=link-pq&_include=Observation:derived-from")) == ["Observation/link-pq"]
    assert found(me.get("Observation?_id=seen-p1&_revinclude=Observation:derived-from")) == ["Observation/seen-p1"]
    assert me.get("Observation?derived-from:Observation.code=2160-0").total == 0
    assert me.get("Patient?_has:Observation:performer:code=718-7").total == 0


def test_provenance_leads_to_what_is_seen_only(world: World) -> None:
    assert "Observation/hidden-r1" not in found(world.alice.get("Provenance?_include=Provenance:target"))
    assert found(world.alice.get("Observation?_id=hidden-r1&_revinclude=Provenance:target")) == []


def test_an_emergency_shows_the_patient_named_and_nobody_else(world: World) -> None:
    """Alice reads the record of r in an emergency alone, and then only if the request names the patient."""
    alice = world.application.practitioner(ALICE, organization=CLINIC, purpose="BTG")
    named = "Observation?patient=patient-r"
    direct = found(alice.get(named))
    assert direct
    assert "Patient/patient-r" in found(alice.get(f"{named}&_include=Observation:subject"))
    assert found(alice.get(f"{named}&subject:Patient.family=mercier")) == direct
    assert found(alice.get("Patient/patient-r/Observation")) == direct
    assert found(alice.get("Observation?subject:Patient.family=mercier")) == []
    assert found(alice.get("Patient?_has:Observation:patient:code=2162-0")) == []
    named_q = alice.get("Observation?patient=patient-p&_include=Observation:derived-from")
    assert "Observation/hidden-r1" not in found(named_q)


def test_who_is_blocked_is_blocked_at_every_step(world: World) -> None:
    bob = world.application.practitioner(BOB, organization=CLINIC)
    for asked in ("Patient?_has:Observation:patient:status=final&_id=patient-p", "Patient?_list=x&_id=patient-p",
                  "Observation?_id=link-rp&_include=Observation:derived-from",
                  "Practitioner?_id=bob&_revinclude=Observation:performer"):  # fmt: skip
        assert "seen-p1" not in str(found(bob.get(asked)))
        assert "patient-p" not in str(found(bob.get(asked)))
