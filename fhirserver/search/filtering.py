"""`_filter` -> Query: each test in the words of the search parameters, its logic as conditions and joins."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.errors import BadRequest, UnknownParameter
from fhirserver.predicate import FALSE, Cmp, Elem, Ends, Eq, Predicate, Prefix, all_of, any_of, negate
from fhirserver.search import asked, dates, escape, filters, joins
from fhirserver.search.filters import And, Filter, Not, Or, Step, Test
from fhirserver.search.index import SORT
from fhirserver.search.parameters import catalogue
from fhirserver.search.query import Either, Query, Without
from fhirserver.spec.systems import LOINC, RXNORM, SNOMED, UCUM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhirserver.search.asked import Asker
    from fhirserver.search.joins import Reading
    from fhirserver.search.parameters import Parameter
    from fhirserver.spec import Definitions

SYSTEMS: Final = {
    "loinc": LOINC,
    "snomed": SNOMED,
    "rxnorm": RXNORM,
    "ucum": UCUM,
}
"""Short names of systems that filters may use."""


MOST: Final = 200
"""Tests that a filter may come to, its paths followed to all types that they may lead to."""


class As(NamedTuple):
    """What a test is in the words of a search: a modifier of the parameter, a prefix of the value."""

    modifier: str = ""
    prefix: str = ""


_COMPARED: Final = {each: As(prefix=each) for each in ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")}
TESTS: Final[dict[str, dict[str, As]]] = {
    "string": {"co": As(":contains"), "sw": As()},
    "token": {
        "eq": As(), "ss": As(":below"), "sb": As(":above"), "in": As(":in"), "ni": As(":not-in"),
    },
    "reference": {"eq": As(), "re": As()},
    "uri": {"eq": As()},
    "composite": {"eq": As()},
    "number": _COMPARED,
    "date": _COMPARED,
    "quantity": _COMPARED,
}  # fmt: skip
"""By type of parameter, the tests that are searches too; `pr` is of all."""
FURTHER: Final = {"string": ("eq", "ne", "ew", "gt", "lt", "ge", "le"), "date": ("co", "po"), "token": ("ne",),
                  "reference": ("ne",), "uri": ("ne",)}  # fmt: skip
"""The tests that no search by parameter makes."""
_NEVER: Final = frozenset({"_filter", "_list", "_text", "_content"})
_ORDER: Final = {"gt": ("hi", "$gt"), "ge": ("hi", "$gte"), "lt": ("lo", "$lt"), "le": ("lo", "$lte")}


class Filtering:
    """Compiles filters. `read` reads one criterion as a search of a type, and counts it."""

    def __init__(self, defs: Definitions, asker: Asker, read: Reading) -> None:
        self._defs, self._asker, self._read = defs, asker, read
        self._tests = 0

    def query(self, resource_type: str, value: str) -> Query:
        """What a filter finds. Raises UnknownParameter for what is not offered, BadRequest, both naming the test."""
        return self._of(resource_type, filters.parse(value))

    def _of(self, resource_type: str, found: Filter) -> Query:
        match found:
            case And(items):
                return both(*(self._of(resource_type, each) for each in items))
            case Or(items):
                return _any(*(self._of(resource_type, each) for each in items))
            case Not(item):
                return _not(self._of(resource_type, item))
        return self._test(resource_type, found.path, found)

    def _test(self, resource_type: str, path: Sequence[Step], test: Test) -> Query:
        self._tests += 1
        if self._tests > MOST:
            raise BadRequest(
                f"The paths lead to more than {MOST} tests: say which type is meant at each step "
                "(subject:Patient.name).",
                code="too-costly",
            )
        step, *rest = path
        parameters = catalogue(self._defs).of(resource_type)

        def further(target: str, path: Sequence[Step]) -> Query:
            found = self._test(target, path, test)
            return found if step.filter is None else both(self._of(target, step.filter), found)

        try:
            if rest:
                code, _, kind = step.name.partition(":")
                chain = joins.chain(
                    self._defs,
                    parameters,
                    str(test),
                    (code, kind or None, rest[0].name),
                    lambda type_: further(type_, rest),
                )
                return Query(resource_type, joins=(chain,))
            if step.name.startswith(joins.HAS):
                reverse = joins.has(self._defs, parameters, step.name, lambda type_, name: further(type_, [Step(name)]))
                return Query(resource_type, joins=(reverse,))
            return self._leaf(resource_type, parameters.offered.get(step.name), step.name, test)
        except BadRequest as error:
            if str(test) in error.text:
                raise
            raise type(error)(f"{test}: {error.text}", code=error.issues[0].code) from None

    def _leaf(self, resource_type: str, parameter: Parameter | None, name: str, test: Test) -> Query:
        if parameter is None and (":" in name or name in _NEVER):
            raise UnknownParameter(f"{name} is not offered in a filter: it takes parameters without modifiers.")
        if parameter is None:
            return self._read(resource_type, name, test.value)
        if test.operator == "pr":
            if test.value not in ("true", "false"):
                raise BadRequest("The value of pr must be true or false.")
            return self._read(resource_type, f"{name}:missing", "false" if test.value == "true" else "true")
        as_search = TESTS[parameter.type].get(test.operator)
        if as_search is not None:
            value = _written(parameter, test)
            return self._read(resource_type, name + as_search.modifier, as_search.prefix + value)
        if test.operator not in FURTHER.get(parameter.type, ()) or parameter.code == "_lastUpdated":
            raise _not_offered(parameter, test)
        return self._special(resource_type, parameter, test)

    def _special(self, resource_type: str, parameter: Parameter, test: Test) -> Query:
        if test.operator == "ne":
            if not parameter.single:
                raise UnknownParameter(
                    f"ne is not offered of {parameter.code}, which may have several values: "
                    f"not ({parameter.code} eq …) finds what has none that is equal."
                )
            equal = Test(test.path[-1:], "eq", test.value, test.quoted)
            there = self._read(resource_type, f"{parameter.code}:missing", "false")
            return both(there, _not(self._leaf(resource_type, parameter, parameter.code, equal)))
        if parameter.type == "string":
            return Query(resource_type, (_string(parameter, test),))
        return Query(resource_type, (self._date(parameter, test),))

    def _date(self, parameter: Parameter, test: Test) -> Predicate:
        """`po`: the periods overlap; `co`: the value lies within the period that is stored."""
        sought = dates.interval(test.value, self._asker.zone)
        if sought is None:
            raise BadRequest("The value must be a date such as 2024, 2024-05-31 or 2024-05-31T08:30:00Z.")
        row = (Cmp("lo", "$lt", sought.hi), Cmp("hi", "$gt", sought.lo))
        if test.operator == "co":
            row = (Cmp("lo", "$lte", sought.lo), Cmp("hi", "$gte", sought.hi))
        return any_of(Elem(f"d.{source.code}", row) for source in parameter.sources)


def _string(parameter: Parameter, test: Test) -> Predicate:
    """Equal to, after or before the value, or with its end; without case, accents and punctuation."""
    sought = asked.words(parameter.code, escape.escape(test.value))
    if test.operator in _ORDER:
        side, operator = _ORDER[test.operator]
        return Cmp(f"s.{parameter.code}.{side}", operator, sought[:SORT])
    starts = [f"{source.code}^" for source in parameter.sources]
    if test.operator == "ew":
        return any_of(Ends("t", start, sought, "^") for start in starts)
    return any_of(each for start in starts for each in (Eq("t", start + sought), Prefix("t", f"{start}{sought}^")))


def both(one: Query, other: Query) -> Query:
    """What two searches of a type find both."""
    patients = one.patients if other.patients is None else other.patients
    if one.patients is not None and other.patients is not None:
        patients = one.patients & other.patients
    where = (FALSE,) if patients is not None and not patients else (*one.where, *other.where)
    return Query(one.type, where, patients, joins=(*one.joins, *other.joins))


def _any(one: Query, other: Query) -> Query:
    patients = None
    if one.patients is not None and other.patients is not None:
        patients = one.patients | other.patients
    if one.joins or other.joins:
        return Query(one.type, (), patients, joins=(Either((one, other)),))
    return Query(one.type, (any_of((all_of(one.where), all_of(other.where))),), patients)


def _not(query: Query) -> Query:
    if query.joins:
        return Query(query.type, joins=(Without(query),))
    return Query(query.type, (negate(all_of(query.where)),))


def _written(parameter: Parameter, test: Test) -> str:
    """The value as a search has it, where a comma would part values."""
    if parameter.type == "string":
        return escape.escape(test.value)
    value = re.sub(r"(?<!\\),", r"\\,", test.value)
    if parameter.type == "token" and "|" in value:
        system, _, code = value.partition("|")
        return f"{SYSTEMS.get(system, system)}|{code}"
    if parameter.type == "quantity" and value.count("|") == 2:
        number, system, code = value.split("|")
        return f"{number}|{SYSTEMS.get(system, system)}|{code}"
    return value


def _not_offered(parameter: Parameter, test: Test) -> UnknownParameter:
    offered = [*TESTS[parameter.type], *FURTHER.get(parameter.type, ()), "pr"]
    return UnknownParameter(
        f"The operator {test.operator} is not offered of {parameter.code}, a {parameter.type} parameter: it takes "
        f"{', '.join(dict.fromkeys(offered))}."
    )
