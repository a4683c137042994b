"""The gate before a worker's application: so many requests work at once, some more wait, the rest is refused at once.

A request takes its turn when its body is there, so that who sends slowly keeps nobody else from working. Refusals are
answered by the application, which knows the form that the client wants: 503 with `Retry-After`, or 408 for a body that
did not arrive in time. `/health` and `/metrics` pass always.
"""

from __future__ import annotations

import threading
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from fhirserver.rest.edge import FULL, REFUSED, SLOW

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

FREE: Final = ("/health", "/metrics")
BODY_SECONDS: Final = 10.0
"""Time that a body has to arrive, and a second more for each `SLOWEST` bytes of it."""
SLOWEST: Final = 100_000
SMALL: Final = 256 * 1024
"""Bytes up to which a body is small: as many of these may arrive at once as there is room for requests."""
LARGE_AT_ONCE: Final = 8
"""Larger bodies that arrive or wait at once, each of `max_body` bytes at most; others wait for their place."""


class Gate:
    """WSGI application around another: `working` requests at once, `taken` with those that arrive or wait.

    One that has waited `patience` seconds is refused like one for which there is no room to wait. `max_body`: bytes of
    the largest body that is taken in; the application refuses what has more. `body_seconds`: see `BODY_SECONDS`.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        working: int,
        taken: int,
        patience: float,
        max_body: int,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._app = app
        self._patience, self._max_body, self._body_seconds = patience, max_body, body_seconds
        self._room = threading.BoundedSemaphore(max(taken, working, 1))
        self._turns = threading.BoundedSemaphore(max(working, 1))
        self._large = threading.BoundedSemaphore(LARGE_AT_ONCE)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") in FREE:
            return self._app(environ, start)
        if not self._room.acquire(blocking=False):
            return self._refused(environ, start, FULL)
        try:
            length = _length(environ)
            if length is None or SMALL < length <= self._max_body:
                return self._large_one(environ, start, length)
            return self._arrived(environ, start, length)
        finally:
            self._room.release()

    def _large_one(self, environ: WSGIEnvironment, start: StartResponse, length: int | None) -> Iterable[bytes]:
        if not self._large.acquire(timeout=self._patience):
            return self._refused(environ, start, FULL)
        try:
            return self._arrived(environ, start, length)
        finally:
            self._large.release()

    def _arrived(self, environ: WSGIEnvironment, start: StartResponse, length: int | None) -> Iterable[bytes]:
        """What is announced as too large is not read; the application refuses it."""
        if length is None or 0 < length <= self._max_body:
            body = self._body(environ["wsgi.input"], length)
            if body is None:
                return self._refused(environ, start, SLOW)
            environ["wsgi.input"] = BytesIO(body)
        if not self._turns.acquire(timeout=self._patience):
            return self._refused(environ, start, FULL)
        try:
            return self._app(environ, start)
        finally:
            self._turns.release()

    def _body(self, stream: Any, length: int | None) -> bytes | None:
        """The body, None when it takes too long: then only a thread waits on, until the client is gone."""
        found: list[bytes] = []
        size = self._max_body + 1 if length is None else length

        def read() -> None:
            try:
                found.append(stream.read(size))
            except (OSError, RuntimeError):  # the client is gone, or sends no HTTP
                found.append(b"")

        reader = threading.Thread(target=read, name="body", daemon=True)
        reader.start()
        reader.join(self._body_seconds + size / SLOWEST)
        return found[0] if found else None

    def _refused(self, environ: WSGIEnvironment, start: StartResponse, why: str) -> Iterable[bytes]:
        environ[REFUSED] = why
        return self._app(environ, start)


def _length(environ: WSGIEnvironment) -> int | None:
    """The bytes announced; 0 where there is no body, None where its length is not told."""
    if "HTTP_TRANSFER_ENCODING" in environ:
        return None
    text = str(environ.get("CONTENT_LENGTH") or "0")
    return int(text) if text.isascii() and text.isdigit() else None
