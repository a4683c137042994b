"""create (https://hl7.org/fhir/R4/http.html#create)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.rest import writing

if TYPE_CHECKING:
    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange


def create(exchange: Exchange, type: str) -> Answer:
    """Stores the resource under an id that the server gives; the `id` in the body, if any, is not kept."""
    exchange.refuse_parameters()
    writing.refuse_headers(exchange, "If-None-Exist", "If-Match", "If-None-Match", "If-Unmodified-Since")
    resource = writing.received(exchange.body(), type)
    findings = writing.validated(exchange, resource)
    id = writing.new_id()
    stored = writing.commit(exchange, "create", 201, lambda tx: [writing.create(exchange, tx, resource, id)])[0]
    return writing.answer(exchange, stored, 201, findings)
