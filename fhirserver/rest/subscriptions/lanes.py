"""To whom this process delivers at the same time, so that who does not answer holds none but himself.

Few go to one host at once, and few to those who failed of late, however many Subscriptions these have.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

AT_ONCE: Final = 32
"""Subscribers that are delivered to at the same time."""
AT_HOST: Final = 4
"""Of these at one host."""
FAILING: Final = 8
"""Of these at hosts that failed, or whose last notification was not taken."""
AILING: Final = 60.0
"""Seconds for which a host counts as one that failed."""


class Lanes:
    """The deliveries under way. Rows are those of subscribers; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._hosts: Counter[str] = Counter()
        self._slow: set[str] = set()
        self._ailing: dict[str, float] = {}
        self._count = 0

    @property
    def free(self) -> bool:
        with self._lock:
            return self._count < AT_ONCE

    def excepted(self) -> tuple[frozenset[str], bool]:
        """Hosts to which nothing is to be delivered now, and whether only such subscribers are to be taken whose last
        notification was taken."""
        with self._lock:
            now = self._clock()
            self._ailing = {host: until for host, until in self._ailing.items() if until > now}
            full = len(self._slow) >= FAILING
            busy = {host for host, count in self._hosts.items() if count >= AT_HOST}
            return frozenset(busy | self._ailing.keys() if full else busy), full

    def enter(self, row: Mapping[str, Any]) -> None:
        with self._lock:
            self._count += 1
            host = row.get("host", "")  # none of one that a former version kept
            self._hosts[host] += 1
            if row["tries"] or host in self._ailing:
                self._slow.add(row["holder"])

    def leave(self, row: Mapping[str, Any], *, failed: bool) -> None:
        """`row`: as it entered."""
        host = row.get("host", "")
        with self._lock:
            self._count -= 1
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]
            self._slow.discard(row["holder"])
            if failed:
                self._ailing[host] = self._clock() + AILING
            else:
                self._ailing.pop(host, None)
