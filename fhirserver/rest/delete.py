"""delete (https://hl7.org/fhir/R4/http.html#delete)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.rest import negotiate, writing
from fhirserver.rest.answer import Answer, etag

if TYPE_CHECKING:
    from fhirserver.rest.exchange import Exchange


def delete(exchange: Exchange, type: str, id: str) -> Answer:
    """Leaves a tombstone; 204 also for what is absent, hidden or deleted already, of which nothing changes."""
    exchange.refuse_parameters()
    writing.refuse_headers(exchange, "If-None-Match", "If-Unmodified-Since")
    expected = negotiate.if_match(exchange.request.headers.get("If-Match"))
    deleted = writing.commit(
        exchange, "delete", 204, lambda tx: writing.delete(exchange, tx, type, id, expected), subject=(type, id)
    )
    return Answer(204, headers={"ETag": etag(deleted[0].version)} if deleted else {})
