"""What makes two transactions conflict that would otherwise not meet: documents of no content that both write.

A snapshot does not show what another transaction is about to store. Who searches in order to decide what to write
touches, before it reads, a document chosen by what it searches for: of two that search for the same, one runs again and
then sees what the other stored. There are `_BUCKETS` such documents at most; two keys that share one cost a repetition.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, OperationFailure

from fhirserver.store.errors import WRITE_CONFLICT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pymongo.client_session import ClientSession
    from pymongo.collection import Collection

COLLECTION: Final = "locks"
_BUCKETS: Final = 1 << 16
_DUPLICATE: Final = 11000


def touch(locks: Collection[dict[str, Any]], keys: Iterable[str], session: ClientSession) -> None:
    """Writes the documents of the keys. Raises what makes the transaction run again when another one is at them."""
    numbers = sorted({_bucket(key) for key in keys})
    write(locks, [UpdateOne({"_id": number}, {"$inc": {"n": 1}}, upsert=True) for number in numbers], session)


def write(collection: Collection[dict[str, Any]], updates: list[UpdateOne], session: ClientSession) -> None:
    """Sends updates of documents that transactions meet at, each by its `_id`; raises as `touch` does."""
    if not updates:
        return
    try:
        collection.bulk_write(updates, ordered=False, session=session)
    except BulkWriteError as error:
        if {fault.get("code") for fault in error.details.get("writeErrors", ())} <= {_DUPLICATE, WRITE_CONFLICT}:
            raise OperationFailure("another transaction is at the same document", WRITE_CONFLICT) from error
        raise


def _bucket(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % _BUCKETS
