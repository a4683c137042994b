"""A line: one connection to a host for several requests."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from fhirserver.auth.fetching import Fetcher, Unfetchable

if TYPE_CHECKING:
    from collections.abc import Iterator


class Host:
    """Notes from which port each request came; `hangs_up`: after each answer, without saying so; it
    answers while it `speaks`."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.hangs_up, self.status = False, 204
        self.speaks = threading.Event()
        self.speaks.set()
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                host.ports.append(self.client_address[1])
                host.speaks.wait()
                self.send_response(host.status)
                if host.status != 204:
                    self.send_header("Location", "/elsewhere")
                    self.send_header("Content-Length", "0")
                self.end_headers()
                self.close_connection = host.hangs_up

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.speaks.set()
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def test_a_line_is_one_connection(host: Host) -> None:
    with closing(Fetcher(production=False).line(host.url)) as line:
        assert [line.ask("POST", host.url, {}, b"x").status for _ in range(3)] == [204] * 3
    assert len(host.ports) == 3
    assert len(set(host.ports)) == 1


def test_what_is_sent_waits_for_no_acknowledgement(host: Host) -> None:
    with closing(Fetcher(production=False).line(host.url)) as line:
        line.ask("POST", host.url, {}, b"x")
        made = line._connection
        assert made is not None
        assert made.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_where_the_host_hung_up_another_is_made(host: Host) -> None:
    host.hangs_up = True
    with closing(Fetcher(production=False).line(host.url)) as line:
        assert [line.ask("POST", host.url, {}, b"x").status for _ in range(3)] == [204] * 3
    assert (len(host.ports), len(set(host.ports))) == (3, 3)


def test_a_host_that_falls_silent_is_asked_once(host: Host) -> None:
    with closing(Fetcher(production=False, seconds=2.0).line(host.url)) as line:
        line.ask("POST", host.url, {}, b"x")
        host.speaks.clear()
        with pytest.raises(Unfetchable, match="in time"):
            line.ask("POST", host.url, {}, b"x")
    assert len(host.ports) == 2, "what it may have taken is not sent again, nor waited for twice"


def test_a_line_follows_no_redirect(host: Host) -> None:
    host.status = 307
    with closing(Fetcher(production=False).line(host.url)) as line:
        assert line.ask("POST", host.url, {}, b"x").status == 307
    assert len(host.ports) == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1"])
def test_in_production_a_line_leads_to_no_inner_network(address: str) -> None:
    asked: list[str] = []

    def resolve(name: str, _: int) -> list[str]:
        asked.append(name)
        return [address]

    line = Fetcher(production=True, resolve=resolve).line("https://hooks.example.org/")
    for _ in range(2):
        with pytest.raises(Unfetchable, match="public"):
            line.ask("POST", "https://hooks.example.org/", {}, b"x")
    assert asked == ["hooks.example.org"] * 2, "it is looked up anew"
