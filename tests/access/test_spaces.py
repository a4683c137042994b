"""Each state of the space and each actor, as the table of docs/access.md has it; and what changes by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fhirserver.access import Access, Policy, Requester, build, judge_write, part, predicate
from fhirserver.access.keys import EVERYONE
from fhirserver.access.moments import month_after, month_before
from fhirserver.access.tables import spaces
from fhirserver.predicate import matches
from tests.access.test_rules import (
    ALICE_HERE,
    BOB_HERE,
    HOLDER,
    HOSPITAL,
    MOTHER,
    TRAITANT,
    envelope,
    with_purpose,
)
from tests.access.world import BOB, HERE, NOW, NUMBERS, TEAM

YEARS_AGO = NOW.replace(year=NOW.year - 10)
COLUMNS = ("reads", "writes", "representative", "care", "emergency", "deposited", "feeding")
OBSERVATION = {"resourceType": "Observation", "id": "1", "subject": {"reference": "Patient/p"}}
PATIENT = {"resourceType": "Patient", "id": "p", "birthDate": "2020-01-01"}


def table() -> list[tuple[str, dict[str, str]]]:
    text = (Path(__file__).parents[2] / "docs" / "access.md").read_text().partition("### States of the space")[2]
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            found.append((cells[0].split("`")[1], dict(zip(COLUMNS, cells[1:], strict=False))))
        elif found and not line.startswith("|"):
            break
    return found


def policy(*states: tuple[str, datetime], **patient: Any) -> Policy:
    space = {"states": [{"state": state, "since": since} for state, since in states]} if states else None
    return Policy.of(build("p", {**PATIENT, **TRAITANT, **patient}, [], [TEAM], NUMBERS, space=space))


def sees(who: Requester, rules: Policy, now: datetime = NOW, **row: Any) -> bool:
    compiled = predicate(Access.of(who, now), "Observation", [rules], frozenset({"p"}))
    return matches(compiled, envelope(**row))


def writes(who: Requester, pre: dict[str, Any] | None, post: dict[str, Any], rules: Policy) -> bool:
    interaction = "update" if pre else "create"
    return judge_write(Access.of(who, NOW), interaction, post["resourceType"], pre, post, rules, acl={}).allowed


def does(rules: Policy) -> dict[str, str]:
    entry = writes(HOLDER, None, OBSERVATION, rules)
    reopening = writes(HOLDER, {**PATIENT, "active": False}, {**PATIENT, "active": True}, rules)
    stranger = Requester(
        "practitioner", "b", rpps=BOB, profession="G15_10", organization=HERE, scopes=("user/*.cruds",)
    )
    answers = {
        "reads": sees(HOLDER, rules),
        "representative": sees(MOTHER, rules),
        "care": sees(ALICE_HERE, rules) and sees(BOB_HERE, rules),
        "emergency": sees(with_purpose(stranger, "BTG"), rules),
        "deposited": sees(HOSPITAL, rules, by=(f"finess|{HERE}",)),
        "feeding": writes(HOSPITAL, None, OBSERVATION, rules),
    }
    told = {name: "yes" if answer else "no" for name, answer in answers.items()}
    return told | {"writes": "yes" if entry else "reopens only" if reopening else "no"}


@pytest.mark.parametrize(("state", "row"), table())
def test_each_state_lets_each_actor_do_what_the_table_says(state: str, row: dict[str, str]) -> None:
    told = {name: row[name] for name in COLUMNS}
    if state == "expired":
        rules = policy(("closed", YEARS_AGO))
        assert sees(HOLDER, rules, NOW - timedelta(seconds=1))
    else:
        rules = policy(("open", YEARS_AGO), (state, NOW))
        before = rules.space_at(NOW - timedelta(seconds=1))
        assert before == spaces()["open"]
    assert does(rules) == told


def test_the_table_of_the_documentation_is_whole() -> None:
    assert [state for state, _ in table()] == list(spaces())


def test_before_the_first_state_the_space_is_not_there_and_opens_by_itself() -> None:
    opening = NOW + timedelta(weeks=6)
    rules = policy(("announced", NOW), ("open", opening))
    assert [sees(ALICE_HERE, rules, opening + timedelta(seconds=each)) for each in (-1, 0)] == [False, True]
    assert not sees(ALICE_HERE, rules, NOW - timedelta(days=1))
    assert part(Access.of(ALICE_HERE, NOW), "Observation", rules, frozenset({"p"})).until == opening


def test_who_concerns_everyone_no_longer_does_once_the_opening_is_recorded() -> None:
    """Else the policies of all who were ever opened would stand in the filter of each professional."""
    opening = NOW + timedelta(weeks=6)
    states = [{"state": "announced", "since": NOW}, {"state": "open", "since": opening}]
    told = {"to": "announced", "at": NOW}
    last = {"recorded": {"to": "open", "at": opening}, "an older one": {"to": "open", "at": NOW}}

    def actors(space: dict[str, Any], **patient: Any) -> list[str]:
        made: list[str] = build("p", {"resourceType": "Patient", **patient}, [], [], {}, space=space)["actors"]
        return made

    assert actors({}) == []
    assert actors({"states": states, "log": [told]}) == [EVERYONE]
    assert actors({"states": states, "log": [told, last["recorded"]]}) == []
    assert actors({"states": states, "log": [told, last["an older one"]]}) == [EVERYONE]
    assert actors({"states": states}) == [EVERYONE]
    assert actors({"states": states, "log": [told, last["recorded"]]}, active=False) == [EVERYONE]
    assert actors({"states": states, "log": [told, last["recorded"]]}, deceasedBoolean=True) == [EVERYONE]


def test_the_patient_only_takes_away_from_what_is_recorded() -> None:
    assert does(policy(("open", YEARS_AGO), active=False))["feeding"] == "no"
    assert does(policy(("opposed", YEARS_AGO), active=True))["reads"] == "no"
    assert does(policy(("suspended", YEARS_AGO), active=False))["reads"] == "no"
    assert does(policy(active=True))["feeding"] == "yes"
    gone = Policy.of(build("p", None, [], [TEAM], NUMBERS))
    assert not sees(ALICE_HERE, gone)


@pytest.mark.parametrize(
    ("element", "moment", "state"),
    [
        ({"deceasedBoolean": True}, NOW, "deceased"),
        ({"deceasedBoolean": False}, NOW, "open"),
        ({"deceasedDateTime": "2026-03-01"}, datetime(2026, 3, 1, tzinfo=UTC), "deceased"),
        ({"deceasedDateTime": "2026-03-01"}, datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC), "open"),
        ({"deceasedDateTime": "2026"}, datetime(2026, 1, 1, tzinfo=UTC), "deceased"),
        ({"deceasedDateTime": "some day"}, NOW, "deceased"),
        ({"deceasedDateTime": 3}, NOW, "deceased"),
        ({"deceasedDateTime": "2016-03-01T12:00:00Z"}, NOW, "expired"),
        ({"deceasedDateTime": "2016-02-29"}, datetime(2026, 2, 28, tzinfo=UTC), "deceased"),
    ],
)
def test_a_death_closes_from_its_first_moment_for_ten_years(
    element: dict[str, Any], moment: datetime, state: str
) -> None:
    rules = policy(**element)
    reopened = policy(("open", YEARS_AGO), ("suspended", NOW - timedelta(days=400)), ("open", moment), **element)
    assert rules.space_at(moment) == spaces()[state]
    assert sees(HOLDER, rules, moment) == (state == "open")
    if state != "open":
        assert not sees(HOLDER, reopened, moment)


def test_a_state_that_is_not_known_lets_nothing_happen() -> None:
    assert set(does(policy(("novel", YEARS_AGO))).values()) == {"no"}


@pytest.mark.parametrize("day", [1, 28, 29, 30, 31])
@pytest.mark.parametrize("month", range(1, 13))
def test_a_month_after_is_the_first_moment_that_has_it_a_month_before(month: int, day: int) -> None:
    if (month, day) in ((2, 29), (2, 30), (2, 31)) or (day == 31 and month in (4, 6, 9, 11)):
        return
    moment = datetime(2027, month, day, 10, 30, 0, 5, tzinfo=UTC)
    after = month_after(moment)
    assert month_before(after) >= moment > month_before(after - timedelta(microseconds=1))
