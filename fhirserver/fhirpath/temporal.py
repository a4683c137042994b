"""Date, DateTime and Time with their precision (FHIRPath N1, sections 6.1 to 6.3 and 6.6).

A value that says less than a microsecond's worth is a span. Two values compare when their spans lie apart, or when
they say equally much; else nobody knows, and the answer is None. A DateTime without a zone may lie anywhere from
-12:00 to +14:00.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

_SECOND: Final = 1_000_000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_EAST: Final = 14 * 60
_WEST: Final = -12 * 60

_DATE: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?\Z", re.ASCII)
_DATETIME: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?(?:T(?:(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,18}))?)?)?(Z|[+-]\d\d:\d\d)?)?)?\Z",
    re.ASCII,
)
_TIME: Final = re.compile(r"T?(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,18}))?)?)?\Z", re.ASCII)

_LONGEST: Final = 48

_DIGITS: Final = {"Date": (4, 6, 8), "DateTime": (4, 6, 8, 10, 12, 14), "Time": (2, 4, 6)}
_UNITS: Final = ("year", "month", "day", "hour", "minute", "second")
_COARSER: Final = {"month": ("year", 12), "day": ("month", 30), "hour": ("day", 24), "minute": ("hour", 60),
                   "second": ("minute", 60)}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Temporal:
    """A `kind` of Date, DateTime or Time.

    `parts` are year, month, day, hour, minute, second as far as they are known (Time: hour, minute, second),
    `fraction` the digits after the second's point, `zone` minutes east of UTC or None.
    """

    kind: str
    parts: tuple[int, ...]
    fraction: str = ""
    zone: int | None = None

    def __str__(self) -> str:
        """ISO 8601, as precise as the value."""
        clock = self.parts if self.kind == "Time" else self.parts[3:]
        time = ":".join(f"{part:02d}" for part in clock) + (f".{self.fraction}" if self.fraction else "")
        if self.kind == "Time":
            return time
        day = "-".join(f"{part:0{4 if i == 0 else 2}d}" for i, part in enumerate(self.parts[:3]))
        return f"{day}T{time}{_offset(self.zone)}" if time else day

    @property
    def precision(self) -> int:
        """Digits that the value says: 4 for a year, 8 for a day, 17 for milliseconds; 2 to 9 for a Time."""
        digits = _DIGITS[self.kind][len(self.parts) - 1]
        return digits + min(3, len(self.fraction)) if self.fraction else digits


def _offset(zone: int | None) -> str:
    if zone is None:
        return ""
    return "Z" if zone == 0 else f"{'-' if zone < 0 else '+'}{abs(zone) // 60:02d}:{abs(zone) % 60:02d}"


def parse(kind: str, text: str) -> Temporal | None:
    """The value of `kind` that `text` writes (ISO 8601), None when it writes none."""
    return _parse(kind, text) if len(text) <= _LONGEST else None


@lru_cache(4096)
def _parse(kind: str, text: str) -> Temporal | None:
    if kind == "Time":
        match = _TIME.match(text)
        if match is None:
            return None
        clock = tuple(int(part) for part in match.groups()[:3] if part is not None)
        return Temporal("Time", clock, match[4] or "") if _is_clock(clock) else None
    match = (_DATE if kind == "Date" else _DATETIME).match(text)
    if match is None:
        return None
    groups = match.groups()
    parts = tuple(int(part) for part in groups[:6] if part is not None)
    if not (_is_day(parts[:3]) and _is_clock(parts[3:])):
        return None
    if kind == "Date":
        return Temporal("Date", parts)
    return Temporal("DateTime", parts, groups[6] or "", _zone(groups[7]))


def _is_day(parts: tuple[int, ...]) -> bool:
    year, month, day = (*parts, 1, 1)[:3]
    return year >= 1 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]


def _is_clock(parts: tuple[int, ...]) -> bool:
    hour, minute, second = (*parts, 0, 0, 0)[:3]
    return hour <= 23 and minute <= 59 and second <= 60


def _zone(text: str | None) -> int | None:
    if not text:
        return None
    if text == "Z":
        return 0
    minutes = int(text[1:3]) * 60 + int(text[4:6])
    return -minutes if text[0] == "-" else minutes


def of(moment: datetime) -> Temporal:
    """An aware datetime as a DateTime to the millisecond."""
    offset = moment.utcoffset() or timedelta()
    parts = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
    return Temporal("DateTime", parts, f"{moment.microsecond // 1000:03d}", int(offset.total_seconds()) // 60)


@lru_cache(4096)
def span(value: Temporal) -> tuple[int, int]:
    """First and last microsecond that the value may mean: since year 1 in its own zone, or since midnight."""
    parts = value.parts
    micro = _micro(value)
    if value.kind == "Time":
        known, clock, start = len(parts) + 3, parts, 0
    else:
        known, clock = len(parts), parts[3:]
        year, month, day = (*parts, 1, 1)[:3]
        start = date(year, month, day).toordinal() * _DAY
    hour, minute, second = (*clock, 0, 0, 0)[:3]
    start += hour * _HOUR + minute * _MINUTE + second * _SECOND + micro
    if value.zone is not None:
        start -= value.zone * _MINUTE
    return start, start + _width(known, parts) - 1


def _micro(value: Temporal) -> int:
    return int(value.fraction[:6].ljust(6, "0")) if value.fraction else 0


def _width(known: int, parts: tuple[int, ...]) -> int:
    if known == 1:
        return (366 if calendar.isleap(parts[0]) else 365) * _DAY
    if known == 2:
        return calendar.monthrange(parts[0], parts[1])[1] * _DAY
    return (_DAY, _HOUR, _MINUTE, 1)[known - 3]


def compare(left: Temporal, right: Temporal) -> int | None:
    """-1, 0, 1, or None when their precision leaves it open; both Time or neither."""
    low, high = span(left)
    other_low, other_high = span(right)
    same_zone = (left.zone is None) == (right.zone is None)
    if not same_zone:
        if left.zone is None:
            low, high = low - _EAST * _MINUTE, high - _WEST * _MINUTE
        else:
            other_low, other_high = other_low - _EAST * _MINUTE, other_high - _WEST * _MINUTE
    if high < other_low:
        return -1
    if low > other_high:
        return 1
    return 0 if same_zone and len(left.parts) == len(right.parts) and low == other_low else None


def key(value: Temporal) -> tuple[object, ...]:
    """Equal for values that are equal."""
    return (value.kind == "Time", len(value.parts), value.zone is None, span(value)[0])


def add(value: Temporal, amount: Decimal, unit: str) -> Temporal | None:
    """`amount` of a calendar `unit` (singular; or `millisecond`) later; None when that leaves the years 1 to 9999.

    Fractions of a unit are left out, and a unit finer than the value is first turned into the value's own.
    """
    if unit == "week":
        amount, unit = amount * 7, "day"
    if abs(amount) > 10**15:
        return None
    finest = len(value.parts) - 1 + (3 if value.kind == "Time" else 0)
    if unit == "millisecond" and finest < 5:
        amount, unit = Decimal(int(amount / 1000)), "second"
    while unit != "millisecond" and _UNITS.index(unit) > finest:
        unit, size = _COARSER[unit]
        amount = Decimal(int(amount / size))
    return _moved(value, int(amount), unit)


def _moved(value: Temporal, amount: int, unit: str) -> Temporal | None:
    if value.kind == "Time":
        return _turned(value, amount, unit)
    try:
        if unit in ("year", "month"):
            return _months(value, amount * (12 if unit == "year" else 1))
        year, month, day, hour, minute, second = (*value.parts, *(None,) * 6)[:6]
        moment = datetime(
            year or 1, month or 1, day or 1, hour or 0, minute or 0, second or 0, _micro(value), UTC
        ) + timedelta(**{f"{unit}s": amount})
    except (ValueError, OverflowError):
        return None
    parts = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)[: len(value.parts)]
    digits = max(len(value.fraction), 3 if unit == "millisecond" else 0)
    return replace(value, parts=parts, fraction=f"{moment.microsecond:06d}"[:digits])


def _months(value: Temporal, amount: int) -> Temporal | None:
    year, month = divmod(value.parts[0] * 12 + (value.parts[1] - 1 if len(value.parts) > 1 else 0) + amount, 12)
    if not 1 <= year <= 9999:
        return None
    parts = list(value.parts)
    parts[0] = year
    if len(parts) > 1:
        parts[1] = month + 1
    if len(parts) > 2:
        parts[2] = min(parts[2], calendar.monthrange(year, month + 1)[1])
    return replace(value, parts=tuple(parts))


def _turned(value: Temporal, amount: int, unit: str) -> Temporal | None:
    step = {"hour": _HOUR, "minute": _MINUTE, "second": _SECOND, "millisecond": 1000}.get(unit)
    if step is None:
        return None
    total = (span(value)[0] + amount * step) % _DAY
    parts = (total // _HOUR, total // _MINUTE % 60, total // _SECOND % 60)[: len(value.parts)]
    digits = max(len(value.fraction), 3 if unit == "millisecond" else 0)
    return replace(value, parts=parts, fraction=f"{total % _SECOND:06d}"[:digits])


def boundary(value: Temporal, digits: int | None, *, high: bool) -> Temporal | None:
    """The first or the last value of `digits` precision within the value's span; None for no such precision."""
    full = {"Date": 8, "DateTime": 17, "Time": 9}[value.kind]
    wanted = full if digits is None else digits
    steps = _DIGITS[value.kind]
    if wanted != full and wanted not in steps:
        return None
    count = len(steps) if wanted == full else steps.index(wanted) + 1
    parts = list(value.parts[:count])
    while len(parts) < count:
        parts.append(_edge(parts, value.kind, high=high))
    fraction = ""
    if wanted == full and value.kind != "Date":
        fraction = (
            value.fraction[:3].ljust(3, "9" if high else "0")
            if len(value.parts) == len(steps)
            else ("999" if high else "000")
        )
    zone = value.zone
    if value.kind == "DateTime" and count > 3 and zone is None:
        zone = _WEST if high else _EAST
    return Temporal(value.kind, tuple(parts), fraction, zone if count > 3 else None)


def _edge(parts: list[int], kind: str, *, high: bool) -> int:
    at = len(parts) + (3 if kind == "Time" else 0)
    if not high:
        return 1 if at in (1, 2) else 0
    return calendar.monthrange(parts[0], parts[1])[1] if at == 2 else (0, 12, 0, 23, 59, 59)[at]
