"""The tables of this room (CSV files beside this module): rules with their sources, seasons, codes of acts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.espace.ages import Age, age
from fhirserver.tables import rows as rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KINDS: Final = ("vaccination", "screening", "examination")


class Source(NamedTuple):
    """Who says so: `text` names articles of law."""

    name: str
    version: str
    text: str


class Season(NamedTuple):
    """When a seasonal vaccine is given somewhere (`zone`; empty: everywhere else): month and day, the end excluded."""

    zone: str
    begins: tuple[int, int]
    ends: tuple[int, int]


class Span(NamedTuple):
    """Days from `first` on and before `end`; None: open."""

    first: date | None = None
    end: date | None = None

    def holds(self, day: date) -> bool:
        return (self.first is None or self.first <= day) and (self.end is None or day < self.end)


@dataclass(frozen=True)
class Rule:
    """A row. Ages: an act counts from `earliest`, it is spoken of from `opens`, is `due` and then `late`, until `ends`.

    `series`: doses follow one another by `interval`, each act counting for one. `every`: by act of `acts`, after how
    long it is due again; `seasonal`: in each season. `born`, `in_force`: to whom and when the row applies. `en`: the
    title in English; `duty`: whether the law asks for it.
    """

    key: str
    kind: str
    series: str
    title: str
    en: str
    acts: tuple[str, ...]
    sex: str
    zone: str
    earliest: Age
    opens: Age
    due: Age
    late: Age | None
    ends: Age | None
    interval: Age | None
    every: tuple[Age, ...]
    seasonal: bool
    born: Span
    in_force: Span
    duty: bool
    source: Source


@cache
def rules() -> tuple[Rule, ...]:
    """All rows, those that come again at ages written out."""
    return tuple(rule for row in rows("rules.csv") for rule in _several(row))


@cache
def rule(key: str) -> Rule | None:
    return next((each for each in rules() if each.key == key), None)


@cache
def of_kind(kind: str) -> frozenset[str]:
    """The acts of the rules of a kind."""
    return frozenset(act for each in rules() if each.kind == kind for act in each.acts)


@cache
def seasons() -> tuple[Season, ...]:
    return tuple(Season(row["zone"], _day(row["begins"]), _day(row["ends"])) for row in rows("seasons.csv"))


@cache
def sources() -> Mapping[str, Source]:
    return {row["source"]: Source(row["name"], row["version"], row["text"]) for row in rows("sources.csv")}


@cache
def codes() -> tuple[tuple[str, str, str, bool], ...]:
    """`(act, system, code, prefix)`: a coding that begins with the code of a prefix means the act too."""
    systems: dict[str, list[str]] = {}
    for row in rows("systems.csv"):
        systems.setdefault(row["system"], []).append(row["uri"])
    return tuple(
        (row["act"], uri, row["code"], row["prefix"] == "yes")
        for row in rows("codes.csv")
        for uri in systems[row["system"]]
    )


def rows(name: str) -> list[dict[str, str]]:
    return rows_of("fhirserver.espace.reminders", name)


def _several(row: Mapping[str, str]) -> Iterator[Rule]:
    """The rule, and for `age 10y 105y` those after each ten years until 105."""
    kind, *parts = row["repeat"].split() or [""]
    first = _rule(row, tuple(age(each) for each in parts) if kind == "act" else (), seasonal=kind == "season")
    yield first
    if kind == "age":
        step, last = (age(each) for each in parts)
        for number in range(first.opens.number + step.number, last.number + 1, step.number):
            yield _moved(first, Age(number - first.opens.number, step.unit))


def _rule(row: Mapping[str, str], every: tuple[Age, ...], *, seasonal: bool) -> Rule:
    return Rule(
        key=row["key"],
        kind=row["kind"],
        series=row["series"] or row["key"],
        title=row["title"],
        en=row["en"],
        acts=tuple(row["acts"].split()),
        sex=row["sex"],
        zone=row["zone"],
        earliest=age(row["earliest"]),
        opens=age(row["opens"]),
        due=age(row["due"]),
        late=age(row["late"]) if row["late"] else None,
        ends=age(row["ends"]) if row["ends"] else None,
        interval=age(row["interval"]) if row["interval"] else None,
        every=every,
        seasonal=seasonal,
        born=_span(row["born"]),
        in_force=_span(row["in_force"]),
        duty=row["duty"] == "yes",
        source=sources()[row["source"]],
    )


def _moved(first: Rule, by: Age) -> Rule:
    stem = first.key.rpartition("-")[0]
    return replace(
        first,
        key=f"{stem}-{first.opens.plus(by).number}",
        earliest=first.earliest.plus(by),
        opens=first.opens.plus(by),
        due=first.due.plus(by),
        late=first.late.plus(by) if first.late else None,
        ends=first.ends.plus(by) if first.ends else None,
    )


def _span(text: str) -> Span:
    """`2018-01-01/2025-01-01`, the end excluded; either may be left out."""
    first, _, end = text.partition("/")
    return Span(date.fromisoformat(first) if first else None, date.fromisoformat(end) if end else None)


def _day(text: str) -> tuple[int, int]:
    month, _, day = text.partition("-")
    return int(month), int(day)
