"""What has been sent already: one line an item, written as soon as the server has acknowledged it."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class Journal:
    """A file of the keys of acknowledged items. A torn last line, from a crash, does not count."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._done: set[str] = set()

    def __enter__(self) -> Journal:
        if self._path.exists():
            text = self._path.read_text(encoding="ascii", errors="replace")
            self._done = {line for line in text.split("\n")[:-1] if line}
        self._file = self._path.open("a", encoding="ascii")
        if self._path.stat().st_size and not self._path.read_bytes().endswith(b"\n"):
            self._file.write("\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __contains__(self, key: str) -> bool:
        return key in self._done

    def add(self, key: str) -> None:
        """Marks the item as done, on disk before it returns."""
        with self._lock:
            self._done.add(key)
            self._file.write(f"{key}\n")
            self._file.flush()
            os.fsync(self._file.fileno())
