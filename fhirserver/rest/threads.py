"""The threads of a worker beside those of its requests: begun with it, told of its end, and waited for."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Threads:
    """Each is given the event that it ends by: it does what it does again and again until that is set."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._begun: list[threading.Thread] = []

    def begin(self, name: str, run: Callable[[threading.Event], object]) -> None:
        thread = threading.Thread(target=run, args=(self._ended,), name=name, daemon=True)
        self._begun.append(thread)
        thread.start()

    def end(self, seconds: float) -> bool:
        """Whether all have ended after so many seconds. One that is still at something ends with the process: another
        worker takes that up."""
        self._ended.set()
        until = time.monotonic() + seconds
        for each in self._begun:
            each.join(max(until - time.monotonic(), 0))
        return not any(each.is_alive() for each in self._begun)
