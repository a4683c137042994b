"""`$service-overview`: what waits for an operator, as counts and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fhirserver.access import require
from fhirserver.audit import Event
from fhirserver.errors import Forbidden
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.parameters import received_as

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.rest.exchange import Exchange
    from fhirserver.rest.services import Services

_REPEATED: Final = 2
"""Tries of news from which on it is late."""
_PAGE: Final = 100


def service_overview(exchange: Exchange) -> Answer:
    """`GET [base]/$service-overview`, by an operator: Parameters of counts."""
    if exchange.access.requester.kind != "operator":
        raise Forbidden("What waits in this server is told to operators.")
    require(exchange.access.requester, "Patient", "r")
    received_as(exchange, ())
    services = exchange.services
    store, now, jobs = services.store, exchange.access.now, services.store.jobs.counts()
    counts = {
        "apps-submitted": sum(1 for _ in _submitted(services)),
        "spaces-due": store.spaces.count_due(now),
        "erasures-due": len(services.spaces.to_erase(now)),
        "quarantine-held": store.quarantine.held(),
        "news-waiting": store.outbox.waiting(),
        "news-late": store.outbox.waiting(tried=_REPEATED),
        "subscriptions-failing": store.subscribers.failing(),
        "jobs-open": jobs.get("open", 0),
        "jobs-failed": jobs.get("failed", 0),
    }
    told = [{"name": name, "valueInteger": count} for name, count in counts.items()]
    event = Event("operation", 200, query="$service-overview")
    return of_value(200, {"resourceType": "Parameters", "parameter": told}, event)


def _submitted(services: Services) -> Iterator[str]:
    after = ""
    while found := services.catalogue.listed("submitted", after):
        yield from (each.id for each in found)
        after = found[-1].id
        if len(found) < _PAGE:
            return
