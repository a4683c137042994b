"""What a process keeps at hand, up to a weight: what was not used for longest is forgotten first."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

K = TypeVar("K", bound="Hashable")
V = TypeVar("V")


class Kept(Generic[K, V]):
    """A mapping whose entries weigh `limit` together at most; for the threads of one process."""

    def __init__(self, limit: int) -> None:
        self._limit, self._weight = limit, 0
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        """What is kept under the key, which counts as used now."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def put(self, key: K, value: V, weight: int = 1) -> None:
        """Keeps the value; one that alone is too heavy is not kept."""
        with self._lock:
            if (before := self._entries.pop(key, None)) is not None:
                self._weight -= before[1]
            if weight > self._limit:
                return
            self._entries[key] = value, weight
            self._weight += weight
            while self._weight > self._limit:
                self._weight -= self._entries.popitem(last=False)[1][1]

    def __len__(self) -> int:
        return len(self._entries)
