"""The collection of traces, and the AuditEvents that a view shows of them beside those that were deposited.

`_id` is the chain and the place in it, which is the AuditEvent's id too. Indexes: `pats, at, _id` (what happened to a
record, by time), `pats, own, at, _id` (the same, of what others did), `at, _id` (by time), `who.rpps, at` (what a
professional did).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from pymongo import ASCENDING, IndexModel

from fhirserver import jsontext
from fhirserver.errors import BadRequest
from fhirserver.predicate import And, Cmp, Eq, In, Not, Or, all_of, to_mongo
from fhirserver.search import dates
from fhirserver.store.actors import POLICIES
from fhirserver.store.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Collection as Names
    from datetime import datetime

    from pymongo.client_session import ClientSession
    from pymongo.collection import Collection
    from pymongo.database import Database

    from fhirserver.access import Access
    from fhirserver.predicate import Predicate
    from fhirserver.search import Query
    from fhirserver.store.envelope import Indexed

Row = dict[str, Any]

COLLECTION: Final = "trace"
TYPE: Final = "AuditEvent"
ENTITIES: Final = "entities"
"""The resources touched, `{"r": "Observation/1", "v": 3, "p": "<patient>"}`: those that nobody need be kept from. Those
to be kept from somebody stand apart, in `entities_s`, `entities_u`, `entities_su` (see `audit.Entity.kept`)."""
_ENTITY: Final = "entity|"
_ALWAYS_NAMED: Final = frozenset({TYPE, "Patient"})
_ID: Final = re.compile(r"[0-9a-f]{32}\.[0-9]{10}")
_SORTED: Final = frozenset({"s.date", "s.period-start", "lu"})
_MILLISECOND: Final = 1000
_AT_ONCE: Final = 1000
_LAST_KEPT: Final = 20_000
"""Pages of which it is kept how far back they reached."""
_ORDER: Final = "AuditEvent is sorted by date, period-start, _lastUpdated and _id alone."


class Known(NamedTuple):
    """What of traces is known beside the access: records that were merged into the requester's own (`absorbed`), and
    resources (`Type/id`) that must not be named to him (`hidden`)."""

    absorbed: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()


class Traced(Protocol):
    """How traces are shown as AuditEvents."""

    def condition(self, access: Access, predicate: Predicate, known: Known) -> Predicate: ...
    def resource(self, access: Access, record: Row, known: Known) -> Row: ...
    def patients(self, access: Access, known: Known) -> tuple[str, ...]: ...
    def owner(self, access: Access, record: Row, known: Known) -> str | None: ...
    def labels(self, record: Row, patients: Names[str]) -> list[str]: ...


def is_trace(type_: str, id_: str) -> bool:
    """Whether the id is that of a trace."""
    return type_ == TYPE and _ID.fullmatch(id_) is not None


def make(database: Database[Row]) -> None:
    """Makes the indexes."""
    database[COLLECTION].create_indexes(
        [
            IndexModel([("pats", ASCENDING), ("at", ASCENDING), ("_id", ASCENDING)], name="pats"),
            IndexModel([("pats", ASCENDING), ("own", ASCENDING), ("at", ASCENDING), ("_id", ASCENDING)], name="others"),
            IndexModel([("at", ASCENDING), ("_id", ASCENDING)], name="at"),
            IndexModel([("who.rpps", ASCENDING), ("at", ASCENDING)], name="who"),
        ]
    )


class Traces:
    """The traces as AuditEvents; `index` makes their search entries."""

    def __init__(self, database: Database[Row], traced: Traced, index: Callable[[Row], Indexed]) -> None:
        self.collection, self._policies = database[COLLECTION], database[POLICIES]
        self._traced, self._index = traced, index
        self._last: Kept[tuple[Any, ...], datetime] = Kept(_LAST_KEPT)

    def absorbed(self, access: Access, session: ClientSession | None) -> frozenset[str]:
        """The records that were merged into that of a patient or of whom a representative represents."""
        who = access.requester
        if who.patient is None or not who.is_person:
            return frozenset()
        row = self._policies.find_one({"_id": who.patient}, {"into": 1, "beside._id": 1}, session=session) or {}
        return frozenset() if "into" in row else frozenset(each["_id"] for each in row.get("beside", ()))

    def touched(self, access: Access, records: Iterable[Row], asked: Iterable[Predicate] = ()) -> frozenset[str]:
        """Resources that traces, or conditions, name to who is shown his own acts; nothing for anybody else."""
        if access.requester.kind not in ("practitioner", "system"):
            return frozenset()
        lists = (each for record in records for name, each in record.items() if name.startswith(ENTITIES))
        found = {entity["r"] for each in lists for entity in each}
        found.update(name for each in asked for name in _named(each))
        return frozenset(each for each in found if each.partition("/")[0] not in _ALWAYS_NAMED)

    def by_id(self, access: Access, seen: Predicate, id_: str, known: Known) -> list[Row]:
        """The stages that find one trace, if it may be seen."""
        return [{"$match": {"_id": id_}}, {"$match": to_mongo(self._traced.condition(access, seen, known))}]

    def matched(self, access: Access, query: Query, seen: Predicate, known: Known) -> list[Row]:
        """The stages that find what a search matches, of that which may be seen; the first is what an index serves."""
        asked = self._traced.condition(access, all_of((*query.where, seen)), known)
        items: Sequence[Predicate] = asked.items if isinstance(asked, And) else (asked,)
        own = self._traced.patients(access, known)
        seed: dict[str, Any] = {"pats": own[0] if len(own) == 1 else {"$in": list(own)}} if own else {}
        if len(own) == 1 and any(_but_by(each, f"patient/{own[0]}") for each in items):
            seed["own"] = None
        for each in items:
            if isinstance(each, Eq | In) and each.field in ("_id", "pats", "who.rpps"):
                seed.setdefault(each.field, to_mongo(each)[each.field])
            elif isinstance(each, Cmp) and each.field == "at":
                seed.setdefault("at", {}).setdefault(each.op, each.value)
            elif isinstance(each, Or) and (least := _since(each)) is not None:
                seed.setdefault("at", {}).setdefault("$gte", least)
        return [*([{"$match": seed}] if seed else []), *({"$match": to_mongo(each)} for each in items)]

    def page(
        self,
        access: Access,
        query: Query,
        seen: Predicate,
        known: Known,
        after: Sequence[Any] | None,
        *,
        at: bool,
    ) -> list[Row]:
        """The stages of a page in the order of the search, after a position, or (`at`) from it on."""
        keys = {key.field.removesuffix(".lo").removesuffix(".hi") for key in query.sort} - {"_id"}
        if not keys <= _SORTED or len(keys) > 1:
            raise BadRequest(_ORDER, code="not-supported")
        stages = self.matched(access, query, seen, known)
        if after is not None:
            stages.append({"$match": _after(query, after, at=at)})
        return [*stages, {"$sort": _order(query)}, {"$limit": query.count + 1}]

    def newest(
        self,
        access: Access,
        known: Known,
        query: Query,
        after: Sequence[Any] | None,
        stages: Sequence[Row],
        run: Callable[[Sequence[Row]], list[Row]],
    ) -> list[Row]:
        """What the stages of a page find. Of the newest that concern a patient, first those since about as many were
        found the last time: a record has many traces, and no index is in their order, newest first."""
        seed: Row = next(iter(stages[0].values())) if "$match" in stages[0] else {}
        order = next(iter(_order(query).items()))
        if after is not None or order != ("at", -1) or "pats" not in seed or "at" in seed:
            return run(stages)
        key = (*self._traced.patients(access, known), repr(query.where), query.count)
        since = self._last.get(key)
        found = run([{"$match": {**seed, "at": {"$gte": since}}}, *stages[1:]]) if since is not None else []
        if len(found) <= query.count:
            found = run(stages)
        if len(found) > query.count:
            self._last.put(key, found[-1]["at"])
        return found

    def shown(self, access: Access, record: Row, known: Known, *, terms: bool = False) -> Row:
        """The trace as the envelope of an AuditEvent."""
        resource = self._traced.resource(access, record, known)
        owner = self._traced.owner(access, record, known)
        told = self._traced.patients(access, known) or (owner,)
        begin = dates.micros(record["at"])
        span = {"lo": begin, "hi": begin + _MILLISECOND}
        row: Row = {
            "_id": record["_id"],
            "v": 1,
            "lu": record["at"],
            "s": {"date": span, "period-start": span},
            "acl": {"labels": self._traced.labels(record, [each for each in told if each])},
            "r": jsontext.dump(resource),
        }
        if owner is not None:
            row["pat"] = owner
        return row | ({"t": list(self._index(resource).t)} if terms else {})


def _named(asked: Predicate) -> Iterator[str]:
    """The resources (`Type/id`) that a condition on entities names."""
    if isinstance(asked, And | Or):
        for each in asked.items:
            yield from _named(each)
    elif isinstance(asked, Not):
        yield from _named(asked.item)
    elif isinstance(asked, Eq | In) and asked.field == "t":
        for term in asked.values if isinstance(asked, In) else (asked.value,):
            if term.startswith(_ENTITY):
                yield term.removeprefix(_ENTITY).partition("/_history/")[0]


def _but_by(asked: Predicate, who: str) -> bool:
    """Whether a condition leaves out what somebody did. Records older than `own` are looked through all the same."""
    if not isinstance(asked, Not):
        return False
    either = asked.item.items if isinstance(asked.item, Or) else (asked.item,)
    return Eq("who.id", who) in either


def _since(either: Or) -> datetime | None:
    """The moment from which on all is that meets one of several lower bounds of time; None where they are others."""
    bounds = [each for each in either.items if isinstance(each, Cmp) and each.field == "at" and "$gt" in each.op]
    return min(each.value for each in bounds) if len(bounds) == len(either.items) else None


def _order(query: Query) -> dict[str, int]:
    order: dict[str, int] = {}
    for key in query.sort:
        order["_id" if key.field == "_id" else "at"] = -1 if key.descending else 1
        if key.field == "_id":
            return order
    return order | {"_id": 1}


def _after(query: Query, position: Sequence[Any], *, at: bool) -> Row:
    """What comes later than a position; what bears no time comes last."""
    *values, identity = position
    order = _order(query)
    beyond = {"_id": {("$gt" if order["_id"] > 0 else "$lt") + ("e" if at else ""): identity}}
    if "at" not in order or next(iter(order)) == "_id":
        return beyond
    if values[0] is None:
        return {"_id": {"$in": []}}
    moment = _moment(values[0], query.sort[0].field)
    return {"$or": [{"at": {"$gt" if order["at"] > 0 else "$lt": moment}}, {"at": moment, **beyond}]}


def _moment(value: Any, field: str) -> datetime:
    """The instant of a sort key: of `lu` as a position has it, of a date the microseconds of its begin or end."""
    micros = value[1] if isinstance(value, list | tuple) else value - (_MILLISECOND if field.endswith(".hi") else 0)
    return dates.instant(micros)


def landmarks(collection: Collection[Row]) -> list[Row]:
    """The records that are about the chains themselves, by chain and place."""
    return collection.find({"what": {"$in": ["anchor", "purge", "erasure"]}}).sort("_id", ASCENDING).to_list()


def heads(collection: Collection[Row], since: datetime | None) -> dict[str, tuple[int, str]]:
    """Place and hash of the last record of each chain that has one of `since` or later; of every chain without."""
    recent: list[Row] = [] if since is None else [{"$match": {"at": {"$gte": since}}}]
    grouped = collection.aggregate([*recent, {"$group": {"_id": "$chain", "n": {"$max": "$n"}}}]).to_list()
    found = (collection.find_one({"_id": f"{row['_id']}.{row['n']:010}"}) for row in grouped)
    return {row["chain"]: (row["n"], row["hash"]) for row in found if row is not None}


def old(collection: Collection[Row], before: datetime) -> dict[str, tuple[int, str]]:
    """Of each chain that began before a moment: the place of its first record since, and the hash of the one before."""
    found: dict[str, tuple[int, str]] = {}
    grouped: list[Row] = [{"$match": {"at": {"$lt": before}}}, {"$group": {"_id": "$chain"}}]
    for row in collection.aggregate(grouped).to_list():
        chain = row["_id"]
        first = collection.find_one({**_chain(chain), "at": {"$gte": before}}, sort=[("_id", 1)])
        last = None if first else collection.find_one(_chain(chain), sort=[("_id", -1)])
        if first is not None and first["n"]:
            found[chain] = (first["n"], first["prev"])
        elif last is not None:
            found[chain] = (last["n"] + 1, last["hash"])
    return found


def forget(collection: Collection[Row], chain: str, end: int) -> None:
    """Throws away the records of a chain before a place, from its beginning on."""
    while rows := collection.find(_chain(chain, end), {"_id": 1}).sort("_id", ASCENDING).limit(_AT_ONCE).to_list():
        collection.delete_many({"_id": {"$in": [row["_id"] for row in rows]}})


def _chain(chain: str, end: int | None = None) -> Row:
    return {"_id": {"$gte": f"{chain}.", "$lt": f"{chain}/" if end is None else f"{chain}.{end:010}"}}


def beyond(collection: Collection[Row], known: Mapping[str, int], since: datetime | None, count: int) -> list[Row]:
    """The records of each chain after the place that is known of it, each chain in its order, `count` at most in all.

    `since`: of chains that have a record of then or later; of all without.
    """
    found: list[Row] = []
    for chain, (n, _) in sorted(heads(collection, since).items()):
        begin = known.get(chain, -1) + 1
        if n >= begin and len(found) < count:
            asked = {"_id": {"$gte": f"{chain}.{begin:010}", "$lt": f"{chain}/"}}
            found += collection.find(asked).sort("_id", ASCENDING).limit(count - len(found)).to_list()
    return found
