"""update (https://hl7.org/fhir/R4/http.html#update)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.rest import negotiate, writing

if TYPE_CHECKING:
    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange


def update(exchange: Exchange, type: str, id: str) -> Answer:
    """Stores the next version; with `If-Match`, only over the version that it names (412 otherwise)."""
    exchange.refuse_parameters()
    writing.refuse_headers(exchange, "If-None-Match", "If-Unmodified-Since")
    expected = negotiate.if_match(exchange.request.headers.get("If-Match"))
    resource = writing.received(exchange.body(), type, id)
    findings = writing.validated(exchange, resource)
    stored = writing.commit(exchange, "update", 200, lambda tx: [writing.update(exchange, tx, resource, id, expected)])[
        0
    ]
    return writing.answer(exchange, stored, 201 if stored.version == 1 else 200, findings)
