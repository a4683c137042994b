"""Sends the notifications of one subscriber to his endpoint, over one connection while they follow one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext, xmltext
from fhirserver.auth.fetching import Unfetchable
from fhirserver.errors import NotAcceptable
from fhirserver.subscriptions import notification
from fhirserver.subscriptions.notification import Told
from fhirserver.subscriptions.plan import XML

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from fhirserver.auth.fetching import Line
    from fhirserver.rest.services import Services
    from fhirserver.subscriptions.notification import Occurrence
    from fhirserver.subscriptions.plan import Plan

TYPE: Final = "Subscription"
_SUCCESS: Final = range(200, 300)


class Sender:
    """Sends for the Subscription of that id, over a line to its endpoint."""

    def __init__(self, services: Services, id: str, plan: Plan, line: Line) -> None:
        self._services, self._plan, self._line = services, plan, line
        self._url = f"{services.base}/{TYPE}/{id}"

    def send(self, kind: str, events: Sequence[Occurrence], count: int, now: datetime) -> None:
        """`count`: how many events there were in all. Raises Unfetchable unless the endpoint says that it took it."""
        plan, content = self._plan, b""
        method, url, headers = "POST", plan.endpoint, plan.header_pairs()
        if plan.topic:
            status = "requested" if kind == "handshake" else "active"
            told = Told(self._url, plan.topic, status, kind, count)
            content = self._written(notification.bundle(told, events, plan.content, self._services.base, now))
        elif plan.payload:
            (event,) = events
            method, url = "PUT", _below(plan.endpoint, f"{event.stored.type}/{event.stored.id}")
            content = self._written(jsontext.parse_object(event.stored.body))
        if content:
            headers["Content-Type"] = plan.payload
        answer = self._line.ask(method, url, {"Accept": "*/*", **headers}, content)
        if answer.status not in _SUCCESS:
            raise Unfetchable(f"the endpoint answered with status {answer.status}")

    def _written(self, resource: dict[str, Any]) -> bytes:
        if self._plan.payload != XML:
            return jsontext.dump(resource)
        try:
            return xmltext.dump(resource, self._services.definitions)
        except NotAcceptable:
            raise Unfetchable("what is to be told cannot be written as XML") from None


def _below(endpoint: str, path: str) -> str:
    base, mark, query = endpoint.partition("?")
    return f"{base.rstrip('/')}/{path}{mark}{query}"
