"""What is written to resources, as it is written: the database's change stream, followed by one worker at a time.

Whoever follows holds a lease and keeps, beside it, where the stream is to go on (`token`), the latest `lu` that was met
(`top`), and the `types` that somebody hears of. A worker that ends leaves all to the next one. Where the history behind
the token is gone, what came since `top` is found by `lu` instead (`since`): of each resource the current version, which
is all that is ever told of. Times of the lease are real ones, whatever the server's test clock says.
"""

from __future__ import annotations

import secrets
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pymongo.errors import DuplicateKeyError, OperationFailure

from fhirserver.store.errors import translated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pymongo.change_stream import DatabaseChangeStream
    from pymongo.database import Database

Row = dict[str, Any]

COLLECTION: Final = "following"
KEY: Final = "changes"
LEASE: Final = timedelta(seconds=10)
MARGIN: Final = timedelta(minutes=10)
"""A transaction commits some time after the moment that its writes bear, and clocks differ."""
STALE: Final = timedelta(hours=1)
"""A current version that is older than `top` by this was not written now: its envelope was moved, or made anew."""
WAIT: Final = 1.0
"""Seconds that the database waits for something to tell."""
_NO_HISTORY: Final = frozenset({9, 260, 280, 286, 40585, 40615, 50811})
"""Codes of a token that leads nowhere: too old, or not of this database."""
_FIELDS: Final = (
    "_id", "v", "lu", "pat", "patx", "t", "d", "acl.by", "acl.author", "acl.with",
    "doc.pat", "doc.patx", "doc.acl.by", "doc.acl.author", "doc.acl.with",
)  # fmt: skip
_SEEN: Final = {"ns": 1, "documentKey": 1, **{f"fullDocument.{name}": 1 for name in _FIELDS}}


class Change(NamedTuple):
    """A version that was stored: its type, and of its envelope what it is found by."""

    type: str
    envelope: Mapping[str, Any]

    @property
    def place(self) -> str:
        return f"{self.type}/{self.envelope['_id']}"


class Gone(Exception):
    """The history behind the token is gone: what was missed is found by `Following.since`."""


class Following:
    """The stream in the hands of this worker, while it has the lease. Methods raise Unavailable."""

    def __init__(self, database: Database[Row], holder: str, row: Mapping[str, Any]) -> None:
        self._database, self._holder = database, holder
        self.top: datetime | None = row.get("top")
        self.types: frozenset[str] | None = frozenset(row["types"]) if "types" in row else None
        self._token: Any = row.get("token")
        self._stream: DatabaseChangeStream[Row] | None = None

    @property
    def fresh(self) -> bool:
        """Whether nobody left a place to go on from."""
        return self._token is None

    def open(self, types: Iterable[str]) -> None:
        """Follows just these types, from where it was. Raises Gone."""
        self.close()
        where = {"operationType": {"$in": ["insert", "replace"]}, "ns.coll": {"$in": sorted(types)}}
        stages: list[Row] = [{"$match": where}, {"$project": _SEEN}]
        try:
            with translated():
                self._stream = self._database.watch(
                    stages, resume_after=self._token, max_await_time_ms=int(WAIT * 1000)
                )
                self._token = self._stream.resume_token or self._token
        except OperationFailure as error:
            if error.code not in _NO_HISTORY:
                raise
            self._token = None
            raise Gone from None

    def next(self, most: int) -> list[Change] | None:
        """The next versions that were stored, as many as came together; None when nothing comes for `WAIT` seconds.

        Raises Gone."""
        assert self._stream is not None  # noqa: S101 - it is opened first
        events: list[Row] = []
        try:
            with translated():
                while len(events) < most and (not events or self._more()):
                    if (event := self._stream.try_next()) is None:
                        break
                    events.append(event)
        except OperationFailure as error:
            if error.code not in _NO_HISTORY:
                raise
            self._token = None
            raise Gone from None
        self._token = self._stream.resume_token
        told = [self._told(each["ns"]["coll"], each.get("fullDocument")) for each in events]
        return [each for each in told if each is not None] if events else None

    def _more(self) -> bool:
        """Whether more came with the last one: else to ask is to wait. No public method of the driver tells it."""
        cursor = self._stream._cursor if self._stream is not None else None
        return cursor is not None and cursor._has_next()

    def since(self, moment: datetime, types: Iterable[str]) -> Iterator[Change]:
        """The current versions of these types that were stored after a moment, type by type, the earliest first."""
        there = set(self._database.list_collection_names())
        for type_ in sorted(there.intersection(types)):
            with translated():
                rows = self._database[type_].find({"lu": {"$gte": moment}}, dict.fromkeys(_FIELDS, 1)).sort("lu", 1)
                for row in rows:
                    self._met(row["lu"])
                    yield Change(type_, row)

    def save(self) -> bool:
        """Keeps where it goes on and renews the lease: False when another worker has it."""
        types = {} if self.types is None else {"types": sorted(self.types)}
        change = {"token": self._token, "top": self.top, "until": datetime.now(UTC) + LEASE, **types}
        with translated():
            done = self._database[COLLECTION].update_one({"_id": KEY, "holder": self._holder}, {"$set": change})
        return done.matched_count == 1

    def end(self, *, forget: bool = False) -> None:
        """Gives the stream back; `forget`: nobody wants it any more, and who begins anew begins with what is then."""
        self.close()
        change: Row = {"until": datetime.now(UTC), "holder": ""} | ({"token": None, "top": None} if forget else {})
        with translated():
            self._database[COLLECTION].update_one({"_id": KEY, "holder": self._holder}, {"$set": change})

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            with translated():
                stream.close()

    def _told(self, type_: str, envelope: Row | None) -> Change | None:
        """Nothing for an envelope that was written anew without being a new version."""
        if envelope is None or (self.top is not None and envelope["lu"] <= self.top - STALE):
            return None
        self._met(envelope["lu"])
        return Change(type_, envelope)

    def _met(self, moment: datetime) -> None:
        """No later than now: a clock that is ahead makes nothing else look old."""
        moment = min(moment, datetime.now(UTC))
        self.top = moment if self.top is None else max(self.top, moment)


class Changes:
    """The change stream of one database, for whoever gets its lease."""

    def __init__(self, database: Database[Row]) -> None:
        self._database = database
        self._lock = threading.Lock()

    def claim(self) -> Following | None:
        """The stream, when no other worker follows it."""
        now, holder = datetime.now(UTC), secrets.token_hex(8)
        rows = self._database[COLLECTION]
        mine = {"holder": holder, "until": now + LEASE}
        with translated():
            row = rows.find_one_and_update({"_id": KEY, "until": {"$lte": now}}, {"$set": mine})
            if row is not None:
                return Following(self._database, holder, row)
            if rows.find_one({"_id": KEY}, {"_id": 1}) is not None:
                return None
            try:
                rows.insert_one({"_id": KEY, **mine})
            except DuplicateKeyError:
                return None
        return Following(self._database, holder, {})
