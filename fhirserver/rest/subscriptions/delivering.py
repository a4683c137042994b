"""Tells subscribers what was stored: at least once, in order, and nothing that the subscriber may not see now.

What is told is judged when it is told: a search by the criteria for just these resources, through the subscriber's own
view (`telling`). What is not found so is as if it had not happened: no notification, no number. What goes out is traced
before, as a read.
"""

from __future__ import annotations

import logging
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.access import Access
from fhirserver.audit import Entity, Event
from fhirserver.auth.fetching import Fetcher, Unfetchable
from fhirserver.errors import FhirError, Unavailable
from fhirserver.rest.subscriptions.receiving import OFF
from fhirserver.rest.subscriptions.sending import TYPE, Sender
from fhirserver.rest.subscriptions.standing import Ended, standing
from fhirserver.rest.subscriptions.telling import Telling
from fhirserver.subscriptions import pauses
from fhirserver.subscriptions.plan import Plan

if TYPE_CHECKING:
    from fhirserver.rest.services import Services
    from fhirserver.store import Transaction

Row = dict[str, Any]

AT_ONCE: Final = 100
"""Events of one subscriber that are looked at together."""
CHECK: Final = timedelta(hours=1)
"""How often it is asked whether a subscriber that hears nothing may still be told anything."""
AGAIN: Final = timedelta(seconds=5)
"""After which a delivery is taken up that the database did not let be made."""
_GIVEN_UP: Final = "The endpoint did not take a notification for days: the Subscription was ended."
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

    def deliver(self, row: Row, now: datetime | None = None) -> bool:
        """Tells a taken subscriber what waits for him, and gives him back: False where his endpoint did not take it.

        Raises Unavailable."""
        now = now or datetime.now(UTC)
        plan = Plan.written(row["plan"])
        try:
            standing(self._services, row, plan.end)
            row["number"] = self._store.subscribers.highest(row["_id"], row["number"])
            due = self._told(row, plan, now)
        except Ended as ended:
            self._end(row, str(ended))
        except Unfetchable as error:
            self._failed(row, str(error), now)
            return False
        except Unavailable:
            self._store.subscribers.settle(row, now + AGAIN, tries=row["tries"])
            raise
        except FhirError as error:  # criteria that are not understood any more
            self._failed(row, error.text, now)
        else:
            if due is not None:
                self._store.subscribers.settle(row, due, tries=0, failed=None)
        return True

    def _told(self, row: Row, plan: Plan, now: datetime) -> datetime | None:
        """Sends what there is to send; when he is due next, None where he was lost to another worker."""
        with closing(self._fetcher.within(plan.timeout).line(plan.endpoint)) as line:
            sender = Sender(self._services, row["_id"], plan, line)
            if not row["shook"] and not self._sent(row, sender, "handshake", now, shook=True):
                return None
            waiting = self._store.subscribers.waiting(row["_id"], AT_ONCE)
            if not Telling(self._services, row, plan, sender, self._took).tell(waiting, now):
                return None
            beat = self._beat(row, plan)
            if beat is not None and beat <= now:
                if not self._sent(row, sender, "heartbeat", now):
                    return None
                beat = self._beat(row, plan)
        return now if len(waiting) == AT_ONCE else min(filter(None, (now + CHECK, beat, self._end_of(plan, now))))

    def _sent(self, row: Row, sender: Sender, kind: str, now: datetime, **facts: Any) -> bool:
        sender.send(kind, (), row["number"], now)
        return self._took(row, now, **facts)

    def _took(self, row: Row, now: datetime, **facts: Any) -> bool:
        """Notes that the endpoint took something; False where the subscriber was lost to another worker."""
        row |= {"told": now, "tries": 0, "failed": None, **facts}
        if not self._store.subscribers.note(row, told=now, tries=0, failed=None, **facts):
            return False
        if row["status"] != "active":
            self._say(row, "active")
        return True

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
        self._store.subscribers.silence(row)

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
