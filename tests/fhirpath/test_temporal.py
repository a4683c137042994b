from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhirserver.fhirpath import temporal
from tests.fhirpath.answers import plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@2020-01-31 + 1 month", ["2020-02-29"]),
        ("@2020-02-29 + 1 year", ["2021-02-28"]),
        ("@2020-02-29 - 1 year", ["2019-02-28"]),
        ("@2020 + 18 months", ["2021"]),
        ("@2020-03 + 45 days", ["2020-04"]),
        ("@2020-03 + 2 'wk'", ["2020-03"]),
        ("@2020-03-01 + 47 hours", ["2020-03-02"]),
        ("@2020-03-01T10 + 90 minutes", ["2020-03-01T11"]),
        ("@2020-03-01T10:30 + 90 seconds", ["2020-03-01T10:31"]),
        ("@2020-03-01T10:30 + 60000 milliseconds", ["2020-03-01T10:31"]),
        ("@2020-03-01T10:30:00Z + 5 milliseconds", ["2020-03-01T10:30:00.005Z"]),
        ("@2020-03-01T23:59:59.5+02:00 + 1 second", ["2020-03-02T00:00:00.5+02:00"]),
        ("@T23:30 + 1 hour", ["00:30"]),
        ("@T23:30:00 - 24 hours", ["23:30:00"]),
        ("@T10 + 90 minutes", ["11"]),
        ("@9999-12-31 + 1 day", []),
        ("@0001-01-01 - 1 day", []),
        ("@0001 - 1 year", []),
        ("@2020-01-01 + 100000000000000000 days", []),
        ("@2020-01-01 + 1 'd'", ["2020-01-02"]),
        ("@2020-01-01 - 1.9 days", ["2019-12-31"]),
    ],
)
def test_a_date_moves_by_calendar_units(text: str, expected: list[str]) -> None:
    assert plain(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@2020 < @2021-01-01", [True]),
        ("@2020 < @2020-12-31", []),
        ("@2020-02-29 = @2020-02", []),
        ("@2020-01-01T00:00:00Z < @2020-01-03", [True]),
        ("@2020-01-01T00:00:00Z < @2020-01-01", []),
        ("@2020-01-03 > @2020-01-01T00:00:00Z", [True]),
        ("@2020-01-01T14:00:00 = @2020-01-01T00:00:00Z", []),
        ("@2020-01-01T10:00:00+02:00 = @2020-01-01T08:00:00Z", [True]),
        ("@2020-01-01T10:00:00.000 = @2020-01-01T10:00:00", [True]),
        ("@2020-01-01T10:00 = @2020-01-01T10:00:00", []),
        ("@T10:00 < @T10:00:30", []),
        ("@T09:59 < @T10:00:30", [True]),
        ("@2020-01-01 ~ @2020-01", [False]),
    ],
)
def test_dates_compare_as_far_as_their_precision_tells(text: str, expected: list[bool]) -> None:
    assert plain(text) == expected


def test_a_leap_second_is_a_moment() -> None:
    assert plain("@2016-12-31T23:59:60Z > @2016-12-31T23:59:59Z") == [True]
    assert plain("@2016-12-31T23:59:60Z + 1 second") == []


@pytest.mark.parametrize(
    "text", ["2020-00", "2020-02-30", "0000", "2020-1-1", "2020-01-01T25:00:00Z", "x", "", "2" * 99]
)
def test_what_is_no_date_stays_text(text: str) -> None:
    assert temporal.parse("DateTime", text) is None
    assert temporal.parse("Date", text) is None
    node = {"resourceType": "Patient", "birthDate": text}
    assert plain("birthDate = birthDate", node) == [True]
    assert plain("birthDate.toString()", node) == [text]


@given(st.dates(), st.dates(), st.integers(-800, 800))
def test_days_add_and_compare_as_in_pythons_calendar(one: date, other: date, days: int) -> None:
    left, right = temporal.parse("Date", one.isoformat()), temporal.parse("Date", other.isoformat())
    assert left is not None
    assert right is not None
    assert temporal.compare(left, right) == (one > other) - (one < other)
    moved = temporal.add(left, Decimal(days), "day")
    try:
        assert str(moved) == (one + timedelta(days=days)).isoformat()
    except OverflowError:
        assert moved is None


@given(st.datetimes(min_value=datetime(1900, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001 zones are drawn apart
def test_a_boundary_lies_at_the_edge_of_the_span(moment: datetime, minutes: int) -> None:
    sign = "-" if minutes < 0 else "+"
    text = f"{moment:%Y-%m-%dT%H:%M}{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    value = temporal.parse("DateTime", text)
    assert value is not None
    low, high = temporal.boundary(value, None, high=False), temporal.boundary(value, None, high=True)
    assert low is not None
    assert high is not None
    assert temporal.span(low)[0] == temporal.span(value)[0]
    assert temporal.span(high)[1] == temporal.span(value)[1] - 999
    assert temporal.parse("DateTime", str(high)) == high
