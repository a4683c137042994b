"""`python -m fhirserver.serving.http`: the HTTP server (granian) and its workers, set by the environment.

Started by the supervisor. Workers end with their parent, however it ends.
"""

from __future__ import annotations

import importlib
import multiprocessing
import signal
import socket
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING

from granian.constants import Interfaces
from granian.server import Server

from fhirserver import settings as settings_
from fhirserver.lifeline import die_with_parent
from fhirserver.serving.logs import configured

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from fhirserver.serving.gate import Gate

GRACE_SECONDS = 8
"""Time that requests in flight have after SIGTERM."""
REFUSERS = 16
"""Threads beyond those of the requests that are taken: they refuse what is past capacity, and answer `/health`."""


def not_about_threads() -> Callable[[logging.LogRecord], bool]:
    """A filter for the advice that there are many threads: the gate lets few of them work."""
    return lambda record: "Python threads" not in record.getMessage()


def main() -> None:
    die_with_parent(signal.SIGTERM)
    settings = settings_.load()
    if multiprocessing.get_start_method() == "fork":
        importlib.import_module("fhirserver.app")  # once: the workers, also those after them, have it and share it
    Server(
        "fhirserver.serving.http:worker",
        address=_resolved(settings.host, settings.port),
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=settings.max_concurrency + REFUSERS,
        backpressure=2 * (settings.max_concurrency + REFUSERS),
        respawn_failed_workers=True,
        workers_kill_timeout=GRACE_SECONDS,
        factory=True,
        log_level="warning",  # type: ignore[arg-type]
        log_dictconfig=configured(settings.log_folder, settings.log_days),
    ).serve()


def _resolved(host: str, port: int) -> str:
    """The address of a name such as `localhost`: granian takes addresses only."""
    return str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])


def worker() -> Gate:
    """The application of one worker process, behind its gate."""
    die_with_parent(signal.SIGKILL)
    from fhirserver.app import create_app, create_services
    from fhirserver.rest.jobs.background import Background
    from fhirserver.rest.messages.receiving import Receiving
    from fhirserver.rest.subscriptions.working import Working
    from fhirserver.rest.threads import Threads
    from fhirserver.rest.tracing.keeping import Keeping
    from fhirserver.serving.gate import Gate

    settings = settings_.load()
    services = create_services(settings)
    app = create_app(services)
    threads = Threads()
    for each in (Background(app, services), Keeping(services), Receiving(app, services), Working(services)):
        each.start(threads)
    Finalize(None, threads.end, (GRACE_SECONDS / 2,), exitpriority=1)
    return Gate(
        app,
        working=settings.threads,
        taken=settings.max_concurrency,
        patience=settings.query_seconds,
        max_body=settings.max_body_bytes,
    )


if __name__ == "__main__":
    main()
