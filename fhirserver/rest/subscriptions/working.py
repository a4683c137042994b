"""The threads of a worker that follow what is stored, and deliver it.

All workers deliver; one of them follows. What a worker was at when it ended, another one takes up.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from fhirserver.errors import FhirError
from fhirserver.rest.subscriptions.delivering import Delivering
from fhirserver.rest.subscriptions.lanes import AT_ONCE, Lanes
from fhirserver.rest.subscriptions.receiving import compile_
from fhirserver.subscriptions.tailing import Tailer

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from fhirserver.rest.services import Services
    from fhirserver.rest.threads import Threads
    from fhirserver.subscriptions.tailing import Compile

EVERY: Final = 1.0
"""Seconds between two looks for what is due, unless something is known to be."""
SWEEP: Final = 3600.0
_log = logging.getLogger(__name__)


class Working:
    """What one worker does for subscribers. When it ends, it lets go of the stream of changes for another one."""

    def __init__(self, services: Services, delivering: Delivering | None = None) -> None:
        self._services, self._store = services, services.store
        self._wake = threading.Event()
        self._lanes = Lanes()
        self.delivering = delivering or Delivering(services)
        self.tailer = Tailer(self._store, self._compile, self._wake.set)
        self._next_sweep = 0.0

    def start(self, threads: Threads) -> None:
        threads.begin("subscriptions", self._deliver)
        threads.begin("changes", self._follow)

    def work(self, now: datetime | None = None) -> int:
        """All that there is to do now, or by a given moment; to how many it delivered. Raises Unavailable."""
        self.tailer.drain()
        return self.delivering.round(now)

    def sweep(self) -> int:
        """Throws away what is kept no longer; how much. Raises Unavailable."""
        return self._store.subscribers.sweep(datetime.now(UTC))

    def _compile(self) -> Compile:
        return lambda wanted: compile_(self._services, wanted)

    def _follow(self, ended: threading.Event) -> None:
        while not ended.is_set():
            try:
                if not self.tailer.step():
                    ended.wait(EVERY)
            except FhirError:  # the database is away
                ended.wait(EVERY)
            except Exception:
                _log.exception("unexpected fault in following what is stored")
                ended.wait(EVERY)
        self.tailer.end()

    def _deliver(self, ended: threading.Event) -> None:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="delivering") as pool:
            while not ended.is_set():
                self._wake.wait(EVERY)
                self._wake.clear()
                self._quietly(lambda: self._hand_out(pool))

    def _hand_out(self, pool: ThreadPoolExecutor) -> None:
        while self._lanes.free:
            besides, sound = self._lanes.excepted()
            row = self._store.subscribers.take(datetime.now(UTC), besides=besides, sound=sound)
            if row is None:
                break
            self._lanes.enter(row)
            pool.submit(self._one, row)
        if time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + SWEEP
            self.sweep()

    def _one(self, row: dict[str, Any]) -> None:
        entered, taken = dict(row), True

        def deliver() -> None:
            nonlocal taken
            taken = self.delivering.deliver(row)

        try:
            self._quietly(deliver)
        finally:
            self._lanes.leave(entered, failed=not taken)
            self._wake.set()

    def _quietly(self, work: Callable[[], object]) -> None:
        try:
            work()
        except FhirError:  # the database is away
            return
        except Exception:
            _log.exception("unexpected fault in delivering notifications")
