"""When a legal delay ends: at midnight of its last day, where the person lives.

As in articles 641 and 642 of the Code de procédure civile: the day that begins it is not counted; of months and years
it ends on the day of the same number, the last of the month where there is none; at 24 o'clock. Neither weekends nor
holidays move it. `end` is thus the first moment at which it is over.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from fhirserver.access import moments
from fhirserver.access.zones import midnight
from fhirserver.espace.tables import delay

if TYPE_CHECKING:
    from fhirserver.espace.tables import Delay

_UNITS: Final = {
    "days": ("jour", "jours"),
    "weeks": ("semaine", "semaines"),
    "months": ("mois", "mois"),
    "years": ("an", "ans"),
}
"""In French, one and several."""


def end(name: str, begin: datetime, zone: str) -> datetime:
    """The first moment (UTC) at which a delay that begins at a moment is over."""
    day = begin.astimezone(ZoneInfo(zone)).date()
    return midnight(last_day(delay(name, day), day) + timedelta(days=1), zone)


code_over: Final = partial(end, "code")
"""When a provisional code is void, by when it was made and the zone in which the person lives."""


def told(name: str, begin: datetime, zone: str) -> str:
    """How long a delay that begins at a moment lasts, in French: 6 semaines."""
    found = delay(name, begin.astimezone(ZoneInfo(zone)).date())
    one, several = _UNITS[found.unit]
    return f"{found.number} {several if found.number > 1 else one}"


def last_day(known: Delay, day: date) -> date:
    """The last day of a delay that begins on a day."""
    if known.unit in ("days", "weeks"):
        return day + timedelta(days=known.number * (7 if known.unit == "weeks" else 1))
    months = known.number * (12 if known.unit == "years" else 1)
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def majority(birth: str | None, zone: str) -> datetime | None:
    """The first moment of the day on which somebody comes of age, as the rules of access have it; None when the date of
    birth cannot be read, or only in part."""
    return moments.majority(birth, zone) if birth and len(birth) == 10 else None
