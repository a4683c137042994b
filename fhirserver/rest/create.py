"""create and conditional create (https://hl7.org/fhir/R4/http.html#create, #ccreate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.rest import conditional, conforming, writing
from fhirserver.rest.documents import cda, deposit, replacing, sameness, submission, uploading
from fhirserver.rest.documents.changes import DOCUMENT

if TYPE_CHECKING:
    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction


def create(exchange: Exchange, type: str) -> Answer:
    """Stores the resource under an id that the server gives; the `id` in the body, if any, is not kept.

    With `If-None-Exist`, nothing is stored when one resource matches its criteria (200 with that one) or several (412).
    """
    if type == "Binary" and cda.is_binary(exchange):
        return cda.binary(exchange)
    if type == "Binary" and uploading.is_raw(exchange):
        return uploading.uploaded(exchange)
    exchange.refuse_parameters()
    writing.refuse_headers(exchange, "If-Match", "If-None-Match", "If-Unmodified-Since")
    resource = conforming.received(exchange.body(), type)
    conforming.refuse_conditional_references(exchange, resource)
    criteria = exchange.request.headers.get("If-None-Exist")
    condition = None if criteria is None else conditional.of_text(exchange, type, criteria)
    findings = conforming.validated(exchange, resource)
    id, status = writing.new_id(), 201

    def work(tx: Transaction) -> list[Stored]:
        nonlocal status
        status = 201
        sameness.lock(tx, [resource])
        if condition is not None:
            conditional.lock(tx, condition, resource)
            if (found := conditional.only(tx, condition, living=True)) is not None:
                status = 200
                return [found]
        if (same := deposit.found(exchange, tx, resource)) is not None:
            status = 200
            return [same]
        stored = deposit.create(exchange, tx, resource, id)
        if type == DOCUMENT and submission.is_published_alone(resource):
            stored += submission.written(exchange, tx, stored[0])
        return stored + replacing.superseded(exchange, tx, resource)

    stored = writing.commit(exchange, "create", lambda: status, work)[0]
    return writing.answer(exchange, stored, status, findings)
