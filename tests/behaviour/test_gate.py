"""The gate before the application, with an application that works until it is let go."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.rest.edge import FULL, REFUSED, SLOW
from fhirserver.serving import gate
from fhirserver.serving.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Iterator


class Work:
    """An application that says `why` it is to refuse, or the body, once it is let go."""

    def __init__(self) -> None:
        self.at_work = threading.Semaphore(0)
        self.let_go = threading.Semaphore(0)

    def __call__(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        if REFUSED in environ:
            return [str(environ[REFUSED]).encode()]
        if environ["PATH_INFO"] in gate.FREE:
            return [b"free"]
        self.at_work.release()
        assert self.let_go.acquire(timeout=60)
        return [environ["wsgi.input"].read()]


class Dripping:
    """A body that does not come to its end before it is closed."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def read(self, size: int) -> bytes:
        assert self.closed.wait(60)
        return b""


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as found:
        yield found


def asked(
    threads: ThreadPoolExecutor, gate_: Gate, body: bytes | Dripping = b"", path: str = "/fhir/Patient", **more: str
) -> Future[bytes]:
    environ: dict[str, Any] = {"PATH_INFO": path, "CONTENT_LENGTH": str(len(body)) if isinstance(body, bytes) else "9"}
    environ |= {"wsgi.input": BytesIO(body) if isinstance(body, bytes) else body, **more}
    return threads.submit(lambda: b"".join(gate_(environ, lambda *_: lambda _: None)))


def test_so_many_work_at_once_some_wait_and_the_rest_is_refused(threads: ThreadPoolExecutor) -> None:
    work = Work()
    door = Gate(work, working=2, taken=3, patience=60, max_body=100)
    taken = [asked(threads, door, b"a") for _ in range(2)]
    assert all(work.at_work.acquire(timeout=60) for _ in range(2))
    taken.append(asked(threads, door, b"a"))
    while door._room.acquire(blocking=False):
        door._room.release()
    assert asked(threads, door).result(60) == FULL.encode()
    assert asked(threads, door, path="/health").result(60) == b"free"
    assert not any(each.done() for each in taken)
    work.let_go.release(3)
    assert [each.result(60) for each in taken] == [b"a"] * 3
    work.let_go.release()
    assert asked(threads, door, b"again").result(60) == b"again"


def test_who_waits_too_long_for_a_turn_is_refused(threads: ThreadPoolExecutor) -> None:
    work = Work()
    door = Gate(work, working=1, taken=2, patience=0.05, max_body=100)
    first = asked(threads, door)
    assert work.at_work.acquire(timeout=60)
    assert asked(threads, door).result(60) == FULL.encode()
    work.let_go.release()
    assert first.result(60) == b""


@pytest.mark.parametrize("more", [{}, {"HTTP_TRANSFER_ENCODING": "chunked"}])
def test_slow_bodies_keep_nobody_from_working_and_are_refused_in_time(
    threads: ThreadPoolExecutor, more: dict[str, str]
) -> None:
    work = Work()
    work.let_go.release()
    door = Gate(work, working=1, taken=8, patience=60, max_body=100, body_seconds=1)
    bodies = [Dripping() for _ in range(7)]
    slow = [asked(threads, door, each, **more) for each in bodies]
    assert asked(threads, door, b"fast").result(60) == b"fast"
    assert [each.result(60) for each in slow] == [SLOW.encode()] * 7
    assert work.at_work.acquire(blocking=False)
    assert not work.at_work.acquire(blocking=False)
    work.let_go.release()
    assert asked(threads, door, b"after").result(60) == b"after"
    for each in bodies:
        each.closed.set()


def test_large_bodies_wait_for_one_another(threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "SMALL", 4)
    monkeypatch.setattr(gate, "LARGE_AT_ONCE", 1)
    work = Work()
    door = Gate(work, working=3, taken=9, patience=60, max_body=100)
    large = [asked(threads, door, b"12345") for _ in range(2)]
    assert work.at_work.acquire(timeout=60)
    small = asked(threads, door, b"123")
    assert work.at_work.acquire(timeout=60)
    assert not work.at_work.acquire(timeout=0.1)
    work.let_go.release(3)
    assert [each.result(60) for each in (*large, small)] == [b"12345", b"12345", b"123"]


def test_what_is_announced_as_too_large_is_left_to_the_application_unread(threads: ThreadPoolExecutor) -> None:
    read: list[bytes] = []

    def application(environ: dict[str, Any], start: Any) -> list[bytes]:
        read.append(environ["wsgi.input"].read(3))
        return []

    door = Gate(application, working=1, taken=1, patience=1, max_body=4)
    asked(threads, door, b"12345").result(60)
    asked(threads, door, b"1234567", HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="").result(60)
    assert read == [b"123", b"123"]
