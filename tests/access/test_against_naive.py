"""The compiled predicate against the rules applied by hand, and what must hold whatever is drawn."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhirserver.access import Requester, predicate
from fhirserver.predicate import FALSE, matches
from tests.access import naive, world

P = frozenset({"p"})
FEW = settings(max_examples=60, deadline=None)
MANY = settings(max_examples=200, deadline=None)


def seen(who: Requester, deposit: naive.Deposit, record: naive.Record) -> bool:
    compiled = predicate(world.access(who), deposit.resource["resourceType"], [world.policy(record)], P)
    return matches(compiled, world.envelope(deposit))


@MANY
@given(world.requesters(), world.deposits(), world.records(odd=True))
def test_the_predicate_answers_as_the_rules_read(who: Requester, deposit: naive.Deposit, record: naive.Record) -> None:
    assert seen(who, deposit, record) == naive.sees(world.person(who), deposit, record, world.NOW)


@FEW
@given(world.requesters(), world.deposits(), world.records(), world.provisions())
def test_a_further_deny_never_widens(
    who: Requester, deposit: naive.Deposit, record: naive.Record, provision: dict[str, Any]
) -> None:
    if seen(who, deposit, record):
        return
    denying = {**provision, "type": "deny"}
    denying.pop("provision", None)
    further = {
        "resourceType": "Consent",
        "id": "z",
        "status": "active",
        "scope": {"coding": [{"code": "patient-privacy"}]},
        "patient": {"reference": "Patient/p"},
        "provision": denying,
    }
    record.consents.append(further)
    assert not seen(who, deposit, record)


@pytest.mark.long
@settings(max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(world.requesters(), world.deposits(), world.records(odd=True))
def test_the_predicate_answers_as_the_rules_read_at_length(
    who: Requester, deposit: naive.Deposit, record: naive.Record
) -> None:
    assert seen(who, deposit, record) == naive.sees(world.person(who), deposit, record, world.NOW)


GARBAGE: list[Any] = [
    None,
    "",
    "x",
    3,
    [],
    {},
    [None],
    [{}],
    [{"coding": []}],
    {"start": "yesterday"},
    [{"reference": {}}],
]


@FEW
@given(
    world.requesters(),
    world.deposits(),
    world.records(),
    st.sampled_from(GARBAGE),
    st.sampled_from(["period", "actor", "purpose", "action", "class", "code", "securityLabel", "data", "dataPeriod"]),
    st.data(),
)
def test_garbage_in_a_consent_neither_fails_nor_widens(
    who: Requester, deposit: naive.Deposit, record: naive.Record, garbage: Any, name: str, data: st.DataObject
) -> None:
    """Against the same record whose Consents permit nothing and deny the same."""
    if not record.consents:
        return
    broken = data.draw(st.sampled_from(record.consents))
    broken["provision"] = {**broken["provision"], name: garbage, "type": "permit"}
    broken["provision"].pop("provision", None)
    sees = seen(who, deposit, record)
    record.consents.remove(broken)
    if garbage not in ([], None, {}):
        assert sees <= seen(who, deposit, record)


@FEW
@given(world.deposits(), world.records())
def test_without_scopes_nothing(deposit: naive.Deposit, record: naive.Record) -> None:
    for kind in ("patient", "representative", "practitioner", "system", "operator"):
        who = Requester(kind, "x", patient="p", rpps=world.ALICE, organization=world.HERE)
        assert predicate(world.access(who), deposit.resource["resourceType"], [world.policy(record)], P) == FALSE


@FEW
@given(world.requesters(), world.deposits())
def test_without_policies_only_own_deposits_and_the_own_record(who: Requester, deposit: naive.Deposit) -> None:
    compiled = predicate(world.access(who), deposit.resource["resourceType"], [])
    if matches(compiled, world.envelope(deposit)):
        authors = naive.authors(deposit.resource, naive.Record({}))
        assert who.own & (deposit.by | authors) or who.patient == "p" or who.kind == "operator"


@FEW
@given(world.requesters(), world.deposits(), world.records(), world.records())
def test_across_patients_each_is_judged_by_his_own_policy(
    who: Requester, deposit: naive.Deposit, record: naive.Record, other: naive.Record
) -> None:
    """But for emergencies, which are of a patient named."""
    if who.purpose in ("BTG", "ETREAT"):
        return
    kind = deposit.resource["resourceType"]
    first = world.policy(record)
    second = world.policy(other).__class__(**{**vars(world.policy(other)), "patient": "q"})
    across = predicate(world.access(who), kind, [each for each in (first, second) if each.actors & who.named])
    envelope = world.envelope(deposit)
    represented = who.kind == "representative"
    for patient, policy in (("p", first), ("q", second)):
        alone = predicate(world.access(who), kind, [policy], frozenset({patient}))
        if not represented:
            assert matches(across, {**envelope, "pat": patient}) == matches(alone, {**envelope, "pat": patient})
