"""Query -> MongoDB aggregation stages.

The first `$match` is the seed: flat equalities that an index serves, `pat` and one term, or `_id`. Every other
condition is a `$match` of its own, so that a planner which looks at the first stage alone finds its index; mongod
merges them. Access is the last of them. Then the place in the walk of pages, the sort, the limit, and what the store
reads.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from fhirserver import predicate
from fhirserver.predicate import And, Eq, In, Predicate
from fhirserver.search import dates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fhirserver.search.query import Query, SortKey

Stage = dict[str, Any]
Position = tuple[Any, ...]

_PROJECTED: Final = ("v", "lu", "del", "pat", "acl", "r", "z", "doc.acl.labels")
_RANKS: Final = (
    ("identifier", 0), ("code", 1), ("status", 9), ("active", 9), ("gender", 9), ("category", 8), ("class", 8),
)  # fmt: skip
_REFERENCE: Final = 2
_OTHER: Final = 5


def page(query: Query, access: Predicate, after: Sequence[Any] | None = None, *, at: bool = False) -> list[Stage]:
    """The stages of one page, of at most `query.count` + 1 documents: the last says that there is another page.

    `after` is the `position` of the last row of the page before; with `at`, the page begins at that position itself.
    Documents have what a stored resource needs, and the sort keys.
    """
    return matched(query, access) + _cut(query, after, at)


def counted(query: Query, access: Predicate, after: Sequence[Any] | None = None, *, at: bool = False) -> list[Stage]:
    """The page and the total from one pass over the matches: one document `{"page": […], "n": [{"n": matches}]}`.

    For queries whose matches are few, as those of one record: it is one document, of 16 MB at most.
    """
    return [*matched(query, access), {"$facet": {"page": _cut(query, after, at), "n": [{"$count": "n"}]}}]


def _cut(query: Query, after: Sequence[Any] | None, at: bool) -> list[Stage]:
    """From all matches to the page: after the position, in order, no more than it needs."""
    stages: list[Stage] = []
    keys = [key for key in query.sort if key.field != "_id"]
    terms = ("t",) if query.includes else ()
    if after is not None:
        stages.append({"$match": _after(query.sort, after, at)})
    flags = {f"k{place}": _is_missing(key.field) for place, key in enumerate(keys) if _sorts_missing_first(key)}
    if flags:
        stages.append({"$set": flags})
    stages.append({"$sort": _order(query.sort)})
    stages.append({"$limit": query.count + 1})
    stages.append({"$project": dict.fromkeys((*_PROJECTED, *terms, *(key.field for key in keys)), 1)})
    return stages


def count(query: Query, access: Predicate) -> list[Stage]:
    """The stages that count: one document `{"n": matches}`, or none when nothing matches."""
    return [*matched(query, access), {"$count": "n"}]


def position(query: Query, document: Mapping[str, Any]) -> Position:
    """Where a document of a page stands in the order, JSON-able: the value of each sort key, and `_id`."""
    values = [_value(document, key.field) for key in query.sort if key.field != "_id"]
    return (*(_written(value) for value in values), document["_id"])


def place(query: Query, document: Mapping[str, Any]) -> tuple[Any, ...]:
    """What sorts documents of several types as the database does those of one, the type last."""
    keys: list[Any] = []
    for key in query.sort:
        value = _value(document, key.field)
        order = (value is None, *_compared(value))
        keys.append(_Falling(order) if key.descending and value is not None else order)
        if key.field == "_id":
            return (*keys, query.type)
    return (*keys, document["_id"], query.type)


class _Falling(tuple[Any, ...]):
    """A key in descending order; before any that is not there."""

    __slots__ = ()

    def __lt__(self, other: tuple[Any, ...]) -> bool:
        return tuple.__lt__(other, self) if isinstance(other, _Falling) else True

    def __gt__(self, other: tuple[Any, ...]) -> bool:
        return tuple.__lt__(self, other) if isinstance(other, _Falling) else False


def _compared(value: Any) -> tuple[int, Any]:
    """A sort key as MongoDB compares it: numbers before texts before times."""
    if isinstance(value, str):
        return 1, value
    if isinstance(value, datetime):
        return 2, value
    return 0, value.to_decimal() if hasattr(value, "to_decimal") else value


def is_seeded(query: Query) -> bool:
    """Whether an index leads to the matches by an equality."""
    return bool(_seed(_conditions(query)))


def _conditions(query: Query) -> list[Predicate]:
    conditions: list[Predicate] = []
    for condition in query.where:
        conditions += condition.items if isinstance(condition, And) else (condition,)
    return conditions


def matched(query: Query, access: Predicate) -> list[Stage]:
    """The stages that all begin with. Raises ValueError for a query whose joins the store has not resolved."""
    if query.joins:
        raise ValueError("the joins of a query must be resolved before it is made a pipeline")
    conditions = _conditions(query)
    for each in conditions:
        if isinstance(each, Eq) and each.field == "pat":
            access = predicate.knowing(access, "pat", each.value)
    if access == predicate.FALSE or predicate.FALSE in conditions:
        return [{"$match": predicate.to_mongo(predicate.FALSE)}]
    conditions = list({repr(condition): condition for condition in conditions if condition != predicate.TRUE}.values())
    seed = _seed(conditions)
    rest = [condition for condition in conditions if not any(condition is each for each in seed)]
    if access != predicate.TRUE:
        rest.append(access)
    first: list[Stage] = [{"$match": {key: value for each in seed for key, value in predicate.to_mongo(each).items()}}]
    return (first if seed else []) + [{"$match": predicate.to_mongo(condition)} for condition in rest]


def _seed(conditions: Iterable[Predicate]) -> tuple[Predicate, ...]:
    """What the first stage holds: an `_id`, or the patient and the term that is presumably rarest."""
    patient: Predicate | None = None
    terms: list[Eq] = []
    for condition in conditions:
        if isinstance(condition, Eq | In) and condition.field == "_id":
            return (condition,)
        if isinstance(condition, Eq) and condition.field == "pat" and patient is None:
            patient = condition
        elif isinstance(condition, Eq) and condition.field == "t":
            terms.append(condition)
    best = min(terms, key=lambda term: rank(term.value), default=None)
    return tuple(each for each in (patient, best) if each is not None)


def rank(term: str) -> int:
    """How common a term presumably is, the rarest first: identifiers, codes, references, others, states."""
    name, _, value = term.partition("|")
    for part, its in _RANKS:
        if part in name:
            return its
    return _REFERENCE if "/" in value and "|" not in value else _OTHER


def _sorts_missing_first(key: SortKey) -> bool:
    return not key.descending and key.field != "lu"


def _is_missing(field: str) -> dict[str, Any]:
    return {"$cond": [{"$eq": [{"$type": f"${field}"}, "missing"]}, 1, 0]}


def _order(sort: Sequence[SortKey]) -> dict[str, int]:
    order: dict[str, int] = {}
    for at, key in enumerate(sort):
        if key.field == "_id":
            return order | {"_id": -1 if key.descending else 1}
        if _sorts_missing_first(key):
            order[f"k{at}"] = 1
        order[key.field] = -1 if key.descending else 1
    return order | {"_id": 1}


def _after(sort: Sequence[SortKey], position: Sequence[Any], at: bool) -> dict[str, Any]:
    """The condition of coming later than a position, or being `at` it, in the order of the keys; none comes last."""
    *values, identity = position
    equal: list[dict[str, Any]] = []
    later: list[dict[str, Any]] = []
    places = iter(values)
    last_descending = False
    for key in sort:
        if key.field == "_id":
            last_descending = key.descending
            break
        value = _read(next(places))
        if value is None:
            equal.append({key.field: {"$exists": False}})
            continue
        further = {key.field: {"$lt" if key.descending else "$gt": value}}
        strictly = further if key.field == "lu" else {"$or": [further, {key.field: {"$exists": False}}]}
        later.append(_all([*equal, strictly]))
        equal.append({key.field: value})
    beyond = ("$lt" if last_descending else "$gt") + ("e" if at else "")
    later.append(_all([*equal, {"_id": {beyond: identity}}]))
    return later[0] if len(later) == 1 else {"$or": later}


def _all(conditions: list[dict[str, Any]]) -> dict[str, Any]:
    return conditions[0] if len(conditions) == 1 else {"$and": conditions}


def _value(document: Mapping[str, Any], field: str) -> Any:
    found: Any = document
    for step in field.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found


def _written(value: Any) -> Any:
    """A sort key as JSON: dates as `["t", microseconds]`, decimals as `["n", text]`."""
    if isinstance(value, datetime):
        return ["t", dates.micros(value)]
    if isinstance(value, Decimal) or hasattr(value, "to_decimal"):
        return ["n", str(value)]
    return value


def _read(value: Any) -> Any:
    if isinstance(value, list | tuple):
        kind, inner = value
        return Decimal(inner) if kind == "n" else dates.instant(inner).astimezone(UTC)
    return value
