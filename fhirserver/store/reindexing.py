"""The search entries of what is stored, made anew: by id, a stretch at a time.

An envelope is changed only if it is still at the version and in the record that were read, so that a write or a merge
between wins, which has made its entries itself. Version, time, body, history and access data stay; policies follow
where records changed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, OperationFailure

from fhirserver import jsontext
from fhirserver.store import bodies
from fhirserver.store.collections import listed
from fhirserver.store.derived import indexed_anew
from fhirserver.store.envelope import entries, unpacked
from fhirserver.store.errors import WRITE_CONFLICT, translated

if TYPE_CHECKING:
    from pymongo.collection import Collection

    from fhirserver.access import Access
    from fhirserver.store.collections import Collections
    from fhirserver.store.envelope import Indexed

Row = dict[str, Any]

_TRIES: Final = 10
_OPTIONAL: Final = ("pat", "patx", "x")


class Reindex(Protocol):
    """The entries of a resource that belongs to a patient's record, or to none, as it is stored."""

    def __call__(self, resource: dict[str, Any], pat: str | None) -> Indexed: ...


class Stretch:
    """What a stretch came to: resources `seen` and `changed`, and the patients whose records lost or won some."""

    def __init__(self) -> None:
        self.seen = self.changed = 0
        self.moved: set[str] = set()


def stretch(collections: Collections, access: Access, type_: str, ids: list[str], index: Reindex) -> Stretch:
    """Resources of a type. Raises PermissionError unless it is the server's own work."""
    if access.reason is None:
        raise PermissionError("only the server indexes anew")
    collection, found = collections.current(type_), Stretch()
    with translated():
        rows = collection.find({"_id": {"$in": ids}}).to_list()
        bodies.join(type_, rows, collections.database[bodies.COLLECTION], None)
        changes = [change for row in rows if (change := _change(row, index, found)) is not None]
        if changes:
            found.changed = _written(collection, changes)
        for row in rows if changes else ():
            if "made" in row:
                made = entries(index(jsontext.parse_object(unpacked(row)), row.get("pat")))
                indexed_anew(collections.database, row, made)
    found.seen = len(rows)
    return found


def ids(collections: Collections, access: Access, type_: str, after: str, count: int) -> list[str]:
    """The next ids of a type in order. Raises PermissionError unless it is the server's own work."""
    if access.reason is None:
        raise PermissionError("only the server indexes anew")
    with translated():
        return listed(collections.current(type_), after, count)


def count(collections: Collections, type_: str) -> int:
    """About how many resources of a type there are."""
    with translated():
        return int(collections.current(type_).estimated_document_count())


def _written(collection: Collection[Row], changes: list[UpdateOne]) -> int:
    """How many were written. One that meets a transaction is tried again: each changes nothing the second time."""
    for attempt in range(_TRIES):
        try:
            return collection.bulk_write(changes, ordered=False).matched_count
        except BulkWriteError as error:
            codes = {fault.get("code") for fault in error.details.get("writeErrors", ())}
            if codes != {WRITE_CONFLICT} or attempt == _TRIES - 1:
                raise OperationFailure("MongoDB refused index entries", min(codes, default=None)) from None
        time.sleep(0.01 * 2**attempt)
    raise AssertionError


def _change(row: Row, index: Reindex, found: Stretch) -> UpdateOne | None:
    """What brings the envelope up to date; None when it is."""
    made = entries(index(jsontext.parse_object(unpacked(row)), row.get("pat")))
    if all(row.get(name) == made.get(name) for name in (*_OPTIONAL, "t", "d", "s")):
        return None
    if row.get("pat") != made.get("pat") or row.get("patx") != made.get("patx"):
        for each in (row, made):
            found.moved.update(patient for patient in (each.get("pat"), *each.get("patx", ())) if patient)
    change: Row = {"$set": made}
    gone = {name: "" for name in _OPTIONAL if name in row and name not in made}
    if gone:
        change["$unset"] = gone
    place = {"pat": row.get("pat"), "was": row.get("was")}
    return UpdateOne({"_id": row["_id"], "v": row["v"], **place}, change)
