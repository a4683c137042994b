"""`python -m fhirserver.serving.http`: the HTTP server (granian) and its workers, set by the environment.

Started by the supervisor. Workers end with their parent, however it ends.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from granian.constants import Interfaces
from granian.server import Server

from fhirserver import settings as settings_
from fhirserver.serving.lifeline import die_with_parent

if TYPE_CHECKING:
    from flask import Flask

GRACE_SECONDS = 8
"""Time that requests in flight have after SIGTERM."""


def main() -> None:
    die_with_parent(signal.SIGTERM)
    settings = settings_.load()
    Server(
        "fhirserver.serving.http:worker",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=settings.threads,
        backpressure=settings.max_concurrency,
        respawn_failed_workers=True,
        workers_kill_timeout=GRACE_SECONDS,
        factory=True,
        log_level="warning",  # type: ignore[arg-type]
    ).serve()


def worker() -> Flask:
    """The application of one worker process."""
    die_with_parent(signal.SIGKILL)
    from fhirserver.app import create_app, create_services

    return create_app(create_services(settings_.load()))


if __name__ == "__main__":
    main()
