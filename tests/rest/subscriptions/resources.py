"""Subscriptions for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.subscriptions.plan import BACKPORT, FILTER, PROFILE
from fhirserver.subscriptions.topics import BASE

if TYPE_CHECKING:
    from tests.rest.subscriptions.endpoint import Endpoint

_EXTENSIONS = {
    "heartbeat": ("heartbeat-period", "valueUnsignedInt"), "timeout": ("timeout", "valueUnsignedInt"),
    "most": ("max-count", "valuePositiveInt"),
}  # fmt: skip


def subscription(endpoint: Endpoint, criteria: str = "Observation?code=718-7", /, **channel: Any) -> dict[str, Any]:
    """Of R4, with the resource as payload; an element of the channel that is None is left out."""
    made = {"type": "rest-hook", "endpoint": endpoint.url, "payload": "application/fhir+json", **channel}
    found = {name: value for name, value in made.items() if value is not None}
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "x",
        "criteria": criteria,
        "channel": found,
    }


def by_topic(
    endpoint: Endpoint, topic: str = "results", *filters: str, content: str = "full-resource", **numbers: int
) -> dict[str, Any]:
    """By topic, as the Backport guide has it. `numbers`: `heartbeat`, `timeout`, `most`."""
    made = subscription(endpoint, f"{BASE}{topic}")
    made["meta"] = {"profile": [PROFILE]}
    if filters:
        made["_criteria"] = {"extension": [{"url": FILTER, "valueString": each} for each in filters]}
    said = {"url": f"{BACKPORT}backport-payload-content", "valueCode": content}
    made["channel"]["_payload"] = {"extension": [said]}
    more = [(*_EXTENSIONS[name], value) for name, value in numbers.items()]
    if more:
        extensions = [{"url": f"{BACKPORT}backport-{name}", member: value} for name, member, value in more]
        made["channel"]["extension"] = extensions
    return made
