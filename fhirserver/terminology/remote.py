"""A terminology server elsewhere, asked about codes of systems that are not here.

It is told a system, a version and codes: no display, no text, nothing of a record. When it does not answer, nobody can
tell, and it is left alone for a while (https://hl7.org/fhir/R4/terminology-service.html).
"""

from __future__ import annotations

import http.client
import logging
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS: Final = 2.0
"""What one answer may take."""
LEFT_ALONE: Final = 30.0
"""Seconds without a question after one that was not answered."""
FRESH: Final = 3600.0
"""Seconds for which an answer holds."""
KEPT: Final = 10_000
"""Answers remembered."""
_MOST_BYTES: Final = 1 << 20
_RELATIONS: Final = ("equivalent", "subsumes", "subsumed-by", "not-subsumed")
_log = logging.getLogger(__name__)


class Told(NamedTuple):
    """What a server said of a code."""

    result: bool
    display: str | None = None


class _Silent(Exception):
    """No answer that can be used."""


class Remote:
    """The server of a FHIR base URL. May be used by several threads. Raises ValueError for another kind of URL."""

    def __init__(self, base: str, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{base!r} is not the http or https URL of a terminology server.")
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._path = parts.path.rstrip("/")
        self._seconds = seconds
        self._clock = clock
        self._silent_until = 0.0
        self._answers: OrderedDict[str, tuple[float, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def validate(self, system: str, version: str | None, code: str) -> Told | None:
        """Whether it is a code of the system, by CodeSystem/$validate-code; None when the server cannot tell."""
        answer = self._ask("$validate-code", url=system, version=version, code=code)
        found = _parts(answer)
        result = found.get("result")
        if not isinstance(result, bool) or "x-unknown-system" in found or (not result and _unknown_system(answer)):
            return None
        display = found.get("display")
        return Told(result, display if result and isinstance(display, str) else None)

    def subsumes(self, system: str, version: str | None, one: str, other: str) -> str | None:
        """How two codes relate, by CodeSystem/$subsumes; None when the server cannot tell."""
        found = _parts(self._ask("$subsumes", system=system, version=version, codeA=one, codeB=other))
        outcome = found.get("outcome")
        return outcome if outcome in _RELATIONS else None

    def _ask(self, operation: str, **parameters: str | None) -> Any:
        """The answer to a question, or None; what was answered before comes from memory."""
        query = urlencode({name: value for name, value in parameters.items() if value is not None})
        target = f"{self._path}/CodeSystem/{operation}?{query}"
        now = self._clock()
        with self._lock:
            kept = self._answers.get(target)
            if kept is not None and now < kept[0]:
                self._answers.move_to_end(target)
                return kept[1]
            if now < self._silent_until:
                return None
        try:
            answer = self._get(target)
        except (OSError, http.client.HTTPException, ValueError, _Silent) as error:
            _log.warning("the terminology server %s does not answer: %s", self._host, error)
            with self._lock:
                self._silent_until = self._clock() + LEFT_ALONE
            return None
        with self._lock:
            self._answers[target] = (now + FRESH, answer)
            if len(self._answers) > KEPT:
                self._answers.popitem(last=False)
        return answer

    def _get(self, target: str) -> Any:
        """The JSON of an answer; None of one that says the server does not know. Raises _Silent for anything else."""
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=self._seconds)
        until = time.monotonic() + self._seconds
        try:
            connection.request("GET", target, headers={"Accept": "application/fhir+json", "User-Agent": "fhirserver"})
            response = connection.getresponse()
            body = b""
            while piece := response.read1(65536):
                body += piece
                if len(body) > _MOST_BYTES or time.monotonic() > until:
                    raise _Silent("its answer is too long")
            if response.status in (400, 404, 422):
                return None
            if response.status != http.client.OK:
                raise _Silent(f"status {response.status}")
            return orjson.loads(body)
        finally:
            connection.close()


def _parts(answer: Any) -> dict[str, Any]:
    """Name -> value of the parameters of an answer; empty when it is no Parameters resource."""
    listed = answer.get("parameter") if isinstance(answer, dict) else None
    found: dict[str, Any] = {}
    for part in listed if isinstance(listed, list) else ():
        if isinstance(part, dict):
            value = next((part[name] for name in part if name.startswith("value")), None)
            found[str(part.get("name"))] = value
    return found


def _unknown_system(answer: Any) -> bool:
    """Whether the issues of a "no" say that the server does not have the code system, rather than the code."""
    for part in answer["parameter"]:
        outcome = part.get("resource") if isinstance(part, dict) else None
        for issue in outcome.get("issue", ()) if isinstance(outcome, dict) else ():
            if isinstance(issue, dict) and issue.get("code") in ("not-found", "not-supported", "exception", "timeout"):
                return True
    return False
