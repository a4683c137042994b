"""No chain, `_has`, list or include leads to, through or past what is hidden (probes 7-12), on either way of joining.

Twin databases: the one holds what Alice may not see, the other never did. Her answers are the same byte for byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhirserver.store import joins
from tests.leaks.test_twin import Twins, same, twins
from tests.records import document, observation, patient, reference

if TYPE_CHECKING:
    from tests.application import Answer

__all__ = ["twins"]

BISECTED = "_has:Observation:derived-from:value-quantity"
SNOMED = "http://snomed.info/sct"


def shared() -> list[dict[str, Any]]:
    """What Alice sees: it points to hidden things, and to seen ones."""
    pointed = ["Observation/hidden-q1", "Observation/hidden-r1", "Observation/seen-p2", "Observation/hidden-r2"]
    items = ["Patient/patient-p", "Patient/patient-q", "Observation/seen-p1", "Observation/hidden-q1"]
    encounter = {"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}}
    return [
        observation("patient-p", id="link-p1", derivedFrom=[reference(each) for each in pointed]),
        observation("patient-p", id="link-p2", derivedFrom=[reference("Observation/middle-q")]),
        document("patient-p", id="link-p3") | {"relatesTo": [
            {"code": "appends", "target": reference(f"DocumentReference/{each}")} for each in ("hidden-p1", "hidden-p3")
        ]},
        encounter | {"id": "link-p4", "subject": reference("Patient/patient-p"), "diagnosis": [
            {"condition": reference("Condition/hidden-c")}, {"condition": reference("Condition/seen-c")},
        ]},
        {"resourceType": "Condition", "id": "seen-c", "subject": reference("Patient/patient-p"),
         "code": {"coding": [{"system": SNOMED, "code": "1"}]}},
        {"resourceType": "List", "id": "link-l", "status": "current", "mode": "working",
         "subject": reference("Patient/patient-p"), "entry": [{"item": reference(each)} for each in items]},
    ]  # fmt: skip


def hidden() -> list[dict[str, Any]]:
    """What she does not see: it points to what she sees, from and through what she does not."""
    found: dict[str, Any] = {
        "valueQuantity": {"value": 7.5, "system": "http://unitsofmeasure.org", "code": "g", "unit": "g"}
    }
    return [
        observation("patient-r", id="hidden-l1", derivedFrom=[reference("Observation/seen-p1")], code="9999-9"),
        observation("patient-q", id="hidden-l2", derivedFrom=[reference("Observation/seen-p1")], **found),
        observation("patient-q", id="middle-q", derivedFrom=[reference("Observation/seen-p3")], code="8888-8"),
        {"resourceType": "Condition", "id": "hidden-c", "subject": reference("Patient/patient-r"),
         "code": {"coding": [{"system": SNOMED, "code": "2"}]}},
        {"resourceType": "List", "id": "hidden-l", "status": "current", "mode": "working",
         "subject": reference("Patient/patient-r"), "entry": [{"item": reference("Observation/seen-p1")}]},
        patient(id="link-r", link=[{"type": "seealso", "other": reference("Patient/patient-p")}]),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def linked(twins: Twins) -> Twins:
    whole, bare = twins.pair
    whole.store([*shared(), *hidden()])
    bare.store(shared())
    return twins


ASKED = [
    # what is seen refers to what is not: neither included, nor reached
    "Observation?_id=link-p1&_include=Observation:derived-from",
    "Observation?_id=link-p1&_include=*",
    "Observation?_id=link-p2&_include:iterate=Observation:derived-from",
    "Observation?_id=link-p1,link-p2&_include:iterate=*",
    "Observation?_include=Observation:subject&_include=Observation:performer",
    "DocumentReference?_id=link-p3&_include=DocumentReference:relatesto",
    "Encounter?_include=Encounter:diagnosis&_include:iterate=Condition:subject",
    "List?_include=List:item",
    # what is not seen refers to what is
    "Observation?_id=seen-p1&_revinclude=Observation:derived-from",
    "Observation?_revinclude=Observation:derived-from&_revinclude=List:item&_count=2",
    "Observation?_id=seen-p3&_revinclude:iterate=Observation:derived-from",
    "Observation?_id=seen-p1&_revinclude=*",
    "Patient?_id=patient-p&_revinclude=*",
    "Patient?_revinclude=Observation:subject&_revinclude:iterate=*",
    "Patient?_revinclude=Observation:performer&_revinclude=DocumentReference:subject",
    "Practitioner?_revinclude=CareTeam:participant&_revinclude=Consent:actor",
    # chains to, and through, what is not seen
    "Observation?subject:Patient.family=Moreau",
    "Observation?subject.family=mer",
    "Observation?performer:Patient.family=mercier",
    "Observation?derived-from:Observation.code=718-7",
    "Observation?derived-from:Observation.code:not=1-1",
    "Observation?derived-from:Observation.subject=Patient/patient-q",
    "Observation?derived-from:Observation._id=hidden-q1,hidden-r1",
    "Observation?derived-from:Observation.derived-from:Observation._id=seen-p3",
    "Observation?derived-from:Observation.patient.family=m",
    "Encounter?diagnosis:Condition.code=2",
    "Encounter?diagnosis.code=2&patient=patient-p",
    "Encounter?diagnosis.code=1&patient=patient-p",
    "DocumentReference?relatesto:DocumentReference.status=current",
    "DocumentReference?relatesto:DocumentReference.security-label=V&patient=patient-p",
    "Patient?link:Patient.family=martin",
    # and backwards
    "Patient?_has:Observation:patient:code=2160-0",
    "Patient?_has:Observation:performer:code=718-7",
    "Patient?_has:Observation:patient:code=9999-9&_id=patient-r,patient-q,patient-p",
    "Patient?_has:Patient:link:active=true",
    "Patient?_has:DocumentReference:patient:security-label=MASQUE_PS&_id=patient-p",
    "Observation?_has:Observation:derived-from:code=9999-9",
    "Observation?_has:Observation:derived-from:code=9999-9&patient=patient-p",
    "Observation?_has:Observation:derived-from:_has:Observation:derived-from:code=718-7",
    "Observation?_has:Observation:derived-from:subject:Patient.family=moreau",
    "Practitioner?_has:CareTeam:participant:patient.family=mercier",
    "Practitioner?_has:Consent:actor:status=active",
    "Observation?_list=hidden-l",
    "Observation?_list=link-l",
    "Patient?_list=link-l",
    # compartments, and parts
    *(f"Patient/patient-{each}/{type}" for each in "pqrz" for type in ("Observation", "Patient", "Consent")),
    "Patient/patient-r/Observation?subject:Patient.family=m",
    "Patient/patient-p/Observation?derived-from:Observation.status=final&_revinclude=Observation:derived-from",
    "Practitioner/bob/CareTeam",
    "Practitioner/alice/CareTeam?_include=CareTeam:subject",
    "Encounter/link-p4/Observation",
    "Observation?_include=*&_summary=true",
    "Observation?_revinclude=Observation:derived-from&_elements=code",
    *(f"Observation?_has:Observation:derived-from:value-quantity={each}" for each in ("gt5", "lt5", "gt7", "gt8")),
]  # fmt: skip


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("few", [500, 0])
def test_no_join_tells_hidden_from_absent(linked: Twins, asked: str, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joins, "FEW", few)
    first, second = linked.ask(lambda who: who.get(asked))
    assert first.status == 200
    same(first, second)
    holders = [world.patient("s").get(asked) for world in linked.pair]
    same(*holders)


@pytest.mark.parametrize("few", [500, 0])
@pytest.mark.parametrize(
    "name", ["_has:Observation:derived-from:value-quantity", "derived-from:Observation.value-quantity"]
)
def test_no_bisection_finds_a_hidden_value(linked: Twins, name: str, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joins, "FEW", few)
    alice = linked.pair[0].alice
    assert {alice.search("Observation", (name, f"gt{step}")).total for step in (1, 5, 7, 8, 100)} == {0}
    assert linked.pair[0].operator.search("Observation", (BISECTED, "7.5")).total == 1


@pytest.mark.parametrize("few", [500, 0])
def test_the_limit_of_a_step_counts_only_what_is_seen(linked: Twins, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joins, "FEW", few)
    for most in (1, 2, 3, 5, 8, 12):
        monkeypatch.setattr(joins, "MOST", most)
        for asked in ("Observation?subject:Patient.active=true", "Patient?_has:Observation:patient:status=final",
                      "Observation?derived-from:Observation.status=final"):  # fmt: skip
            same(*linked.ask(lambda who, asked=asked: who.get(asked)))  # type: ignore[misc]


def test_what_is_seen_is_joined(linked: Twins) -> None:
    alice = linked.pair[0].alice
    assert alice.get("Observation?subject:Patient.family=martin&_id=seen-p1").ids == ["seen-p1"]
    assert alice.get("Observation?derived-from:Observation.code=718-7").ids == ["link-p1"]
    assert alice.get("Encounter?diagnosis:Condition.code=1").ids == ["link-p4"]
    assert alice.get("Observation?_id=link-p1&_include=Observation:derived-from").ids == ["link-p1", "seen-p2"]
    assert alice.get("Patient?_has:Observation:patient:_id=seen-s1").ids == ["patient-s"]


def _words(draw: st.DrawFn) -> str:
    return draw(st.sampled_from([
        "subject:Patient.family=m", "subject.birthdate=1980-02-03", "derived-from:Observation.code=718-7,8888-8",
        "_has:Observation:derived-from:status=final", "_has:Observation:derived-from:subject:Patient.active=true",
        "_include=*", "_include:iterate=*", "_revinclude=*", "_revinclude:iterate=Observation:derived-from",
        "_include=Observation:subject", "_revinclude=List:item", "code=718-7", "patient=patient-p", "_list=link-l",
        "patient.family:missing=false", "_count=1", "_count=2", "_sort=-_id",
        "_total=none", "derived-from:Observation.derived-from:Observation.status=final",
    ]))  # fmt: skip


@st.composite
def searches(draw: st.DrawFn) -> str:
    parts = dict.fromkeys(_words(draw) for _ in range(draw(st.integers(1, 4))))
    once: dict[str, str] = {}
    for part in parts:
        name = part.partition("=")[0]
        once[name if name in ("_count", "_sort", "_total") else part] = part
    return "Observation?" + "&".join(once.values())


@settings(max_examples=40, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])  # fmt: skip
@given(asked=searches())
def test_no_combination_tells_the_twins_apart_on_any_page(linked: Twins, asked: str) -> None:
    answers: tuple[Answer, Answer] = linked.ask(lambda who: who.get(asked))
    same(*answers)
    while answers[0].status == 200 and (links := [each.link("next") for each in answers])[0] is not None:
        assert links[1] is not None
        answers = (linked.pair[0].alice.get(str(links[0])), linked.pair[1].alice.get(str(links[1])))
        same(*answers)
