"""Who is subscribed to what (`Subscription`), and what waits to be told to whom.

A subscriber is a row beside the Subscription, written in its transaction: `{_id, live, plan, who, grant, since, types,
hears, host}`, where `plan` is what the Subscription asks for, `who` the requester (no token) as whom it is judged at
each delivery, `types` and `hears` what it is found by when something is stored (`subscriptions.audience`), `host` where
notifications go. What the deliveries note is there too: `due` (when it is to be looked at), `tries` and `failed` (since
when), `number` of the last event told, `told` (when), `posted` (how often something came for it). Who takes a
subscriber has it for a while; others deliver to others meanwhile, so that events of one go out in their order. Of a
Subscription that is deleted the row says `gone` (when), until what waited for it is thrown away.

An event is a row `{_id: subscriber|place|version, sub, seq, type, id, v, pat, at}`: one for each version, however often
the stream tells of it. Once told it bears its `number`, and stays for `KEPT`. Times are real ones.
"""

from __future__ import annotations

import secrets
import threading
from collections import deque
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from pymongo import ASCENDING, DESCENDING, IndexModel, UpdateOne
from pymongo.errors import OperationFailure

from fhirserver.store.actors import POLICIES
from fhirserver.store.errors import translated
from fhirserver.store.heard import Heard
from fhirserver.store.planner import few

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from pymongo.client_session import ClientSession
    from pymongo.database import Database

    from fhirserver.store.changes import Change

Row = dict[str, Any]
T = TypeVar("T")

COLLECTION: Final = "subscribers"
EVENTS: Final = "events"
NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
SPARE: Final = timedelta(seconds=5)
"""Beyond the time that an endpoint has, for which who takes a subscriber has him."""
KEPT: Final = timedelta(days=7)
"""For so long an event that was told can be asked for again (`$events`)."""
LINGERS: Final = timedelta(hours=1)
"""For so long who follows the changes may yet post to a subscriber that is gone."""
_FORMER: Final = "due"
"""An index of a former version, by whether they are live first: the embedded database would read all who are."""
_NO_INDEX: Final = 27
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
_AT_ONCE: Final = 1000
_STOCK: Final = 500
"""Who is due is asked for so many at once: the embedded database reads all who are, for one as for many."""
_FORGOTTEN: Final = (
    "plan", "who", "grant", "owner", "since", "host", "status", "version", "shook", "told", "failed",
    "holder",
)  # fmt: skip


class Posted(NamedTuple):
    """A version that a subscriber is to be told; `seq` orders what is told to him."""

    subscriber: str
    change: Change
    seq: int


SILENT: Final[Row] = {"live": False, "due": NEVER, "types": [], "hears": []}
"""What a subscriber is to whom nothing is told any more: found by nothing."""


def farewell() -> Row:
    """The update by which a subscriber is forgotten."""
    return {"$set": {**SILENT, "gone": datetime.now(UTC)}, "$unset": dict.fromkeys(_FORGOTTEN, "")}


class Subscribers:
    """The subscribers of one database. Methods raise Unavailable."""

    def __init__(self, database: Database[Row], session: ClientSession | None = None) -> None:
        self._rows, self._events, self._session = database[COLLECTION], database[EVENTS], session
        self._policies, self._heard = database[POLICIES], Heard(database, COLLECTION)
        self._stock: deque[Row] = deque()
        self._lock = threading.Lock()
        self._made = session is not None

    def keep(self, id_: str, **facts: Any) -> None:
        """Stores what a Subscription asks for; a new one begins at number 0. `facts`: `live`, `plan`, `due`, `types`,
        `hears`, `host`; where it begins, what is stored `since` then, by the server's clock; where it is another
        subscriber, `who`, `grant`."""
        first = {"number": 0, "posted": 0}
        given = {"holder": "", "gone": ""}
        change = {"$set": {"tries": 0, "failed": None, **facts}, "$setOnInsert": first, "$unset": given}
        with self._errors():
            self._rows.update_one({"_id": id_}, change, upsert=True, session=self._session)
            self._heard.add(facts.get("types", ()), id_, facts.get("since", datetime.now(UTC)), self._session)

    def remove(self, id_: str) -> None:
        """Forgets a subscriber; what waits for it goes by itself (`sweep`)."""
        with self._errors():
            self._rows.update_one({"_id": id_}, farewell(), session=self._session)

    def find(self, id_: str) -> Row | None:
        with self._errors():
            return self._rows.find_one({"_id": id_, "gone": None}, session=self._session)

    def several(self, ids: Iterable[str]) -> dict[str, Row]:
        """Those of the subscribers that there are, by id."""
        with self._errors():
            found = self._rows.find({"_id": {"$in": sorted(ids)}, "gone": None}, session=self._session)
            return {row["_id"]: row for row in found}

    def count(self, owner: str, *, besides: str) -> int:
        """How many of somebody's others are live."""
        with self._errors():
            asked = {"owner": owner, "live": True, "_id": {"$ne": besides}}
            return self._rows.count_documents(asked, session=self._session)

    def failing(self) -> int:
        """How many could not be told, since some moment."""
        self._make()
        with translated():
            return self._rows.count_documents({"failed": {"$gt": _EVER}})

    def anybody(self) -> bool:
        """Whether there are subscribers, or were lately."""
        self._make()
        return self._heard.anything()

    def behind(self) -> list[Row]:
        """The next live subscribers whom a former version kept, without what they are found by: `_id`, `plan`, `who`,
        `since`."""
        self._make()
        fields = dict.fromkeys(("plan", "who", "since"), 1)
        with translated():
            return self._rows.find({"hears": None, "live": True}, fields).limit(_STOCK).to_list()

    def bring_up(self, row: Row, **facts: Any) -> None:
        """Keeps what a subscriber that was `behind` is found by: `types`, `hears`, `host`."""
        with translated():
            self._heard.add(facts["types"], row["_id"], row["since"])
            self._rows.update_one({"_id": row["_id"], "hears": None, "live": True}, {"$set": facts})

    def types(self) -> frozenset[str]:
        """The resource types of which something may be told to somebody."""
        return self._heard.types()

    def newcomers(self, ids: Iterable[str]) -> frozenset[str]:
        """Of what types something may be told to these."""
        with translated():
            rows = self._rows.find({"_id": {"$in": sorted(ids)}}, {"types": 1})
            return frozenset(each for row in rows for each in row.get("types", ()))

    def earliest(self, types: Iterable[str]) -> datetime | None:
        """Since when somebody is to be told what is stored of these types, or before; None if nobody is."""
        return self._heard.earliest(types)

    def hearing(self, keys: Iterable[str]) -> Iterator[Row]:
        """The live subscribers that bear one of the keys: `_id`, `since`, `hears`, and what their `plan` wants.

        One may come twice."""
        for some in few(keys):
            with translated():
                yield from self._rows.find({"hears": {"$in": some}}, {"since": 1, "hears": 1, "plan.wanted": 1})

    def permitted(self, patients: Iterable[str]) -> dict[str, list[str]]:
        """By patient, the actor keys that his policy may give access."""
        found: dict[str, list[str]] = {}
        for some in few(patients):
            with translated():
                rows = self._policies.find({"_id": {"$in": some}}, {"basis": 1})
                found |= {row["_id"]: row["basis"] for row in rows}
        return found

    def post(self, told: Sequence[Posted], at: datetime) -> bool:
        """Has versions told, unless they were posted before; where a merge moved one, from there. Whether any was new
        to somebody."""
        fresh: set[str] = set()
        with translated():
            for some in _pieces(told):
                done = self._events.bulk_write([_upsert(each) for each in some], ordered=False)
                fresh.update(some[place].subscriber for place in done.upserted_ids or {})
            later = {"$and": [{"$eq": ["$tries", 0]}, {"$gt": ["$due", at]}]}
            known = {"posted": {"$add": ["$posted", 1]}, "due": {"$cond": [later, at, "$due"]}}
            for those in few(fresh):
                self._rows.update_many({"_id": {"$in": those}, "live": True}, [{"$set": known}])
        return bool(fresh)

    def take(self, now: datetime, *, besides: Collection[str] = (), sound: bool = False) -> Row | None:
        """The live subscriber that is due longest, with a `holder` by which its taker is known.

        `besides`: none at these hosts; `sound`: none whose last notification was not taken."""
        self._make()
        lease = {"$add": [now + SPARE, {"$multiply": [1000, {"$ifNull": ["$plan.timeout", 0]}]}]}
        while (id_ := self._due(now, besides, sound=sound)) is not None:
            holder = secrets.token_hex(8)
            change = [{"$set": {"due": lease, "holder": holder}}]
            with translated():
                if self._rows.update_one({"_id": id_, "due": {"$lte": now}}, change).matched_count:
                    return self._rows.find_one({"_id": id_, "holder": holder})
        return None

    def _due(self, now: datetime, besides: Collection[str], *, sound: bool) -> str | None:
        """Who may be taken next; of those who were due when it was last asked, another may have some."""
        with self._lock:
            for row in self._stock:
                if row.get("host") not in besides and not (sound and row["tries"]):
                    self._stock.remove(row)
                    return str(row["_id"])
            asked: Row = {"due": {"$lte": now}}
            asked |= {"host": {"$nin": sorted(besides)}} if besides else {}
            asked |= {"tries": 0} if sound else {}
            with translated():
                found = self._rows.find(asked, {"host": 1, "tries": 1}).sort("due", ASCENDING).limit(_STOCK)
                self._stock = deque(found)
            return str(self._stock.popleft()["_id"]) if self._stock else None

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

    def silence(self, taken: Row) -> bool:
        """Nothing is told to a taken subscriber any more. False where it is another's now."""
        mine = {"_id": taken["_id"], "holder": taken["holder"]}
        change = {"$set": {**SILENT, "tries": 0, "failed": None}, "$unset": {"holder": ""}}
        with translated():
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
        writes = [
            UpdateOne({"_id": event["_id"]}, {"$set": {"number": number, "kept": now + KEPT}})
            for number, event in enumerate(events, first)
        ]
        with translated():
            self._events.bulk_write(writes, ordered=False)

    def mark(self, events: Iterable[Row]) -> None:
        """The disclosure of these was traced: what is sent again is no other one."""
        with translated():
            ids = [event["_id"] for event in events]
            self._events.update_many({"_id": {"$in": ids}}, {"$set": {"traced": True}})

    def drop(self, events: Iterable[Row], now: datetime) -> None:
        """Events are not told: nobody learns that they were. The rows stay for a while, lest they be posted again."""
        if ids := [event["_id"] for event in events]:
            with translated():
                self._events.update_many({"_id": {"$in": ids}}, {"$set": {"number": -1, "kept": now + KEPT}})

    def highest(self, subscriber: str, known: int) -> int:
        """The number of the last event that was told, if it is beyond the one that is known: else that."""
        with translated():
            asked = {"sub": subscriber, "number": {"$gt": known}}
            found = self._events.find_one(asked, {"number": 1}, sort=[("number", DESCENDING)])
            return known if found is None else int(found["number"])

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
        self._heard.types()
        with translated():
            count = self._events.delete_many({"kept": {"$lte": now}}).deleted_count
            for row in self._rows.find({"gone": {"$gt": _EVER}}, {"gone": 1}):
                count += self._events.delete_many({"sub": row["_id"]}).deleted_count
                if row["gone"] <= now - LINGERS:
                    self._rows.delete_one({"_id": row["_id"], "gone": row["gone"]})
            return count

    def _errors(self) -> AbstractContextManager[None]:
        """In a transaction the driver's errors go up to `Store.transact`, which may run the work again."""
        return nullcontext() if self._session is not None else translated()

    def _make(self) -> None:
        with self._lock, translated():
            if not self._made:
                by: dict[str, tuple[str, ...]] = {
                    "next": ("due",), "owner": ("owner", "live"), "hears": ("hears",), "types": ("types",),
                    "failed": ("failed",), "gone": ("gone",), "person": ("who.patient",),
                }  # fmt: skip
                self._drop_former()
                self._rows.create_indexes([_index(name, fields) for name, fields in by.items()])
                by = {"sub": ("sub", "number", "seq"), "kept": ("kept",), "pat": ("pat",)}
                self._events.create_indexes([_index(name, fields) for name, fields in by.items()])
                self._made = True

    def _drop_former(self) -> None:
        try:
            if _FORMER in self._rows.index_information():
                self._rows.drop_index(_FORMER)
        except OperationFailure as error:  # another worker was first
            if error.code != _NO_INDEX:
                raise


def _index(name: str, fields: Iterable[str]) -> IndexModel:
    return IndexModel([(each, ASCENDING) for each in fields], name=name)


def _pieces(whole: Sequence[T]) -> Iterator[Sequence[T]]:
    return (whole[start : start + _AT_ONCE] for start in range(0, len(whole), _AT_ONCE))


def _upsert(posted: Posted) -> UpdateOne:
    change, envelope = posted.change, posted.change.envelope
    event = {"type": change.type, "id": envelope["_id"], "v": envelope["v"], "at": envelope["lu"]}
    event |= {"sub": posted.subscriber, "seq": posted.seq, "number": None, "kept": NEVER}
    moved = {"$set": {"pat": envelope.get("pat")}}
    key = f"{posted.subscriber}|{change.place}|{envelope['v']}"
    return UpdateOne({"_id": key}, {**moved, "$setOnInsert": event}, upsert=True)
