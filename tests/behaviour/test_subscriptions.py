"""Subscriptions on a served server: workers are killed, the whole server is, and nothing is lost."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import psutil

from tests.records import observation, patient
from tests.rest.subscriptions.endpoint import Endpoint
from tests.rest.subscriptions.resources import by_topic, subscription
from tests.serving import free_port, serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.serving import Served

COUNT = 5
ENVIRON = {"FHIRSERVER_SYNC_ON_COMMIT": "true"}
"""The database is killed too: what it acknowledged is to be there."""


def test_what_was_stored_is_told_whoever_is_killed(tmp_path: Path) -> None:
    endpoint, port = Endpoint(), free_port()
    values: list[int] = []
    try:
        with serve(tmp_path / "data", "--profiles", "core", "--workers", "2", port=port, environ=ENVIRON) as served:
            token = served.token("--operator")
            person = served.call("POST", "Patient", token, patient()).json["id"]
            assert served.call("POST", "Subscription", token, subscription(endpoint)).status == 201
            topic = by_topic(endpoint, "results", f"Observation?patient={person}")
            assert served.call("POST", "Subscription", token, topic).status == 201
            _until(lambda: any(got.method == "POST" for got in endpoint.got))
            _store(served, token, person, range(COUNT))
            _kill_workers(served)
            _store(served, token, person, range(COUNT, 2 * COUNT))
            _until(lambda: len(_told(endpoint)) == 2 * COUNT)
            endpoint.statuses = [503] * 100
            _store(served, token, person, range(2 * COUNT, 3 * COUNT))
            _until(lambda: len(endpoint.statuses) < 100)
            os.killpg(served.process.pid, signal.SIGKILL)
            served.process.wait()
        endpoint.statuses = []
        with serve(tmp_path / "data", "--profiles", "core", "--workers", "1", port=port, environ=ENVIRON):
            _until(lambda: len(_told(endpoint)) == 3 * COUNT)
        values = _told(endpoint)
    finally:
        endpoint.close()
    assert values == list(range(3 * COUNT))


def _store(served: Served, token: str, person: str, values: range) -> None:
    for value in values:
        _until(lambda value=value: _stored(served, token, person, value))  # type: ignore[misc]


def _stored(served: Served, token: str, person: str, value: int) -> bool:
    """Stored once, even where the worker that was asked ended over it."""
    once = {"If_None_Exist": f"identifier=urn:n|{value}"}
    body = observation(person, valueInteger=value, identifier=[{"system": "urn:n", "value": str(value)}])
    try:
        return served.call("POST", "Observation", token, body, **once).status in (200, 201)
    except OSError:
        return False


def _told(endpoint: Endpoint) -> list[int]:
    """The values that were put to the endpoint, each where it came first."""
    return list(dict.fromkeys(got.json["valueInteger"] for got in endpoint.got if got.method == "PUT"))


def _kill_workers(served: Served) -> None:
    (http,) = [each for each in psutil.Process(served.process.pid).children() if "serving.http" in each.cmdline()[-1]]
    for each in http.children():
        each.kill()


def _until(done: Callable[[], bool]) -> None:
    until = time.monotonic() + 300
    while not done():
        assert time.monotonic() < until, "it takes too long"
        time.sleep(0.05)
