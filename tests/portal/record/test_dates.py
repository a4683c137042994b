"""Times of pages: in the zone of the record, in summer and winter, overseas."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from fhirserver.portal import dates
from fhirserver.portal.record import period, wording
from tests.portal.record.visiting import holder, logged_in

if TYPE_CHECKING:
    from tests.application import Application


def living(postal_code: str) -> dict[str, Any]:
    return {"address": [{"use": "home", "postalCode": postal_code}]} if postal_code else {}


@pytest.mark.parametrize(
    ("instant", "told"),
    [
        ("2026-03-29T00:59:59Z", "29 mars 2026 à 1 h 59"),
        ("2026-03-29T01:00:00Z", "29 mars 2026 à 3 h 00"),
        ("2026-10-25T00:59:00Z", "25 octobre 2026 à 2 h 59"),
        ("2026-10-25T01:00:00Z", "25 octobre 2026 à 2 h 00"),
        ("2025-12-31T23:30:00Z", "1er janvier 2026 à 0 h 30"),
        ("2026-06-30T22:30:00.000Z", "1er juillet 2026 à 0 h 30"),
        ("2026-07-01T00:30:00+02:00", "1er juillet 2026 à 0 h 30"),
        ("2028-02-28T23:30:00Z", "29 février 2028 à 0 h 30"),
    ],
)
def test_summer_time_begins_and_ends_as_in_paris(application: Application, instant: str, told: str) -> None:
    with application.app.test_request_context("/"):
        assert wording.when(instant, time=True) == told.replace(" h ", "\u00a0h\u00a0")


@pytest.mark.parametrize(
    ("postal_code", "told"),
    [
        ("", "1er juillet 2026 à 0 h 30"),
        ("75001", "1er juillet 2026 à 0 h 30"),
        ("97110", "30 juin 2026 à 18 h 30"),
        ("97200", "30 juin 2026 à 18 h 30"),
        ("97300", "30 juin 2026 à 19 h 30"),
        ("97400", "1er juillet 2026 à 2 h 30"),
        ("97500", "30 juin 2026 à 20 h 30"),
        ("97600", "1er juillet 2026 à 1 h 30"),
        ("98600", "1er juillet 2026 à 10 h 30"),
        ("98714", "30 juin 2026 à 12 h 30"),
        ("98800", "1er juillet 2026 à 9 h 30"),
    ],
)
def test_overseas_the_time_is_the_local_one(application: Application, postal_code: str, told: str) -> None:
    with application.app.test_request_context("/"):
        dates.of_record(living(postal_code))
        assert wording.when("2026-06-30T22:30:00Z", time=True) == told.replace(" h ", "\u00a0h\u00a0")
        assert dates.moment(datetime(2026, 6, 30, 22, 30, tzinfo=UTC)) == told.replace(" h ", "\u00a0h\u00a0")


@pytest.mark.parametrize(
    ("postal_code", "first", "last"),
    [
        ("75001", "2026-03-29T00:00:00.000+01:00", "2026-03-29T23:59:59.999+02:00"),
        ("98714", "2026-03-29T00:00:00.000-10:00", "2026-03-29T23:59:59.999-10:00"),
        ("97400", "2026-03-29T00:00:00.000+04:00", "2026-03-29T23:59:59.999+04:00"),
    ],
)
def test_a_period_is_of_days_where_the_person_lives(
    application: Application, postal_code: str, first: str, last: str
) -> None:
    with application.app.test_request_context("/"):
        dates.of_record(living(postal_code))
        asked = {"du": "2026-03-29", "au": "2026-03-29"}
        assert period.read(asked, instants=True).params == (("date", f"ge{first}"), ("date", f"le{last}"))
        assert period.read(asked).params == (("date", "ge2026-03-29"), ("date", "le2026-03-29"))


@pytest.mark.parametrize("asked", ["du=0001-01-01", "au=9999-12-31", "du=1900-02-28&au=1911-03-11", "du=9999-12-31"])
def test_the_journal_is_asked_for_any_day(application: Application, asked: str) -> None:
    person = application.operator().create({"resourceType": "Patient", **living("98714")})
    browser = logged_in(application, holder(person))
    for path in ("journal", "documents"):
        assert browser.get(f"/dossier/{person}/{path}?{asked}").status == 200


def test_a_day_without_a_time_is_the_same_everywhere(application: Application) -> None:
    with application.app.test_request_context("/"):
        dates.of_record(living("98714"))
        assert [wording.when(each) for each in ("2026-06-01", "2026-06", "2026")] == [
            "1er juin 2026",
            "juin 2026",
            "2026",
        ]


def test_english_pages_have_english_days_times_and_numbers(application: Application) -> None:
    with application.app.test_request_context("/", headers={"Cookie": "langue=en"}):
        assert wording.when("2026-07-31T22:05:00Z", time=True) == "1 August 2026 at 00:05"
        assert wording.quantity({"value": "12.80", "unit": "g/dL", "comparator": "<"}) == "<12.80 g/dL"
    with application.app.test_request_context("/"):
        assert wording.quantity({"value": "12.80", "unit": "g/dL", "comparator": "<"}) == "<12,80 g/dL"


def test_the_journal_of_a_record_overseas_says_whose_time_it_tells(application: Application) -> None:
    def hour() -> int:
        return datetime.now(UTC).astimezone(ZoneInfo("Indian/Reunion")).hour

    before = hour()
    person = application.operator().create({"resourceType": "Patient", **living("97400")})
    page = logged_in(application, holder(person)).get(f"/dossier/{person}/journal")
    assert f" à {before} h " in page.text or f" à {hour()} h " in page.text
    assert "Les heures sont celles du lieu de résidence : La Réunion." in page.text
