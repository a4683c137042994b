"""A series of slots: the same hours on days of the week, as the clocks of a place show them. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Span = tuple[datetime, datetime]

MOST: Final = 200
"""Slots of one series."""


class Series(NamedTuple):
    """`first` to `last` day, on `days` of the week (0: Monday), slots of `minutes` from `opens` until `closes`."""

    first: date
    last: date
    days: frozenset[int]
    opens: time
    closes: time
    minutes: int
    zone: str


def spans(series: Series, after: datetime, taken: Iterable[Span] = ()) -> list[Span]:
    """Start and end of each slot that begins after a moment, in the zone's own time, none over what is taken.

    A time that the clocks skip in spring is left out; one that they show twice in autumn is meant once, the first.
    """
    known = list(taken)
    return [each for each in _all(series) if each[0] > after and not any(_meet(each, other) for other in known)]


def _all(series: Series) -> Iterator[Span]:
    zone, step = ZoneInfo(series.zone), timedelta(minutes=series.minutes)
    for number in range((series.last - series.first).days + 1):
        day = series.first + timedelta(days=number)
        wall, until = datetime.combine(day, series.opens), datetime.combine(day, series.closes)
        while day.weekday() in series.days and wall + step <= until:
            start = wall.replace(tzinfo=zone)
            if start.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall:
                yield start, (start.astimezone(UTC) + step).astimezone(zone)
            wall += step


def _meet(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]
