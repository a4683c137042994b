"""Tells one subscriber what waits for him, in order, each event judged no longer than `FRESH` before it is told.

They go in slices, the first of one notification and each twice the one before, so that of an endpoint that does not
answer little was looked at. Of a slice: who he is now, what he may see, the trace of it; then it is sent.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from fhirserver.access import Access
from fhirserver.rest.subscriptions.judging import disclosed, seen
from fhirserver.rest.subscriptions.standing import standing
from fhirserver.subscriptions.notification import Occurrence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from fhirserver.rest.services import Services
    from fhirserver.rest.subscriptions.sending import Sender
    from fhirserver.store import Stored
    from fhirserver.subscriptions.plan import Plan

Row = dict[str, Any]
Visible = tuple[Row, "Stored"]

FRESH: Final = 1.0
"""Seconds after which what was judged, and is not sent yet, is judged again."""


class Telling:
    """`took` is called when an endpoint took something, with what is to be noted: False where he was lost."""

    def __init__(self, services: Services, row: Row, plan: Plan, sender: Sender, took: Callable[..., bool]) -> None:
        self._services, self._subscribers = services, services.store.subscribers
        self._row, self._plan, self._sender, self._took = row, plan, sender, took

    def tell(self, waiting: Sequence[Row], now: datetime) -> bool:
        """False where the subscriber was lost to another worker. Raises Ended, Unfetchable, Unavailable."""
        size, left = 1, list(waiting)
        while left:
            some, rest = left[: size * self._plan.most], left[size * self._plan.most :]
            unsent = self._slice(some, now)
            if unsent is None:
                return False
            left, size = [*unsent, *rest], size * 2
        return True

    def _slice(self, events: Sequence[Row], now: datetime) -> list[Row] | None:
        """Those of the events that are left, for it took too long; None where the subscriber was lost."""
        access = Access.of(standing(self._services, self._row, self._plan.end), self._services.clock())
        looked, most = time.monotonic(), self._plan.most
        visible = self._visible(access, events)
        told = {each["_id"] for each, _ in visible}
        self._subscribers.drop([each for each in events if each["_id"] not in told], now)
        notifications = [visible[start : start + most] for start in range(0, len(visible), most)]
        self._trace(access, notifications)
        sent = 0
        try:
            for each in notifications:
                if sent and time.monotonic() - looked > FRESH:
                    break
                self._send(each, sent, now)
                sent += len(each)
        finally:  # what was taken is told, whatever became of the next
            held = not sent or self._note([each for each, _ in visible[:sent]], now)
        return [each for each, _ in visible[sent:]] if held else None

    def _visible(self, access: Access, events: Sequence[Row]) -> list[Visible]:
        """Those of the events that the subscriber may see; a later version of a resource has an event of its own."""
        found = seen(self._services, self._services.store.view(access), self._plan, events)
        pairs = ((each, found.get(f"{each['type']}/{each['id']}")) for each in events)
        return [(each, one) for each, one in pairs if one is not None and one.version == each["v"]]

    def _trace(self, access: Access, notifications: Sequence[Sequence[Visible]]) -> None:
        """A trace for each notification, but of what was traced before."""
        fresh = [[pair for pair in each if not pair[0].get("traced")] for each in notifications]
        asked = [[stored for _, stored in each] for each in fresh if each]
        self._services.trace_all(access, [disclosed(self._plan, self._plan.content, each) for each in asked])
        if asked:
            self._subscribers.mark([event for each in fresh for event, _ in each])

    def _send(self, notification: Sequence[Visible], before: int, now: datetime) -> None:
        first = self._row["number"] + before + 1
        events = [Occurrence(first + place, each["at"], one) for place, (each, one) in enumerate(notification)]
        self._sender.send("event-notification", events, first + len(events) - 1, now)

    def _note(self, events: Sequence[Row], now: datetime) -> bool:
        number = self._row["number"]
        self._subscribers.told(events, number + 1, now)
        return self._took(self._row, now, number=number + len(events))
