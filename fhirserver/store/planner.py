"""Conditions in the form that the database at hand is quick with.

MongoDB sorts the values of a long `$in` and finds one among them at once, by an index where there is one: nothing is
changed for it. The embedded database compares a document with each in turn (0.7 ms a document for 500 of them); there
a long list becomes the keys of a constant object, among which one is looked up. Both find the same documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pymongo.database import Database

Row = dict[str, Any]

_LONG: Final = 8
_TEXTS: Final = frozenset({"pat", "doc.pat"})
"""Fields that hold one text or are absent; no index of the embedded database serves an `$in` on them."""
_JOINED: Final = ("$and", "$or", "$nor")


def is_embedded(database: Database[Row]) -> bool:
    """Whether the database behind the connection is the one that comes with this server."""
    return "secantusVersion" in database.client.server_info()


def for_embedded(stages: Iterable[Row]) -> list[Row]:
    """The stages with their long lists of texts made objects."""
    return [{"$match": _condition(each["$match"])} if "$match" in each else each for each in stages]


def _condition(filter_: Row) -> Row:
    changed = {field: _clause(field, value) for field, value in filter_.items()}
    if not any(changed.values()):
        return filter_
    clauses = [changed[field] or {field: value} for field, value in filter_.items()]
    names = [name for each in clauses for name in each]
    if len(set(names)) < len(names):
        return {"$and": clauses}
    return {name: value for each in clauses for name, value in each.items()}


def _clause(field: str, value: Any) -> Row | None:
    """The clause in another form; None where it stays as it is."""
    if field in _JOINED:
        items = [_condition(each) for each in value]
        return {field: items} if any(new is not old for new, old in zip(items, value, strict=True)) else None
    if field not in _TEXTS or not isinstance(value, dict):
        return None
    for operator, comparison in (("$in", "$eq"), ("$nin", "$ne")):
        if len(value.get(operator, ())) > _LONG:
            known = {"$literal": dict.fromkeys(value[operator], 1)}
            found = {"$getField": {"field": {"$ifNull": [f"${field}", ""]}, "input": known}}
            return {"$expr": {comparison: [found, 1]}}
    return None
