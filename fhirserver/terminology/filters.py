"""Filters of a value set's definition, each a test of one concept (https://hl7.org/fhir/R4/valueset-filter-operator.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.errors import Unprocessable
from fhirserver.fhirpath import FhirPathError, patterns
from fhirserver.terminology.errors import NotHere

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fhirserver.terminology.concepts import Concept
    from fhirserver.terminology.sources import System

    Test = Callable[[Concept], bool]

CODE: Final = frozenset({"code", "concept"})
_OWN: Final = CODE | {"display", "definition", "designation", "parent", "subsumedBy", "child", "inactive", "status"}
"""Properties that every concept may have, without the code system defining them."""
_CACHED: Final = 256


def test(condition: Mapping[str, Any], concepts: System) -> Test:
    """The test that a filter makes. Raises Unprocessable when it cannot be made, NotHere for an unknown code."""
    key = (str(condition.get("op")), str(condition.get("property")), str(condition.get("value")))
    found = concepts.filters.get(key)
    if found is None:
        found = _hierarchical(*key, concepts) or _of_values(*key, concepts)
        if len(concepts.filters) < _CACHED:
            concepts.filters[key] = found
    return found


def _hierarchical(operator: str, name: str, value: str, concepts: System) -> Test | None:
    if operator not in ("is-a", "descendent-of", "is-not-a", "generalizes"):
        return None
    if name not in CODE:
        raise Unprocessable(f"The filter {name} {operator} {value}: {operator} is offered on the concept only.")
    named = concepts.find(value)
    if named is None:
        raise NotHere(concepts.url, f"The filter {operator} names {value!r}, which is no code of {concepts.url} here.")
    hierarchy, code = concepts.hierarchy, named.code
    if operator == "generalizes":
        above = hierarchy.ancestors(code) | {code}
        return lambda concept: concept.code in above
    if operator == "descendent-of":
        return lambda concept: hierarchy.is_below(concept.code, code)
    wanted = operator == "is-a"
    return lambda concept: (concept.code == code or hierarchy.is_below(concept.code, code)) is wanted


def _of_values(operator: str, name: str, value: str, concepts: System) -> Test:
    values = _reader(name, concepts)
    if operator == "exists":
        wanted = value == "true"
        return lambda concept: bool(values(concept)) is wanted
    if operator == "=":
        return lambda concept: value in values(concept)
    if operator in ("in", "not-in"):
        listed = frozenset(item.strip() for item in value.split(","))
        wanted = operator == "in"
        return lambda concept: (not listed.isdisjoint(values(concept))) is wanted
    if operator == "regex":
        return lambda concept: any(_fits(value, text) for text in values(concept))
    raise Unprocessable(f"The filter operator {operator!r} is not offered.", code="not-supported")


def _reader(name: str, concepts: System) -> Callable[[Concept], tuple[str, ...]]:
    """How the values of a property are read from a concept, as texts."""
    hierarchy = concepts.hierarchy
    readers: dict[str, Callable[[Concept], tuple[str, ...]]] = {
        "display": lambda concept: (concept.display,) if concept.display else (),
        "definition": lambda concept: (concept.definition,) if concept.definition else (),
        "designation": lambda concept: tuple(str(item.get("value", "")) for item in concept.designations),
        "parent": lambda concept: hierarchy.parents.get(concept.code, ()),
        "subsumedBy": lambda concept: hierarchy.parents.get(concept.code, ()),
        "child": lambda concept: tuple(hierarchy.children.get(concept.code, ())),
        "inactive": lambda concept: ("true" if concept.inactive else "false",),
    }
    if name in CODE:
        return lambda concept: (concept.code,)
    if name in readers:
        return readers[name]
    if name not in _OWN and not concepts.has_property(name):
        raise Unprocessable(f"{concepts.url} has no property {name!r} to filter by.")
    return lambda concept: tuple(value.text for value in concept.properties.get(name, ()))


def _fits(pattern: str, text: str) -> bool:
    try:
        return patterns.fits(pattern, text)
    except FhirPathError as error:
        raise Unprocessable(str(error)) from None
