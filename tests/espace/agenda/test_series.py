"""Series of slots by the clocks of a place; what a calendar program reads."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from fhirserver.espace.agenda.calendar import calendar
from fhirserver.espace.agenda.series import Series, spans

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def starts(first: date, last: date, opens: time, closes: time, zone: str, minutes: int = 30) -> list[str]:
    series = Series(first, last, frozenset(range(7)), opens, closes, minutes, zone)
    return [each[0].isoformat() for each in spans(series, LONG_AGO)]


def test_the_hours_stay_when_the_clocks_change() -> None:
    found = starts(date(2026, 3, 28), date(2026, 3, 30), time(9), time(9, 30), "Europe/Paris")
    assert found == ["2026-03-28T09:00:00+01:00", "2026-03-29T09:00:00+02:00", "2026-03-30T09:00:00+02:00"]
    found = starts(date(2026, 10, 24), date(2026, 10, 25), time(9), time(9, 30), "Europe/Paris")
    assert found == ["2026-10-24T09:00:00+02:00", "2026-10-25T09:00:00+01:00"]


def test_an_hour_that_does_not_exist_has_no_slot_and_one_that_comes_twice_has_one() -> None:
    day = date(2026, 3, 29)
    assert starts(day, day, time(1, 30), time(3, 30), "Europe/Paris") == [
        "2026-03-29T01:30:00+01:00",
        "2026-03-29T03:00:00+02:00",
    ]
    day = date(2026, 10, 25)
    assert starts(day, day, time(2), time(3, 30), "Europe/Paris") == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T03:00:00+01:00",
    ]


@pytest.mark.parametrize(
    ("zone", "offset"), [("Indian/Reunion", "+04:00"), ("America/Martinique", "-04:00"), ("Pacific/Noumea", "+11:00")]
)
def test_overseas_the_clocks_never_change(zone: str, offset: str) -> None:
    found = starts(date(2026, 3, 28), date(2026, 3, 30), time(9), time(9, 30), zone)
    assert found == [f"2026-03-{day}T09:00:00{offset}" for day in (28, 29, 30)]


def test_a_leap_day_is_a_day() -> None:
    assert len(starts(date(2028, 2, 28), date(2028, 3, 1), time(9), time(10), "Europe/Paris")) == 6
    assert len(starts(date(2026, 2, 28), date(2026, 3, 1), time(9), time(10), "Europe/Paris")) == 4


def test_a_slot_ends_by_the_time_that_closes_and_is_as_long_as_the_clock_says() -> None:
    series = Series(date(2026, 3, 2), date(2026, 3, 8), frozenset({0, 3}), time(9), time(10, 50), 45, "Europe/Paris")
    found = spans(series, LONG_AGO)
    assert [each[0].strftime("%a %H:%M") for each in found] == ["Mon 09:00", "Mon 09:45", "Thu 09:00", "Thu 09:45"]
    assert {each[1] - each[0] for each in found} == {timedelta(minutes=45)}


def test_neither_what_is_over_nor_what_is_taken_is_made_again() -> None:
    series = Series(date(2026, 3, 2), date(2026, 3, 2), frozenset({0}), time(9), time(11), 30, "Europe/Paris")
    taken = [(datetime(2026, 3, 2, 9, 15, tzinfo=UTC), datetime(2026, 3, 2, 9, 20, tzinfo=UTC))]
    found = [each[0].strftime("%H:%M") for each in spans(series, datetime(2026, 3, 2, 8, tzinfo=UTC), taken)]
    assert found == ["09:30", "10:30"]


@pytest.mark.parametrize(
    ("start", "told"),
    [
        ("2026-03-29T01:30:00+01:00", "20260329T003000Z"),
        ("2026-03-29T03:30:00+02:00", "20260329T013000Z"),
        ("2026-10-25T02:30:00+02:00", "20261025T003000Z"),
        ("2026-10-25T02:30:00+01:00", "20261025T013000Z"),
        ("2028-02-29T23:30:00-03:00", "20280301T023000Z"),
        ("2026-06-01T00:30:00+11:00", "20260531T133000Z"),
        ("2026-06-30T23:59:60Z", "20260630T235959Z"),
    ],
)
def test_a_calendar_has_the_moment_whatever_the_zone(start: str, told: str) -> None:
    meta = {"versionId": "3", "lastUpdated": "2026-01-01T00:00:00.123Z"}
    made = {
        "resourceType": "Appointment",
        "id": "a",
        "meta": meta,
        "status": "pending",
        "start": start,
        "minutesDuration": 20,
    }
    text = calendar([made], "espace.example", details=False).decode()
    assert f"DTSTART:{told}\r\n" in text
    for line in ("UID:a@espace.example", "DTSTAMP:20260101T000000Z", "SEQUENCE:2", "STATUS:TENTATIVE", "VERSION:2.0"):
        assert f"{line}\r\n" in text


def test_a_calendar_of_nothing_is_one_all_the_same() -> None:
    text = calendar([{"id": "a", "status": "proposed"}], "espace.example", details=True).decode()
    assert text.startswith("BEGIN:VCALENDAR\r\n")
    assert "VEVENT" not in text
