"""What notifications by topic say: a Bundle of type history whose first entry tells of the Subscription.

https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/notifications.html, as R4 has it: the status is Parameters.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.clock import to_instant
from fhirserver.subscriptions.plan import BACKPORT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from fhirserver.store import Stored

NOTIFICATION: Final = f"{BACKPORT}backport-subscription-notification-r4"
STATUS: Final = f"{BACKPORT}backport-subscription-status-r4"

Resource = dict[str, Any]


class Occurrence(NamedTuple):
    """An event by its number, and what it is about, as the subscriber may see it now."""

    number: int
    at: datetime
    stored: Stored


class Told(NamedTuple):
    """Of which Subscription (its URL, topic and status) a notification is, of which kind, and how many events there
    were in all."""

    subscription: str
    topic: str
    status: str
    kind: str
    number: int
    error: str = ""


def status(told: Told, events: Sequence[Occurrence] = (), *, base: str = "", focus: bool = False) -> Resource:
    """The Parameters that say how a Subscription stands. `focus`: events say what they are about."""
    parameters: list[Resource] = [
        {"name": "subscription", "valueReference": {"reference": told.subscription}},
        *([{"name": "topic", "valueCanonical": told.topic}] if told.topic else []),
        {"name": "status", "valueCode": told.status},
        {"name": "type", "valueCode": told.kind},
        {"name": "events-since-subscription-start", "valueString": str(told.number)},
    ]
    for event in events:
        part: list[Resource] = [
            {"name": "event-number", "valueString": str(event.number)},
            {"name": "timestamp", "valueInstant": to_instant(event.at)},
        ]
        if focus:
            reference = {"reference": f"{base}/{event.stored.type}/{event.stored.id}"}
            part.append({"name": "focus", "valueReference": reference})
        parameters.append({"name": "notification-event", "part": part})
    if told.error:
        parameters.append({"name": "error", "valueCodeableConcept": {"text": told.error}})
    return {
        "resourceType": "Parameters",
        "id": str(uuid.uuid4()),
        "meta": {"profile": [STATUS]},
        "parameter": parameters,
    }


def bundle(told: Told, events: Sequence[Occurrence], content: str, base: str, now: datetime) -> Resource:
    """A notification with as much content as is wanted: `empty` (not even the topic), `id-only` or `full-resource`."""
    empty = content == "empty"
    first = status(told._replace(topic="") if empty else told, events, base=base, focus=not empty)
    entries: list[Resource] = [
        {
            "fullUrl": f"urn:uuid:{first['id']}",
            "resource": first,
            "request": {"method": "GET", "url": f"{told.subscription}/$status"},
            "response": {"status": "200"},
        }
    ]
    if content == "full-resource":
        entries += [_entry(event.stored, base) for event in events]
    return {
        "resourceType": "Bundle",
        "id": str(uuid.uuid4()),
        "meta": {"profile": [NOTIFICATION]},
        "type": "history",
        "timestamp": to_instant(now),
        "entry": entries,
    }


def _entry(stored: Stored, base: str) -> Resource:
    first = stored.version == 1
    place = stored.type if first else f"{stored.type}/{stored.id}"
    return {
        "fullUrl": f"{base}/{stored.type}/{stored.id}",
        "resource": jsontext.parse_object(stored.body),
        "request": {"method": "POST" if first else "PUT", "url": place},
        "response": {"status": "201" if first else "200"},
    }
