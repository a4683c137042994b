"""Work that outlives requests: one worker at a time holds a job's lease and goes on where the last one ended.

A job is `open` until it is `done`, `failed` or `cancelled`. Whoever holds the lease says so every third of it; when it
does not, another worker claims the job and resumes at the position that was saved last. Every write of a holder
depends on its still being the holder, so that one that was taken for dead changes nothing more.
Times here are real times, whatever the server's test clock says: they are between workers, not about records.
"""

from __future__ import annotations

import secrets
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pymongo import ASCENDING, DESCENDING, ReturnDocument

from fhirserver.errors import FhirError
from fhirserver.store.errors import translated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pymongo.database import Database

Row = dict[str, Any]

COLLECTION: Final = "jobs"
MOST_RUNS: Final = 5
"""Workers that may end over a job without its going on."""
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


class Lost(Exception):
    """The job is somebody else's now, or cancelled: stop, and write nothing more."""


class Job(NamedTuple):
    """`who`: the requester it is done for, None for the server itself; `asked`: what is to be done; `position`: where
    it goes on; `told`: its progress in words; `result`: what came of it; `at`: when it was asked for, by the server's
    clock; `kept`: until when its result is."""

    id: str
    kind: str
    who: Mapping[str, Any] | None
    asked: Mapping[str, Any]
    state: str
    at: datetime
    runs: int
    position: Mapping[str, Any]
    told: str
    result: Mapping[str, Any]
    kept: datetime | None


def document(
    kind: str, who: Mapping[str, Any] | None, asked: Mapping[str, Any], at: datetime, *, wait: float = 0.0
) -> Row:
    """A new job, to be stored; nobody begins it before `wait` seconds are over."""
    return {
        "_id": secrets.token_urlsafe(24),
        "kind": kind,
        "who": None if who is None else dict(who),
        "asked": dict(asked),
        "state": "open",
        "at": at,
        "lease": datetime.now(UTC) + timedelta(seconds=wait),
        "runs": 0,
        "position": {},
        "told": "waiting",
        "result": {},
    }


class Jobs:
    """The jobs of one database. `lease`: seconds after which a worker that says nothing has lost its job."""

    def __init__(self, database: Database[Row], lease: float) -> None:
        self._jobs = database[COLLECTION]
        self.lease = lease
        self._lock = threading.Lock()
        self._made = False

    def start(self, row: Mapping[str, Any]) -> Job:
        """Stores a new job (`document`)."""
        with translated():
            self.make()
            self._jobs.insert_one(dict(row))
        return _job(row)

    def find(self, id_: str) -> Job | None:
        with translated():
            row = self._jobs.find_one({"_id": id_})
        return None if row is None else _job(row)

    def open_for(self, who: Mapping[str, Any]) -> int:
        """How many jobs are not yet ended that a requester asked for."""
        with translated():
            self.make()
            return self._jobs.count_documents({"state": "open", "who": dict(who)})

    def waiting(self, kind: str) -> list[Job]:
        """The jobs of a kind that are not yet ended."""
        with translated():
            return [_job(row) for row in self._jobs.find({"state": "open", "kind": kind}).to_list()]

    def claim(self, now: datetime | None = None) -> Lease | None:
        """The job that waits longest, or whose worker says nothing any more; None when there is none."""
        now = now or datetime.now(UTC)
        holder = secrets.token_hex(8)
        with translated():
            self.make()
            row = self._jobs.find_one_and_update(
                {"state": "open", "lease": {"$lte": now}},
                {"$set": {"holder": holder, "lease": now + timedelta(seconds=self.lease)}, "$inc": {"runs": 1}},
                sort=[("lease", ASCENDING)],
                return_document=ReturnDocument.AFTER,
            )
        return None if row is None else Lease(self, _job(row), holder)

    def cancel(self, id_: str) -> bool:
        """Ends a job, and what came of it is kept no longer. False when there is none, or it was cancelled before."""
        change = {"$set": {"state": "cancelled", "kept": _EPOCH, "told": "cancelled"}}
        with translated():
            done = self._jobs.update_one({"_id": id_, "state": {"$ne": "cancelled"}}, change)
        return done.matched_count == 1

    def over(self, now: datetime) -> list[Job]:
        """The jobs whose result is not kept any longer, and which nobody can still be at."""
        with translated():
            rows = self._jobs.find({"state": {"$ne": "open"}, "kept": {"$lte": now}}).to_list()
        return [_job(row) for row in rows if row["lease"] <= datetime.now(UTC)]

    def counts(self) -> dict[str, int]:
        """How many there are by state."""
        with translated():
            rows = self._jobs.aggregate([{"$group": {"_id": "$state", "n": {"$sum": 1}}}]).to_list()
        return {str(row["_id"]): int(row["n"]) for row in rows}

    def latest(self, kind: str) -> Job | None:
        """The job of a kind that was asked for last."""
        with translated():
            row = self._jobs.find_one({"kind": kind}, sort=[("at", DESCENDING), ("_id", DESCENDING)])
        return None if row is None else _job(row)

    def forget(self, id_: str) -> None:
        with translated():
            self._jobs.delete_one({"_id": id_, "state": {"$ne": "open"}})

    def change(self, id_: str, holder: str, change: Row) -> None:
        """Changes a job for its holder. Raises Lost for any other."""
        with translated():
            done = self._jobs.update_one({"_id": id_, "holder": holder, "state": "open"}, {"$set": change})
        if done.matched_count != 1:
            raise Lost(id_)

    def make(self) -> None:
        with self._lock:
            if not self._made:
                self._jobs.create_index([("state", ASCENDING), ("lease", ASCENDING)], name="state")
                self._made = True


class Lease:
    """A job in the hands of this worker."""

    def __init__(self, jobs: Jobs, job: Job, holder: str) -> None:
        self._jobs, self.job, self._holder = jobs, job, holder
        self._lost = threading.Event()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Within it the lease is renewed, by a thread of its own: a step may take longer than the lease."""
        ended = threading.Event()
        beating = threading.Thread(target=self._beat, args=(ended,), name="job-lease", daemon=True)
        beating.start()
        try:
            yield
        finally:
            ended.set()
            beating.join()

    def check(self) -> None:
        """Raises Lost when the job was cancelled, or taken by another worker."""
        if self._lost.is_set():
            raise Lost(self.job.id)

    def save(self, position: Mapping[str, Any], told: str) -> None:
        """What is done so far: whoever resumes begins here. Raises Lost."""
        self._jobs.change(
            self.job.id,
            self._holder,
            {"position": dict(position), "told": told, "runs": 0, "lease": self._until()},
        )

    def end(self, state: str, result: Mapping[str, Any], kept: datetime) -> None:
        """`done` or `failed`, with what came of it. Raises Lost."""
        self._jobs.change(
            self.job.id, self._holder, {"state": state, "result": dict(result), "kept": kept, "lease": _EPOCH}
        )

    def release(self, wait: float = 0.0) -> None:
        """Gives the job back, to be resumed in `wait` seconds."""
        until = datetime.now(UTC) + timedelta(seconds=wait)
        self._jobs.change(self.job.id, self._holder, {"lease": until, "holder": ""})

    def _until(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._jobs.lease)

    def _beat(self, ended: threading.Event) -> None:
        while not ended.wait(self._jobs.lease / 3):
            try:
                self._jobs.change(self.job.id, self._holder, {"lease": self._until()})
            except Lost:
                self._lost.set()
                return
            except FhirError:  # the database is away: it may be back before the lease is over
                continue


def _job(row: Mapping[str, Any]) -> Job:
    return Job(
        row["_id"],
        row["kind"],
        row["who"],
        row["asked"],
        row["state"],
        row["at"],
        row["runs"],
        row["position"],
        row["told"],
        row["result"],
        row.get("kept"),
    )
