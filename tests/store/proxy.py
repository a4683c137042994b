"""A relay between the driver and the database that fails on demand."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

Fault = Literal["lose request", "lose answer"]


class Relay:
    """Relays to `port`. The next message that holds `word` meets the fault: its connection breaks."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._fault: tuple[bytes, Fault] | None = None
        self._then: Callable[[], object] = int
        self._open: list[socket.socket] = []
        self.met = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def fail(self, word: str, fault: Fault, then: Callable[[], object] = int) -> None:
        """`then` is done between the fault and the end of the connection."""
        self._fault, self._then = (word.encode(), fault), then

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        _end(*self._open)
        self._thread.join()
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    near.close()
                    continue
                self._open += [near, far]
                deaf = threading.Event()
                threading.Thread(target=self._ask, args=(near, far, deaf), daemon=True).start()
                threading.Thread(target=self._answer, args=(far, near, deaf), daemon=True).start()

    def _ask(self, near: socket.socket, far: socket.socket, deaf: threading.Event) -> None:
        with suppress(OSError):
            while data := near.recv(1 << 16):
                if self._fault is not None and self._fault[0] in data:
                    fault, self._fault = self._fault[1], None
                    self.met += 1
                    if fault == "lose request":
                        self._then()
                        break
                    deaf.set()
                far.sendall(data)
        if not deaf.is_set():
            _end(near, far)

    def _answer(self, far: socket.socket, near: socket.socket, deaf: threading.Event) -> None:
        with suppress(OSError):
            while data := far.recv(1 << 16):
                if deaf.is_set():
                    self._then()
                    break
                near.sendall(data)
        _end(near, far)


def _end(*ends: socket.socket) -> None:
    for each in ends:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
