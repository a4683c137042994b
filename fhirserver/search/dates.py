"""Dates as intervals of microseconds since 1970-01-01T00:00Z (https://hl7.org/fhir/R4/search.html#date).

An interval is half open: `2024-02` is [1 February 0:00, 1 March 0:00) in the zone of whoever reads it without one.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

EARLIEST: Final = -(1 << 60)
LATEST: Final = 1 << 60
"""Where a period without a start or an end begins and ends: some 36,000 years away, and a 64-bit integer."""

SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND
_EPOCH: Final = date(1970, 1, 1).toordinal()
_ZERO: Final = datetime(1970, 1, 1, tzinfo=UTC)

_DATE: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+\-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)


class Interval(NamedTuple):
    """From `lo` up to, not including, `hi`."""

    lo: int
    hi: int


def interval(text: str, zone: ZoneInfo) -> Interval | None:
    """The interval that a date, dateTime or instant denotes by its precision; None when it is none of them."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    try:
        if hour is None:
            return _days(int(year), int(month) if month else None, int(day) if day else None, zone)
        start = (date(int(year), int(month), int(day)).toordinal() - _EPOCH) * DAY
    except ValueError:
        return None
    if int(hour) > 23 or int(minute) > 59 or int(second or 0) > 60:
        return None
    start += (int(hour) * 60 + int(minute)) * 60 * SECOND + int(second or 0) * SECOND
    width = 60 * SECOND
    if second is not None:
        width = SECOND
        if fraction is not None:
            start += int(fraction[:6].ljust(6, "0"))
            width = 10 ** max(0, 6 - len(fraction))
    shift = _offset(offset) if offset else _local(start, zone)
    return None if shift is None else Interval(start - shift, start - shift + width)


def _days(year: int, month: int | None, day: int | None, zone: ZoneInfo) -> Interval:
    first = date(year, month or 1, day or 1).toordinal()
    if day:
        last = first + 1
    elif month:
        last = first + monthrange(year, month)[1]
    else:
        last = first + (date(year, 12, 31).toordinal() - first) + 1
    lo, hi = (first - _EPOCH) * DAY, (last - _EPOCH) * DAY
    if zone.key == "UTC":
        return Interval(lo, hi)
    return Interval(lo - _local(lo, zone), hi - _local(hi, zone))


def _local(wall: int, zone: ZoneInfo) -> int:
    """Microseconds that a wall clock's reading is ahead of UTC; of a reading that occurs twice, the first."""
    if zone.key == "UTC":
        return 0
    try:
        naive = (_ZERO + timedelta(microseconds=wall)).replace(tzinfo=zone)
    except OverflowError:
        return 0
    return (zone.utcoffset(naive) or timedelta()) // timedelta(microseconds=1)


def _offset(text: str) -> int | None:
    if text == "Z":
        return 0
    hours, minutes = int(text[1:3]), int(text[4:6])
    if hours > 14 or minutes > 59:
        return None
    return (hours * 60 + minutes) * 60 * SECOND * (-1 if text[0] == "-" else 1)


def period(value: dict[str, Any], zone: ZoneInfo) -> Interval | None:
    """A Period; a side that is not given is open. None when neither is."""
    start, end = value.get("start"), value.get("end")
    first = interval(start, zone) if isinstance(start, str) else None
    last = interval(end, zone) if isinstance(end, str) else None
    if first is None and last is None:
        return None
    return Interval(first.lo if first else EARLIEST, last.hi if last else LATEST)


def timing(value: dict[str, Any], zone: ZoneInfo) -> Interval | None:
    """The outer limits of a Timing: its events and the bounds of its repetition. None when neither is a date."""
    events, repeat = value.get("event"), value.get("repeat")
    found = [interval(event, zone) for event in events if isinstance(event, str)] if isinstance(events, list) else []
    bounds = repeat.get("boundsPeriod") if isinstance(repeat, dict) else None
    if isinstance(bounds, dict):
        found.append(period(bounds, zone))
    known = [each for each in found if each is not None]
    return Interval(min(each.lo for each in known), max(each.hi for each in known)) if known else None


def instant(micros: int) -> datetime:
    """The moment as a datetime, kept within what a datetime can say (years 1 to 9999)."""
    low, high = -62_135_596_800 * SECOND, 253_402_300_799 * SECOND
    return _ZERO + timedelta(microseconds=min(max(micros, low), high))


def micros(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime; a naive one is taken as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _ZERO) // timedelta(microseconds=1)
