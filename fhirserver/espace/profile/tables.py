"""Sections, fields, choices, habits and measures (CSV files beside this module)."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.tables import rows as rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping

MESURES: Final = "https://interop.esante.gouv.fr/ig/fhir/mesures/StructureDefinition/"


class Names(NamedTuple):
    """What something is called; `fr` is stored."""

    fr: str
    en: str


class Field(NamedTuple):
    """`kind`: `text`, `date`, `number` (whole), `check` or `choice`, of `options`."""

    name: str
    kind: str
    required: bool
    options: str
    names: Names


class Section(NamedTuple):
    """A part of the profile: entries of one resource type, and the fields of one entry."""

    name: str
    type: str
    names: Names
    fields: tuple[Field, ...]


class Choice(NamedTuple):
    """`system` and `code` are empty where only the words are stored."""

    name: str
    system: str
    code: str
    names: Names


class Habit(NamedTuple):
    """A field of the section of habits: an Observation of its own."""

    name: str
    code: str
    display: str
    names: Names


class Measure(NamedTuple):
    """`parent`: the measure that it is a component of. `codes`: LOINC, the first is the measure's own.

    `low`, `high`: what is plausible of a person, in the unit; of one that has components, theirs count.
    """

    name: str
    parent: str
    profile: str
    codes: tuple[str, ...]
    unit: str
    ucum: str
    low: Decimal
    high: Decimal
    decimals: int
    names: Names


@cache
def sections() -> Mapping[str, Section]:
    found: dict[str, list[Field]] = {}
    for row in _rows("fields.csv"):
        field = Field(row["name"], row["kind"], row["required"] == "yes", row["options"], _names(row))
        found.setdefault(row["section"], []).append(field)
    return {
        row["name"]: Section(row["name"], row["type"], _names(row), tuple(found[row["name"]]))
        for row in _rows("sections.csv")
    }


@cache
def choices(options: str) -> Mapping[str, Choice]:
    """What may be chosen, by name."""
    return {
        row["name"]: Choice(row["name"], row["system"], row["code"], _names(row))
        for row in _rows("choices.csv")
        if row["options"] == options
    }


@cache
def habits() -> Mapping[str, Habit]:
    return {row["name"]: Habit(row["name"], row["code"], row["display"], _names(row)) for row in _rows("habits.csv")}


@cache
def measures() -> Mapping[str, Measure]:
    return {row["name"]: _measure(row) for row in _rows("measures.csv")}


@cache
def parts(name: str) -> tuple[Measure, ...]:
    """The components of a measure, none for most."""
    return tuple(each for each in measures().values() if each.parent == name)


@cache
def by_code() -> Mapping[str, Measure]:
    """The measures that are no component, by each of their LOINC codes."""
    return {code: each for each in measures().values() if not each.parent for code in each.codes}


@cache
def english() -> Mapping[str, str]:
    """The English of the French words that forms store: of measures, habits, and what may be chosen."""
    tables = ("measures.csv", "habits.csv", "choices.csv")
    return {row["fr"]: row["en"] for table in tables for row in _rows(table)}


def _measure(row: Mapping[str, str]) -> Measure:
    return Measure(
        row["name"],
        row["parent"],
        MESURES + row["profile"] if row["profile"] else "",
        tuple(row["codes"].split()),
        row["unit"],
        row["ucum"],
        Decimal(row["low"] or 0),
        Decimal(row["high"] or 0),
        int(row["decimals"] or 0),
        _names(row),
    )


def _names(row: Mapping[str, str]) -> Names:
    return Names(row["fr"], row["en"])


def _rows(name: str) -> list[dict[str, str]]:
    return rows_of("fhirserver.espace.profile", name)
