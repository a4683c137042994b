"""Throwing away what is kept no longer: for good, history too, and for the server's own work only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from fhirserver.store.collections import Collections


def forget(collections: Collections, type_: str, term: str, before: datetime, count: int) -> int:
    """Removes resources of a type that have a search term and were changed last before a moment; how many."""
    current, past = collections.current(type_), collections.history(type_)
    asked: dict[str, Any] = {"t": term, "lu": {"$lt": before}}
    ids = [row["_id"] for row in current.find(asked, {"_id": 1}).limit(count)]
    if not ids:
        return 0
    for id_ in ids:
        past.delete_many({"id": id_})
    return current.delete_many({"_id": {"$in": ids}, "lu": {"$lt": before}}).deleted_count
