"""What happened to the resources of one type or of several, newest first, as far as it may be seen.

Time is walked backwards in windows that grow until the page is full: a window is a range of the index by time, and
costs what is in it, also where the database would read all before it sorts.

An entry is shown when it may be seen by its own access data and the resource's newest version by its own: what is
masked today was not masked when its older versions were written. Entries are ordered by the moment of their storing,
then by type, id and version, which is also where a page begins.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from fhirserver.errors import BadRequest
from fhirserver.store.envelope import UNREAD, history_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from pymongo.collection import Collection

Row = dict[str, Any]
Place = tuple["datetime", str, str, int]
"""Moment, type, id and version of an entry."""

Entry = tuple[Place, Row]

MOST_LOOKED: Final = 100
"""Batches of superseded versions that one page may cost."""
FIRST: Final = timedelta(seconds=1)
"""Length of the first window."""
WIDER: Final = 4
_LONG: Final = timedelta(minutes=1)
_WIDEST: Final = timedelta(days=3650)
"""Beyond it, the last window has no beginning."""
_CONTENT: Final = {"$project": {"t": 0, **UNREAD}}


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
            seen = self._seen(rows)
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

    def _seen(self, rows: Sequence[Row]) -> set[str]:
        """Those ids whose newest version may be seen: the current one, or the tombstone where there is none."""
        known: dict[str, int] = {}
        for row in rows:
            known[row["id"]] = max(row["v"], known.get(row["id"], 0))
        if not known:
            return set()
        here: Row = {"$match": {"_id": {"$in": sorted(known)}}}
        bare: Row = {"$project": {"_id": 1}}
        seen = {row["_id"] for row in self._run(self._current, [here, self._guard, bare])}
        for row in self._run(self._current, [here, bare]):
            known.pop(row["_id"])
        if not known:
            return seen
        keys = sorted(history_key(id_, version) for id_, version in self._last(known).items())
        last: list[Row] = [{"$match": {"_id": {"$in": keys}}}, self._guard, {"$project": {"id": 1}}]
        return seen | {row["id"] for row in self._run(self._history, last)}

    def _last(self, known: dict[str, int]) -> dict[str, int]:
        """The last versions of what was deleted, from versions that there are: they have no gaps, so the keys of the
        next are asked for, which every database finds by its index.
        """
        last, ahead = dict(known), 2
        asked = set(known)
        while asked:
            keys = sorted(history_key(id_, last[id_] + step) for id_ in asked for step in range(1, ahead + 1))
            stages: list[Row] = [{"$match": {"_id": {"$in": keys}}}, {"$project": {"id": 1, "v": 1}}]
            before = {id_: last[id_] for id_ in asked}
            for row in self._run(self._history, stages):
                last[row["id"]] = max(row["v"], last[row["id"]])
            asked = {id_ for id_ in asked if last[id_] == before[id_] + ahead}
            ahead = min(2 * ahead, 64)
        return last

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


def merged(
    timelines: Sequence[Timeline], windows: Iterable[Span], count: int, after: Place | None
) -> tuple[list[Entry], list[Place]]:
    """The first `count` + 1 entries of several types, and the newest of each long window: landmarks of later walks.

    `windows` follow one another, the newest first.
    """
    found: list[Entry] = []
    landmarks: list[Place] = []
    for window in windows:
        here = [entry for each in timelines for entry in each.page(window, count + 1, after)]
        long = window.since is None or window.end is None or window.end - window.since > _LONG
        if here and long:
            landmarks.append(max(place for place, _ in here))
        found += here
        if len(found) > count:
            break
    return sorted(found, key=lambda entry: entry[0], reverse=True)[: count + 1], landmarks


def windows(span: Span, now: datetime, landmarks: Iterable[datetime] = ()) -> Iterator[Span]:
    """The span in pieces, the newest first; `landmarks`: where something is known to have happened after a pause.

    The first piece has no end but the span's own: what is stored meanwhile lies in it, whatever the clocks say.
    """
    end, top = span.end, now if span.end is None else span.end
    ahead = sorted(each for each in landmarks if each <= top)
    length = FIRST
    while length < _WIDEST:
        start = top - length
        if ahead and start < ahead[-1]:
            start, length = ahead[-1] - FIRST, FIRST
            while ahead and start < ahead[-1]:
                ahead.pop()
        if span.since is not None and start <= span.since:
            break
        yield span._replace(since=start, end=end)
        end = top = start
        length *= WIDER
    yield span._replace(end=end)
