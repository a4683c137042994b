"""The tables of this room: delays by date, and transitions (CSV files beside this module)."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.tables import rows as rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NONE: Final = "none"
"""The state of a space that nothing is recorded of."""
ERASED: Final = "erased"


class Delay(NamedTuple):
    """A legal delay as it is from a day on: `number` of `unit`s (`days`, `weeks`, `months`, `years`)."""

    name: str
    start: date
    number: int
    unit: str
    article: str


class Transition(NamedTuple):
    """`who` may have it happen: `holder`, `representative`, `agent` (of the health insurance), `operator`, `time`.

    `told`: what the person is told of it, with places for `when`, `who` and the delay `objection`; empty: nothing.
    """

    event: str
    origin: str
    to: str
    who: frozenset[str]
    article: str
    told: str


@cache
def delays() -> tuple[Delay, ...]:
    return tuple(
        Delay(row["name"], date.fromisoformat(row["from"]), int(number), unit, row["article"])
        for row in _rows("delays.csv")
        for number, unit in [row["value"].split()]
    )


def delay(name: str, day: date, known: Sequence[Delay] | None = None) -> Delay:
    """The delay of what begins on a day: the latest row from before, else the first one. Raises KeyError."""
    rows = sorted(each for each in (delays() if known is None else known) if each.name == name)
    if not rows:
        raise KeyError(name)
    return next((each for each in reversed(rows) if each.start <= day), rows[0])


@cache
def transitions() -> Mapping[tuple[str, str], Transition]:
    """By event and the state before it."""
    return {
        (row["event"], origin): Transition(
            row["event"], origin, row["to"], frozenset(row["who"].split()), row["article"], row["told"]
        )
        for row in _rows("transitions.csv")
        for origin in row["from"].split()
    }


def _rows(name: str) -> list[dict[str, str]]:
    return rows_of("fhirserver.espace", name)
