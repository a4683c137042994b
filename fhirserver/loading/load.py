"""Loads files into a server with several connections; stops clean, goes on where it stopped, tells what was refused."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from fhirserver import jsontext
from fhirserver.loading.sender import Sender, ServerAway
from fhirserver.loading.sources import Item, Unreadable, items

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import TextIO

    from fhirserver.loading.journal import Journal

_AHEAD: Final = 4
"""Items read ahead for each connection: memory stays flat whatever the files' size."""


@dataclass
class Tally:
    """What a run did; `refused` counts reasons, shortened."""

    stored: int = 0
    skipped: int = 0
    rejected: int = 0
    began: float = field(default_factory=time.monotonic)
    refused: Counter[str] = field(default_factory=Counter)
    away: str = ""

    @property
    def rate(self) -> float:
        """Resources stored a second."""
        return self.stored / max(time.monotonic() - self.began, 1e-6)


class Loader:
    """One run. `progress` is called with each file that has been read and answered for."""

    def __init__(
        self,
        base: str,
        token: str,
        journal: Journal,
        rejected: TextIO,
        *,
        connections: int,
        progress: Callable[[], object],
    ) -> None:
        self._base, self._token = base, token
        self._journal, self._rejected = journal, rejected
        self._connections, self._progress = connections, progress
        self._queue: queue.Queue[Item | None] = queue.Queue(connections * _AHEAD)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.tally = Tally()

    def run(self, files: Sequence[Path]) -> Tally:
        """Sends all that the files hold. What was acknowledged before is skipped."""
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self._connections)]
        for thread in threads:
            thread.start()
        try:
            for file in files:
                self._read(file)
                self._progress()
        finally:
            for _ in threads:
                self._offer(None)
            for thread in threads:
                thread.join()
        return self.tally

    def _read(self, file: Path) -> None:
        for found in items(file):
            if self._stop.is_set():
                return
            if isinstance(found, Unreadable):
                self._refuse(found.origin, 0, found.reason)
            elif found.key in self._journal:
                self.tally.skipped += 1
            else:
                self._offer(found)

    def _offer(self, item: Item | None) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(queue.Full):
                self._queue.put(item, timeout=0.2)
                return

    def _work(self) -> None:
        sender = Sender(self._base, self._token)
        try:
            while not self._stop.is_set():
                try:
                    item = self._queue.get(timeout=0.2)
                except queue.Empty:
                    continue
                if item is None:
                    return
                self._send(sender, item)
        except ServerAway as error:
            self.tally.away = str(error)
            self._stop.set()
        finally:
            sender.close()

    def _send(self, sender: Sender, item: Item) -> None:
        answer = sender.send(item)
        if answer.accepted:
            self._journal.add(item.key)
            with self._lock:
                self.tally.stored += answer.resources
        else:
            self._refuse(item.origin, answer.status, answer.reason)

    def _refuse(self, origin: str, status: int, reason: str) -> None:
        line = jsontext.dump({"origin": origin, "status": status, "reason": reason}).decode()
        with self._lock:
            self.tally.rejected += 1
            self.tally.refused[reason[:100]] += 1
            self._rejected.write(line + "\n")
            self._rejected.flush()
