"""Which pages of other origins may call from a browser (Fetch standard, "CORS protocol").

What is public may be read from everywhere. FHIR and the endpoints that apps use answer the origins of registered
clients only; none is ever sent cookies. A preflight of anybody else, or for what is not offered, is refused.
"""

from __future__ import annotations

import re
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from flask import Response, request

from fhirserver.auth.clients.client import Clients
from fhirserver.errors import Forbidden

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

    from fhirserver.rest.services import Services
    from fhirserver.store import Store

HEADERS: Final = frozenset(
    {
        *("accept", "accept-language", "authorization", "content-type", "prefer", "x-request-id"),
        *("if-match", "if-modified-since", "if-none-exist", "if-none-match"),
    }
)
"""What a page may send."""
EXPOSED: Final = (
    "Content-Location, ETag, Last-Modified, Location, Retry-After, WWW-Authenticate, X-Progress, X-Request-Id"
)
"""What a page may read, besides the body."""
AGE: Final = "600"
FRESH: Final = 10.0
"""Seconds for which it is remembered whether an origin is known."""
_MOST: Final = 1000


class _Rule(NamedTuple):
    paths: re.Pattern[str]
    methods: frozenset[str]
    public: bool = False


_RULES: Final = (
    _Rule(
        re.compile(r"/fhir/(metadata|\$versions|\.well-known/[a-z-]+)|/\.well-known/[a-z-]+|/oauth/jwks"),
        frozenset({"GET", "HEAD"}),
        public=True,
    ),
    _Rule(re.compile(r"/fhir(/.*)?", re.DOTALL), frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})),
    _Rule(re.compile(r"/oauth/(token|revoke)"), frozenset({"POST"})),
    _Rule(re.compile(r"/oauth/userinfo"), frozenset({"GET", "POST"})),
)


class Origins:
    """The origins of clients that may be used, for one process."""

    def __init__(self, store: Store, production: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._clients, self._production, self._clock = Clients(store), production, clock
        self._known: dict[str, tuple[float, bool]] = {}
        self._lock = threading.Lock()

    def known(self, origin: str) -> bool:
        """Whether a client has it. Raises Unavailable."""
        if not re.fullmatch(r"https?://[\x21-\x7e]{1,250}", origin):
            return False
        kept = self._known.get(origin)
        if kept is None or kept[0] <= self._clock():
            found = self._clients.listed(datetime.now(UTC), origins=origin)
            kept = (self._clock() + FRESH, any(each.usable(self._production) for each in found))
            with self._lock:
                if len(self._known) >= _MOST:
                    self._known.clear()
                self._known[origin] = kept
        return kept[1]


def register(app: Flask, services: Services) -> None:
    """Answers preflights, and tells browsers which pages may read the answers."""
    origins = Origins(services.store, services.settings.environment == "production")

    def preflight() -> Response | None:
        asked = request.headers.get("Access-Control-Request-Method")
        if request.method != "OPTIONS" or asked is None or "Origin" not in request.headers:
            return None
        rule = _rule()
        sent = request.headers.get("Access-Control-Request-Headers", "").lower()
        headers = {each.strip() for each in sent.split(",")} - {""}
        offered = rule is not None and asked in rule.methods and headers <= HEADERS
        if rule is None or not offered or not (rule.public or origins.known(request.headers["Origin"])):
            raise Forbidden("No client of this origin is registered for such a request.")
        response = Response(status=204)
        response.headers["Access-Control-Allow-Methods"] = ", ".join(sorted(rule.methods))
        response.headers["Access-Control-Allow-Headers"] = ", ".join(sorted(HEADERS))
        response.headers["Access-Control-Max-Age"] = AGE
        return response

    def allow(response: Response) -> Response:
        rule = _rule()
        if rule is None:
            return response
        origin = request.headers.get("Origin")
        if rule.public:
            response.headers["Access-Control-Allow-Origin"] = "*"
            return response
        response.vary.add("Origin")
        if origin is not None and origins.known(origin):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = EXPOSED
        return response

    app.before_request(preflight)
    app.after_request(allow)


def _rule() -> _Rule | None:
    return next((each for each in _RULES if each.paths.fullmatch(request.path)), None)
