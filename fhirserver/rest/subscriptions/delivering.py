"""Tells subscribers what was stored: at least once, in order, and nothing that the subscriber may not see now.

Each event is judged when it is told: a search by the criteria for just that resource, through the subscriber's own
view. What is not found so is as if it had not happened: no notification, no number. What goes out is traced before,
as a read.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext, xmltext
from fhirserver.access import Access
from fhirserver.audit import Entity, Event
from fhirserver.auth.fetching import Fetcher, Unfetchable
from fhirserver.errors import FhirError, NotAcceptable, Unavailable
from fhirserver.rest.subscriptions.judging import disclosed, seen
from fhirserver.rest.subscriptions.receiving import OFF
from fhirserver.rest.subscriptions.standing import Ended, standing
from fhirserver.store.subscribers import NEVER
from fhirserver.subscriptions import notification, pauses
from fhirserver.subscriptions.notification import Occurrence, Told
from fhirserver.subscriptions.plan import XML, Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fhirserver.rest.services import Services
    from fhirserver.store import Stored, Transaction

Row = dict[str, Any]

TYPE: Final = "Subscription"
AT_ONCE: Final = 50
"""Events of one subscriber that are looked at together."""
CHECK: Final = timedelta(hours=1)
"""How often it is asked whether a subscriber that hears nothing may still be told anything."""
AGAIN: Final = timedelta(seconds=5)
"""After which a delivery is taken up that the database did not let be made."""
_GIVEN_UP: Final = "The endpoint did not take a notification for days: the Subscription was ended."
_SUCCESS: Final = range(200, 300)
_log = logging.getLogger(__name__)


class Delivering:
    """Delivers for one process; may be used by several threads."""

    def __init__(self, services: Services, fetcher: Fetcher | None = None) -> None:
        self._services, self._store = services, services.store
        self._fetcher = fetcher or Fetcher(production=services.settings.environment == "production")

    def round(self, now: datetime | None = None) -> int:
        """Delivers to all that are due, one after another; to how many. Raises Unavailable."""
        count = 0
        while (row := self._store.subscribers.take(now or datetime.now(UTC))) is not None:
            self.deliver(row, now)
            count += 1
        return count

    def deliver(self, row: Row, now: datetime | None = None) -> None:
        """Tells a taken subscriber what waits for him, and gives him back. Raises Unavailable."""
        now = now or datetime.now(UTC)
        plan = Plan.written(row["plan"])
        try:
            self._access(row, plan)
            row["number"] = self._store.subscribers.highest(row["_id"], row["number"])
            due = self._told(row, plan, now)
        except Ended as ended:
            self._end(row, str(ended))
        except Unfetchable as error:
            self._failed(row, str(error), now)
        except Unavailable:
            self._store.subscribers.settle(row, now + AGAIN, tries=row["tries"])
            raise
        except FhirError as error:  # criteria that are not understood any more
            self._failed(row, error.text, now)
        else:
            if due is not None:
                self._store.subscribers.settle(row, due, tries=0, failed=None)

    def _access(self, row: Row, plan: Plan) -> Access:
        """The subscriber as he is now: asked before each notification, for the one before may have taken long."""
        return Access.of(standing(self._services, row, plan.end), self._services.clock())

    def _told(self, row: Row, plan: Plan, now: datetime) -> datetime | None:
        """Sends what there is to send; when he is due next, None where he was lost to another worker."""
        subscribers = self._store.subscribers
        if not row["shook"] and not self._sent(row, plan, "handshake", now, shook=True):
            return None
        waiting = subscribers.waiting(row["_id"], AT_ONCE)
        for start in range(0, len(waiting), plan.most):
            some = waiting[start : start + plan.most]
            access = self._access(row, plan)
            found = list(self._visible(plan, access, some))
            if found and not self._event(row, plan, access, found, now):
                return None
            told = {each["_id"] for each, _ in found}
            subscribers.drop([each for each in some if each["_id"] not in told], now)
        beat = self._beat(row, plan)
        if beat is not None and beat <= now:
            if not self._sent(row, plan, "heartbeat", now):
                return None
            beat = self._beat(row, plan)
        return now if len(waiting) == AT_ONCE else min(filter(None, (now + CHECK, beat, self._end_of(plan, now))))

    def _visible(self, plan: Plan, access: Access, events: Sequence[Row]) -> Iterator[tuple[Row, Stored]]:
        """Those of the events that the subscriber may see; a later version of a resource has an event of its own."""
        view = self._store.view(access)
        for event in events:
            stored = seen(self._services, view, plan, event)
            if stored is not None and stored.version == event["v"]:
                yield event, stored

    def _event(self, row: Row, plan: Plan, access: Access, found: Sequence[tuple[Row, Stored]], now: datetime) -> bool:
        """Sends one notification, once its disclosure is traced: False where he was lost. Raises Unfetchable."""
        fresh = [(each, stored) for each, stored in found if not each.get("traced")]
        if fresh:
            self._services.trace(access, disclosed(plan, plan.content, [stored for _, stored in fresh]))
            self._store.subscribers.mark([each for each, _ in fresh])
        first = row["number"] + 1
        events = [Occurrence(first + place, each["at"], stored) for place, (each, stored) in enumerate(found)]
        self._send(row, plan, "event-notification", events, now)
        self._store.subscribers.told([each for each, _ in found], first, now)
        return self._took(row, now, number=row["number"] + len(found))

    def _sent(self, row: Row, plan: Plan, kind: str, now: datetime, **facts: Any) -> bool:
        self._send(row, plan, kind, [], now)
        return self._took(row, now, **facts)

    def _took(self, row: Row, now: datetime, **facts: Any) -> bool:
        """Notes that the endpoint took something; False where the subscriber was lost to another worker."""
        row |= {"told": now, "tries": 0, "failed": None, **facts}
        if not self._store.subscribers.note(row, told=now, tries=0, failed=None, **facts):
            return False
        if row["status"] != "active":
            self._say(row, "active")
        return True

    def _send(self, row: Row, plan: Plan, kind: str, events: Sequence[Occurrence], now: datetime) -> None:
        """Raises Unfetchable unless the endpoint says that it took it."""
        method, url, headers, content = "POST", plan.endpoint, plan.header_pairs(), b""
        if plan.topic:
            url_of = f"{self._services.base}/{TYPE}/{row['_id']}"
            status = "requested" if kind == "handshake" else "active"
            told = Told(url_of, plan.topic, status, kind, row["number"] + len(events))
            content = self._written(plan, notification.bundle(told, events, plan.content, self._services.base, now))
        elif plan.payload:
            (event,) = events
            method, url = "PUT", _below(plan.endpoint, f"{event.stored.type}/{event.stored.id}")
            content = self._written(plan, jsontext.parse_object(event.stored.body))
        if content:
            headers["Content-Type"] = plan.payload
        answer = self._fetcher.within(plan.timeout).ask(method, url, {"Accept": "*/*", **headers}, content=content)
        if answer.status not in _SUCCESS:
            raise Unfetchable(f"the endpoint answered with status {answer.status}")

    def _written(self, plan: Plan, resource: dict[str, Any]) -> bytes:
        if plan.payload != XML:
            return jsontext.dump(resource)
        try:
            return xmltext.dump(resource, self._services.definitions)
        except NotAcceptable:
            raise Unfetchable("what is to be told cannot be written as XML") from None

    def _failed(self, row: Row, why: str, now: datetime) -> None:
        tries, failed = row["tries"] + 1, row.get("failed") or now
        _log.warning("a notification of Subscription/%s is not delivered: %s", row["_id"], why)
        if now - failed > pauses.GIVEN_UP:
            self._end(row, _GIVEN_UP)
            return
        if tries >= pauses.IN_ERROR and row["status"] != "error":
            self._say(row, "error", f"A notification is not delivered: {why}.")
        self._store.subscribers.settle(row, now + pauses.pause(tries), tries=tries, failed=failed)

    def _end(self, row: Row, why: str) -> None:
        self._say(row, OFF, why)
        self._store.subscribers.empty(row["_id"])
        self._store.subscribers.settle(row, NEVER, tries=0, failed=None, live=False)

    def _say(self, row: Row, status: str, error: str = "") -> None:
        """Stores the status in the Subscription, unless its owner wrote it meanwhile."""
        access = Access.system("subscriptions", self._services.clock())
        chains = self._services.chains

        def work(tx: Transaction) -> int | None:
            stored = tx.view.read(TYPE, row["_id"])
            if stored is None or stored.deleted or stored.version != row["version"]:
                return None
            resource = jsontext.parse_object(stored.body)
            resource.pop("error", None)
            done = tx.update(resource | {"status": status} | ({"error": error} if error else {}))
            event = Event("update", 200, (Entity.of(done),))
            tx.trace(place.link(event.record(access.requester, access.now)))
            return int(done.version)

        with chains.place() as place:
            version = self._store.transact(access, work)
        if version is not None:
            row |= {"status": status, "version": version}
            self._store.subscribers.note(row, status=status, version=version)

    def _beat(self, row: Row, plan: Plan) -> datetime | None:
        """When a heartbeat is due: a period after what was sent last."""
        last = row.get("told")
        return last + timedelta(seconds=plan.heartbeat) if plan.heartbeat and last is not None else None

    def _end_of(self, plan: Plan, now: datetime) -> datetime | None:
        return None if plan.end is None else now + max(plan.end - self._services.clock(), timedelta(0))


def _below(endpoint: str, path: str) -> str:
    base, mark, query = endpoint.partition("?")
    return f"{base.rstrip('/')}/{path}{mark}{query}"
