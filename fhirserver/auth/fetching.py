"""What others answer, such as the keys of a client or a professional's identity, at addresses that they chose.

https only; in development http too, to the loopback. In production every address of the host must be a public one, and
the connection goes to the address that was checked (no rebinding). No redirects, few bytes, little time.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from contextlib import closing
from copy import copy
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SECONDS: Final = 5.0
MOST_BYTES: Final = 1 << 16
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SILENT: Final = "the address does not answer in time"
_MAX_AGE: Final = re.compile(r"(?:^|[\s,])max-age=(\d{1,9})", re.IGNORECASE)


class Unfetchable(Exception):
    """It cannot be had; the text says why and names no address."""


class Fetched(NamedTuple):
    """`max_age`: seconds for which the sender lets it be kept (RFC 9111), None when it does not say."""

    value: Any
    max_age: int | None


class Response(NamedTuple):
    """`media` without its parameters, in lower case; `cache` as in `Cache-Control`."""

    status: int
    media: str
    cache: str
    body: bytes


def addresses(host: str, port: int) -> list[str]:
    """The addresses of a host, by the system's resolver. Raises OSError."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Fetcher:
    """Fetches for one server, answers of `most` bytes; may be used by several threads.

    `resolve` is for tests; `context`: who vouches for the servers, by default the system's authorities.
    """

    def __init__(
        self,
        *,
        production: bool,
        seconds: float = SECONDS,
        most: int = MOST_BYTES,
        resolve: Callable[[str, int], Sequence[str]] = addresses,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._production, self._seconds, self._most, self._resolve = production, seconds, most, resolve
        self._context = context or ssl.create_default_context()

    def json(self, url: str) -> Fetched:
        """The JSON at a URL. Raises Unfetchable."""
        answer = self.ask("GET", url)
        if answer.status != http.client.OK:
            raise Unfetchable(f"the address answers with status {answer.status}")
        try:
            return Fetched(orjson.loads(answer.body), _max_age(answer.cache))
        except ValueError:
            raise Unfetchable("the address does not answer with JSON in time") from None

    def line(self, url: str) -> Line:
        """A connection to the host of a URL that is kept for several requests."""
        return Line(self, url)

    def within(self, seconds: float) -> Fetcher:
        """The same with another time to wait for an answer."""
        made = copy(self)
        made._seconds = seconds
        return made

    def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Response:
        """What a URL answers, whatever its status; `form`, or `content`, is sent as the body. Raises Unfetchable."""
        sent = {"Accept": "application/json", "User-Agent": "fhirserver", **(headers or {})}
        body = content if form is None else urlencode(form)
        if form is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            until = time.monotonic() + self._seconds
            return self._answer(self._connection(url), (method, _target(url), body, sent), until, keep=False)
        except (OSError, http.client.HTTPException, ValueError):
            raise Unfetchable(_SILENT) from None

    def _connection(self, url: str) -> _Connection:
        """To an address that was checked, not yet made. Raises Unfetchable, OSError, ValueError."""
        problem = refusal(url, production=self._production)
        if problem:
            raise Unfetchable(problem)
        parts = urlsplit(url)
        secure, host = parts.scheme == "https", parts.hostname or ""
        port = parts.port or (443 if secure else 80)
        address = self._address(host, port)
        return _Connection(host, port, address, self._seconds, self._context if secure else None)

    def _address(self, host: str, port: int) -> str:
        found = list(self._resolve(host, port))
        if not found:
            raise Unfetchable("the host has no address")
        if self._production and not all(public(each) for each in found):
            raise Unfetchable("the host is not a public one")
        return found[0]

    def _answer(
        self,
        connection: _Connection,
        question: tuple[str, str, str | bytes | None, dict[str, str]],
        until: float,
        *,
        keep: bool,
    ) -> Response:
        left, kept = until - time.monotonic(), False
        if left <= 0:
            raise TimeoutError
        connection.timeout = left
        watch = threading.Timer(left, connection.cut)
        watch.daemon = True
        watch.start()
        try:
            connection.request(*question)
            with closing(connection.getresponse()) as response:
                body = self._body(response, until)
                kept = keep and not response.will_close
            media = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            return Response(response.status, media, response.headers.get("Cache-Control", ""), body)
        finally:
            watch.cancel()
            if not kept:
                connection.close()

    def _body(self, response: http.client.HTTPResponse, until: float) -> bytes:
        """Raises Unfetchable when it is too long, or is not there `until` then."""
        body = bytearray()
        while piece := response.read1(MOST_BYTES):
            body += piece
            if len(body) > self._most or time.monotonic() > until:
                raise Unfetchable(f"the answer is longer than {self._most} bytes or {self._seconds:g} seconds")
        if time.monotonic() > until:
            raise Unfetchable("the answer takes too long")
        return bytes(body)


class Line:
    """A connection to one host that is kept while it is used, to the address that was checked when it was made.

    For one thread; to be closed."""

    def __init__(self, fetcher: Fetcher, url: str) -> None:
        self._fetcher, self._url = fetcher, url
        self._connection: _Connection | None = None

    def ask(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Response:
        """What a URL at the same host answers, whatever its status. Asked twice where the other side had hung up in the
        meantime, never where it was silent. Raises Unfetchable."""
        sent = {"User-Agent": "fhirserver", **headers}
        question = method, _target(url), content, sent
        until = time.monotonic() + self._fetcher._seconds
        try:
            if self._connection is not None and self._connection.sock is not None:
                try:
                    return self._fetcher._answer(self._connection, question, until, keep=True)
                except (ConnectionError, http.client.BadStatusLine):
                    self.close()
                    if time.monotonic() >= until:
                        raise
            if self._connection is None:
                self._connection = self._fetcher._connection(self._url)
            return self._fetcher._answer(self._connection, question, until, keep=True)
        except (OSError, http.client.HTTPException, ValueError):
            self.close()
            raise Unfetchable(_SILENT) from None

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def refusal(url: str, *, production: bool) -> str | None:
    """Why a URL is not one to be fetched, None when it may be."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "it is not a URL"
    if not host or port == 0 or parts.username is not None or parts.password is not None or parts.fragment:
        return "it must name a host, and neither a user nor a fragment"
    if re.search(r"[\x00-\x20\x7f\\]", url) or not url.isascii():
        return "it must be plain ASCII without spaces"
    if parts.scheme == "https":
        return None
    if parts.scheme == "http" and host in LOOPBACK and not production:
        return None
    return "it must be https"


def public(address: str) -> bool:
    """Whether an IP address is one of the Internet: not private, loopback, link-local, multicast or reserved."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    if inner is not None:
        found = inner
    local = found.version == 6 and found.is_site_local
    return found.is_global and not (found.is_multicast or found.is_reserved or local)


class _Connection(http.client.HTTPConnection):
    """A connection to an address, in the name of a host."""

    def __init__(self, host: str, port: int, address: str, seconds: float, context: ssl.SSLContext | None) -> None:
        super().__init__(host, port, timeout=seconds)
        if context is not None:
            self.default_port = 443
        self._address, self._context, self._plain = address, context, None
        self._at = (address, port)

    _plain: socket.socket | None

    def connect(self) -> None:
        self._plain = self.sock = socket.create_connection(self._at, self.timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a body waits 40 ms for its headers otherwise
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)

    def cut(self) -> None:
        """Ends it from another thread: who waits for it goes on with an error."""
        sock = self.sock or self._plain
        if sock is not None:
            try:
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            except OSError:
                return


def _max_age(text: str) -> int | None:
    if re.search(r"\bno-(?:store|cache)\b", text, re.IGNORECASE):
        return 0
    found = _MAX_AGE.search(text)
    return int(found[1]) if found else None
