"""`Prefer: respond-async` on what may be answered later: reads, searches, histories, operations by GET, and Bundles
(https://hl7.org/fhir/R4/async.html; the result as R5 has it for single interactions, async-bundle.html).

The request is kept as it came. It is carried out by the requester's rights of that time; its answer is the entry of a
batch-response. On any other interaction the preference is passed over, as RFC 7240 allows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fhirserver.audit import Event
from fhirserver.rest.jobs import asking
from fhirserver.store.jobs import document

if TYPE_CHECKING:
    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange

KIND: Final = "request"
WRITES: Final = "bundle"
_OWN: Final = ("export", "reindex", "job-")
"""Beginnings of the names of routes that see to it themselves."""
_KEPT: Final = ("Content-Type", "Accept-Language", "If-None-Match", "If-Modified-Since")


def may_wait(route: str, method: str, path: str) -> bool:
    """Whether what a route offers is put off when the client prefers so."""
    return not route.startswith(_OWN) and (method == "GET" or route == WRITES or path.endswith("/_search"))


def begun(exchange: Exchange, route: str, path: str) -> Answer | None:
    """202 for a request that goes to a job; None for one that is answered at once. Raises TooLarge."""
    request = exchange.request
    if not may_wait(route, request.method, path):
        return None
    asking.refuse_more(exchange)
    services = exchange.services
    headers = {name: request.headers[name] for name in _KEPT if name in request.headers}
    headers["Prefer"] = _others(exchange)
    asked = {"route": route, "method": request.method, "url": request.full_path, "headers": headers, "body": None}
    row = document(KIND, exchange.access.requester.described(), asked, services.clock())
    if request.method == "POST":
        row["asked"]["body"] = services.store.files.write([exchange.content()], owner=row["_id"]).id
    job = services.store.jobs.start(row)
    return asking.accepted(exchange, job, Event("operation", 202, query=f"respond-async {request.method} {route}"))


def _others(exchange: Exchange) -> str:
    """The other preferences."""
    found = exchange.prefer
    named = [f"return={found.returns}"] if found.returns else []
    return ", ".join([*named, *(["handling=lenient"] if found.lenient else [])])
