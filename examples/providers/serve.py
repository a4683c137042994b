"""The simulated providers over HTTP, on the loopback."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from examples.providers.people import CITIZENS, PROFESSIONALS
from examples.providers.provider import Ask, FranceConnect, Provider, parsed

if TYPE_CHECKING:
    from collections.abc import Iterator


class Server(ThreadingHTTPServer):
    """Listens at once; `providers` by the first part of the path."""

    daemon_threads = True

    def __init__(self, port: int = 0, psc: type[Provider] = Provider, fc: type[Provider] = FranceConnect) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.base = f"http://127.0.0.1:{self.server_port}"
        self.psc = psc("psc", self.base, PROFESSIONALS)
        self.franceconnect = fc("franceconnect", self.base, CITIZENS)
        self.providers = {each.name: each for each in (self.psc, self.franceconnect)}


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self._answer(parsed(urlsplit(self.path).query))

    def do_POST(self) -> None:
        length = min(int(self.headers.get("Content-Length") or 0), 100_000)
        self._answer(parsed(urlsplit(self.path).query) | parsed(self.rfile.read(length).decode()))

    def log_message(self, *_: object) -> None:
        """Nothing: the lines would hold codes and tokens."""

    def _answer(self, args: dict[str, str]) -> None:
        name, _, rest = urlsplit(self.path).path.lstrip("/").partition("/")
        provider = self.server.providers.get(name)
        if provider is None:
            self.send_error(404)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = provider.answer(Ask(self.command, f"/{rest}", args, headers))
        self.send_response(answer.status)
        for each, value in answer.headers.items():
            self.send_header(each, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)


@contextmanager
def running(port: int = 0, psc: type[Provider] = Provider, fc: type[Provider] = FranceConnect) -> Iterator[Server]:
    """The providers, serving in a thread of this process."""
    server = Server(port, psc, fc)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
