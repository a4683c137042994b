"""HTTP with the server under test: plain, one connection a thread and server, nothing followed, nothing repeated."""

from __future__ import annotations

import http.client
import ssl
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS: Final = 60
MOST: Final = 50_000_000
"""Bytes of an answer that are read."""
SECRET: Final = frozenset({"authorization", "cookie", "set-cookie", "client-cert", "proxy-authorization"})


class Message(NamedTuple):
    """A request (`status` 0) or an answer. Header names in lower case."""

    method: str
    url: str
    status: int
    headers: Mapping[str, str]
    content: bytes

    def shown(self) -> Message:
        """The same without secrets, for reports."""
        headers = {name: "(not shown)" if name in SECRET else value for name, value in self.headers.items()}
        return self._replace(headers=headers)


class Exchanged(NamedTuple):
    request: Message
    answer: Message


class WireError(ConnectionError):
    """The server did not answer, or not in HTTP."""


class Wire:
    """Connections of all threads. `close` ends those of the calling thread."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._own = threading.local()

    def send(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None) -> Exchanged:
        """Raises WireError."""
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        request = Message(method, url, 0, {name.lower(): value for name, value in headers.items()}, content or b"")
        connection = self._connection(parts.scheme, parts.netloc)
        try:
            connection.request(method, target, content, dict(headers))
            answer = connection.getresponse()
            body = answer.read(MOST)
        except (http.client.HTTPException, OSError, ValueError) as error:
            connection.close()
            raise WireError(f"{method} {parts.path}: {type(error).__name__} {error}") from None
        found: dict[str, str] = {}
        for name, value in answer.getheaders():
            found[name.lower()] = f"{found[name.lower()]}, {value}" if name.lower() in found else value
        return Exchanged(request, Message(method, url, answer.status, found, body))

    def close(self) -> None:
        for each in self._kept().values():
            each.close()
        self._kept().clear()

    def _connection(self, scheme: str, netloc: str) -> http.client.HTTPConnection:
        kept = self._kept()
        if (scheme, netloc) not in kept:
            kept[scheme, netloc] = self._made(scheme, netloc)
        return kept[scheme, netloc]

    def _made(self, scheme: str, netloc: str) -> http.client.HTTPConnection:
        if scheme == "https":
            return http.client.HTTPSConnection(netloc, timeout=self._seconds, context=ssl.create_default_context())
        if scheme == "http":
            return http.client.HTTPConnection(netloc, timeout=self._seconds)
        raise WireError(f"{scheme}://{netloc} is not an http or https address")

    def _kept(self) -> dict[tuple[str, str], http.client.HTTPConnection]:
        found: Any = getattr(self._own, "kept", None)
        if found is None:
            found = self._own.kept = {}
        return found  # type: ignore[no-any-return]
