"""What awaits its announcement: told of after two weeks, seen after a month, to the second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fhirserver.access.announcing import Telling, due, tellings
from tests.access.test_rules import HOLDER, MOTHER, envelope, policy, sees

DEPOSITED = datetime(2026, 1, 31, 10, 30, tzinfo=UTC)
TOLD = datetime(2026, 2, 14, 10, 30, tzinfo=UTC)
SEEN = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_the_person_is_told_after_two_weeks_and_sees_after_a_month() -> None:
    told = tellings({"INVISIBLE_PATIENT"}, DEPOSITED, "1980-01-01")
    assert told == (Telling(TOLD, "patient", "updated"), Telling(SEEN, "patient", "visible"))
    assert tellings({"MASQUE_PS"}, DEPOSITED, "1980-01-01") == ()


def test_the_representative_of_a_minor_is_told_but_not_of_the_minors_secrets() -> None:
    told = tellings({"INVISIBLE_PATIENT"}, DEPOSITED, "2008-02-20")
    assert [each.whom for each in told] == ["patient", "representative", "patient"]
    secret = tellings({"INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX"}, DEPOSITED, "2020-02-20")
    assert {each.whom for each in secret} == {"patient"}
    assert {each.whom for each in tellings({"INVISIBLE_PATIENT"}, DEPOSITED, None)} == {"patient"}


@pytest.mark.parametrize(("now", "whats"), [(TOLD - SECOND, []), (TOLD, ["updated"]), (SEEN, ["updated", "visible"])])
def test_a_round_sends_what_became_due_since_the_last(now: datetime, whats: list[str]) -> None:
    told = tellings({"INVISIBLE_PATIENT"}, DEPOSITED, "1980-01-01")
    assert [each.what for each in due(told, DEPOSITED, now)] == whats
    assert due(told, now, now) == ()


def test_who_is_told_that_he_sees_it_sees_it_from_that_very_moment() -> None:
    row = envelope("Observation", "INVISIBLE_PATIENT", at=DEPOSITED)
    minor = policy(birthDate="2020-02-20")
    for who in (HOLDER, MOTHER):
        assert [sees(who, row, minor, now=SEEN + each) for each in (-SECOND, 0 * SECOND)] == [False, True]
        assert not sees(who, row, minor, now=TOLD)
