"""What is typed into a form, read strictly: texts, partial dates, numbers with a comma. What is wrong is a key."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

LONGEST: Final = 200
_NUMBER: Final = re.compile(r"\d{1,7}(?:[,.]\d{1,4})?")
_ISO: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_FRENCH: Final = re.compile(r"(?:(?:(\d{1,2})/)?(\d{1,2})/)?(\d{4})")
_TIME: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_OLDEST: Final = 130


class Read(NamedTuple):
    """`text` as FHIR has it; `error` is a key: `required`, `long`, `text`, `number`, `decimals`, `range`, `date`,
    `future`, `choice`; empty where nothing is wrong."""

    text: str = ""
    error: str = ""


def line(text: str, *, required: bool = False) -> Read:
    """A line of text without control characters."""
    found = " ".join(text.split())
    if not found:
        return Read(error="required" if required else "")
    if len(found) > LONGEST:
        return Read(error="long")
    return Read(found) if found.isprintable() else Read(error="text")


def number(text: str, low: Decimal, high: Decimal, decimals: int) -> Read:
    """A decimal number, with comma or point, from `low` to `high`, of `decimals` places at most."""
    found = text.strip().replace("\u202f", "").replace("\u00a0", "")
    if not found:
        return Read(error="required")
    if not found.isascii() or not _NUMBER.fullmatch(found):
        return Read(error="number")
    found = found.replace(",", ".")
    if len(found.partition(".")[2]) > decimals:
        return Read(error="decimals")
    value = Decimal(found)
    return Read(f"{value:f}") if low <= value <= high else Read(error="range")


def day(text: str, today: date, *, required: bool = False) -> Read:
    """A year, a month or a day (`2019`, `04/2019`, `12/04/2019`, `2019-04-12`), not after today: a FHIR date."""
    found = text.strip()
    if not found:
        return Read(error="required" if required else "")
    if not found.isascii():
        return Read(error="date")
    if (iso := _ISO.fullmatch(found)) is not None:
        groups = iso.groups()
    elif (french := _FRENCH.fullmatch(found)) is not None:
        groups = french.groups()[::-1]
    else:
        return Read(error="date")
    if any(each is not None and int(each) == 0 for each in groups):
        return Read(error="date")
    year, month, day_ = (int(each or 0) for each in groups)
    if not today.year - _OLDEST <= year <= 9999 or month > 12:
        return Read(error="future" if year > today.year else "date")
    if month and day_ > monthrange(year, month)[1]:
        return Read(error="date")
    parts = (year, month, day_) if day_ else (year, month) if month else (year,)
    if parts > (today.year, today.month, today.day)[: len(parts)]:
        return Read(error="future")
    return Read("-".join(f"{each:02}" if place else f"{each:04}" for place, each in enumerate(parts)))


def moment(day_: str, time: str, now: datetime, zone: ZoneInfo) -> Read:
    """A day and a time of the day in a zone, not after `now`: a FHIR dateTime; of no time, the day."""
    found = day(day_, now.astimezone(zone).date(), required=True)
    if found.error or not time.strip():
        return found if found.error or len(found.text) == 10 else Read(error="date")
    if len(found.text) != 10 or (parsed := _TIME.fullmatch(time.strip())) is None:
        return Read(error="date")
    at = datetime.fromisoformat(found.text).replace(hour=int(parsed[1]), minute=int(parsed[2]), tzinfo=zone)
    return Read(at.isoformat(timespec="seconds")) if at <= now else Read(error="future")
