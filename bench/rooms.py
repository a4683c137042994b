"""Which room the time goes to: the stacks of the working thread, looked at every millisecond."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import fhirserver

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

ROOT: Final = str(Path(fhirserver.__file__).parent)
_INTERVAL: Final = 0.001


def shares(work: Callable[[], object], seconds: float) -> dict[str, float]:
    """The share of each room of the house, from 0 to 1, largest first; `pymongo` is the driver and the wait for it."""
    counted: Counter[str] = Counter()
    stop = threading.Event()
    watched = threading.get_ident()

    def watch() -> None:
        while not stop.is_set():
            frame = sys._current_frames().get(watched)
            counted[_room(frame)] += 1
            time.sleep(_INTERVAL)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(_INTERVAL / 10)  # or the watcher would wake only while the other waits for the database
    watcher = threading.Thread(target=watch)
    watcher.start()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        work()
    stop.set()
    watcher.join()
    sys.setswitchinterval(interval)
    total = sum(counted.values()) or 1
    return {room: count / total for room, count in counted.most_common()}


def _room(frame: FrameType | None) -> str:
    """The innermost room on the stack; the driver's own time is not its caller's."""
    while frame is not None:
        file = frame.f_code.co_filename
        if "/pymongo/" in file or "/bson/" in file:
            return "pymongo"
        if file.startswith(ROOT):
            return file[len(ROOT) + 1 :].split("/")[0].removesuffix(".py")
        frame = frame.f_back
    return "flask, other"
