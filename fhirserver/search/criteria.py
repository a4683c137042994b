"""One criterion (`name:modifier=value,value`) -> a predicate over the envelope."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import predicate
from fhirserver.errors import BadRequest, UnknownParameter
from fhirserver.predicate import Cmp, Contains, Elem, Eq, Exists, In, Or, Predicate, Prefix, all_of, any_of, negate
from fhirserver.search import asked, escape, terms, text
from fhirserver.search.parameters import RANGES, Parameter, Source
from fhirserver.search.query import Chosen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fhirserver.search.asked import Asker

MODIFIERS: Final = {
    "token": ("missing", "not", "text", "of-type", "in", "not-in", "above", "below"),
    "string": ("missing", "exact", "contains"),
    "reference": ("missing", "identifier"),
    "uri": ("missing", "below", "above"),
    "date": ("missing",),
    "number": ("missing",),
    "quantity": ("missing",),
    "composite": ("missing",),
}
SETS: Final = frozenset({"in", "not-in", "above", "below"})
"""Modifiers of tokens that ask the terminology."""


class Criterion(NamedTuple):
    """A parameter of the query string. `name` is it as given, modifier included."""

    name: str
    parameter: Parameter
    modifier: str | None
    value: str


def compile_criterion(criterion: Criterion, asker: Asker) -> Predicate | Chosen:
    """The predicate of a criterion; a join for one that stands for too many codes.

    Raises BadRequest, or UnknownParameter for a modifier that is not offered.
    """
    parameter, modifier = criterion.parameter, criterion.modifier
    _check_modifier(criterion, asker)
    values = escape.split(criterion.value, ",")
    if not all(values):
        raise BadRequest(f"The parameter {criterion.name} has an empty value.")
    if modifier == "missing":
        return _missing(criterion)
    if modifier in SETS and parameter.type == "token":
        return _of_sets(criterion, values, asker)
    if modifier == "not":
        return negate(any_of(_token(criterion, value, asker) for value in values))
    compiler = _COMPILERS[parameter.type]
    return merged(compiler(criterion, value, asker) for value in values)


def _check_modifier(criterion: Criterion, asker: Asker) -> None:
    modifier, kind = criterion.modifier, criterion.parameter.type
    if modifier is None or modifier in MODIFIERS[kind]:
        return
    if kind == "reference" and modifier in asker.resource_types:
        return
    offered = ", ".join(f":{name}" for name in MODIFIERS[kind])
    raise UnknownParameter(
        f"The modifier :{modifier} of {criterion.parameter.code} does not exist for it: it is a {kind} parameter and "
        f"takes {offered}."
    )


def merged(alternatives: Iterable[Predicate]) -> Predicate:
    """The disjunction, its equalities on one field made one `In`."""
    equal: dict[str, list[Any]] = {}
    others: list[Predicate] = []
    for item in alternatives:
        for each in item.items if isinstance(item, Or) else (item,):
            if isinstance(each, Eq):
                equal.setdefault(each.field, []).append(each.value)
            elif isinstance(each, In):
                equal.setdefault(each.field, []).extend(each.values)
            else:
                others.append(each)
    for field, values in equal.items():
        distinct = tuple(dict.fromkeys(values))
        others.append(Eq(field, distinct[0]) if len(distinct) == 1 else In(field, distinct))
    return any_of(others)


def _missing(criterion: Criterion) -> Predicate:
    if criterion.value not in ("true", "false"):
        raise BadRequest(f"The value of {criterion.name} must be true or false.")
    there = any_of(present(criterion.parameter, source) for source in criterion.parameter.sources)
    return negate(there) if criterion.value == "true" else there


def present(parameter: Parameter, source: Source) -> Predicate:
    """That a source of the parameter has a value."""
    if parameter.code in ("_id", "_lastUpdated"):
        return predicate.TRUE
    if parameter.type in RANGES or parameter.type == "composite":
        return Exists(f"d.{source.code}")
    start = terms.present(source.code, parameter.type)
    if source.target is None:
        return Prefix("t", start)
    local = Prefix("t", f"{start}{source.target}/")
    return any_of((local, *(Contains("t", f"{start}{scheme}", f"/{source.target}/") for scheme in ("http:", "https:"))))


def _token(criterion: Criterion, value: str, asker: Asker) -> Predicate:
    parameter = criterion.parameter
    if parameter.code == "_id":
        return Eq("_id", asked.identity(criterion.name, value))
    if criterion.modifier == "text":
        sought = asked.words(criterion.name, value)
        return any_of(Prefix(f"d.{source.code}:text.s", sought) for source in parameter.sources)
    if criterion.modifier == "of-type":
        return _of_type(criterion, value)
    forms = asked.token(criterion.name, parameter, value, asker)
    return merged(_form(source.code, form) for source in parameter.sources for form in forms)


def _of_sets(criterion: Criterion, values: Iterable[str], asker: Asker) -> Predicate | Chosen:
    """By value sets or hierarchies: a term for each code, or for each that the resources have."""
    name, parameter, modifier = criterion.name, criterion.parameter, str(criterion.modifier)
    sets = asked.code_sets(name, parameter, modifier, values, asker)
    codes = tuple(source.code for source in parameter.sources)
    forms = asked.of_sets(name, parameter, sets, asker)
    if forms is None:
        return Chosen(name, codes, partial(asked.among, name, parameter, sets, asker), modifier == "not-in")
    found = merged(_form(code, form) for code in codes for form in forms)
    return negate(found) if modifier == "not-in" else found


def _form(code: str, form: str) -> Predicate:
    """A term; where the form ends with `|`, every term that begins so."""
    return Prefix("t", code + form) if form.endswith("|") else Eq("t", code + form)


def _of_type(criterion: Criterion, value: str) -> Predicate:
    entry, number = asked.of_type(criterion.name, value)
    return any_of(
        all_of((Eq("t", source.code + terms.any_system(number, True)), Eq(f"d.{source.code}:of-type.s", entry)))
        for source in criterion.parameter.sources
    )


def compile_reference(criterion: Criterion, value: str, asker: Asker) -> Predicate:
    """What refers to one resource."""
    parameter = criterion.parameter
    if criterion.modifier == "identifier":
        forms = asked.identifier(criterion.name, value)
        return merged(_form(f"{source.code}:identifier", form) for source in parameter.sources for form in forms)
    sought = asked.references(criterion.name, parameter, criterion.modifier, value, asker)
    return merged(
        Eq("t", terms.uri(source.code, each.versioned or each.key))
        for source in parameter.sources
        for each in sought
        if source.target is None or source.target == each.type
    )


def _string(criterion: Criterion, value: str, asker: Asker) -> Predicate:
    sources = criterion.parameter.sources
    if criterion.modifier == "exact":
        return merged(Eq("t", terms.string(source.code, escape.unescape(value))) for source in sources)
    sought = asked.words(criterion.name, value)
    if criterion.modifier == "contains":
        return any_of(Contains("t", f"{source.code}^", sought) for source in sources)
    return any_of(Prefix("t", f"{source.code}^{sought}") for source in sources)


def _uri(criterion: Criterion, value: str, asker: Asker) -> Predicate:
    sought = escape.unescape(value)
    sources = criterion.parameter.sources
    if criterion.modifier is None:
        return merged(Eq("t", terms.uri(source.code, sought)) for source in sources)
    if "://" not in sought or len(sought) > terms.LONG_URI:
        raise BadRequest(f"The value of {criterion.name} must be a URL of at most {terms.LONG_URI} characters.")
    if criterion.modifier == "above":
        return merged(Eq("t", terms.uri(source.code, item)) for source in sources for item in asked.above(sought))
    if len(sought) > text.LONGEST_SOUGHT // 2:
        most = text.LONGEST_SOUGHT // 2
        raise BadRequest(f"The value of {criterion.name} must have at most {most} characters.", code="too-long")
    below = sought if sought.endswith("/") else f"{sought}/"
    return any_of(
        item
        for source in sources
        for item in (Eq("t", terms.uri(source.code, sought)), Prefix("t", terms.uri(source.code, below)))
    )


def _range(criterion: Criterion, value: str, asker: Asker) -> Predicate:
    parameter = criterion.parameter
    if parameter.code == "_lastUpdated":
        return asked.last_updated(criterion.name, value, asker)
    meaning = asked.meaning(criterion.name, parameter.type, value, asker)
    return any_of(Elem(f"d.{source.code}", conditions) for source in parameter.sources for conditions in meaning)


def _composite(criterion: Criterion, value: str, asker: Asker) -> Predicate:
    parts = escape.split(value, "$")
    components = criterion.parameter.components
    if len(parts) != len(components) or not all(parts):
        raise BadRequest(f"The value of {criterion.name} must have {len(components)} parts, separated by $.")
    rows: list[tuple[Cmp | Eq, ...]] = [()]
    for at, (component, part) in enumerate(zip(components, parts, strict=True)):
        meanings = asked.component(criterion.name, component, part, at, asker)
        rows = [(*row, *meaning) for row in rows for meaning in meanings]
    first = asked.token(criterion.name, components[0], parts[0], asker) if components[0].type == "token" else []
    return any_of(
        all_of((_implied(source, first), any_of(Elem(f"d.{source.code}", row) for row in rows)))
        for source in criterion.parameter.sources
    )


def _implied(source: Source, forms: Iterable[str]) -> Predicate:
    """What an index serves of a composite: the term of its first component, if that has one."""
    return merged(_form(source.implied, form) for form in forms) if source.implied else predicate.TRUE


_COMPILERS: Final[dict[str, Callable[[Criterion, str, Asker], Predicate]]] = {
    "token": _token,
    "reference": compile_reference,
    "string": _string,
    "uri": _uri,
    "date": _range,
    "number": _range,
    "quantity": _range,
    "composite": _composite,
}
