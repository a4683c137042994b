"""Closed-loop HTTP clients that cost next to nothing themselves: prepared requests over plain sockets."""

from __future__ import annotations

import socket
import statistics
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Request(NamedTuple):
    method: str
    path: str
    body: bytes = b""
    media: str = "application/fhir+json"


class Latencies(NamedTuple):
    """Requests a second over all clients; percentiles in milliseconds; `times` of each request in seconds."""

    rate: float
    p50: float
    p99: float
    requests: int
    failures: int
    times: tuple[float, ...] = ()


def run(
    host: str, port: int, token: str, requests: Callable[[int], Iterator[Request]], *, clients: int, seconds: float
) -> Latencies:
    """Each client sends its own requests, one after the other, until the time is over."""
    times: list[list[float]] = [[] for _ in range(clients)]
    failures = [0] * clients
    end = time.perf_counter() + seconds

    def work(place: int) -> None:
        with socket.create_connection((host, port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for request in requests(place):
                began = time.perf_counter()
                if began >= end:
                    return
                connection.sendall(_written(request, host, token))
                failures[place] += not 200 <= _status(connection) < 300
                times[place].append(time.perf_counter() - began)

    return measured(work, times, failures, clients)


def measured(work: Callable[[int], None], times: list[list[float]], failures: list[int], clients: int) -> Latencies:
    """Runs `work` in `clients` threads; rates are over the time that all of it took."""
    threads = [threading.Thread(target=work, args=(place,)) for place in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - began
    return summary([each for part in times for each in part], elapsed, sum(failures))


def summary(times: list[float], elapsed: float, failures: int) -> Latencies:
    if len(times) < 2:
        return Latencies(0, 0, 0, len(times), failures, tuple(times))
    cuts = statistics.quantiles(times, n=100)
    return Latencies(len(times) / elapsed, cuts[49] * 1000, cuts[98] * 1000, len(times), failures, tuple(times))


def _written(request: Request, host: str, token: str) -> bytes:
    head = (
        f"{request.method} {request.path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        "Accept: application/fhir+json\r\n"
    )
    if request.body:
        head += f"Content-Type: {request.media}\r\nContent-Length: {len(request.body)}\r\n"
    return head.encode() + b"\r\n" + request.body


def _status(connection: socket.socket) -> int:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _received(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    missing = length - len(body)
    while missing > 0:
        missing -= len(_received(connection))
    return int(head[9:12])


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 16)
    if not data:
        raise ConnectionError("the server closed the connection")
    return data
