"""Days of ages reckoned apart from the server, one day after the other; the table as it is written, read apart too."""

from __future__ import annotations

import calendar
import csv
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import fhirserver.espace.reminders as room

FOLDER = Path(room.__file__).parent
WORDS = {"d": "day", "w": "week", "m": "month", "y": "year"}


def after(day: date, text: str) -> date:
    """The day that is `text` (`6w`) after a day: months by walking, birthdays of 29 February on 1 March."""
    number, word = int(text[:-1]), WORDS[text[-1]]
    if word in ("day", "week"):
        for _ in range(number * (7 if word == "week" else 1)):
            day += timedelta(days=1)
        return day
    if word == "year":
        year = day.year + number
        if (day.month, day.day) == (2, 29) and not calendar.isleap(year):
            return date(year, 3, 1)
        return date(year, day.month, day.day)
    year, month = day.year, day.month
    for _ in range(number):
        month += 1
        if month == 13:
            year, month = year + 1, 1
    longest = 31
    while True:
        try:
            date(year, month, longest)
            break
        except ValueError:
            longest -= 1
    return date(year, month, min(day.day, longest))


def table() -> list[dict[str, Any]]:
    """The rows, those that come again at ages written out."""
    found = []
    with (FOLDER / "rules.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.append(row)
            if row["repeat"].startswith("age"):
                _, step, last = row["repeat"].split()
                by = int(step[:-1])
                for more in range(by, int(last[:-1]) - int(row["opens"][:-1]) + 1, by):
                    shifted = {name: _later(row[name], more) for name in ("earliest", "opens", "due", "late", "ends")}
                    key = f"{row['key'].rsplit('-', 1)[0]}-{int(row['opens'][:-1]) + more}"
                    found.append({**row, **shifted, "key": key})
    return found


def state(row: dict[str, Any], born: date, today: date) -> str | None:
    """The state of a row alone: nothing done, nothing before it missing."""
    if row["ends"] and today >= after(born, row["ends"]):
        return None
    for name, word in (("late", "late"), ("due", "due"), ("opens", "soon")):
        if row[name] and today >= after(born, row[name]):
            return word
    return "ahead"


def within(text: str, day: date) -> bool:
    """Whether a day lies in `first/end`, the end excluded."""
    first, _, end = text.partition("/")
    return (not first or first <= day.isoformat()) and (not end or day.isoformat() < end)


def _later(text: str, years: int) -> str:
    return f"{int(text[:-1]) + years}y" if text else ""
