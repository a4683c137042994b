"""One HTTP connection to a FHIR server, kept open; what passes is tried again, what is refused is told."""

from __future__ import annotations

import http.client
import ssl
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from fhirserver import jsontext
from fhirserver.errors import FhirError

if TYPE_CHECKING:
    from fhirserver.loading.sources import Item

TRIES: Final = 6
_PASSING: Final = frozenset({429, 502, 503, 504})


class ServerAway(ConnectionError):
    """The server cannot be reached, or asks to come back later, however often it is tried."""


class Answered(NamedTuple):
    status: int
    resources: int
    """How many resources were stored."""
    reason: str

    @property
    def accepted(self) -> bool:
        return self.status < 300


class Sender:
    """Sends items to the FHIR base `base` with the bearer token `token`."""

    def __init__(self, base: str, token: str, *, timeout: float = 120) -> None:
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{base!r} is not a FHIR base such as http://127.0.0.1:8080/fhir")
        self._path = parts.path.rstrip("/")
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/fhir+json",
            "Prefer": "return=minimal",
        }
        if parts.scheme == "https":
            context = ssl.create_default_context()
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=timeout, context=context
            )
        else:
            self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)

    def send(self, item: Item) -> Answered:
        """The server's verdict. A request whose answer was lost is not sent again unless it may be sent twice.

        Raises ServerAway.
        """
        for attempt in range(TRIES):
            try:
                status, body, after = self._request(item)
            except (http.client.HTTPException, OSError) as error:
                self._connection.close()
                if not item.repeatable and not isinstance(error, ConnectionRefusedError):
                    raise ServerAway(f"the answer to {item.origin} was lost: {error}") from None
                after = None
            else:
                if status not in _PASSING:
                    return _answered(item, status, body)
            time.sleep(min(float(after or 0.2 * 2**attempt), 10))
        raise ServerAway("the server does not answer; run the same command again later, it goes on from here")

    def close(self) -> None:
        self._connection.close()

    def _request(self, item: Item) -> tuple[int, bytes, str | None]:
        path = f"{self._path}/{item.path}" if item.path else self._path or "/"
        self._connection.request(item.method, path, item.body, self._headers | {"Content-Type": item.media})
        answer = self._connection.getresponse()
        after = answer.getheader("Retry-After")
        return answer.status, answer.read(), after if after and after.isdecimal() else None


def _answered(item: Item, status: int, body: bytes) -> Answered:
    content: Any = None
    try:
        content = jsontext.parse(body) if body else None
    except FhirError:
        content = None
    if status < 300:
        entries = content.get("entry", []) if isinstance(content, dict) else []
        return Answered(status, len(entries) if not item.path else 1, "")
    return Answered(status, 0, _reason(content) or f"HTTP {status}")


def _reason(content: Any) -> str:
    issues = content.get("issue", []) if isinstance(content, dict) else []
    errors = [issue for issue in issues if isinstance(issue, dict) and issue.get("severity") in ("error", "fatal")]
    return "; ".join(_issue(each) for each in errors[:5])


def _issue(issue: dict[str, Any]) -> str:
    where = ", ".join(map(str, issue.get("expression", ())))
    text = str(issue.get("diagnostics", issue.get("code", "")))
    return f"{where}: {text}" if where else text
