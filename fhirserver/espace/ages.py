"""When somebody reaches an age: as delays end (`espace.delays`), and birthdays as majority does.

Of weeks and days one counts on; of months the day of the same number, the last of the month where there is none; a
birthday of 29 February is on 1 March where there is no such day (Code civil 414 as the courts read it; CPC 641).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from fhirserver.access import moments
from fhirserver.espace.delays import last_day
from fhirserver.espace.tables import Delay

_AGE: Final = re.compile(r"(\d+)([dwmy])")
_UNITS: Final = {"d": "days", "w": "weeks", "m": "months", "y": "years"}
_DATE: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")


class Age(NamedTuple):
    """`unit`: `days`, `weeks`, `months`, `years`."""

    number: int
    unit: str

    def on(self, day: date) -> date:
        """The day on which who was born on a day has this age; also the day that is so long after it."""
        if self.unit == "years":
            return moments.years_after(datetime.combine(day, time(), UTC), self.number).date()
        return last_day(Delay("", day, self.number, self.unit, ""), day)

    def plus(self, more: Age) -> Age:
        """Both must be of one unit."""
        if more.unit != self.unit:
            raise ValueError(f"{self} and {more} are of two units")
        return Age(self.number + more.number, self.unit)


class Days(NamedTuple):
    """All days that a FHIR date may mean, both ends included."""

    first: date
    last: date


def age(text: str) -> Age:
    """`6w`, `18m`, `65y`. Raises ValueError."""
    found = _AGE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no age")
    return Age(int(found[1]), _UNITS[found[2]])


def days(text: str | None, zone: str) -> Days | None:
    """The days that a date, dateTime or instant may mean somewhere; None for what cannot be read."""
    text = str(text or "")
    try:
        if "T" in text:
            moment = datetime.fromisoformat(text)
            day = moment.astimezone(ZoneInfo(zone)).date() if moment.tzinfo else moment.date()
            return Days(day, day)
        found = _DATE.fullmatch(text)
        if found is None:
            return None
        year, month, day_ = (int(each) if each else 0 for each in found.groups())
        if day_:
            return Days(date(year, month, day_), date(year, month, day_))
        after = date(year + month // 12, month % 12 + 1, 1) if month else date(year + 1, 1, 1)
        return Days(date(year, month or 1, 1), after - timedelta(days=1))
    except (ValueError, OverflowError):
        return None


def today(now: datetime, zone: str) -> date:
    """Which day it is somewhere."""
    return now.astimezone(ZoneInfo(zone)).date()
