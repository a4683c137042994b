"""What is to be told later: rows that wait until they are due, taken by one worker at a time.

A row is `{_id, due, tries, …}`. Who takes it has it for a while; when it is not done by then, another takes it again:
each is told at least once. Times are real ones, whatever the server's test clock says.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from pymongo import ASCENDING, ReturnDocument

from fhirserver.store.errors import translated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pymongo.database import Database

Row = dict[str, Any]

COLLECTION: Final = "outbox"
LEASE: Final = timedelta(minutes=2)


class Outbox:
    """The outbox of one database. Methods raise Unavailable."""

    def __init__(self, database: Database[Row]) -> None:
        self._rows = database[COLLECTION]
        self._lock = threading.Lock()
        self._made = False

    def post(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Adds rows by themselves; those of a transaction are posted by it."""
        with translated():
            self._rows.insert_many([dict(row) for row in rows])

    def take(self, now: datetime | None = None, *, besides: Iterable[str] = ()) -> Row | None:
        """The row that is due longest, `besides` some; its `tries` count this one too."""
        self._make()
        now = now or datetime.now(UTC)
        asked: Row = {"due": {"$lte": now}, **({"_id": {"$nin": list(besides)}} if besides else {})}
        change = {"$set": {"due": now + LEASE}, "$inc": {"tries": 1}}
        with translated():
            return self._rows.find_one_and_update(
                asked, change, sort=[("due", ASCENDING)], return_document=ReturnDocument.AFTER
            )

    def change(self, id_: str, **facts: Any) -> None:
        """Changes a row, such as when it is `due`."""
        with translated():
            self._rows.update_one({"_id": id_}, {"$set": facts})

    def done(self, ids: Iterable[str]) -> None:
        with translated():
            self._rows.delete_many({"_id": {"$in": list(ids)}})

    def waiting(self, *, tried: int = 0) -> int:
        """How many wait, of those that were tried so often at least."""
        with translated():
            return self._rows.count_documents({"tries": {"$gte": tried}} if tried else {})

    def _make(self) -> None:
        with self._lock, translated():
            if not self._made:
                self._rows.create_index([("due", ASCENDING)], name="due")
                self._made = True
