"""What a handler gives back, before it becomes an HTTP response."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from fhirserver import jsontext

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from fhirserver.audit import Event
    from fhirserver.store import Stored


@dataclass(frozen=True)
class Answer:
    """Status, body as JSON bytes (none: no body), headers, and the trace still to be stored (none: stored already).

    `parts` are a body of another kind, which goes out as it comes; the headers then have its `Content-Type`.
    """

    status: int
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    event: Event | None = None
    parts: Iterable[bytes] | None = None


def of_value(status: int, value: Any, event: Event | None = None) -> Answer:
    """A value that is written as JSON, such as a Bundle or an OperationOutcome."""
    return Answer(status, jsontext.dump(value), {}, event)


def version_headers(stored: Stored) -> dict[str, str]:
    """`ETag` and `Last-Modified` of a version (http.html, "Resource Metadata and Versioning")."""
    return {"ETag": etag(stored.version), "Last-Modified": http_date(stored.last_updated)}


def etag(version: int) -> str:
    return f'W/"{version}"'


def http_date(at: datetime) -> str:
    return format_datetime(at.replace(microsecond=0), usegmt=True)
