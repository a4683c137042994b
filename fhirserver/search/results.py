"""Parameters that shape the answer: `_count`, `_sort`, `_total`, `_summary`, `_elements`
(https://hl7.org/fhir/R4/search.html#return)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, get_args

from fhirserver.errors import BadRequest, UnknownParameter
from fhirserver.search.query import SortKey, Total

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fhirserver.search.parameters import Parameters
    from fhirserver.spec import Definitions

COUNT: Final = 50
MOST: Final = 1000
NAMES: Final = frozenset({"_count", "_sort", "_total", "_summary", "_elements"})
PRESENTATION: Final = frozenset({"_format", "_pretty"})
"""They are for whoever writes the answer; a search passes over them."""

SUMMARIES: Final = ("true", "text", "data", "count", "false")
_ENVELOPE: Final = {"_id": "_id", "_lastUpdated": "lu"}


@dataclass(frozen=True)
class Results:
    """How the answer is shaped, as in Query."""

    sort: tuple[SortKey, ...] = ()
    total: Total = "accurate"
    summary: str | None = None
    elements: tuple[str, ...] = ()
    count: int = COUNT


def read(defs: Definitions, parameters: Parameters, given: Iterable[tuple[str, str]]) -> Results:
    """The result parameters. Raises BadRequest when one is repeated or its value cannot be understood."""
    values: dict[str, str] = {}
    for name, value in given:
        if name in values:
            raise BadRequest(f"The parameter {name} must be given once.")
        if not value:
            raise BadRequest(f"The parameter {name} has an empty value.")
        values[name] = value
    return Results(
        sort=sort_keys(parameters, values["_sort"]) if "_sort" in values else (),
        total=_total(values),
        summary=_one_of(values, "_summary", SUMMARIES),
        elements=_elements(defs, parameters.type, values.get("_elements")),
        count=_count(values.get("_count")),
    )


def _count(value: str | None) -> int:
    if value is None:
        return COUNT
    if not (value.isascii() and value.isdigit()):
        raise BadRequest(f"The value of _count must be a whole number, 0 to {MOST}.")
    return min(int(value[:10]), MOST)


def _total(values: Mapping[str, str]) -> Total:
    found = _one_of(values, "_total", get_args(Total))
    for total in get_args(Total):
        if found == total:
            return total  # type: ignore[no-any-return]
    return "accurate"


def _one_of(values: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str | None:
    found = values.get(name)
    if found is not None and found not in allowed:
        raise BadRequest(f"The value of {name} must be one of {', '.join(allowed)}.")
    return found


def _elements(defs: Definitions, resource_type: str, value: str | None) -> tuple[str, ...]:
    if value is None:
        return ()
    known = {item.element for item in defs.type(resource_type).properties.values()}
    names = tuple(dict.fromkeys(value.split(",")))
    for name in names:
        if name not in known:
            raise BadRequest(f"The value of _elements must name elements of {resource_type}: {name!r} is none.")
    return names


def sort_keys(parameters: Parameters, value: str) -> tuple[SortKey, ...]:
    """The keys of `_sort=-date,name`, each name once. Raises UnknownParameter for one that cannot be sorted on."""
    keys: dict[str, SortKey] = {}
    for item in value.split(","):
        descending = item.startswith("-")
        name = item.removeprefix("-")
        if name in _ENVELOPE:
            field = _ENVELOPE[name]
        elif name in parameters.offered and parameters.offered[name].type != "composite":
            field = f"s.{name}.{'hi' if descending else 'lo'}"
        else:
            sortable = ", ".join(code for code, item in parameters.offered.items() if item.type != "composite")
            raise UnknownParameter(f"{parameters.type} cannot be sorted on {name!r}; it can on {sortable}.")
        keys.setdefault(name, SortKey(field, descending))
    return tuple(keys.values())
