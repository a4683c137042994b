"""Conditions over stored documents: one tree, two interpreters.

Search criteria and access rules are both compiled to this tree over the envelope's index fields. `to_mongo` writes it
as a MongoDB filter, `matches` decides it in Python; a property test holds the two equal. A field is a dotted path; a
path that crosses an array matches when any element does, as in MongoDB.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Always:
    """Every document, or none."""

    holds: bool


@dataclass(frozen=True, slots=True)
class Eq:
    """The field, or one element of it, equals `value`."""

    field: str
    value: Any


@dataclass(frozen=True, slots=True)
class In:
    """The field, or one element of it, is among `values`; none are among no values."""

    field: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Cmp:
    """The scalar field is there and is `$lt`, `$lte`, `$gt` or `$gte` than `value`."""

    field: str
    op: str
    value: Any


@dataclass(frozen=True, slots=True)
class Prefix:
    """The text field, or one element of it, starts with `text`."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Contains:
    """The text field, or one element of it, starts with `prefix` and holds `text` after it."""

    field: str
    prefix: str
    text: str


@dataclass(frozen=True, slots=True)
class Ends:
    """The text field, or one element of it, starts with `prefix`; in what follows, up to the first `stop` or the end,
    `text` comes last."""

    field: str
    prefix: str
    text: str
    stop: str


@dataclass(frozen=True, slots=True)
class Elem:
    """One element of the array field of documents meets all `conditions` (each over the element's own fields)."""

    field: str
    conditions: tuple[Cmp | Eq, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """The field is present."""

    field: str


@dataclass(frozen=True, slots=True)
class And:
    items: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Or:
    items: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Not:
    item: Predicate


Predicate = Always | Eq | In | Cmp | Prefix | Contains | Ends | Elem | Exists | And | Or | Not

TRUE: Final = Always(True)
FALSE: Final = Always(False)

_NOTHING: Final[dict[str, Any]] = {"_id": {"$in": []}}


def all_of(items: Iterable[Predicate]) -> Predicate:
    """The conjunction, simplified; of nothing, TRUE."""
    kept: list[Predicate] = []
    for item in items:
        if item == FALSE:
            return FALSE
        if item != TRUE:
            kept.extend(item.items if isinstance(item, And) else (item,))
    return TRUE if not kept else kept[0] if len(kept) == 1 else And(tuple(kept))


def any_of(items: Iterable[Predicate]) -> Predicate:
    """The disjunction, simplified; of nothing, FALSE."""
    kept: list[Predicate] = []
    for item in items:
        if item == TRUE:
            return TRUE
        if item != FALSE:
            kept.extend(item.items if isinstance(item, Or) else (item,))
    return FALSE if not kept else kept[0] if len(kept) == 1 else Or(tuple(kept))


def negate(item: Predicate) -> Predicate:
    """The complement, simplified."""
    if isinstance(item, Always):
        return Always(not item.holds)
    return item.item if isinstance(item, Not) else Not(item)


def within(predicate: Predicate, field: str) -> Predicate:
    """The same of the document that stands in `field` of a document."""
    match predicate:
        case Always():
            return predicate
        case And(items):
            return And(tuple(within(item, field) for item in items))
        case Or(items):
            return Or(tuple(within(item, field) for item in items))
        case Not(item):
            return Not(within(item, field))
        case _:
            return replace(predicate, field=f"{field}.{predicate.field}")


def knowing(predicate: Predicate, field: str, value: Any) -> Predicate:
    """What is left to decide of documents whose scalar `field` is known to equal `value`."""
    match predicate:
        case Eq(name, other) if name == field:
            return Always(other == value)
        case In(name, values) if name == field:
            return Always(value in values)
        case Exists(name) if name == field:
            return TRUE
        case And(items):
            return all_of(knowing(item, field, value) for item in items)
        case Or(items):
            return any_of(knowing(item, field, value) for item in items)
        case Not(item):
            return negate(knowing(item, field, value))
        case _:
            return predicate


def to_mongo(predicate: Predicate) -> dict[str, Any]:
    """The predicate as a MongoDB filter document."""
    match predicate:
        case Always(holds):
            return {} if holds else dict(_NOTHING)
        case Eq(field, value):
            return {field: value}
        case In(field, values):
            return {field: {"$in": list(values)}}
        case Cmp(field, op, value):
            return {field: {op: value}}
        case Prefix() | Contains() | Ends():
            return {predicate.field: _pattern(predicate)}
        case Elem(field, conditions):
            return {field: {"$elemMatch": _merged(conditions)}}
        case Exists(field):
            return {field: {"$exists": True}}
        case And(items):
            return _together([to_mongo(item) for item in items])
        case Or(items):
            return {"$or": [to_mongo(item) for item in items]}
        case Not(item):
            return _complement(item)


def matches(predicate: Predicate, document: Mapping[str, Any]) -> bool:
    """Whether the document meets the predicate, by the same rules as `to_mongo`."""
    match predicate:
        case Always(holds):
            return holds
        case Eq(field, value):
            return any(found == value for found in _values(document, field))
        case In(field, values):
            return any(found in values for found in _values(document, field))
        case Cmp(field, op, value):
            return any(_compare(found, op, value) for found in _values(document, field))
        case Prefix() | Contains() | Ends():
            return any(
                isinstance(found, str) and _fits(predicate, found) for found in _values(document, predicate.field)
            )
        case Elem(field, conditions):
            return any(
                all(matches(condition, element) for condition in conditions)
                for element in _values(document, field)
                if isinstance(element, dict)
            )
        case Exists(field):
            return bool(_values(document, field, whole=True))
        case And(items):
            return all(matches(item, document) for item in items)
        case Or(items):
            return any(matches(item, document) for item in items)
        case Not(item):
            return not matches(item, document)


def _values(document: Any, field: str, *, whole: bool = False) -> list[Any]:
    """What stands at the path: each element where it is an array (and the array itself with `whole`)."""
    found: list[Any] = [document]
    for step in field.split("."):
        reached: list[Any] = []
        for item in found:
            for each in item if isinstance(item, list) else (item,):
                if isinstance(each, dict) and step in each:
                    reached.append(each[step])
        found = reached
    if whole:
        return found
    return [each for item in found for each in (item if isinstance(item, list) else (item,))]


def _compare(found: Any, op: str, value: Any) -> bool:
    if type(found) is not type(value):
        return False
    if op == "$lt":
        return bool(found < value)
    if op == "$lte":
        return bool(found <= value)
    return bool(found > value) if op == "$gt" else bool(found >= value)


def _fits(predicate: Prefix | Contains | Ends, found: str) -> bool:
    match predicate:
        case Prefix(_, text):
            return found.startswith(text)
        case Contains(_, prefix, text):
            return found.startswith(prefix) and text in found[len(prefix) :]
        case Ends(_, prefix, text, stop):
            return found.startswith(prefix) and found[len(prefix) :].partition(stop)[0].endswith(text)


def _pattern(predicate: Prefix | Contains | Ends) -> dict[str, str]:
    match predicate:
        case Prefix(_, text):
            return {"$regex": f"^{literal(text)}"}
        case Contains(_, prefix, text):
            start = f"^{literal(prefix)}.*" if prefix else ""
            return {"$regex": f"{start}{literal(text)}", "$options": "s"}
        case Ends(_, prefix, text, stop):
            sign = literal(stop)
            return {"$regex": f"^{literal(prefix)}[^{sign}]*{literal(text)}({sign}|$)"}


def _complement(item: Predicate) -> dict[str, Any]:
    match item:
        case Exists(field):
            return {field: {"$exists": False}}
        case In(field, values):
            return {field: {"$nin": list(values)}}
        case _:
            return {"$nor": [to_mongo(item)]}


def _together(clauses: list[dict[str, Any]]) -> dict[str, Any]:
    """One filter of several: flat, as planners like it, where no field occurs twice."""
    names = [name for each in clauses for name in each]
    if len(set(names)) < len(names):
        return {"$and": clauses}
    return {name: value for each in clauses for name, value in each.items()}


def _merged(conditions: Iterable[Cmp | Eq]) -> dict[str, Any]:
    merged: dict[str, dict[str, Any]] = {}
    again: list[dict[str, Any]] = []
    for condition in conditions:
        op = "$eq" if isinstance(condition, Eq) else condition.op
        if op in merged.setdefault(condition.field, {}):
            again.append({condition.field: {op: condition.value}})
        else:
            merged[condition.field][op] = condition.value
    return merged | ({"$and": again} if again else {})


_SPECIAL: Final = re.compile(r"([\\^$.|?*+()\[\]{}])")


def literal(text: str) -> str:
    """The text as a regular expression that matches just it, in PCRE as in Python."""
    return _SPECIAL.sub(r"\\\1", text)
