"""The tables of the agenda: rules, limits, and what is said where they refuse (CSV files beside this module)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.tables import rows as rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping

NONE: Final = "none"
"""The status of an appointment that is not there."""
EVERY: Final = "*"
_TERM: Final = re.compile(r"(start|end)(?:([+-])(\d+)h)?")


class Bound(NamedTuple):
    """A moment told from an appointment: its `edge` (`start` or `end`), moved by so much."""

    edge: str
    shift: timedelta

    def of(self, start: datetime, end: datetime) -> datetime:
        return (start if self.edge == "start" else end) + self.shift


class Rule(NamedTuple):
    """One row of `rules.csv`.

    who     holder, representative, professional, organization      origins, to   statuses before and after
    slots   yes, no, any: whether it has slots                      made          own, other, any: whose entry it is
    opens   from this moment on                                     closes        before this moment
    reason  whether `cancelationReason` is needed                   fields        elements that may change, or `*`
    told    which text of `news.csv` the person is told
    """

    act: str
    who: frozenset[str]
    origins: frozenset[str]
    to: frozenset[str]
    slots: str
    made: str
    opens: Bound | None
    closes: Bound | None
    reason: bool
    fields: frozenset[str]
    told: str
    source: str


class Words(NamedTuple):
    """What a refusal says; `status`: as which HTTP status."""

    status: int
    en: str
    fr: str


@cache
def rules() -> tuple[Rule, ...]:
    return tuple(
        Rule(
            row["act"],
            frozenset(row["who"].split()),
            frozenset(row["from"].split()),
            frozenset(row["to"].split()),
            row["slots"],
            row["made"],
            bound(row["opens"]),
            bound(row["closes"]),
            row["reason"] == "yes",
            frozenset(row["fields"].split()),
            row["told"],
            row["source"],
        )
        for row in _rows("rules.csv")
    )


@cache
def limits() -> Mapping[tuple[str, str], int]:
    """The most slots, by what is limited (`appointment`: of one; `schedule`: to come there; `all`) and for whom."""
    return {(row["limit"], who): int(row["most"]) for row in _rows("limits.csv") for who in row["who"].split()}


@cache
def words() -> Mapping[str, Words]:
    """By the key of the refusal."""
    return {row["key"]: Words(int(row["status"]), row["en"], row["fr"]) for row in _rows("words.csv")}


@cache
def news() -> Mapping[str, str]:
    """What the person is told, by `Rule.told`, with places for `when` and `who`."""
    return {row["key"]: row["text"] for row in _rows("news.csv")}


def bound(text: str) -> Bound | None:
    """`start`, `end+12h`; None of an empty text. Raises ValueError."""
    if not text:
        return None
    found = _TERM.fullmatch(text)
    if found is None:
        raise ValueError(text)
    hours = int(found[3] or 0) * (-1 if found[2] == "-" else 1)
    return Bound(found[1], timedelta(hours=hours))


def _rows(name: str) -> list[dict[str, str]]:
    return rows_of("fhirserver.espace.agenda", name)
