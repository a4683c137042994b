"""The gate before a worker's application: so many requests work at once, some more wait, the rest is refused at once.

A refusal is 503 with `Retry-After` and an OperationOutcome (`throttled`). `/health` and `/metrics` pass always.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.outcome import Issue, outcome

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

BASE: Final = "/fhir"
RETRY_AFTER: Final = "2"
"""Seconds that a client is asked to wait."""


class Gate:
    """WSGI application around another: `working` requests at once, `taken` with those that wait.

    One that has waited `patience` seconds is refused like one for which there is no room to wait.
    """

    def __init__(self, app: WSGIApplication, *, working: int, taken: int, patience: float) -> None:
        self._app = app
        self._patience = patience
        self._room = threading.BoundedSemaphore(max(taken, working, 1))
        self._turns = threading.BoundedSemaphore(max(working, 1))

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if not str(environ.get("PATH_INFO", "")).startswith(BASE):
            return self._app(environ, start)
        if not self._room.acquire(blocking=False):
            return _refuse(start)
        try:
            if not self._turns.acquire(timeout=self._patience):
                return _refuse(start)
            try:
                return self._app(environ, start)
            finally:
                self._turns.release()
        finally:
            self._room.release()


def _refuse(start: StartResponse) -> Iterable[bytes]:
    told: Any = outcome([Issue("error", "throttled", "The server is at its capacity: try again.")])
    body = jsontext.dump(told)
    headers = [
        ("Content-Type", "application/fhir+json; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Retry-After", RETRY_AFTER),
        ("Cache-Control", "no-store"),
    ]
    start("503 Service Unavailable", headers)
    return [body]
