"""What is to happen once: a document for each, of no content, whose key only one transaction can store.

`_id` is the key. Who claims it does what it stands for in the same transaction: of several workers, one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pymongo.errors import BulkWriteError, OperationFailure

from fhirserver.store.errors import WRITE_CONFLICT

if TYPE_CHECKING:
    from collections.abc import Collection as Keys

    from pymongo.client_session import ClientSession
    from pymongo.collection import Collection

COLLECTION: Final = "claims"
_DUPLICATE: Final = 11000


def known(claims: Collection[dict[str, Any]], keys: Keys[str], session: ClientSession | None = None) -> frozenset[str]:
    """Those of the keys that are claimed already."""
    if not keys:
        return frozenset()
    return frozenset(row["_id"] for row in claims.find({"_id": {"$in": sorted(keys)}}, {"_id": 1}, session=session))


def take(claims: Collection[dict[str, Any]], keys: Keys[str], session: ClientSession) -> frozenset[str]:
    """Claims those of the keys that nobody has claimed, and returns them.

    Raises what makes the transaction run again when another one is claiming them too.
    """
    fresh = frozenset(keys) - known(claims, keys, session)
    if not fresh:
        return fresh
    try:
        claims.insert_many([{"_id": key} for key in sorted(fresh)], session=session)
    except BulkWriteError as error:
        if {fault.get("code") for fault in error.details.get("writeErrors", ())} <= {_DUPLICATE, WRITE_CONFLICT}:
            raise OperationFailure("another transaction claims the same", WRITE_CONFLICT) from error
        raise
    return fresh
