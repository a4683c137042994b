"""Rows of what is no health data: clients, grants, sessions, codes. Each by its key, some only until a moment.

A row is a document `{_id, until?, …}`. Every change is one atomic operation, so that of several workers one takes a
code, and one replaces a token. `until` is an instant (aware) past which the row is as if it were not there; the
database throws it away some time later by its own clock.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from pymongo import ASCENDING, IndexModel, ReturnDocument
from pymongo.errors import DuplicateKeyError

from fhirserver.store.errors import translated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from pymongo.collection import Collection
    from pymongo.database import Database

Row = dict[str, Any]

PREFIX: Final = "register."
_BESIDE: Final = "_beside"


class Register:
    """One kind of rows. `by`: fields that rows are found by besides their key. Methods raise Unavailable."""

    def __init__(self, database: Database[Row], name: str, by: Sequence[str] = ()) -> None:
        self._rows: Collection[Row] = database[PREFIX + name]
        self._by = tuple(by)
        self._lock = threading.Lock()
        self._made = False

    def add(self, key: str, row: Mapping[str, Any]) -> bool:
        """Stores a row unless there is one of that key: whether it did. One past its `until` still counts."""
        self._make()
        with translated():
            try:
                self._rows.insert_one({**row, "_id": key})
            except DuplicateKeyError:
                return False
        return True

    def put(self, key: str, row: Mapping[str, Any]) -> None:
        """Stores a row in the place of any other of that key."""
        self._make()
        with translated():
            self._rows.replace_one({"_id": key}, {**row, "_id": key}, upsert=True)

    def find(self, key: str, now: datetime) -> Row | None:
        """The row of a key, unless its time is over."""
        with translated():
            return _still(self._rows.find_one({"_id": key}), now)

    def several(self, keys: Iterable[str]) -> dict[str, Row]:
        """The rows of those keys that there are, by key."""
        with translated():
            return {row["_id"]: row for row in self._rows.find({"_id": {"$in": sorted(keys)}})}

    def beside(self, key: str, now: datetime, other: str, field: str) -> tuple[Row, Row | None] | None:
        """The row of a key with that row of another register which its `field` names, in one round trip."""
        joined = {"from": PREFIX + other, "localField": field, "foreignField": "_id", "as": _BESIDE}
        with translated():
            rows = self._rows.aggregate([{"$match": {"_id": key}}, {"$lookup": joined}]).to_list()
        row = _still(rows[0] if rows else None, now)
        if row is None:
            return None
        others = row.pop(_BESIDE)
        return row, _still(others[0] if others else None, now)

    def take(self, key: str, now: datetime, **expected: Any) -> Row | None:
        """Removes and returns a row that has these values: of several who ask, one gets it."""
        with translated():
            return _still(self._rows.find_one_and_delete({"_id": key, **expected}), now)

    def change(self, key: str, changes: Mapping[str, Any], **expected: Any) -> Row | None:
        """Sets fields of a row that has these values; the row after it, None when there was none such."""
        with translated():
            return self._rows.find_one_and_update(
                {"_id": key, **expected}, {"$set": dict(changes)}, return_document=ReturnDocument.AFTER
            )

    def set(self, key: str, changes: Mapping[str, Any], **expected: Any) -> None:
        """As `change`, for who does not ask what the row is after it: an embedded database finds it faster so."""
        with translated():
            self._rows.update_one({"_id": key, **expected}, {"$set": dict(changes)})

    def count(self, key: str, field: str, until: datetime, by: int = 1) -> int:
        """Adds to a number of a row, made when there is none, and moves its `until`; the number after it."""
        self._make()
        change = {"$inc": {field: by}, "$set": {"until": until}}
        with translated():
            try:
                row = self._counted(key, change)
            except DuplicateKeyError:  # somebody made it in between: it is there now
                row = self._counted(key, change)
        return int(row[field])

    def listed(self, now: datetime, *, after: str = "", count: int = 100, **wanted: Any) -> list[Row]:
        """The next rows by key that have these values."""
        asked = {**wanted, "_id": {"$gt": after}}
        with translated():
            rows = self._rows.find(asked).sort("_id", ASCENDING).limit(count).to_list()
        return [row for row in rows if _still(row, now) is not None]

    def reached(self, field: str, moment: datetime, *, count: int = 100) -> list[Row]:
        """The rows whose field, one of `by`, is a moment that has come, the oldest first."""
        self._make()
        with translated():
            return (
                self._rows.find({field: {"$lte": moment}})
                .sort([(field, ASCENDING), ("_id", ASCENDING)])
                .limit(count)
                .to_list()
            )

    def drop(self, key: str) -> bool:
        """Removes a row: whether there was one."""
        with translated():
            return self._rows.delete_one({"_id": key}).deleted_count == 1

    def drop_all(self, **wanted: Any) -> int:
        """Removes the rows that have these values, which must be some; how many there were."""
        if not wanted:
            raise ValueError("nothing is said of the rows to remove")
        with translated():
            return self._rows.delete_many(wanted).deleted_count

    def _counted(self, key: str, change: Row) -> Row:
        found = self._rows.find_one_and_update({"_id": key}, change, upsert=True, return_document=ReturnDocument.AFTER)
        return found or {}

    def _make(self) -> None:
        if self._made:
            return
        with self._lock, translated():
            indexes = [IndexModel([(each, ASCENDING), ("_id", ASCENDING)], name=each) for each in self._by]
            self._rows.create_indexes([*indexes, IndexModel([("until", ASCENDING)], expireAfterSeconds=0)])
            self._made = True


def _still(row: Row | None, now: datetime) -> Row | None:
    return None if row is None or ("until" in row and row["until"] <= now) else row
