"""The threads of a worker: each ends when the worker is told to."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from fhirserver.rest.jobs.background import Background
from fhirserver.rest.messages.receiving import Receiving
from fhirserver.rest.subscriptions.working import Working
from fhirserver.rest.threads import Threads
from fhirserver.rest.tracing.keeping import Keeping

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.mail.gateway import Handed
    from tests.application import Application

DEADLINE = 120.0
NAMES = {"alive", "changes", "jobs", "keeping", "receiving", "subscriptions"}


class _Gateway:
    def __init__(self) -> None:
        self.listening, self.stopped = threading.Event(), threading.Event()

    def start(self, take: Callable[[Handed], None]) -> None:
        self.listening.set()

    def stop(self) -> None:
        self.stopped.set()


def test_every_thread_of_a_worker_ends_with_it_and_the_listener_is_closed(application: Application) -> None:
    threads, gateway, services = Threads(), _Gateway(), application.services
    before = set(threading.enumerate())
    for each in (
        Background(application.app, services),
        Keeping(services),
        Receiving(application.app, services, gateway),
        Working(services),
    ):
        each.start(threads)
    begun = {each.name for each in threading.enumerate() if each not in before}
    assert begun >= NAMES
    assert gateway.listening.wait(DEADLINE)
    assert threads.end(DEADLINE)
    assert gateway.stopped.is_set()
    assert not NAMES & {each.name for each in threading.enumerate() if each not in before}


def test_a_thread_that_is_still_at_something_is_not_waited_for_longer() -> None:
    threads, done = Threads(), threading.Event()
    threads.begin("busy", lambda ended: done.wait())
    assert not threads.end(0.01)
    done.set()
    assert threads.end(DEADLINE)
