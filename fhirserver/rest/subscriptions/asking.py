"""`Subscription/$status` and `$events` (Subscriptions R5 Backport 1.1.0), for whoever may read the Subscription."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.access import require
from fhirserver.audit import Entity, Event
from fhirserver.errors import BadRequest
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.operations.stored import by_ids, instance
from fhirserver.rest.parameters import received_as
from fhirserver.rest.subscriptions.judging import disclosed, seen
from fhirserver.search import Query
from fhirserver.subscriptions import notification
from fhirserver.subscriptions.notification import Occurrence, Told
from fhirserver.subscriptions.plan import CONTENTS, Plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fhirserver.rest.exchange import Exchange
    from fhirserver.rest.parameters import Inputs
    from fhirserver.store import Stored

STATUS: Final = "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-status"
EVENTS: Final = "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-events"
MOST: Final = 100
"""Events that one answer holds, and Subscriptions."""
_LAST: Final = 10**15
_MATCH: Final = {"mode": "match"}
_STATUS: Final = (
    {"name": "id", "type": "id", "min": 0, "max": "*", "use": "in"},
    {"name": "status", "type": "code", "min": 0, "max": "*", "use": "in"},
)
_EVENTS: Final = (
    {"name": "eventsSinceNumber", "type": "string", "min": 0, "max": "1", "use": "in"},
    {"name": "eventsUntilNumber", "type": "string", "min": 0, "max": "1", "use": "in"},
    {"name": "content", "type": "code", "min": 0, "max": "1", "use": "in"},
)


def status(exchange: Exchange, type: str, id: str | None = None) -> Answer:
    """How a Subscription stands, or several that may be seen: by `id`, by `status`. A searchset of Parameters."""
    inputs = received_as(exchange, () if id is not None else _STATUS)
    if id is not None:
        found: Sequence[Stored] = [instance(exchange, type, id)]
    elif "id" in inputs:
        found = by_ids(exchange, type, _several(inputs, "id")[:MOST])
    else:
        require(exchange.access.requester, type, "s")
        found = exchange.view.search(Query(type, count=MOST, total="none")).matches
    rows = exchange.services.store.subscribers.several(each.id for each in found)
    told = [_told(exchange, each, "query-status", rows.get(each.id) or {}) for each in found]
    wanted = frozenset(_several(inputs, "status"))
    parameters = [notification.status(each) for each in told if not wanted or each.status in wanted]
    entries = [{"fullUrl": f"urn:uuid:{each['id']}", "resource": each, "search": _MATCH} for each in parameters]
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)} | (
        {"entry": entries} if entries else {}
    )
    return of_value(200, bundle, Event("operation", 200, tuple(Entity.of(each) for each in found)))


def events(exchange: Exchange, type: str, id: str) -> Answer:
    """Events that were told, by number, as far as what they are about may be seen now. A notification."""
    inputs = received_as(exchange, _EVENTS)
    stored, services = instance(exchange, type, id), exchange.services
    row = services.store.subscribers.find(id) or {}
    plan = Plan.written(row["plan"]) if row.get("plan") else None
    content = inputs.get("content") or (plan.content if plan is not None else CONTENTS[0])
    if content not in CONTENTS:
        raise BadRequest(f"The content is one of {', '.join(CONTENTS)}.")
    first, last = _number(inputs, "eventsSinceNumber", 1), _number(inputs, "eventsUntilNumber", _LAST)
    rows = services.store.subscribers.between(id, max(first, 1), last, MOST) if plan is not None else []
    there = seen(services, exchange.view, plan, rows) if plan is not None else {}
    found = [
        Occurrence(each["number"], each["at"], there[place])
        for each in rows
        if (place := f"{each['type']}/{each['id']}") in there
    ]
    if plan is not None and found:
        services.trace(exchange.access, disclosed(plan, content, [each.stored for each in found]))
    told = _told(exchange, stored, "query-event", row)
    bundle = notification.bundle(told, found, content, services.base, exchange.access.now)
    return of_value(200, bundle, Event("operation", 200, (Entity.of(stored),), query=f"{type}/{id}/$events"))


def _told(exchange: Exchange, stored: Stored, kind: str, row: Mapping[str, Any]) -> Told:
    resource = jsontext.parse_object(stored.body)
    topic = row.get("plan", {}).get("topic", "")
    url = f"{exchange.services.base}/{stored.type}/{stored.id}"
    return Told(url, topic, resource["status"], kind, row.get("number", 0), resource.get("error", ""))


def _several(inputs: Inputs, name: str) -> list[str]:
    """The values of a parameter that may be repeated, or name several by commas."""
    return [one for each in inputs.all(name) for one in each.split(",") if one]


def _number(inputs: Inputs, name: str, otherwise: int) -> int:
    given = inputs.get(name)
    if given is None:
        return otherwise
    if not (given.isascii() and given.isdigit() and len(given) < 16):
        raise BadRequest(f"{name} is the number of an event.")
    return int(given)
