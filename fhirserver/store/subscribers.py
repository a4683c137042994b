"""Who is subscribed to what (`Subscription`), and what waits to be told to whom.

A subscriber is a row beside the Subscription, written in its transaction: `{_id, live, plan, who, grant, since}`, where
`plan` is what the Subscription asks for and `who` the requester (no token) as whom it is judged at each delivery. What
the deliveries note is there too: `due` (when it is to be looked at), `tries` and `failed` (since when), `number`
of the last event told, `told` (when), `posted` (how often something came for it). Who takes a subscriber has it for a
while; others deliver to others meanwhile, so that events of one go out in their order.

An event is a row `{_id: subscriber|place|version, sub, seq, type, id, v, pat, at}`: one for each version, however often
the stream tells of it. Once told it bears its `number`, and stays for `KEPT`. Times are real ones.
"""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from pymongo import ASCENDING, IndexModel, ReturnDocument, UpdateOne

from fhirserver.store.errors import translated

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from pymongo.client_session import ClientSession
    from pymongo.database import Database

    from fhirserver.store.changes import Change

Row = dict[str, Any]

COLLECTION: Final = "subscribers"
EVENTS: Final = "events"
NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
SPARE: Final = timedelta(seconds=5)
"""Beyond the time that an endpoint has, for which who takes a subscriber has him."""
KEPT: Final = timedelta(days=7)
"""For so long an event that was told can be asked for again (`$events`)."""
_AT_ONCE: Final = 1000


class Subscribers:
    """The subscribers of one database. Methods raise Unavailable."""

    def __init__(self, database: Database[Row], session: ClientSession | None = None) -> None:
        self._rows, self._events, self._session = database[COLLECTION], database[EVENTS], session
        self._lock = threading.Lock()
        self._made = session is not None

    def keep(self, id_: str, **facts: Any) -> None:
        """Stores what a Subscription asks for; a new one begins at number 0. `facts`: `live`, `plan`, `due`; where it
        begins, what is stored `since` then, by the server's clock; where it is another subscriber, `who`, `grant`."""
        first = {"number": 0, "posted": 0}
        change = {"$set": {"tries": 0, "failed": None, **facts}, "$setOnInsert": first, "$unset": {"holder": ""}}
        with self._errors():
            self._rows.update_one({"_id": id_}, change, upsert=True, session=self._session)

    def remove(self, id_: str) -> None:
        """Forgets a subscriber; what waits for it goes by itself (`sweep`)."""
        with self._errors():
            self._rows.delete_one({"_id": id_}, session=self._session)

    def find(self, id_: str) -> Row | None:
        with self._errors():
            return self._rows.find_one({"_id": id_}, session=self._session)

    def count(self, owner: str, *, besides: str) -> int:
        """How many of somebody's others are live."""
        with self._errors():
            asked = {"owner": owner, "live": True, "_id": {"$ne": besides}}
            return self._rows.count_documents(asked, session=self._session)

    def failing(self) -> int:
        """How many could not be told, since some moment."""
        with translated():
            return self._rows.count_documents({"failed": {"$ne": None}}, session=self._session)

    def live(self) -> list[Row]:
        """Those to whom something may be told."""
        self._make()
        with translated():
            return self._rows.find({"live": True}, {"plan": 1, "since": 1}).to_list()

    def post(self, subscribers: Iterable[str], change: Change, at: datetime) -> bool:
        """Has a version told to some, unless it was posted before; where a merge moved it, from there. Whether it was
        new to any of them."""
        ids, envelope = list(dict.fromkeys(subscribers)), change.envelope
        event = {"type": change.type, "id": envelope["_id"], "v": envelope["v"], "at": envelope["lu"]}
        event |= {"seq": time.time_ns(), "number": None, "kept": NEVER}
        moved = {"$set": {"pat": envelope.get("pat")}}
        writes = [
            UpdateOne(
                {"_id": f"{each}|{change.place}|{envelope['v']}"},
                {**moved, "$setOnInsert": {**event, "sub": each}},
                upsert=True,
            )
            for each in ids
        ]
        later = {"$and": [{"$eq": ["$tries", 0]}, {"$gt": ["$due", at]}]}
        known = {"posted": {"$add": ["$posted", 1]}, "due": {"$cond": [later, at, "$due"]}}
        with translated():
            done = self._events.bulk_write(writes, ordered=False)
            fresh = [ids[place] for place in done.upserted_ids or {}]
            if fresh:
                self._rows.update_many({"_id": {"$in": fresh}}, [{"$set": known}])
        return bool(fresh)

    def take(self, now: datetime) -> Row | None:
        """The live subscriber that is due longest, with a `holder` by which its taker is known."""
        self._make()
        lease = {"$add": [now + SPARE, {"$multiply": [1000, {"$ifNull": ["$plan.timeout", 0]}]}]}
        with translated():
            return self._rows.find_one_and_update(
                {"live": True, "due": {"$lte": now}},
                [{"$set": {"due": lease, "holder": secrets.token_hex(8)}}],
                sort=[("due", ASCENDING)],
                return_document=ReturnDocument.AFTER,
            )

    def settle(self, taken: Row, due: datetime, **facts: Any) -> bool:
        """Gives a taken subscriber back, to be looked at when it is `due`; at once where more came for it meanwhile.

        False where it is another's now."""
        mine = {"_id": taken["_id"], "holder": taken["holder"]}
        change = {"$set": {"due": due, **facts}, "$unset": {"holder": ""}}
        with translated():
            if facts.get("tries"):
                return self._rows.update_one(mine, change).matched_count == 1
            if self._rows.update_one({**mine, "posted": taken["posted"]}, change).matched_count:
                return True
            change["$set"] = {"due": datetime.now(UTC), **facts}
            return self._rows.update_one(mine, change).matched_count == 1

    def note(self, taken: Row, **facts: Any) -> bool:
        """Notes something of a taken subscriber, who is held a while longer: False where it is another's now."""
        until = datetime.now(UTC) + SPARE + timedelta(seconds=taken["plan"].get("timeout", 0))
        change = {"$set": {"due": until, **facts}}
        with translated():
            return self._rows.update_one({"_id": taken["_id"], "holder": taken["holder"]}, change).matched_count == 1

    def waiting(self, subscriber: str, count: int) -> list[Row]:
        """The next events that are to be told, in order."""
        with translated():
            found = self._events.find({"sub": subscriber, "number": None})
            return found.sort("seq", ASCENDING).limit(count).to_list()

    def told(self, events: Iterable[Row], first: int, now: datetime) -> None:
        """Events went out under the numbers from `first` on."""
        with translated():
            for number, event in enumerate(events, first):
                self._events.update_one({"_id": event["_id"]}, {"$set": {"number": number, "kept": now + KEPT}})

    def mark(self, events: Iterable[Row]) -> None:
        """The disclosure of these was traced: what is sent again is no other one."""
        with translated():
            ids = [event["_id"] for event in events]
            self._events.update_many({"_id": {"$in": ids}}, {"$set": {"traced": True}})

    def drop(self, events: Iterable[Row], now: datetime) -> None:
        """Events are not told: nobody learns that they were. The rows stay for a while, lest they be posted again."""
        with translated():
            for event in events:
                self._events.update_one({"_id": event["_id"]}, {"$set": {"number": -1, "kept": now + KEPT}})

    def highest(self, subscriber: str, known: int) -> int:
        """The number of the last event that was told, if it is beyond the one that is known: else that."""
        with translated():
            found = self._events.find({"sub": subscriber, "number": {"$gt": known}}, {"number": 1})
            return max((int(each["number"]) for each in found), default=known)

    def between(self, subscriber: str, first: int, last: int, count: int) -> list[Row]:
        """Events that were told, by number, both ends included."""
        with translated():
            found = self._events.find({"sub": subscriber, "number": {"$gte": first, "$lt": last + 1}})
            return found.sort("number", ASCENDING).limit(count).to_list()

    def empty(self, subscriber: str) -> None:
        """Forgets what waits for a subscriber to whom nothing is told any more."""
        with self._errors():
            self._events.delete_many({"sub": subscriber, "number": None}, session=self._session)

    def sweep(self, now: datetime) -> int:
        """Throws away events past their time, and those of Subscriptions that are gone; how many."""
        self._make()
        with translated():
            known = [row["_id"] for row in self._rows.find({}, {"_id": 1})]
            done = self._events.delete_many({"kept": {"$lte": now}}).deleted_count
            return done + self._events.delete_many({"sub": {"$nin": known}}).deleted_count

    def _errors(self) -> AbstractContextManager[None]:
        """In a transaction the driver's errors go up to `Store.transact`, which may run the work again."""
        return nullcontext() if self._session is not None else translated()

    def _make(self) -> None:
        with self._lock, translated():
            if not self._made:
                self._rows.create_indexes(
                    [
                        IndexModel([("live", ASCENDING), ("due", ASCENDING)], name="due"),
                        IndexModel([("owner", ASCENDING), ("live", ASCENDING)], name="owner"),
                    ]
                )
                by = [("sub", ASCENDING), ("number", ASCENDING), ("seq", ASCENDING)]
                self._events.create_indexes(
                    [IndexModel(by, name="sub"), IndexModel([("kept", ASCENDING)], name="kept")]
                )
                self._made = True
