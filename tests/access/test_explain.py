"""What `explain` and `seers` tell is what the compiled predicate answers, whoever asks."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhirserver.access import Access, Requester, words
from fhirserver.access.explain import concluded, explain, sees
from fhirserver.access.rules import RULES, WORDS
from fhirserver.access.seers import PURPOSES, Seer, seers
from tests.access import world
from tests.access.draw import Draw

if TYPE_CHECKING:
    from collections.abc import Iterable

SEEDS = st.integers(0, 2**64)
FEW = settings(max_examples=200, deadline=None)
LONG = settings(max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PROFESSIONS = ["G15_10", "G15_10/SM26", "G15_10/SM25", "G15_21", "G15_60", "G15_70", "G15_26", "SOCIAL", None]
NUMBERS = [world.ALICE, world.BOB, world.CAROL, "10000000099"]
PLACES = [world.HERE, world.THERE, "750000099", None]


def check_parts(seed: int) -> None:
    draw = Draw(Random(seed))
    who, deposit, record = draw(world.requesters()), draw(world.deposits()), draw(world.records(odd=True))
    found = explain(
        world.access(who), deposit.resource["resourceType"], world.envelope(deposit), [world.policy(record)]
    )
    assert found.visible == concluded(found.parts), (who, deposit, record, found)
    assert found.parts


@FEW
@given(SEEDS)
def test_the_rules_told_come_to_the_verdict_of_the_query(seed: int) -> None:
    check_parts(seed)


@pytest.mark.long
@LONG
@given(SEEDS)
def test_the_rules_told_come_to_the_verdict_of_the_query_at_length(seed: int) -> None:
    check_parts(seed)


def told(rows: Iterable[Seer], who: Requester) -> bool:
    """What a reader of the rows makes of them: his own row, else that of everybody else."""
    if who.kind == "operator":
        return True
    if who.kind in ("patient", "representative"):
        return told_of_person(rows, who)
    person = f"rpps|{who.rpps}" if who.kind == "practitioner" else f"client|{who.client}"
    of_kind = [row for row in rows if row.kind == who.kind]
    own = [row for row in of_kind if row.person == person]
    if not own and any(person in row.excepted for row in of_kind if row.person is None):
        return False
    lines = own or [row for row in of_kind if row.person is None]
    place = f"finess|{who.organization}" if who.organization else None
    there = [row for row in lines if row.organization == place is not None]
    if not there:
        there = [row for row in lines if row.organization is None and place not in row.excepted]
    return any(fits(row, who) for row in there)


def told_of_person(rows: Iterable[Seer], who: Requester) -> bool:
    key = f"patient|{who.patient}" if who.kind == "patient" else f"related|{who.id.rpartition('/')[2]}"
    kinds = {"relative"}
    if who.kind == "patient" or who.patient == "p":
        kinds.add("holder" if who.kind == "patient" else "representative")
    return any(
        row.kind in kinds and (row.person == key or (row.person is None and key not in row.excepted)) for row in rows
    )


def fits(row: Seer, who: Requester) -> bool:
    if who.purpose not in row.purposes or (row.needs_organization and who.organization is None):
        return False
    profession = who.profession or ""
    base = profession.partition("/")[0]
    if profession in row.professions:
        return True
    if f"profession|{profession}" in row.excepted or (f"profession|{base}" in row.excepted):
        return False
    return not row.professions or base in row.professions


@cache
def actors() -> list[Requester]:
    user, system = ("user/*.cruds",), ("system/*.cruds",)
    found = [
        Requester("practitioner", f"practitioner/{rpps}", rpps=rpps, organization=place, profession=profession,
                  purpose=purpose, scopes=user)
        for rpps in NUMBERS for place in PLACES for profession in PROFESSIONS for purpose in PURPOSES
    ]  # fmt: skip
    found += [
        Requester("system", "x", client=client, organization=place, scopes=system)
        for client in ("lab", "his") for place in PLACES if place
    ]  # fmt: skip
    found += [Requester("patient", id, patient=id, purpose="PATRQT", scopes=user) for id in ("p", "relative", "q")]
    found += [
        Requester("representative", f"RelatedPerson/{id}", patient=of, purpose="PATRQT", scopes=user)
        for id, of in (("m", "p"), ("n", "p"), ("m", "q"))
    ]
    return found


def check_seers(seed: int) -> None:
    draw = Draw(Random(seed))
    deposit, record = draw(world.deposits()), draw(world.records(odd=True))
    kind, envelope, policies = deposit.resource["resourceType"], world.envelope(deposit), [world.policy(record)]
    rows = seers(kind, envelope, policies, world.NOW)
    chance = Random(seed)
    every = actors()
    apart = [each for each in every if each.kind != "practitioner"]
    for who in (*apart, *chance.sample(every, 32)):
        seen = sees(Access.of(who, world.NOW), kind, envelope, policies)
        assert told(rows, who) == seen, (who, deposit, record, rows)


@pytest.mark.no_cover
@settings(max_examples=70, deadline=None)
@given(SEEDS)
def test_the_rows_tell_of_every_actor_what_the_query_answers(seed: int) -> None:
    check_seers(seed)


@pytest.mark.long
@LONG
@given(SEEDS)
def test_the_rows_tell_of_every_actor_what_the_query_answers_at_length(seed: int) -> None:
    check_seers(seed)


def test_every_rule_is_told_in_french_and_english() -> None:
    for key in {rule.key for rule in RULES} | set(WORDS):
        wording = words.of(key)
        assert wording.french != wording.english, key
    rows = csv.DictReader((Path(words.__file__).parent / "words.csv").read_text("utf-8").splitlines())
    assert all(None not in row and row["french"] for row in rows)
