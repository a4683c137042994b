"""The compiled predicate against the rules applied by hand, and what must hold whatever is drawn."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhirserver.access import Policy, Requester, predicate
from fhirserver.predicate import FALSE, matches
from tests.access import naive, world
from tests.access.draw import Draw

pytestmark = pytest.mark.no_cover  # thousands of draws
P = frozenset({"p"})
SEEDS = st.integers(0, 2**64)
FEW = settings(max_examples=200, deadline=None)
MANY = settings(max_examples=1000, deadline=None)


def seen(who: Requester, deposit: naive.Deposit, record: naive.Record) -> bool:
    compiled = predicate(world.access(who), deposit.resource["resourceType"], [world.policy(record)], P)
    return matches(compiled, world.envelope(deposit))


def check(seed: int) -> None:
    draw = Draw(Random(seed))
    who, deposit, record = draw(world.requesters()), draw(world.deposits()), draw(world.records(odd=True))
    assert seen(who, deposit, record) == naive.sees(world.person(who), deposit, record, world.NOW), (
        who,
        deposit,
        record,
    )


@MANY
@given(SEEDS)
def test_the_predicate_answers_as_the_rules_read(seed: int) -> None:
    check(seed)


@pytest.mark.long
@settings(max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SEEDS)
def test_the_predicate_answers_as_the_rules_read_at_length(seed: int) -> None:
    check(seed)


@FEW
@given(SEEDS)
def test_a_further_deny_never_widens(seed: int) -> None:
    draw = Draw(Random(seed))
    who, deposit, record = draw(world.requesters()), draw(world.deposits()), draw(world.records())
    before = seen(who, deposit, record)
    drawn: dict[str, Any] = draw(world.provisions())
    denying = {**drawn, "type": "deny"}
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
    assert seen(who, deposit, record) <= before, (who, deposit, record)


NAMES = ["period", "actor", "purpose", "action", "class", "code", "securityLabel", "data", "dataPeriod"]
GARBAGE: list[Any] = ["", "x", 3, [None], [{}], [3], [{"coding": []}], {"start": "yesterday"}, [{"reference": {}}]]


@FEW
@given(SEEDS)
def test_garbage_in_a_permit_neither_fails_nor_widens(seed: int) -> None:
    """Against the same record without that Consent."""
    chance = Random(seed)
    draw = Draw(chance)
    who, deposit, record = draw(world.requesters()), draw(world.deposits()), draw(world.records())
    broken = chance.choice(record.consents)
    broken["provision"] = {**broken["provision"], chance.choice(NAMES): chance.choice(GARBAGE), "type": "permit"}
    broken["provision"].pop("provision", None)
    found = seen(who, deposit, record)
    record.consents.remove(broken)
    assert found <= seen(who, deposit, record), (who, deposit, record, broken)


@FEW
@given(SEEDS)
def test_garbage_in_a_deny_neither_fails_nor_widens(seed: int) -> None:
    """Against the same record with that deny sound, or without the element."""
    chance = Random(seed)
    draw = Draw(chance)
    who, deposit, record = draw(world.requesters()), draw(world.deposits()), draw(world.records())
    denying = chance.choice(record.consents)
    denying["provision"] = {**denying["provision"], "type": "deny"}
    denying["provision"].pop("provision", None)
    name = chance.choice([each for each in NAMES if each not in ("period", "purpose", "action")])
    denying["provision"].pop(name, None)
    whole = seen(who, deposit, record)
    denying["provision"] = {**denying["provision"], name: chance.choice(GARBAGE)}
    assert seen(who, deposit, record) <= whole, (who, deposit, record, denying)


@FEW
@given(SEEDS)
def test_without_scopes_nothing(seed: int) -> None:
    draw = Draw(Random(seed))
    deposit, record = draw(world.deposits()), draw(world.records())
    for kind in ("patient", "representative", "practitioner", "system", "operator"):
        who = Requester(kind, "x", patient="p", rpps=world.ALICE, organization=world.HERE)
        assert predicate(world.access(who), deposit.resource["resourceType"], [world.policy(record)], P) == FALSE


@FEW
@given(SEEDS)
def test_without_policies_only_own_deposits_and_the_own_record(seed: int) -> None:
    draw = Draw(Random(seed))
    who, deposit = draw(world.requesters()), draw(world.deposits())
    compiled = predicate(world.access(who), deposit.resource["resourceType"], [])
    if matches(compiled, world.envelope(deposit)):
        source = deposit.document if deposit.resource["resourceType"] == "Binary" and deposit.document else deposit
        record = naive.Record({}, numbers={name: set(found) for name, found in world.NUMBERS.items()})
        concerned = naive.participants(source, record) or naive.authors(source.resource, record)
        assert who.own & (source.by | concerned) or who.patient == "p" or who.kind == "operator"


@FEW
@given(SEEDS)
def test_across_patients_each_is_judged_by_his_own_policy(seed: int) -> None:
    """But for emergencies, which are of a patient named."""
    draw = Draw(Random(seed))
    who, deposit = draw(world.requesters()), draw(world.deposits())
    policies = [world.policy(draw(world.records())), world.policy(draw(world.records()))]
    policies[1] = Policy(**{**vars(policies[1]), "patient": "q"})
    if who.purpose in ("BTG", "ETREAT") or who.kind == "representative":
        return
    kind, envelope = deposit.resource["resourceType"], world.envelope(deposit)
    across = predicate(
        world.access(who), kind, [each for each in policies if each.actors & who.named or each.patient == who.patient]
    )
    for each in policies:
        whose = [each, *(other for other in policies if other.patient == who.patient != each.patient)]
        alone = predicate(world.access(who), kind, whose, frozenset({each.patient}))
        there = {**envelope, "pat": each.patient}
        assert matches(across, there) == matches(alone, there), (who, deposit, each)
