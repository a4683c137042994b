"""`POST [base]`: a Bundle that is a batch or a transaction (https://hl7.org/fhir/R4/http.html#transaction)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.errors import BadRequest
from fhirserver.rest import conforming, writing
from fhirserver.rest.batch import batch
from fhirserver.rest.transaction import transaction

if TYPE_CHECKING:
    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange


def process(exchange: Exchange) -> Answer:
    """Carries out the Bundle as its type says. Raises BadRequest for a Bundle of another type."""
    exchange.refuse_parameters()
    writing.refuse_headers(exchange, "If-None-Exist", "If-Match", "If-None-Match", "If-Unmodified-Since")
    bundle = conforming.received(exchange.body(), "Bundle")
    kind = bundle.get("type")
    if kind == "transaction":
        return transaction(exchange, bundle)
    if kind == "batch":
        return batch(exchange, bundle)
    raise BadRequest("Bundle.type must be `transaction` or `batch`; no other is processed.", expression="Bundle.type")
