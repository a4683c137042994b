"""Which commands mongod serves by an index, by the rules of its planner (MongoDB manual, "Index Strategies").

Match stages at the head of a pipeline are one condition. It is served when a condition that holds for all of it bounds
the first field of an index: equality, `$in`, a range, an anchored expression; or `$or`, when each branch is served.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

_BOUNDS = frozenset({"$eq", "$in", "$gt", "$gte", "$lt", "$lte"})
_ANCHORED = re.compile(r"\^(\\.|[^\\.^$|?*+()\[\]{}])")

Keys = tuple[str, ...]


def served(command: Mapping[str, Any], indexes: Collection[Keys]) -> bool:
    """Whether a read needs no scan of its collection; `indexes`: the fields of each, in order."""
    leading = {"_id", *(fields[0] for fields in indexes)}
    if "aggregate" not in command:
        conditions = [command.get("filter", command.get("query", {}))]
        return _bounded(conditions, leading) or _ordered(command.get("sort"), command.get("limit"), indexes)
    stages: Sequence[Mapping[str, Any]] = command["pipeline"]
    conditions = []
    for stage in stages:
        if "$match" not in stage:
            break
        conditions.append(stage["$match"])
    rest = stages[len(conditions) :]
    limit = rest[1].get("$limit") if len(rest) > 1 else None
    return _bounded(conditions, leading) or (
        not conditions and bool(rest) and _ordered(rest[0].get("$sort"), limit, indexes)
    )


def _bounded(conditions: Sequence[Mapping[str, Any]], leading: Collection[str]) -> bool:
    return any(
        all(_bounded([branch], leading) for branch in value)
        if field == "$or"
        else any(path in leading for path in _paths(field, value))
        for condition in conditions
        for field, value in _flat(condition)
    )


def _flat(condition: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for field, value in condition.items():
        if field == "$and":
            for each in value:
                yield from _flat(each)
        else:
            yield field, value


def _paths(field: str, value: Any) -> Iterator[str]:
    """The paths that the condition on a field bounds."""
    if field.startswith("$"):
        return
    if not isinstance(value, dict) or not any(name.startswith("$") for name in value):
        yield field
        return
    if value.keys() & _BOUNDS:
        yield field
    if "$regex" in value and "i" not in value.get("$options", "") and _ANCHORED.match(value["$regex"]):
        yield field
    for inner, its in _flat(value.get("$elemMatch", {})):
        yield from _paths(f"{field}.{inner}", its)


def _ordered(sort: Mapping[str, int] | None, limit: int | None, indexes: Collection[Keys]) -> bool:
    """Whether a sort without a condition walks an index, and not to its end."""
    if not sort or not limit or len(set(sort.values())) > 1:
        return False
    return any(fields[: len(sort)] == tuple(sort) for fields in (*indexes, ("_id",)))
