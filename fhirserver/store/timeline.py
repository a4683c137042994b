"""What happened to the resources of one type or of several, newest first, as far as it may be seen.

An entry is shown when it may be seen by its own access data and the resource's newest version by its own: what is
masked today was not masked when its older versions were written. Entries are ordered by the moment of their storing,
then by type, id and version, which is also where a page begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from fhirserver.errors import BadRequest
from fhirserver.store.envelope import history_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from pymongo.collection import Collection

Row = dict[str, Any]
Place = tuple["datetime", str, str, int]
"""Moment, type, id and version of an entry."""

MOST_LOOKED: Final = 100
"""Batches of superseded versions that one page may cost."""
_CONTENT: Final = {"$project": {"t": 0, "d": 0, "s": 0, "doc": 0, "made": 0}}


class Span(NamedTuple):
    """Entries stored at or after `since`; versions that were current at some time from `start` up to `end`."""

    since: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None


class Run(Protocol):
    def __call__(self, collection: Collection[Row], stages: Iterable[Row]) -> list[Row]: ...


class Timeline:
    """The entries of one type: `of` are stages that narrow current versions and history, `guard` is the access."""

    def __init__(
        self,
        type_: str,
        current: Collection[Row],
        history: Collection[Row],
        run: Run,
        guard: Row,
        only: str | None = None,
    ) -> None:
        self._type, self._current, self._history, self._run, self._guard = type_, current, history, run, guard
        self._only = only

    def page(self, span: Span, size: int, after: Place | None) -> list[tuple[Place, Row]]:
        """The first `size` entries after a place."""
        now = [(self._place(row), row) for row in self._batch(self._current, "_id", span, size, after)]
        past: list[tuple[Place, Row]] = []
        for place, row in self._superseded(span, size, after):
            past.append((place, row))
            if len(past) == size:
                break
        return sorted(now + past, key=lambda each: each[0], reverse=True)[:size]

    def _superseded(self, span: Span, size: int, after: Place | None) -> Iterator[tuple[Place, Row]]:
        for _ in range(MOST_LOOKED):
            rows = self._batch(self._history, "id", span, size, after)
            seen = self._seen({row["id"] for row in rows})
            ended = self._ended(rows, span)
            for row in rows:
                if row["id"] in seen and row["_id"] not in ended:
                    yield self._place(row), row
            if len(rows) < size:
                return
            after = self._place(rows[-1])
        raise BadRequest("The history has too much between its entries: narrow _since or _at.", code="too-costly")

    def _batch(self, collection: Collection[Row], id_: str, span: Span, size: int, after: Place | None) -> list[Row]:
        """Entries that may be seen by themselves, newest first."""
        bounds, residual = self._bounds(span, after, id_)
        stages: list[Row] = [{"$match": {id_: self._only}}] if self._only else []
        if bounds:
            stages.append({"$match": {"lu": bounds}})
        stages += [residual] if residual else []
        order = {"lu": -1, id_: -1, "v": -1} if id_ == "id" else {"lu": -1, "_id": -1}
        return self._run(collection, [*stages, self._guard, {"$sort": order}, {"$limit": size}, _CONTENT])

    def _bounds(self, span: Span, after: Place | None, id_: str) -> tuple[Row, Row | None]:
        bounds: Row = {}
        residual = None
        if span.since is not None:
            bounds["$gte"] = span.since
        if span.end is not None:
            bounds["$lt"] = span.end
        if after is not None:
            moment, type_, last, version = after
            if span.end is None or moment < span.end:
                bounds.pop("$lt", None)
                bounds["$lte" if self._type <= type_ else "$lt"] = moment
            if self._type == type_:
                earlier = [{"lu": {"$lt": moment}}, {id_: {"$lt": last}}, {id_: last, "v": {"$lt": version}}]
                residual = {"$match": {"$or": earlier}}
        return bounds, residual

    def _seen(self, ids: set[str]) -> set[str]:
        """Those ids whose newest version may be seen: the current one, or the tombstone where there is none."""
        if not ids:
            return set()
        here: Row = {"$match": {"_id": {"$in": sorted(ids)}}}
        bare: Row = {"$project": {"_id": 1}}
        seen = {row["_id"] for row in self._run(self._current, [here, self._guard, bare])}
        gone = sorted(ids - {row["_id"] for row in self._run(self._current, [here, bare])})
        if not gone:
            return seen
        newest: list[Row] = [{"$match": {"id": {"$in": gone}}}, {"$group": {"_id": "$id", "v": {"$max": "$v"}}}]
        keys = [history_key(row["_id"], row["v"]) for row in self._run(self._history, newest)]
        last: list[Row] = [{"$match": {"_id": {"$in": sorted(keys)}}}, self._guard, {"$project": {"id": 1}}]
        return seen | {row["id"] for row in self._run(self._history, last)}

    def _ended(self, rows: Sequence[Row], span: Span) -> set[str]:
        """Keys of those that were over before the span began."""
        if span.start is None:
            return set()
        early = [row for row in rows if row["lu"] < span.start]
        next_ = {history_key(row["id"], row["v"] + 1): row["_id"] for row in early}
        ended = {row["_id"] for row in early if row.get("del")}
        wanted: list[Row] = [{"$match": {"_id": {"$in": sorted(next_)}}}, {"$project": {"lu": 1}}]
        after = {next_[row["_id"]]: row["lu"] for row in self._run(self._history, wanted)} if next_ else {}
        ids = sorted({row["id"] for row in early})
        wanted = [{"$match": {"_id": {"$in": ids}}}, {"$project": {"lu": 1, "v": 1}}]
        for row in self._run(self._current, wanted) if ids else ():
            key = next_.get(history_key(row["_id"], row["v"]))
            if key is not None:
                after[key] = row["lu"]
        return ended | {key for key, moment in after.items() if moment <= span.start}

    def _place(self, row: Row) -> Place:
        return row["lu"], self._type, str(row.get("id", row["_id"])), row["v"]


def merged(timelines: Iterable[Timeline], span: Span, count: int, after: Place | None) -> list[tuple[Place, Row]]:
    """The first `count` + 1 entries of several types."""
    found: list[tuple[Place, Row]] = []
    for each in timelines:
        found += each.page(span, count + 1, after)
        found = sorted(found, key=lambda entry: entry[0], reverse=True)[: count + 1]
    return found
