"""create and conditional create (https://hl7.org/fhir/R4/http.html#create, #ccreate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.rest import conditional, writing

if TYPE_CHECKING:
    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction


def create(exchange: Exchange, type: str) -> Answer:
    """Stores the resource under an id that the server gives; the `id` in the body, if any, is not kept.

    With `If-None-Exist`, nothing is stored when one resource matches its criteria (200 with that one) or several (412).
    """
    exchange.refuse_parameters()
    writing.refuse_headers(exchange, "If-Match", "If-None-Match", "If-Unmodified-Since")
    resource = writing.received(exchange.body(), type)
    writing.refuse_conditional_references(exchange, resource)
    criteria = exchange.request.headers.get("If-None-Exist")
    condition = None if criteria is None else conditional.of_text(exchange, type, criteria)
    findings = writing.validated(exchange, resource)
    id, status = writing.new_id(), 201

    def work(tx: Transaction) -> list[Stored]:
        nonlocal status
        status = 201
        if condition is not None:
            conditional.lock(tx, condition, resource)
            if (found := conditional.only(tx, condition)) is not None:
                status = 200
                return [found]
        return [writing.create(exchange, tx, resource, id)]

    stored = writing.commit(exchange, "create", lambda: status, work)[0]
    return writing.answer(exchange, stored, status, findings)
