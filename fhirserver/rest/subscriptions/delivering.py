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
    from collections.abc import Sequence

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
            who = standing(self._services, row, plan.end)
            sent = self._told(row, plan, Access.of(who, self._services.clock()), now)
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
            if sent is not None:
                self._store.subscribers.settle(row, self._next(plan, sent, now), tries=0, failed=None)

    def _told(self, row: Row, plan: Plan, access: Access, now: datetime) -> datetime | None:
        """Sends what there is to send; when something was sent last, None where the subscriber was lost to another."""
        subscribers, last = self._store.subscribers, row.get("told")
        if not row["shook"]:
            self._send(row, plan, "handshake", [], now)
            row["shook"], last = True, now
            if not subscribers.note(row, shook=True, told=now):
                return None
        if row["status"] != "active":
            self._say(row, "active")
        # a later version of a resource has an event of its own
        view = self._store.view(access)
        while waiting := subscribers.waiting(row["_id"], AT_ONCE):
            found = [
                (each, stored)
                for each in waiting
                if (stored := seen(self._services, view, plan, each)) is not None and stored.version == each["v"]
            ]
            kept = {each["_id"] for each, _ in found}
            for start in range(0, len(found), plan.most):
                some = found[start : start + plan.most]
                self._event(row, plan, access, some, now)
                row["number"] += len(some)
                last = now
                subscribers.told([each for each, _ in some], row["number"] - len(some) + 1, now)
                if not subscribers.note(row, number=row["number"], told=now, tries=0, failed=None):
                    return None
            subscribers.drop([each for each in waiting if each["_id"] not in kept], now)
        if plan.heartbeat and last is not None and now >= last + timedelta(seconds=plan.heartbeat):
            self._send(row, plan, "heartbeat", [], now)
            last = now
            subscribers.note(row, told=now)
        return last or now

    def _event(self, row: Row, plan: Plan, access: Access, found: Sequence[tuple[Row, Stored]], now: datetime) -> None:
        """Sends one notification, once its disclosure is traced. Raises Unfetchable."""
        fresh = [(each, stored) for each, stored in found if not each.get("traced")]
        if fresh:
            self._services.trace(access, disclosed(plan, plan.content, [stored for _, stored in fresh]))
            self._store.subscribers.mark([each for each, _ in fresh])
        first = row["number"] + 1
        events = [Occurrence(first + place, each["at"], stored) for place, (each, stored) in enumerate(found)]
        self._send(row, plan, "event-notification", events, now)

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
        if tries == pauses.IN_ERROR:
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

    def _next(self, plan: Plan, last: datetime, now: datetime) -> datetime:
        """When a subscriber is looked at who hears nothing meanwhile."""
        times = [now + CHECK]
        if plan.heartbeat:
            times.append(last + timedelta(seconds=plan.heartbeat))
        if plan.end is not None:
            times.append(now + max(plan.end - self._services.clock(), timedelta(0)))
        return min(times)


def _below(endpoint: str, path: str) -> str:
    base, mark, query = endpoint.partition("?")
    return f"{base.rstrip('/')}/{path}{mark}{query}"
