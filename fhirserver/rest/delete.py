"""delete and conditional delete (https://hl7.org/fhir/R4/http.html#delete, #3.1.0.7.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver import jsontext
from fhirserver.outcome import Issue, outcome
from fhirserver.rest import conditional, negotiate, writing
from fhirserver.rest.answer import Answer, etag
from fhirserver.rest.documents.changes import require_deletable
from fhirserver.rest.tracing.step import require_changeable

if TYPE_CHECKING:
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction


def delete(exchange: Exchange, type: str, id: str) -> Answer:
    """Leaves a tombstone; 204 also for what is absent, hidden or deleted already, of which nothing changes."""
    require_deletable(type)
    require_changeable(type)
    exchange.refuse_parameters()
    writing.refuse_headers(exchange, "If-None-Exist", "If-None-Match", "If-Unmodified-Since")
    expected = negotiate.if_match(exchange.request.headers.get("If-Match"))
    deleted = writing.commit(
        exchange, "delete", 204, lambda tx: writing.delete(exchange, tx, type, id, expected), subject=(type, id)
    )
    return _done(exchange, deleted)


def delete_where(exchange: Exchange, type: str) -> Answer:
    """Deletes what matches the criteria: 204 also for nothing; several only where the settings say so (else 412)."""
    require_deletable(type)
    require_changeable(type)
    condition = conditional.of_params(exchange, type, exchange.params)
    writing.refuse_headers(exchange, "If-None-Exist", "If-None-Match", "If-Unmodified-Since")
    expected = negotiate.if_match(exchange.request.headers.get("If-Match"))

    def work(tx: Transaction) -> list[Stored]:
        conditional.lock(tx, condition)
        found = conditional.deleted(exchange, tx, condition)
        return [each for one in found for each in writing.delete(exchange, tx, type, one.id, expected)]

    return _done(exchange, writing.commit(exchange, "delete", 204, work))


def _done(exchange: Exchange, deleted: list[Stored]) -> Answer:
    """204; 200 with an OperationOutcome for who prefers one, which says how many resources it were."""
    headers = {"ETag": etag(deleted[0].version)} if len(deleted) == 1 else {}
    if exchange.prefer.returns != "OperationOutcome":
        return Answer(204, headers=headers)
    text = "Deleted." if len(deleted) == 1 else f"{len(deleted)} resources were deleted."
    return Answer(200, jsontext.dump(outcome([Issue("information", "informational", text)])), headers)
