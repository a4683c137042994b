"""The time, injected: real, standing still, or shifted."""

from __future__ import annotations

import re
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    Clock = Callable[[], datetime]

_SHIFT: Final = re.compile(r"([+-])P(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9})S)?)?")


class ClockError(ValueError):
    """A clock setting that cannot be read."""


def parse_clock(text: str) -> Clock:
    """The clock that `FHIRSERVER_CLOCK` asks for: empty for the real one, an instant, or a signed ISO 8601 duration."""
    if not text:
        return utc_now
    shift = _SHIFT.fullmatch(text)
    if shift and any(shift.groups()[1:]):
        days, hours, minutes, seconds = (int(group or 0) for group in shift.groups()[1:])
        delta = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        return _shifted(delta if shift[1] == "+" else -delta)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ClockError(f"{text!r} is neither an instant (2026-01-31T12:00:00Z) nor a shift (+P3D, -PT1H).") from None
    if instant.tzinfo is None:
        raise ClockError(f"{text!r} lacks a zone: write 2026-01-31T12:00:00Z.")
    fixed = instant.astimezone(UTC)
    return lambda: fixed


def moment(text: Any) -> datetime | None:
    """A FHIR instant, or dateTime with a time, in UTC; a leap second counts as the one before.

    None of what is none, and at the ends of the calendar, where it has no day in some zone."""
    try:
        found = datetime.fromisoformat(str(text).replace("Z", "+00:00").replace(":60", ":59"))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo is not None and MINYEAR < found.year < MAXYEAR else None


def to_instant(at: datetime) -> str:
    """A moment in UTC as a FHIR instant, in milliseconds."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_now() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def _shifted(delta: timedelta) -> Clock:
    return lambda: datetime.now(UTC) + delta
