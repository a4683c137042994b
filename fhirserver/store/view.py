"""The store narrowed to what one requester may see: the only way to read.

Every read is an aggregation with the access predicate in a `$match` stage of its own. By id, the patient whose policy
counts is not known beforehand: it is located first, without looking at anything else. What is absent, hidden or deleted
takes the same steps, over the same collections, with a patient that nobody is in place of one that is not there.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from pymongo.errors import OperationFailure

from fhirserver.access import settled
from fhirserver.predicate import TRUE, Predicate, any_of, to_mongo
from fhirserver.search import SortKey, pipeline
from fhirserver.store import bodies, includes, joins, traces
from fhirserver.store.actors import POLICIES
from fhirserver.store.collections import HISTORY, listed
from fhirserver.store.envelope import UNREAD, Page, Stored, decode, history_key, unpacked
from fhirserver.store.errors import translated
from fhirserver.store.moment import Moment
from fhirserver.store.timeline import Timeline, merged, windows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from pymongo.client_session import ClientSession
    from pymongo.collection import Collection

    from fhirserver.access import Access
    from fhirserver.search.query import Query
    from fhirserver.store.collections import Collections
    from fhirserver.store.timeline import Place, Span
    from fhirserver.store.traces import Traces

Row = dict[str, Any]

NOBODY: Final = "|"
"""A patient id that no patient has: `|` may not stand in an id."""
_AT_ONCE: Final = 100
"""Rows of a page that is read together with its total."""
_TOO_LARGE: Final = frozenset({10334, 17419, 17420, 4031700})
"""Codes of what does not fit into one document."""
_PATIENTS: Final = {"$project": {"_id": 0, "pat": 1, "patx": 1}}

_WITH_POLICIES: Final[tuple[Row, ...]] = (
    {
        "$project": {
            "pat": 1,
            "patx": 1,
            "whose": {"$concatArrays": [[{"$ifNull": ["$pat", NOBODY]}], {"$ifNull": ["$patx", []]}]},
        }
    },
    {"$lookup": {"from": POLICIES, "localField": "whose", "foreignField": "_id", "as": "policies"}},
    {"$project": {"_id": 0, "pat": 1, "patx": 1, "policies._id": 1, "policies.stamp": 1}},
)


class Judge(Protocol):
    """What may be seen: the access rules compiled with the policies of the patients concerned."""

    def predicate(
        self,
        access: Access,
        resource_type: str,
        patients: frozenset[str] | None,
        session: ClientSession | None,
        moment: Moment | None,
    ) -> Predicate: ...


class View:
    """What `access` may see, at the moment of each call; within a transaction, as its snapshot has it."""

    _by_id: ClassVar[str] = "r"
    """The letters of scopes (SMART App Launch 2) one of which lets read by id, and by type: search, and its history."""
    _by_type: ClassVar[str] = "s"
    _content: ClassVar[Row] = {"$project": {"t": 0, "was": 0, **UNREAD}}

    def __init__(
        self, collections: Collections, judge: Judge, access: Access, session: ClientSession | None = None
    ) -> None:
        self._collections, self._judge = collections, judge
        self._access, self._session = access, session
        self._moment: Moment | None = None

    def read(self, type_: str, id_: str) -> Stored | None:
        """The current version; a tombstone when it was deleted; None when absent or hidden."""
        with self._errors():
            row = self._row(type_, id_)
            return None if row is None else self._stored(type_, [row])[0]

    def vread(self, type_: str, id_: str, version: int) -> Stored | None:
        """One version, judged by the policy of now; None when absent or hidden.

        Its own access data and that of the newest version must both let it be seen: what is masked today was not
        masked when its older versions were written.
        """
        with self._errors():
            newest = self._row(type_, id_)
            if newest is not None and newest["v"] == version:
                return self._stored(type_, [newest])[0]
            history = self._collections.history(type_)
            stages = [{"$match": {"_id": history_key(id_ if newest is not None else NOBODY, version)}}]
            guard = self._guard(type_, self._located(history, stages))
            rows = self._run(history, [*stages, guard, self._content])
            return self._stored(type_, rows)[0] if rows and newest is not None else None

    def history(self, type_: str, id_: str, count: int, before: int | None = None) -> Page:
        """Versions of one resource, newest first, those below `before`; each judged as by `vread`.

        `total` counts all that are visible; `after` is `(version,)`, to be given as `before`.
        """
        with self._still() as still:
            still._moment = None  # what was read once is not read again: of a hidden one that is another policy's
            return still._versions(type_, id_, count, before)

    def timeline(
        self, types: Iterable[str], span: Span, count: int, after: Place | None = None, *, id_: str | None = None
    ) -> Page:
        """What happened to the resources of these types, or to the one with that id, newest first, without a total.

        `after` is the place of the last entry of the page before.
        """
        names = set(self._collections.database.list_collection_names())
        with self._still() as still:
            there = [each for each in types if names & {each, f"{each}{HISTORY}"}]
            lines = [still._line(each, id_) for each in there]
            top = span if after is None else span._replace(end=_after(after, span.end))
            landmarks = self._collections.landmarks(there)
            pieces = [span] if id_ is not None else windows(top, self._access.now, landmarks)
            found, met = merged(lines, pieces, count, after)
            self._collections.remember(met)
            page = still._several([(place[1], row) for place, row in found[:count]])
        return Page(page, None, found[count - 1][0] if len(found) > count > 0 else None)

    def _line(self, type_: str, id_: str | None) -> Timeline:
        current, history = self._pair(type_)
        if id_ is None:
            guard = {"$match": to_mongo(self._predicate(type_, None, self._by_type))}
        else:
            now, past = [{"$match": {"_id": id_}}], [{"$match": {"id": id_}}]
            guard = self._guard(type_, self._located(current, now) | self._located(history, past))
        return Timeline(type_, current, history, self._run, guard, id_)

    def search(self, query: Query, after: tuple[Any, ...] | None = None) -> Page:
        """One page of matches. A total, when asked for, is counted in the same snapshot as the page."""
        if query.total == "none" and query.count and not query.joins and not query.includes:
            with self._errors():
                return self._matches(query, after)
        with self._still() as still:
            return still._matches(query, after)

    def walk(self, query: Query, after: str, window: int) -> tuple[list[str], str | None]:
        """A stretch of a walk by id over all that matches: the ids, and where it ends; None: it was the last.

        It looks at `window` resources of the type, of which few or none may match. A query without joins.
        """
        collection = self._collections.current(query.type)
        with self._errors():
            ids = listed(collection, after, window, self._session)
            if not ids:
                return [], None
            stages = [{"$match": {"_id": {"$gt": after, "$lte": ids[-1]}}}]
            stages += pipeline.matched(query, self._sight(query, query.named))
            rows = self._run(collection, [*stages, {"$project": {"_id": 1}}])
            return sorted(row["_id"] for row in rows), ids[-1] if len(ids) == window else None

    def still(self, type_: str, ids: Iterable[str]) -> frozenset[str]:
        """Those of the ids whose resources may be seen now, by reading or by a search."""
        current = self._collections.current(type_)
        stages = [{"$match": {"_id": {"$in": sorted(ids)}}}]
        with self._errors():
            located = self._located(current, stages) or frozenset({NOBODY})
            guard = {"$match": to_mongo(self._predicate(type_, located, "rs"))}
            return frozenset(row["_id"] for row in self._run(current, [*stages, guard, {"$project": {"_id": 1}}]))

    def search_together(self, queries: Sequence[Query], after: tuple[Any, ...] | None = None) -> Page:
        """One page of what searches of different types, alike in all else, find: by their sort keys, id and type."""
        there = self.types()
        with self._still() as still:
            return still._together([query for query in queries if query.type in there], after)

    def types(self) -> frozenset[str]:
        """The resource types of which something was ever stored, whoever may see it: what else is, need not be read."""
        with self._errors():
            return self._collections.types()

    def count(self, query: Query) -> int:
        """How many resources match, of those that may be seen."""
        with self._still() as still:
            query = joins.resolved(query, still._look)
            return _number(still._look(query, query.named, [{"$count": "n"}]))

    def patients(self, query: Query, most: int) -> frozenset[str]:
        """In whose records what matches is; none where they are more than `most`."""
        with self._still() as still:
            query = joins.resolved(query, still._look)
            stages = pipeline.matched(query, still._sight(query, query.named))
            stages += [{"$match": {"pat": {"$exists": True}}}, {"$group": {"_id": "$pat"}}, {"$limit": most + 1}]
            rows = still._run(still._collections.current(query.type), stages)
            return frozenset(row["_id"] for row in rows) if len(rows) <= most else frozenset()

    def _look(self, query: Query, named: frozenset[str], stages: Sequence[Row], *, bounded: bool = False) -> list[Row]:
        """What matches, of that which may be seen, and then the stages: the eyes of joins and includes."""
        collection = self._collections.current(query.type)
        return self._run(collection, [*pipeline.matched(query, self._sight(query, named, bounded, "rs")), *stages])

    def _sight(
        self, query: Query, named: frozenset[str], bounded: bool = False, letters: str | None = None
    ) -> Predicate:
        """The access of a search.

        A request may see more of the patients whom it names than of others. Where the candidates are few and theirs,
        or nobody's, nobody else's policy counts. `letters`: what the scopes must grant one of, a search if not told.
        """
        letters = letters or self._by_type
        if query.patients is not None:
            return self._seen(query.type, query.patients, letters)
        if settled(self._access, query.type) is None and self._collections.of_patients(query.type) and bounded:
            located = self._located(self._collections.current(query.type), pipeline.matched(query, TRUE))
            if located <= named:
                return self._seen(query.type, located or frozenset({NOBODY}), letters)
        seen = self._seen(query.type, None, letters)
        return any_of((seen, self._seen(query.type, named, letters))) if named else seen

    def _predicate(self, type_: str, patients: frozenset[str] | None, letters: str) -> Predicate:
        return self._judge.predicate(self._access.to(letters), type_, patients, self._session, self._moment)

    def _seen(self, type_: str, patients: frozenset[str] | None, letters: str) -> Predicate:
        """The predicate of a search, whose steps may ask for the same: by a view that is held still, once."""
        if self._moment is None:
            return self._predicate(type_, patients, letters)
        key, known = (type_, patients, letters), self._moment.predicates
        if key not in known:
            known[key] = self._predicate(type_, patients, letters)
        return known[key]

    def _matches(self, query: Query, after: tuple[Any, ...] | None) -> Page:
        query = joins.resolved(query, self._look)
        if query.traced and not query.sort:
            query = replace(query, sort=(SortKey("s.date.hi", descending=True),))
        collection = self._collections.current(query.type)
        access = self._sight(query, query.named)
        rows, total = self._page(collection, query, access, after)
        more = len(rows) > query.count > 0
        page = rows[: query.count]
        position = pipeline.position(query, page[-1]) if more else None
        extra = includes.Includes([query], self._look)
        found = extra.gather([(query.type, row) for row in page])
        return Page(self._stored(query.type, page), total, position, self._several(found), extra.names)

    def _together(self, queries: Sequence[Query], after: tuple[Any, ...] | None) -> Page:
        queries = [joins.resolved(query, self._look) for query in queries]
        found: list[tuple[Query, Row]] = []
        totals: list[int | None] = []
        for query in queries:
            collection, access = self._collections.current(query.type), self._sight(query, query.named)
            began = (after[:-1], query.type > after[-1]) if after is not None else (None, False)
            rows, total = self._page(collection, query, access, *began)
            found += [(query, row) for row in rows]
            totals.append(total)
        found.sort(key=lambda each: pipeline.place(*each))
        count = queries[0].count if queries else 0
        page = found[:count]
        last = (*pipeline.position(*page[-1]), page[-1][0].type) if len(found) > count > 0 else None
        extra = includes.Includes(queries, self._look)
        matches = [(query.type, row) for query, row in page]
        brought = self._several(extra.gather(matches))
        whole = None if None in totals else sum(each or 0 for each in totals)
        return Page(self._several(matches), whole, last, brought, extra.names)

    def _page(
        self,
        collection: Collection[Row],
        query: Query,
        access: Predicate,
        after: tuple[Any, ...] | None,
        at: bool = False,
    ) -> tuple[list[Row], int | None]:
        """The rows of the page, one more when there is another, and the total when it is asked for."""
        rows, total = self._of_collection(collection, query, access, after, at)
        if not query.traced or self._collections.traces is None:
            return rows, total
        told, count = self._traced(self._collections.traces, query, access, after, at)
        rows = sorted([*rows, *told], key=lambda row: pipeline.place(query, row))
        return rows[: query.count + 1], None if total is None else total + count

    def _traced(
        self, kept: Traces, query: Query, access: Predicate, after: tuple[Any, ...] | None, at: bool
    ) -> tuple[list[Row], int]:
        """As `_page`, of the traces that are shown as AuditEvents."""
        asked = self._unseen(kept.touched(self._access, (), query.where))
        known = traces.Known(kept.absorbed(self._access, self._session), asked)
        stages = kept.page(self._access, query, access, known, after, at=at)
        run = partial(self._run, kept.collection)
        found = kept.newest(self._access, known, query, after, stages, run) if query.count else []
        told = known._replace(hidden=self._unseen(kept.touched(self._access, found)))
        rows = [kept.shown(self._access, row, told, terms=bool(query.includes)) for row in found]
        if query.total == "none" or (after is None and 0 < query.count >= len(rows)):
            return rows, len(rows)
        return rows, self._count(kept.collection, kept.matched(self._access, query, access, known))

    def _of_collection(
        self, collection: Collection[Row], query: Query, access: Predicate, after: tuple[Any, ...] | None, at: bool
    ) -> tuple[list[Row], int | None]:
        if query.patients is not None and query.total != "none" and 0 < query.count <= _AT_ONCE:
            try:
                (both,) = self._run(collection, pipeline.counted(query, access, after, at=at))
                return both["page"], _number(both["n"])
            except OperationFailure as error:
                if error.code not in _TOO_LARGE:
                    raise
        rows = self._run(collection, pipeline.page(query, access, after, at=at)) if query.count else []
        if query.count and (query.total == "none" or (len(rows) <= query.count and after is None)):
            return rows, None if query.total == "none" else len(rows)
        return rows, _number(self._run(collection, pipeline.count(query, access)))

    def _several(self, found: Sequence[tuple[str, Row]]) -> list[Stored]:
        """Rows of several types, in their order."""
        by_type: dict[str, list[Row]] = {}
        for type_, row in found:
            by_type.setdefault(type_, []).append(row)
        stored = {
            (type_, row["_id"]): each
            for type_, rows in by_type.items()
            for row, each in zip(rows, self._stored(type_, rows), strict=True)
        }
        return [stored[type_, row["_id"]] for type_, row in found]

    def _versions(self, type_: str, id_: str, count: int, before: int | None) -> Page:
        current, history = self._pair(type_)
        newest = self._row(type_, id_)
        wanted = id_ if newest is not None else NOBODY
        now, past = [{"$match": {"_id": wanted}}], [{"$match": {"id": wanted}}]
        guard = self._guard(type_, self._located(current, now) | self._located(history, past))
        older: list[Row] = [{"$match": {"v": {"$lt": before}}}] if before is not None else []
        rows = self._run(current, [*now, guard, *older, self._content])
        rows += self._run(history, [*past, guard, *older, {"$sort": {"v": -1}}, {"$limit": count + 1}])
        total = len(rows)
        if before is not None or total > count:
            total = self._count(current, [*now, guard]) + self._count(history, [*past, guard])
        if newest is None:
            return Page([], 0, None)
        page = rows[:count]
        after = (page[-1]["v"],) if page and len(rows) > count else None
        return Page(self._stored(type_, page), total, after)

    def _row(self, type_: str, id_: str) -> Row | None:
        """The current envelope or the newest tombstone, guarded, without search entries."""
        if traces.is_trace(type_, id_) and self._collections.traces is not None:
            return self._trace(self._collections.traces, id_)
        current, history = self._pair(type_)
        stages = [{"$match": {"_id": id_}}]
        if rows := self._run(current, [*stages, self._guard_of(type_, id_), self._content]):
            return rows[0]
        return self._tombstone(type_, id_, history, self._run(current, [*stages, {"$project": {"_id": 1}}]))

    def _guard_of(self, type_: str, id_: str) -> Row:
        """The guard of one current resource: its patients, and the stamps of their policies, in one look.

        Not for who has a record himself, whose own policy counts whatever is found: what is hidden would take a look
        less than what is absent.
        """
        if type_ == "Patient":
            return self._guard(type_, frozenset({id_}))
        current, stages = self._collections.current(type_), [{"$match": {"_id": id_}}]
        if self._moment is not None or self._access.requester.kind not in ("practitioner", "system"):
            return self._guard(type_, self._located(current, stages))
        if not self._collections.of_patients(type_) or settled(self._access, type_) is not None:
            return self._guard(type_, frozenset())
        rows = self._run(current, [*stages, *_WITH_POLICIES])
        patients = frozenset(_patients(rows)) or frozenset({NOBODY})
        stamps = {each["_id"]: each["stamp"] for row in rows for each in row["policies"]}
        moment = Moment({each: stamps.get(each) for each in patients})
        seen = self._judge.predicate(self._access.to(self._by_id), type_, patients, self._session, moment)
        return {"$match": to_mongo(seen)}

    def _trace(self, kept: Traces, id_: str) -> Row | None:
        located = frozenset[str]()
        if settled(self._access, traces.TYPE) is None:
            found = self._run(kept.collection, [{"$match": {"_id": id_}}, {"$project": {"pats": 1}}])
            located = frozenset(each for row in found for each in row.get("pats", ())) or frozenset({NOBODY})
        seen = self._predicate(traces.TYPE, located, self._by_id)
        known = traces.Known(kept.absorbed(self._access, self._session))
        rows = self._run(kept.collection, kept.by_id(self._access, seen, id_, known))
        known = known._replace(hidden=self._unseen(kept.touched(self._access, rows)))
        return kept.shown(self._access, rows[0], known) if rows else None

    def _unseen(self, names: Iterable[str]) -> frozenset[str]:
        """Those of the resources (`Type/id`) that are absent or hidden now."""
        by_type: dict[str, set[str]] = {}
        for type_, _, id_ in (each.partition("/") for each in names):
            by_type.setdefault(type_, set()).add(id_)
        there = self._collections.types() if by_type else frozenset()
        found: set[str] = set()
        for type_, ids in by_type.items():
            seen = self.still(type_, ids) if type_ in there else frozenset()
            found.update(f"{type_}/{each}" for each in ids - seen if type_ not in there or not self._row(type_, each))
        return frozenset(found)

    def _tombstone(self, type_: str, id_: str, history: Collection[Row], hidden: Sequence[Row]) -> Row | None:
        """The newest tombstone; of a hidden resource, None after as much work."""
        stages: list[Row] = [
            {"$match": {"id": NOBODY if hidden else id_}},
            {"$sort": {"v": -1}},
            {"$limit": 1},
            {"$match": {"del": True}},
        ]
        guard = self._guard(type_, self._located(history, stages))
        rows = self._run(history, [*stages, guard])
        return rows[0] if rows else None

    def _pair(self, type_: str) -> tuple[Collection[Row], Collection[Row]]:
        return self._collections.current(type_), self._collections.history(type_)

    def _located(self, collection: Collection[Row], stages: Sequence[Row]) -> frozenset[str]:
        """The patients of what the stages find; none where no policy counts, for the type or for the requester."""
        type_ = collection.name.removesuffix(HISTORY)
        if not self._collections.of_patients(type_) or settled(self._access, type_) is not None:
            return frozenset()
        return frozenset(_patients(self._run(collection, [*stages, _PATIENTS])))

    def _guard(self, type_: str, patients: frozenset[str]) -> Row:
        if not patients and self._collections.of_patients(type_):
            patients = frozenset({NOBODY})
        return {"$match": to_mongo(self._predicate(type_, patients, self._by_id))}

    def _run(self, collection: Collection[Row], stages: Iterable[Row]) -> list[Row]:
        suited = self._collections.suited(stages)
        return collection.aggregate(suited, self._session, maxTimeMS=self._collections.milliseconds).to_list()

    def _count(self, collection: Collection[Row], stages: Iterable[Row]) -> int:
        return _number(self._run(collection, [*stages, {"$count": "n"}]))

    def _stored(self, type_: str, rows: list[Row]) -> list[Stored]:
        bodies.join(type_, rows, self._collections.database[bodies.COLLECTION], self._session)
        return [decode(type_, row, unpacked(row)) for row in rows]

    @contextmanager
    def _still(self) -> Iterator[View]:
        """This view held at one moment: all its reads see the same snapshot."""
        if self._session is not None:
            yield self
            return
        with translated(), self._collections.database.client.start_session(snapshot=True) as session:
            still = View(self._collections, self._judge, self._access, session)
            still._moment = self._moment or Moment()
            yield still

    def _errors(self) -> AbstractContextManager[None]:
        """Inside a transaction the driver's errors go up to `Store.transact`, which may run the work again."""
        return nullcontext() if self._session is not None else translated()


class Steady(View):
    """A view for what is answered together, such as a page of several searches: these read the policies once.

    What is read by id reads them each time: else what is hidden would take another number of steps than what is absent.
    """

    def __init__(self, collections: Collections, judge: Judge, access: Access) -> None:
        super().__init__(collections, judge, access)
        self._searching = View(collections, judge, access)
        self._searching._moment = Moment()

    def search(self, query: Query, after: tuple[Any, ...] | None = None) -> Page:
        return self._searching.search(query, after)


def _after(after: Place, end: datetime | None) -> datetime:
    """The end of what comes after a place: entries of the same moment may."""
    following = after[0] + timedelta(milliseconds=1)
    return following if end is None else min(end, following)


def _number(rows: Sequence[Row]) -> int:
    return int(rows[0]["n"]) if rows else 0


def _patients(rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        if "pat" in row:
            yield row["pat"]
        yield from row.get("patx", ())
