"""The state machine and its delays, at their boundary days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from fhirserver.access import SPACES
from fhirserver.access.zones import zone
from fhirserver.errors import Conflict, Forbidden
from fhirserver.espace import delays, machine
from fhirserver.espace.space import caught_up, erasing
from fhirserver.espace.tables import ERASED, NONE, Delay, delay, transitions

PARIS = "Europe/Paris"
INSTANT = timedelta(milliseconds=1)
FACTS = {"zone": PARIS, "born": "1980-05-01"}
START = datetime(2026, 2, 10, 9, tzinfo=UTC)


def local(text: str, where: str = PARIS) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(where)).astimezone(UTC)


def walked(*steps: tuple[str, str, datetime], facts: dict[str, str] = FACTS) -> machine.Row:
    row: machine.Row | None = None
    for event, who, at in steps:
        row, _ = caught_up(row, facts, at)
        row = machine.after(row, machine.allowed(row, event, who, at), at, who, facts)
    assert row is not None
    return row


def in_state(row: machine.Row, moment: datetime) -> str:
    """What the rules of access see, which must be what the log comes to."""
    seen = machine.state(row, moment)
    caught, _ = caught_up(row, FACTS | {"zone": row["zone"], "born": row["born"]}, moment)
    assert machine.state(caught, moment, applied=True) == seen
    return seen


def test_the_table_knows_the_states_that_are_recorded() -> None:
    table = transitions().values()
    assert {each.to for each in table} | {each.origin for each in table} == SPACES | {NONE, ERASED}
    assert all(each.article for each in table)


@pytest.mark.parametrize(
    ("begin", "where", "over"),
    [
        ("2026-02-10 09:00", PARIS, "2026-03-25"),  # no summer time yet
        ("2026-03-01 00:00", PARIS, "2026-04-13"),  # summer time in between
        ("2026-03-01 23:59:59", PARIS, "2026-04-13"),
        ("2026-09-20 09:00", PARIS, "2026-11-02"),  # winter time in between
        ("2024-01-18 09:00", PARIS, "2024-03-01"),  # over 29 February
        ("2026-02-10 23:30", "America/Martinique", "2026-03-25"),  # the day after in Paris
        ("2026-02-10 00:30", "Pacific/Noumea", "2026-03-25"),  # the day before in Paris
    ],
)
def test_a_delay_of_weeks_ends_at_midnight_of_its_last_day_where_the_person_lives(
    begin: str, where: str, over: str
) -> None:
    assert delays.end("opposition", local(begin, where), where) == local(f"{over} 00:00", where)


@pytest.mark.parametrize(
    ("begin", "over"),
    [("2026-03-14", "2036-03-15"), ("2024-02-29", "2034-03-01"), ("2018-02-28", "2028-02-29")],
)
def test_ten_years_end_on_the_day_of_the_same_number_or_the_last_of_the_month(begin: str, over: str) -> None:
    assert delays.end("archive", local(f"{begin} 12:00"), PARIS) == local(f"{over} 00:00")


@pytest.mark.parametrize(("begin", "over"), [("2025-11-30", "2026-03-01"), ("2026-01-31", "2026-05-01")])
def test_three_months_end_on_the_last_of_a_shorter_month(begin: str, over: str) -> None:
    assert delays.end("erasure", local(f"{begin} 12:00"), PARIS) == local(f"{over} 00:00")


@pytest.mark.parametrize(
    ("birth", "where", "of_age"),
    [
        ("2008-02-29", PARIS, "2026-03-01"),
        ("2008-03-29", PARIS, "2026-03-29"),
        ("2008-05-01", "Pacific/Tahiti", "2026-05-01"),
    ],
)
def test_of_age_from_the_first_moment_of_the_day(birth: str, where: str, of_age: str) -> None:
    assert delays.majority(birth, where) == local(f"{of_age} 00:00", where)


@pytest.mark.parametrize("birth", [None, "2008", "2008-02", "2008-02-30", "soon"])
def test_nobody_comes_of_age_by_a_date_that_is_not_whole(birth: str | None) -> None:
    assert delays.majority(birth, PARIS) is None


def test_a_delay_is_that_of_the_day_on_which_it_begins() -> None:
    old, new = Delay("x", date(2021, 1, 1), 1, "months", "old"), Delay("x", date(2022, 1, 1), 6, "weeks", "new")
    assert delay("x", date(2021, 12, 31), [new, old]) == old
    assert delay("x", date(2022, 1, 1), [new, old]) == new
    assert delay("x", date(2020, 1, 1), [new, old]) == old


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("97410", "Indian/Reunion"), ("97133", "America/St_Barthelemy"), ("97110", "America/Guadeloupe"),
        ("98800", "Pacific/Noumea"), ("75014", PARIS), ("", PARIS),
    ],
)  # fmt: skip
def test_the_zone_is_that_of_the_home(code: str, found: str) -> None:
    old = {"use": "old", "postalCode": "97200"}
    assert zone({"address": [old, {"use": "home", "postalCode": code}]}) == found


def test_it_opens_when_nobody_opposed_for_six_weeks() -> None:
    row = walked(("announce", "operator", START))
    opened = local("2026-03-25 00:00")
    assert row["due"] == opened
    assert in_state(row, opened - INSTANT) == "announced"
    assert in_state(row, opened) == "open"


def test_an_opposition_in_the_last_moment_counts_and_later_there_is_none() -> None:
    last = local("2026-03-25 00:00") - INSTANT
    row = walked(("announce", "operator", START), ("oppose", "holder", last))
    assert in_state(row, last + timedelta(days=900)) == "opposed"
    assert row["due"] is None
    with pytest.raises(Conflict, match=r"is open.*close"):
        walked(("announce", "operator", START), ("oppose", "holder", last + INSTANT))


def test_who_opposed_may_still_have_a_space() -> None:
    row = walked(("announce", "operator", START), ("oppose", "agent", START), ("activate", "holder", START + INSTANT))
    assert in_state(row, START + INSTANT) == "open"


def test_a_suspension_without_objection_closes_after_six_weeks() -> None:
    row = walked(("suspend", "operator", START))
    over = local("2026-03-25 00:00")
    assert [in_state(row, each) for each in (START, over - INSTANT, over)] == ["suspended", "suspended", "closed"]


def test_an_objection_keeps_a_suspension_from_closing_until_it_is_lifted() -> None:
    row = walked(("suspend", "operator", START), ("object", "holder", START + timedelta(days=3)))
    assert in_state(row, START + timedelta(days=400)) == "suspended"
    row = machine.after(
        row, machine.allowed(row, "lift", "operator", START), START + timedelta(days=9), "operator", FACTS
    )
    assert in_state(row, START + timedelta(days=10)) == "open"


def test_ten_years_run_from_the_closing_whenever_it_was_put_away() -> None:
    row = walked(("close", "holder", START), ("archive", "operator", START + timedelta(days=3000)))
    over = local("2036-02-11 00:00")
    assert row["due"] == over
    assert [erasing(row, each) for each in (over - INSTANT, over)] == [False, True]


def test_reopening_restores_and_takes_a_request_of_erasure_back() -> None:
    row = walked(("request-erasure", "holder", START))
    assert in_state(row, START) == "closed"
    assert machine.erased_by(row) == local("2026-05-11 00:00")
    withdrawn = local("2026-02-25 00:00")
    assert [erasing(row, each) for each in (withdrawn - INSTANT, withdrawn)] == [False, True]
    again = walked(("request-erasure", "holder", START), ("reopen", "holder", withdrawn - INSTANT))
    assert in_state(again, withdrawn) == "open"
    assert again["due"] is None


def test_a_death_closes_whatever_the_space_was_and_ten_years_run_from_it() -> None:
    row = walked(("close", "holder", START), ("die", "time", START + timedelta(days=365)))
    assert row["due"] == local("2037-02-11 00:00")
    with pytest.raises(Conflict):
        machine.allowed(row, "reopen", "holder", START + timedelta(days=800))


def test_of_age_once() -> None:
    facts = {"zone": "Indian/Reunion", "born": "2008-03-01"}
    row = walked(("activate", "representative", START), facts=facts)
    of_age = local("2026-03-01 00:00", "Indian/Reunion")
    assert row["due"] == of_age
    later, brought = caught_up(row, facts, of_age)
    assert [each.event for each in brought] == ["come-of-age"]
    assert later is not None
    assert (later["due"], in_state(later, of_age)) == (None, "open")


def test_what_time_brings_later_does_not_depend_on_when_it_is_looked_at() -> None:
    row = walked(("announce", "operator", START))
    often: machine.Row | None = row
    for days in range(60):
        often, _ = caught_up(often, FACTS, START + timedelta(days=days))
    assert often == caught_up(row, FACTS, START + timedelta(days=60))[0]


@pytest.mark.parametrize(
    ("event", "who"), [("suspend", "holder"), ("announce", "holder"), ("erase", "holder"), ("die", "agent")]
)
def test_what_is_for_others_to_do_is_refused(event: str, who: str) -> None:
    with pytest.raises(Forbidden):
        machine.allowed(None, event, who, START)
