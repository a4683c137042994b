"""Past capacity, and at the end: what is taken is answered, what cannot be taken is refused at once."""

from __future__ import annotations

import collections
import contextlib
import signal
import socket
import threading
import time
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil
import pytest

from tests.serving import Served, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BODY = b'{"resourceType": "Patient", "active": true}'
TAKEN = 3
"""Requests that the small server takes: one at work, two that arrive or wait."""


class Unfinished:
    """A create whose body is not sent to its end: it is at work until `finish`."""

    def __init__(self, served: Served, token: str) -> None:
        parts = urlsplit(served.base)
        self.socket = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=300)
        head = (
            f"POST {parts.path}/Patient HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/fhir+json\r\nContent-Length: {len(BODY)}\r\n"
            "Expect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        self.socket.sendall(head.encode())

    def first(self) -> bytes:
        """What the server says first: that it asks for the body, which it does when the request is taken, or no."""
        said = self.socket.recv(64)
        return said if said.startswith(b"HTTP/1.1 100") else said + self.rest()

    def finish(self) -> bytes:
        """Sends the body; the status line of the answer."""
        self.socket.sendall(BODY)
        return self.rest().removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").partition(b"\r\n")[0]

    def rest(self) -> bytes:
        """All that the server sends until it closes."""
        with contextlib.closing(self.socket):
            answer = b""
            while part := self.socket.recv(65536):
                answer += part
        return answer


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    limits = {"FHIRSERVER_MAX_CONCURRENCY": str(TAKEN), "FHIRSERVER_THREADS": "1", "FHIRSERVER_QUERY_SECONDS": "20"}
    folder = tmp_path_factory.mktemp("overload") / "data"
    with serve(folder, "--workers", "1", "--profiles", "core", environ=limits) as running:
        yield running


def test_past_capacity_is_503_with_retry_after_and_capacity_comes_back(small: Served) -> None:
    token = small.token("--operator")
    asked = [Unfinished(small, token) for _ in range(TAKEN + 4)]
    answers = [each.first() for each in asked]
    taken = [each for each, answer in zip(asked, answers, strict=True) if answer.startswith(b"HTTP/1.1 100")]
    refused = [answer for answer in answers if not answer.startswith(b"HTTP/1.1 100")]
    assert len(taken) == TAKEN
    for answer in refused:
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 2\r\n" in answer.lower()
        assert b"throttled" in answer
    with urllib.request.urlopen(small.base.removesuffix("/fhir") + "/metrics", timeout=60) as metrics:
        assert b'status="503"} 4.0' in metrics.read()
    assert [each.finish() for each in reversed(taken)] == [b"HTTP/1.1 201 Created"] * TAKEN
    assert small.call("GET", "Patient", token).status == 200


def test_a_refusal_is_xml_for_who_reads_xml(small: Served) -> None:
    token = small.token("--operator")
    asked = [Unfinished(small, token) for _ in range(TAKEN)]
    assert all(each.first() for each in asked)
    answer = small.call("GET", "Patient", token, Accept="application/fhir+xml")
    assert answer.status == 503
    assert b'<code value="throttled"/>' in answer.body
    assert [each.finish() for each in asked] == [b"HTTP/1.1 201 Created"] * TAKEN


def test_a_flood_is_answered_or_refused_and_costs_no_memory(small: Served) -> None:
    token = small.token("--operator")
    answers: collections.Counter[int] = collections.Counter()
    below = psutil.Process(small.process.pid).children(recursive=True)
    ours = [each for each in below if not any("secantusd" in word for word in each.cmdline())]
    assert 0 < len(ours) < len(below)

    def ask() -> None:
        for _ in range(10):
            answers[small.call("GET", "Patient?_count=1", token).status] += 1

    def flood() -> int:
        threads = [threading.Thread(target=ask) for _ in range(30)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return sum(each.memory_info().rss for each in ours)

    before = flood()
    after = flood()
    assert set(answers) == {200, 503}
    assert sum(answers.values()) == 600
    assert after - before < 20_000_000
    assert small.call("GET", "Patient", token).status == 200


def test_sigterm_finishes_the_requests_in_flight(tmp_path: Path) -> None:
    with serve(tmp_path / "data", "--workers", "2", "--profiles", "core") as running:
        token = running.token("--operator")
        request = Unfinished(running, token)
        assert request.first().startswith(b"HTTP/1.1 100")
        running.process.send_signal(signal.SIGTERM)
        while not _closed(running):
            assert running.process.poll() is None
            time.sleep(0.01)
        assert request.finish() == b"HTTP/1.1 201 Created"
        assert running.process.wait(60) == 0
    with serve(tmp_path / "data", "--workers", "1", "--profiles", "core") as again:
        assert again.call("GET", "Patient?_summary=count", again.token("--operator")).json["total"] == 1


def _closed(served: Served) -> bool:
    """Whether the server takes no connection any more."""
    parts = urlsplit(served.base)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=1):
            return False
    except OSError:
        return True
