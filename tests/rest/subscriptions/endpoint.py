"""An endpoint for tests, which takes notifications, or does not."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

from fhirserver import jsontext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Got(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return jsontext.parse(self.body)

    @property
    def told(self) -> dict[str, Any]:
        """The parameters of the status of a notification by topic, by name."""
        parameters = self.json["entry"][0]["resource"]["parameter"]
        return {each["name"]: next(value for name, value in each.items() if name != "name") for each in parameters}

    @property
    def numbers(self) -> list[int]:
        parameters = self.json["entry"][0]["resource"]["parameter"]
        events = [each["part"] for each in parameters if each["name"] == "notification-event"]
        return [int(each[0]["valueString"]) for each in events]

    @property
    def focus(self) -> list[str]:
        """Type and id of what the events are about."""
        parameters = self.json["entry"][0]["resource"]["parameter"]
        events = [each["part"] for each in parameters if each["name"] == "notification-event"]
        return ["/".join(each[2]["valueReference"]["reference"].split("/")[-2:]) for each in events]


class Endpoint:
    """`got`: what came; `then`: what is done when something did; `statuses`: what the next requests are answered with,
    200 when there are no more."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.statuses: list[int] = []
        self.then: Callable[[], object] = lambda: None
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def _take(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                named = {name.lower(): value for name, value in self.headers.items()}
                endpoint.got.append(Got(self.command, self.path, named, body))
                endpoint.then()
                status = endpoint.statuses.pop(0) if endpoint.statuses else 200
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", f"{endpoint.url}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_PUT = do_GET = _take  # noqa: N815

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def take(self) -> list[Got]:
        """What came since it was last asked."""
        got, self.got = self.got, []
        return got

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def opened() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    yield endpoint
    endpoint.close()
