"""The search parameters that were added to the server, shared by its workers, and the epoch that tells of changes.

Each is a document of `parameters`: `source` (the SearchParameter resource, or the package, that it comes from),
`resource` (what of the SearchParameter counts), `digest` of that, and `usable`: whether all that is stored is indexed
by it. The epoch counts every change. `workers` holds, for each worker that is alive, the epoch by which it writes.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.store.envelope import FORMAT
from fhirserver.store.errors import translated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pymongo.client_session import ClientSession
    from pymongo.database import Database

Row = dict[str, Any]

COLLECTION: Final = "parameters"
WORKERS: Final = "workers"
EPOCH: Final = "|epoch"
ALIVE: Final = timedelta(seconds=15)
"""A worker that has said nothing for so long writes nothing any more: it would first look at the epoch."""


class Added(NamedTuple):
    """A search parameter that was added; `place` is its key: `SearchParameter/<id>` or `package|<canonical>`."""

    place: str
    source: str
    resource: Mapping[str, Any]
    digest: str
    usable: bool = False


class Registry:
    """The added search parameters of one database; within a transaction, with its session."""

    def __init__(self, database: Database[Row], session: ClientSession | None = None) -> None:
        self._parameters, self._workers = database[COLLECTION], database[WORKERS]
        self._session = session

    def epoch(self) -> int:
        """How often the added parameters have changed."""
        with translated():
            row = self._parameters.find_one({"_id": EPOCH}, session=self._session)
        return 0 if row is None else int(row["n"])

    def all(self) -> list[Added]:
        """All of them, by place."""
        rows = self._parameters.find({"_id": {"$ne": EPOCH}}, session=self._session).to_list()
        return [_added(row) for row in sorted(rows, key=lambda row: str(row["_id"]))]

    def put(self, added: Added) -> None:
        """Adds or replaces one; not `usable` until all is indexed anew."""
        row = {"_id": added.place, **added._asdict()}
        del row["place"]
        self._parameters.replace_one({"_id": added.place}, row, upsert=True, session=self._session)
        self._step()

    def drop(self, place: str) -> bool:
        """Takes one away. False when it is not there."""
        found = self._parameters.delete_one({"_id": place}, session=self._session).deleted_count
        if found:
            self._step()
        return bool(found)

    def indexed(self, done: Iterable[tuple[str, str]]) -> int:
        """Makes those usable, by place and digest, that are still what was indexed. How many."""
        with translated():
            changed = 0
            for place, digest in done:
                asked = {"_id": place, "digest": digest, "usable": False}
                changed += self._parameters.update_one(asked, {"$set": {"usable": True}}).modified_count
            if changed:
                self._step()
        return changed

    def say(self, worker: str, epoch: int) -> None:
        """A worker is alive, and everything that it writes from now on is indexed as of this epoch."""
        with translated():
            change = {"$set": {"epoch": epoch, "format": FORMAT, "at": datetime.now(UTC)}}
            self._workers.update_one({"_id": worker}, change, upsert=True)

    def behind(self, epoch: int) -> int:
        """How many workers that are alive may still write as of an earlier epoch."""
        with translated():
            rows = self._workers.find({}).to_list()
            now = datetime.now(UTC)
            for row in rows:
                if row["at"] < now - 10 * ALIVE:
                    self._workers.delete_one({"_id": row["_id"], "at": row["at"]})
        return sum(row["epoch"] < epoch and row["at"] >= now - ALIVE for row in rows)

    def older(self, written: int) -> int:
        """How many workers that are alive write an older format of envelopes."""
        with translated():
            rows = self._workers.find({"at": {"$gte": datetime.now(UTC) - ALIVE}}).to_list()
        return sum(row.get("format", 1) < written for row in rows)

    def _step(self) -> None:
        self._parameters.update_one({"_id": EPOCH}, {"$inc": {"n": 1}}, upsert=True, session=self._session)


class Writing:
    """The transactions of this process that are under way, by the epoch at which each began."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: Counter[int] = Counter()
        self.epoch = 0
        """That by which transactions which begin now index what they store."""

    @contextmanager
    def under_way(self) -> Iterator[None]:
        with self._lock:
            began = self.epoch
            self._running[began] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[began] -= 1

    def settled(self, epoch: int) -> bool:
        """Whether none is under way that began before an epoch."""
        with self._lock:
            return not any(count for began, count in self._running.items() if began < epoch and count)


def _added(row: Row) -> Added:
    return Added(row["_id"], row["source"], row["resource"], row["digest"], row["usable"])
