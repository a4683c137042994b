"""update and conditional update (https://hl7.org/fhir/R4/http.html#update, #cond-update)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.rest import conditional, conforming, negotiate, writing

if TYPE_CHECKING:
    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction


def update(exchange: Exchange, type: str, id: str) -> Answer:
    """Stores the next version; with `If-Match`, only over the version that it names (412 otherwise).

    With `If-None-Match: *`, only where nothing is stored.
    """
    exchange.refuse_parameters()
    expected = _expected(exchange)
    resource = conforming.received(exchange.body(), type, id)
    conforming.refuse_conditional_references(exchange, resource)
    findings = conforming.validated_update(exchange, resource, lambda: exchange.view.read(type, id))
    stored = writing.commit(exchange, "update", 200, lambda tx: [writing.update(exchange, tx, resource, id, expected)])[
        0
    ]
    return writing.answer(exchange, stored, 201 if stored.version == 1 else 200, findings)


def update_where(exchange: Exchange, type: str) -> Answer:
    """Stores the next version of the one resource that matches the criteria; creates it when there is none."""
    condition = conditional.of_params(exchange, type, exchange.params)
    expected = _expected(exchange)
    resource = conforming.received(exchange.body(), type)
    conforming.refuse_conditional_references(exchange, resource)
    findings = conforming.validated_update(exchange, resource, lambda: exchange.view.search(condition.query).matches)
    id = writing.new_id()

    def work(tx: Transaction) -> list[Stored]:
        conditional.lock(tx, condition, resource)
        return [conditional.update(exchange, tx, resource, conditional.only(tx, condition), id, expected)]

    stored = writing.commit(exchange, "update", 200, work)[0]
    return writing.answer(exchange, stored, 201 if stored.version == 1 else 200, findings)


def _expected(exchange: Exchange) -> int | None:
    writing.refuse_headers(exchange, "If-None-Exist", "If-Unmodified-Since")
    given = exchange.request.headers
    return negotiate.expected(given.get("If-Match"), given.get("If-None-Match"))
