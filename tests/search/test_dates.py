from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fhirserver.errors import BadRequest
from fhirserver.search import dates
from tests.search.finding import finds, query

PARIS = ZoneInfo("Europe/Paris")
UTC_ZONE = ZoneInfo("UTC")


def at(*moment: int) -> int:
    year, month, day, hour, minute, second = (*moment, 0, 0, 0)[:6]
    return dates.micros(datetime(year, month, day, hour, minute, second, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "lo", "hi"),
    [
        ("2024", at(2024, 1, 1), at(2025, 1, 1)),
        ("2024-02", at(2024, 2, 1), at(2024, 3, 1)),
        ("2023-12", at(2023, 12, 1), at(2024, 1, 1)),
        ("2024-02-29", at(2024, 2, 29), at(2024, 3, 1)),
        ("2024-02-29T23:59Z", at(2024, 2, 29, 23, 59), at(2024, 3, 1)),
        ("2024-02-29T23:59:59Z", at(2024, 2, 29, 23, 59, 59), at(2024, 3, 1)),
        ("2024-02-29T23:59:60Z", at(2024, 3, 1), at(2024, 3, 1, 0, 0, 1)),
        ("2024-01-01T00:00:00.5Z", at(2024, 1, 1) + 500_000, at(2024, 1, 1) + 600_000),
        ("2024-01-01T00:00:00.123456Z", at(2024, 1, 1) + 123_456, at(2024, 1, 1) + 123_457),
        ("2024-01-01T00:00:00.123456789Z", at(2024, 1, 1) + 123_456, at(2024, 1, 1) + 123_457),
        ("2024-01-01T00:00:00+14:00", at(2023, 12, 31, 10), at(2023, 12, 31, 10, 0, 1)),
        ("2024-01-01T00:00:00-05:30", at(2024, 1, 1, 5, 30), at(2024, 1, 1, 5, 30, 1)),
        ("9999", at(9999, 1, 1), at(9999, 12, 31) + dates.DAY),
    ],
)
def test_a_date_is_an_interval_of_its_precision(text: str, lo: int, hi: int) -> None:
    assert dates.interval(text, UTC_ZONE) == (lo, hi)


@pytest.mark.parametrize(
    ("text", "lo", "hi"),
    [
        ("2024-03-31", at(2024, 3, 30, 23), at(2024, 3, 31, 22)),
        ("2024-10-27", at(2024, 10, 26, 22), at(2024, 10, 27, 23)),
        ("2024-07", at(2024, 6, 30, 22), at(2024, 7, 31, 22)),
        ("2024", at(2023, 12, 31, 23), at(2024, 12, 31, 23)),
        ("2024-10-27T02:30", at(2024, 10, 27, 0, 30), at(2024, 10, 27, 0, 31)),
        ("2024-10-27T02:30:00+01:00", at(2024, 10, 27, 1, 30), at(2024, 10, 27, 1, 30, 1)),
        ("2024-03-31T02:30", at(2024, 3, 31, 1, 30), at(2024, 3, 31, 1, 31)),
    ],
)
def test_a_date_without_a_zone_is_of_the_configured_zone_through_its_clock_changes(text: str, lo: int, hi: int) -> None:
    assert dates.interval(text, PARIS) == (lo, hi)


@pytest.mark.parametrize(
    "text",
    [
        "", "24", "2024-1", "2024-13", "2023-02-29", "2024-02-30", "2024-01-01T", "2024-01-01T10", "2024-01-01T24:00",
        "2024-01-01T10:60", "2024-01-01T10:00:61Z", "2024-01-01T10:00:00+15:00", "2024-01-01 10:00", "2024Z", "0000",
        "2024-01-01T10:00:00+02", "today", "2024-01-01T10:00:00.Z", "٢٠٢٤",
    ],
)  # fmt: skip
def test_what_is_no_date_is_none(text: str) -> None:
    assert dates.interval(text, UTC_ZONE) is None
    with pytest.raises(BadRequest, match="birthdate"):
        query("Patient", ("birthdate", text or "x"))


def test_the_first_and_the_last_year_can_be_told_in_any_zone() -> None:
    assert dates.interval("0001", PARIS) is not None
    found = dates.interval("9999-12-31", ZoneInfo("America/Guadeloupe"))
    assert found is not None
    assert dates.instant(found.hi).year == 9999


@pytest.mark.parametrize(
    ("birth", "sought", "found"),
    [
        ("1970-05-31", "1970-05-31", True),
        ("1970-05-31", "1970-05", True),
        ("1970-05-31", "1970", True),
        ("1970-05", "1970-05-31", False),
        ("1970", "1970-05", False),
        ("1970-05", "ne1970-05-31", True),
        ("1970-05-31", "ne1970", False),
        ("1970-05", "gt1970-05-15", True),
        ("1970-05", "lt1970-05-15", True),
        ("1970-05-31", "gt1970-05-31", False),
        ("1970-05-31", "ge1970-05-31", True),
        ("1970-05-31", "le1970-05-31", True),
        ("1970-05-31", "lt1970-05-31", False),
        ("1970-05-31", "sa1970-05-30", True),
        ("1970-05", "sa1970-05-15", False),
        ("1970-05", "eb1970-05-15", False),
        ("1970-05-31", "eb1970-06", True),
        ("1970", "ge1970-12-31", False),
        ("1970", "gt1970", False),
        ("1970", "le1969", False),
    ],
)
def test_a_prefix_compares_intervals(birth: str, sought: str, found: bool) -> None:
    assert finds({"resourceType": "Patient", "birthDate": birth}, ("birthdate", sought)) is found


@pytest.mark.parametrize(
    ("period", "sought", "found"),
    [
        ({"start": "2024-01-10", "end": "2024-01-20"}, "2024-01", True),
        ({"start": "2024-01-10", "end": "2024-01-20"}, "2024-01-15", False),
        ({"start": "2024-01-10"}, "2024", False),
        ({"start": "2024-01-10"}, "gt2999", True),
        ({"start": "2024-01-10"}, "sa2024-01-09", True),
        ({"start": "2024-01-10"}, "lt2024-01-11", True),
        ({"end": "2024-01-20"}, "lt1900", True),
        ({"end": "2024-01-20"}, "eb2024-01-21", True),
        ({"end": "2024-01-20"}, "eb2024-01-20", False),
        ({"start": "2024-01-10", "end": "2024-01-20"}, "ge2024-01-20", False),
        ({"start": "2024-01-10", "end": "2024-01-20"}, "gt2024-01-20", False),
    ],
)
def test_a_period_is_compared_as_a_whole_its_missing_side_open(
    period: dict[str, str], sought: str, found: bool
) -> None:
    assert finds({"resourceType": "Encounter", "period": period}, ("date", sought)) is found


def test_a_period_without_a_date_is_there_but_no_date_finds_it() -> None:
    encounter = {"resourceType": "Encounter", "period": {"extension": [{"url": "urn:x", "valueCode": "unknown"}]}}
    assert not finds(encounter, ("date", "ne1900"))
    assert finds(encounter, ("date:missing", "false"))


@pytest.mark.parametrize(
    ("timing", "sought", "found"),
    [
        ({"event": ["2024-01-10", "2024-03-01T10:00:00Z"]}, "2024-01", False),
        ({"event": ["2024-01-10", "2024-03-01T10:00:00Z"]}, "2024", True),
        ({"repeat": {"boundsPeriod": {"start": "2024-01-31", "end": "2024-03-24"}}}, "sa2024-01-30", True),
        ({"event": ["2023-12-31"], "repeat": {"boundsPeriod": {"end": "2024-03-24"}}}, "lt1900", True),
        ({"code": {"text": "BID"}}, "ge1900", False),
    ],
)
def test_a_timing_is_its_outer_limits(timing: dict[str, Any], sought: str, found: bool) -> None:
    request = {"resourceType": "ServiceRequest", "occurrenceTiming": timing}
    assert finds(request, ("occurrence", sought)) is found


def test_about_is_a_tenth_of_the_time_since() -> None:
    patient = {"resourceType": "Patient", "birthDate": "1975-01-01"}
    assert finds(patient, ("birthdate", "ap1971"))
    assert not finds(patient, ("birthdate", "ap1960"))


@pytest.mark.parametrize(
    ("sought", "found"),
    [
        ("2024-03-31", True),
        ("2024-03-31T02:30:00.500Z", True),
        ("2024-03-31T02:30:00.5Z", True),
        ("2024-03-31T04:30:00.5+02:00", True),
        ("2024-03-31T02:30:00.5005Z", False),
        ("gt2024-03-31T02:30:00.499Z", True),
        ("gt2024-03-31T02:30:00.500Z", False),
        ("ge2024-03-31T02:30:00.500Z", True),
        ("ge2024-03-31T02:30:00.501Z", False),
        ("lt2024-03-31T02:30:00.501Z", True),
        ("lt2024-03-31T02:30:00.5005Z", True),
        ("le2024-03-31T02:30:00.4995Z", False),
        ("lt2024-03-31T02:30:00.500Z", False),
        ("le2024-03-31T02:30:00.500Z", True),
        ("sa2024-03-30", True),
        ("eb2024-04-01", True),
        ("ne2024-03-31", False),
        ("ne2024-04", True),
        ("ge0001", True),
        ("le9999", True),
    ],
)
def test_last_updated_is_a_moment_of_whole_milliseconds(sought: str, found: bool) -> None:
    patient = {"resourceType": "Patient", "meta": {"lastUpdated": "2024-03-31T02:30:00.500Z"}}
    assert finds(patient, ("_lastUpdated", sought)) is found


def test_a_day_is_of_the_zone_that_the_server_is_configured_for() -> None:
    observation = {"resourceType": "Observation", "effectiveDateTime": "2024-03-31T22:30:00Z"}
    assert finds(observation, ("date", "2024-03-31"))
    assert not finds(observation, ("date", "2024-03-31"), zone="Europe/Paris")
    assert finds(observation, ("date", "2024-04-01"), zone="Europe/Paris")


def test_a_text_in_place_of_a_date_is_no_date() -> None:
    assert not finds({"resourceType": "Immunization", "occurrenceString": "2024"}, ("date", "2024"))


def test_a_blank_in_a_zone_is_explained() -> None:
    with pytest.raises(BadRequest, match="%2B"):
        query("Patient", ("birthdate", "2024-01-01T00:00:00 02:00"))
