"""Periods, birthdays and months: FHIR's partial dates as half-open intervals of UTC."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.access.zones import METROPOLE, midnight

if TYPE_CHECKING:
    from collections.abc import Iterable

_DATE: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_TIMED: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")

ADULT: Final = 18


class Span(NamedTuple):
    """From `start` (inclusive) until `end` (exclusive), None where it is open. `sure` False: it cannot be read."""

    start: datetime | None
    end: datetime | None
    sure: bool = True

    def holds(self, now: datetime) -> bool:
        return (self.start is None or self.start <= now) and (self.end is None or now < self.end)

    def within(self, other: Span) -> Span:
        """The time that both have in common."""
        starts = [each for each in (self.start, other.start) if each is not None]
        ends = [each for each in (self.end, other.end) if each is not None]
        return Span(max(starts, default=None), min(ends, default=None), self.sure and other.sure)

    def change(self, now: datetime) -> datetime | None:
        """The next moment at which `holds` may answer otherwise."""
        return soonest(each for each in (self.start, self.end) if each is not None and each > now)


ALWAYS: Final = Span(None, None)
UNREADABLE: Final = Span(None, None, sure=False)


def span(period: Any) -> Span:
    """A Period; its end includes the whole second, day, month or year that it names (R4, datatypes, Period)."""
    if period is None:
        return ALWAYS
    if not isinstance(period, dict) or not set(period) <= {"start", "end", "id"}:
        return UNREADABLE
    start, end = _bounds(period.get("start")), _bounds(period.get("end"))
    if start is None or end is None or (start[0] and end[1] and start[0] >= end[1]):
        return UNREADABLE
    return Span(start[0], end[1])


def soonest(moments: Iterable[datetime | None]) -> datetime | None:
    """The least of the moments that are there."""
    there = [each for each in moments if each is not None]
    return min(there) if there else None


def month_before(now: datetime) -> datetime:
    """The same day and time of the month before, or that month's last day."""
    year, month = (now.year, now.month - 1) if now.month > 1 else (now.year - 1, 12)
    return now.replace(year=year, month=month, day=min(now.day, monthrange(year, month)[1]))


def month_after(moment: datetime) -> datetime:
    """The first moment of which `month_before` is not before this one."""
    year, month = (moment.year, moment.month + 1) if moment.month < 12 else (moment.year + 1, 1)
    if moment.day <= monthrange(year, month)[1]:
        return moment.replace(year=year, month=month)
    year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return datetime(year, month, 1, tzinfo=UTC)


def years_after(moment: datetime, years: int) -> datetime:
    """The same day and time so many years later; the first of March for a day that is not there."""
    try:
        return moment.replace(year=moment.year + years)
    except ValueError:
        return moment.replace(year=moment.year + years, month=3, day=1)


def majority(birth: str | None, zone: str = METROPOLE) -> datetime | None:
    """The first moment (UTC) at which someone born then, who lives in a time zone, may be 18: the first of that day,
    of 1 March for who was born on a 29 February that there is not. None when the date cannot be read."""
    match = _DATE.fullmatch(birth or "")
    if match is None:
        return None
    try:
        born = date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
        day = born.replace(year=born.year + ADULT) if (born.month, born.day) != (2, 29) else _after_leap(born)
    except ValueError:
        return None
    return midnight(day, zone)


def microseconds(moment: datetime) -> int:
    """Since 1970, as dates stand in the search index."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _after_leap(born: date) -> date:
    year = born.year + ADULT
    return date(year, 2, 29) if monthrange(year, 2)[1] == 29 else date(year, 3, 1)


def _bounds(text: Any) -> tuple[datetime | None, datetime | None] | None:
    """First moment and first moment after; (None, None) for no text, None for one that is no dateTime."""
    if text is None:
        return None, None
    if not isinstance(text, str):
        return None
    try:
        if timed := _TIMED.fullmatch(text):
            start = datetime.fromisoformat(text).astimezone(UTC)
            return start, start + (timedelta(milliseconds=1) if timed[1] else timedelta(seconds=1))
        return _whole(text)
    except (ValueError, OverflowError):
        return None


def _whole(text: str) -> tuple[datetime, datetime] | None:
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day = int(match[1]), int(match[2] or 1), int(match[3] or 1)
    start = datetime(year, month, day, tzinfo=UTC)
    if match[3]:
        return start, start + timedelta(days=1)
    if match[2]:
        return start, datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return start, datetime(year + 1, 1, 1, tzinfo=UTC)
