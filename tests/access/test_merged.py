"""Records that are one: what is seen of each was seen of it alone; nothing is lost without a cause."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhirserver.access import Access, Policy, Requester, predicate, united
from fhirserver.access.explain import explain
from fhirserver.access.seers import seers
from fhirserver.predicate import matches
from fhirserver.store.merges import one_of
from tests.access import naive, world
from tests.access.draw import Draw

pytestmark = pytest.mark.no_cover  # thousands of draws
P = frozenset({"p"})
SEEDS = st.integers(0, 2**64)
NUMBERS = {name: set(found) for name, found in world.NUMBERS.items()}
MANY = settings(max_examples=250, deadline=None)
EMPTY = naive.Record({"resourceType": "Patient", "id": "p", "active": True, "birthDate": "2020-01-01"})


def policy(target: naive.Record, source: naive.Record) -> Policy:
    """Of `p`, into which `q` was merged: what the Consents of either say is about `p` now."""
    parts: dict[str, dict[str, Any]] = {}
    for id, record in (("p", target), ("q", source)):
        parts[id] = world.document(record) | {"_id": id, "basis": [], "blocked": []}
    return Policy.of(one_of(parts, "p", "p") | {"derived": ["Binary", *world.TYPES]})


def envelope(deposit: naive.Deposit, *, came: bool) -> dict[str, Any]:
    made = world.envelope(deposit)
    if came:
        made["was"] = {"id": "q", "by": ["q"], "v": [1]}
        if "doc" in made:
            made["doc"] |= {"was": made["was"]}
    return made


def seen(who: Requester, deposit: naive.Deposit, whole: Policy, *, came: bool) -> bool:
    compiled = predicate(world.access(who), deposit.resource["resourceType"], [whole], P)
    return matches(compiled, envelope(deposit, came=came))


def stranger(who: Requester) -> bool:
    """Whether the record is not his own, nor that of whom he represents."""
    return who.kind not in ("patient", "representative") or who.patient != "p"


@MANY
@given(SEEDS, st.booleans())
def test_a_merge_shows_nobody_but_the_holder_what_he_did_not_see(seed: int, came: bool) -> None:
    draw = Draw(Random(seed))
    who, deposit = draw(world.requesters()), draw(world.deposits())
    target, source = draw(world.records(odd=True)), draw(world.records(odd=True))
    after = seen(who, deposit, policy(target, source), came=came)
    if stranger(who):
        before = naive.sees(world.person(who), deposit, source if came else target, world.NOW)
        assert after <= before, (who, deposit, target, source)


@MANY
@given(SEEDS, st.booleans())
def test_a_merge_with_a_record_that_denies_nothing_hides_nothing(seed: int, came: bool) -> None:
    draw = Draw(Random(seed))
    who, deposit, record = draw(world.requesters()), draw(world.deposits()), draw(world.records(odd=True))
    whole = policy(EMPTY, record) if came else policy(record, EMPTY)
    if stranger(who):
        before = naive.sees(world.person(who), deposit, record, world.NOW)
        assert seen(who, deposit, whole, came=came) == before, (who, deposit, record)


@MANY
@given(SEEDS, st.booleans())
def test_a_deny_of_either_record_holds_in_both(seed: int, came: bool) -> None:
    draw = Draw(Random(seed))
    who, deposit = draw(world.requesters()), draw(world.deposits())
    records = [draw(world.records()), draw(world.records())]
    whole = policy(*records)
    if not stranger(who) or who.kind == "operator" or not seen(who, deposit, whole, came=came):
        return
    case = deposit.document if deposit.resource["resourceType"] == "Binary" and deposit.document else deposit
    person = world.person(who)
    for record in records:
        assert naive.state(record, world.NOW) == "open"
        assert naive.joint(person, case, record, world.NOW) != "named deny"


@MANY
@given(SEEDS, st.booleans())
def test_the_explanation_concludes_as_the_query_does(seed: int, came: bool) -> None:
    from fhirserver.access.explain import concluded

    draw = Draw(Random(seed))
    who, deposit = draw(world.requesters()), draw(world.deposits())
    whole = policy(draw(world.records()), draw(world.records()))
    found = explain(world.access(who), deposit.resource["resourceType"], envelope(deposit, came=came), [whole])
    assert concluded(found.parts) == found.visible == seen(who, deposit, whole, came=came), (who, deposit, found)


def test_what_was_about_both_is_of_no_professional() -> None:
    whole = policy(
        naive.Record(EMPTY.patient | {"generalPractitioner": [{"reference": "Practitioner/alice"}]},
                     numbers=NUMBERS),
        EMPTY,
    )  # fmt: skip
    deposit = naive.Deposit({"resourceType": "Observation", "id": "1", "subject": {"reference": "Patient/p"}},
                            set(), world.NOW)  # fmt: skip
    alice = Requester("practitioner", "a", rpps=world.ALICE, profession="G15_10", scopes=("user/*.rs",))
    made = world.envelope(deposit)
    asked = predicate(world.access(alice), "Observation", [whole], P)
    assert matches(asked, made)
    assert not matches(asked, made | {"was": {"id": "|", "by": ["q"], "v": [1]}})


def test_who_sees_what_came_is_told_apart_from_who_sees_what_was_there() -> None:
    traitant = EMPTY.patient | {"generalPractitioner": [{"reference": "Practitioner/alice"}]}
    whole = policy(naive.Record(traitant, numbers=NUMBERS), EMPTY)
    deposit = naive.Deposit({"resourceType": "Observation", "id": "1", "subject": {"reference": "Patient/p"}},
                            set(), world.NOW)  # fmt: skip
    told = {
        came: {
            row.person
            for row in seers("Observation", envelope(deposit, came=came), [whole], world.NOW, ("TREAT",))
            if row.kind == "practitioner"
        }
        for came in (False, True)
    }
    assert told == {False: {f"rpps|{world.ALICE}"}, True: set()}


def test_a_token_for_a_merged_record_sees_nothing() -> None:
    parts = {id: world.document(EMPTY) | {"_id": id, "basis": [], "blocked": []} for id in ("p", "q")}
    merged = Policy.of(one_of(parts, "q", "p"))
    deposit = naive.Deposit({"resourceType": "Observation", "id": "1", "subject": {"reference": "Patient/q"}},
                            {"patient|q"}, world.NOW)  # fmt: skip
    holder = Requester("patient", "q", patient="q", scopes=("patient/*.rs", "user/*.rs"), purpose="PATRQT")
    asked = predicate(Access.of(holder, world.NOW), "Observation", [merged], frozenset({"q"}))
    assert not matches(asked, world.envelope(deposit) | {"pat": "q"})


def test_of_two_spaces_the_stricter_state_holds() -> None:
    def at(state: str, day: int) -> dict[str, Any]:
        return {"state": state, "since": datetime(2026, 1, day, tzinfo=UTC)}

    assert united([], [at("closed", 3)]) == [at("closed", 3)]
    assert united([at("open", 1)], []) == [at("open", 1)]
    assert united([at("open", 1), at("closed", 5)], [at("open", 2), at("suspended", 7)]) == [
        at("announced", 1), at("open", 2), at("closed", 5), at("suspended", 7),
    ]  # fmt: skip
    assert united([at("open", 1)], [at("closed", 1), at("open", 4)]) == [at("closed", 1), at("open", 4)]


def test_a_deny_of_everyone_in_one_record_beats_a_permit_of_the_other() -> None:
    def consent(type: str, *actors: str) -> dict[str, Any]:
        named = [{"role": {"coding": [{"code": "IRCP"}]}, "reference": {"reference": each}} for each in actors]
        provision = {"type": type, **({"actor": named} if named else {})}
        scope = {"coding": [{"code": "patient-privacy"}]}
        about = {"reference": "Patient/p"}
        return {"id": "a", "resourceType": "Consent", "status": "active", "scope": scope, "patient": about,
                "provision": provision}  # fmt: skip

    permitting = naive.Record(EMPTY.patient, [consent("permit", "Practitioner/alice")], numbers=NUMBERS)
    denying = naive.Record(EMPTY.patient, [consent("deny")], numbers=NUMBERS)
    deposit = naive.Deposit({"resourceType": "Observation", "id": "1", "subject": {"reference": "Patient/p"}},
                            set(), world.NOW)  # fmt: skip
    alice = Requester("practitioner", "a", rpps=world.ALICE, profession="G15_10", scopes=("user/*.rs",))
    assert seen(alice, deposit, policy(EMPTY, permitting), came=True)
    assert not seen(alice, deposit, policy(denying, permitting), came=True)
    assert not seen(alice, deposit, policy(permitting, denying), came=False)
