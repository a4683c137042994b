"""Every event in every state by everyone, as the table has it; and each delay at its boundary: the day
before, the last moment, the first one after; over leap days, the two nights of summer time, in every zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from fhirserver.access.zones import METROPOLE, names
from fhirserver.errors import Conflict, Forbidden
from fhirserver.espace import delays, machine
from fhirserver.espace.space import caught_up, erasing
from fhirserver.espace.tables import ERASED, NONE, transitions
from fhirserver.espace.tables import delays as known

ROLES = ("holder", "representative", "agent", "operator", "time")
STATES = (NONE, "announced", "open", "opposed", "suspended", "closed", "archived", "deceased")
EVENTS = sorted({event for event, _ in transitions()})
INSTANT = timedelta(milliseconds=1)
AT = datetime(2026, 2, 10, 9, tzinfo=UTC)
FACTS = {"zone": METROPOLE, "born": "1980-05-01"}
WAYS = {
    NONE: (),
    "announced": ("announce",),
    "open": ("activate",),
    "opposed": ("announce", "oppose"),
    "suspended": ("suspend",),
    "closed": ("close",),
    "archived": ("close", "archive"),
    "deceased": ("die",),
}
"""How each state comes about, by the operator."""


def in_state(name: str, zone: str = METROPOLE, at: datetime = AT, born: str = "1980-05-01") -> machine.Row | None:
    row: machine.Row | None = None
    for event in WAYS[name]:
        found = machine.allowed(row, event, "operator", at)
        row = machine.after(row, found, at, "operator", {"zone": zone, "born": born})
    return row


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("event", EVENTS)
def test_each_event_in_each_state_by_each_is_as_the_table_says(event: str, state: str) -> None:
    row, told = in_state(state), transitions().get((event, state))
    assert machine.state(row, AT) == state
    for who in ROLES:
        now = AT + INSTANT
        if told is None:
            with pytest.raises(Conflict, match="is not possible"):
                machine.allowed(row, event, who, now)
        elif who not in told.who:
            with pytest.raises(Forbidden):
                machine.allowed(row, event, who, now)
        else:
            found = machine.allowed(row, event, who, now)
            made = machine.after(row, found, now, who, FACTS)
            assert made["log"][-1] == {
                "event": event, "from": state, "to": told.to, "at": now, "by": who, "article": told.article,
            }  # fmt: skip
            if found.to != ERASED:
                assert machine.state(made, now) == found.to


NIGHTS = {
    "no change": date(2026, 1, 12),
    "over 29 February": date(2024, 1, 25),
    "over the end of February of a common year": date(2025, 1, 25),
    "over the night of summer time": date(2026, 2, 25),
    "ending in the night of summer time": date(2026, 3, 29) - timedelta(days=43),
    "over the night of winter time": date(2026, 10, 1),
    "ending in the night of winter time": date(2026, 10, 25) - timedelta(days=43),
    "over the year": date(2026, 12, 1),
}
DELAYS = {
    "opposition": ("announced", "open"),
    "objection": ("suspended", "closed"),
    "archive": ("closed", ERASED),
    "withdrawal": ("closed", ERASED),
}


def last_day(day: date, value: str) -> date:
    """Counted by hand: weeks and days from the day after, years to the day of the same number."""
    number, unit = value.split()
    if unit == "years":
        try:
            return day.replace(year=day.year + int(number))
        except ValueError:
            return date(day.year + int(number), 2, 28)
    return day + timedelta(days=int(number) * (7 if unit == "weeks" else 1))


@pytest.mark.parametrize("zone", names())
@pytest.mark.parametrize("name", DELAYS)
def test_a_delay_ends_with_its_last_day_where_the_person_lives(name: str, zone: str) -> None:
    before, after = DELAYS[name]
    value = next(f"{each.number} {each.unit}" for each in known() if each.name == name)
    for day in NIGHTS.values():
        for hour, minute in ((0, 0), (12, 30), (23, 59)):
            at = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone)).astimezone(UTC)
            row = in_state(before, zone, at)
            if name == "withdrawal":
                found = machine.allowed(None, "request-erasure", "holder", at)
                row = machine.after(None, found, at, "holder", {"zone": zone, "born": None})
            assert row is not None
            over_day = last_day(day, value) + timedelta(days=1)
            over = datetime(over_day.year, over_day.month, over_day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
            seen = []
            for moment in (over - timedelta(days=1), over - INSTANT, over):
                caught, _ = caught_up(row, {"zone": zone, "born": None}, moment)
                state = machine.state(caught, moment, applied=True)
                seen.append(ERASED if erasing(caught or {}, moment) else state)
            assert seen == [before, before, after], (day, hour, zone)


@pytest.mark.parametrize("zone", names())
@pytest.mark.parametrize(
    ("born", "day"),
    [
        ("2008-02-29", "2026-03-01"),
        ("2006-02-28", "2024-02-28"),
        ("2008-03-29", "2026-03-29"),
        ("2008-10-25", "2026-10-25"),
        ("2008-12-31", "2026-12-31"),
    ],
)
def test_the_person_comes_of_age_at_midnight_where_he_lives(born: str, day: str, zone: str) -> None:
    of_age = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    row = in_state("open", zone, datetime(2020, 1, 1, tzinfo=UTC), born)
    for moment, brought in ((of_age - timedelta(days=1), []), (of_age - INSTANT, []), (of_age, ["come-of-age"])):
        assert [each.event for each in caught_up(row, {"zone": zone, "born": born}, moment)[1]] == brought
    assert delays.majority(born, zone) == of_age


def test_a_space_that_opens_by_itself_after_the_majority_has_nobody_to_be_taken_over_from() -> None:
    row = in_state("announced", at=datetime(2026, 2, 10, tzinfo=UTC), born="2008-03-01")
    _, brought = caught_up(row, {"zone": METROPOLE, "born": "2008-03-01"}, datetime(2027, 1, 1, tzinfo=UTC))
    assert [each.event for each in brought] == ["open"]
