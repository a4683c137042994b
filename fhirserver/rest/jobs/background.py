"""The background thread of a worker: takes jobs one after another, and throws away what is over."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

from fhirserver import jsontext
from fhirserver.access import Access
from fhirserver.errors import FhirError, Unavailable
from fhirserver.outcome import Issue, outcome
from fhirserver.rest.inner import FAULT
from fhirserver.rest.jobs import (
    deferred,
    deferring,
    export,
    exporting,
    portability,
    reindex,
    reindexing,
    shipped,
    verification,
)
from fhirserver.rest.operations.merge import followed
from fhirserver.store import Lost
from fhirserver.store.jobs import MOST_RUNS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from threading import Event

    from flask import Flask

    from fhirserver.rest.guides import Guide
    from fhirserver.rest.services import Services
    from fhirserver.rest.threads import Threads
    from fhirserver.store import Lease


class Work(Protocol):
    """Carries out a job from its position on; what it returns is the job's result."""

    def __call__(self, services: Services, lease: Lease) -> Mapping[str, Any]: ...


KINDS: Final[Mapping[str, Work]] = {
    export.KIND: exporting.carry_out,
    deferring.KIND: deferred.carry_out,
    portability.KIND: portability.carry_out,
    reindex.KIND: reindexing.carry_out,
    verification.KIND: verification.carry_out,
}
EVERY: Final = 1.0
"""Seconds between two looks for work."""
PURGE: Final = 60.0
ORPHANED: Final = timedelta(hours=1)
"""Age of a file whose owner was never stored."""
ABANDONED: Final = timedelta(days=1)
"""Age of a file that nobody has finished writing."""
LATE: Final = timedelta(minutes=10)
"""For so long after a merge, what came into the record while it was merged is looked for."""
_STOPPED: Final = "Workers of the server ended over this again and again; it was given up."
_log = logging.getLogger(__name__)


class Background:
    """What one worker does beside requests. What it was at when it ended, another worker resumes."""

    def __init__(self, app: Flask, services: Services) -> None:
        self._app, self._services = app, services
        self._next_purge = 0.0
        self._guide: Guide | None = None

    def start(self, threads: Threads) -> None:
        threads.begin("jobs", self._run)
        threads.begin("alive", self._say)

    def work(self, now: datetime | None = None) -> int:
        """Carries out all that waits (at a given moment); how many jobs it was."""
        count = 0
        self.tend()
        with self._app.app_context():
            while (lease := self._services.store.jobs.claim(now)) is not None:
                carry_out(self._services, lease)
                count += 1
        return count

    def tend(self) -> None:
        """Tells the other workers that this one is alive, and registers what added packages bring."""
        self._services.in_force.say()
        self._guide = shipped.register(self._services, self._guide)

    def purge(self) -> None:
        """Deletes the files and records of jobs that are kept no longer."""
        store = self._services.store
        for job in store.jobs.over(self._services.clock()):
            for file in store.files.owned(job.id):
                store.files.delete(file.id)
            store.jobs.forget(job.id)
        for source, target in store.merged_since(self._services.clock() - LATE):
            followed(self._services, source, target)
        store.files.sweep(datetime.now(UTC) - ABANDONED)
        store.files.sweep_ownerless(datetime.now(UTC) - ORPHANED, self._owned)

    def _owned(self, owner: str, file: str) -> bool:
        """Whether what a file was written for is there: a resource, or a document that waits."""
        type, _, id = owner.partition("/")
        if type == "quarantine":
            row = self._services.store.quarantine.find(id, None)
            return row is not None and row["file"] == file
        return self._services.store.view(Access.system("files without owner")).read(type, id) is not None

    def _say(self, ended: Event) -> None:
        """Apart from the jobs: one of them may take long."""
        while not ended.wait(EVERY):
            try:
                self._services.in_force.say()
            except FhirError:
                continue
            except Exception:
                _log.exception("unexpected fault in the background")

    def _run(self, ended: Event) -> None:
        while not ended.wait(EVERY):
            try:
                self.work()
                if time.monotonic() >= self._next_purge:
                    self._next_purge = time.monotonic() + PURGE
                    self.purge()
            except FhirError:  # the database is away
                continue
            except Exception:
                _log.exception("unexpected fault in the background")


def carry_out(services: Services, lease: Lease) -> None:
    """One job, to its end if it can be. What cannot be done now is left for another time."""
    job = lease.job
    try:
        with lease.kept():
            result = _result(services, lease)
        lease.end("done", result, services.clock() + timedelta(hours=services.settings.job_hours))
    except Lost:
        return
    except Unavailable:
        _log.warning("the job %s waits: the database is away", job.id)
        _let_go(lease)
    except FhirError as error:
        _fail(services, lease, error.status, jsontext.parse(jsontext.dump(outcome(error.issues))))
    except Exception:
        _log.exception("unexpected fault in the job %s", job.id)
        _fail(services, lease, 500, outcome([Issue("fatal", "exception", FAULT)]))


def _result(services: Services, lease: Lease) -> Mapping[str, Any]:
    if lease.job.runs > MOST_RUNS:
        raise FhirError(_STOPPED)
    return KINDS[lease.job.kind](services, lease)


def _fail(services: Services, lease: Lease, status: int, told: Any) -> None:
    kept = services.clock() + timedelta(hours=services.settings.job_hours)
    try:
        lease.end("failed", {"status": status, "outcome": told}, kept)
    except (Lost, FhirError):
        _log.warning("the job %s failed, and that could not be noted", lease.job.id)


def _let_go(lease: Lease) -> None:
    try:
        lease.release(5)
    except (Lost, FhirError):  # its lease will end
        return
