"""Documents that wait until it is known whose they are: whole, with the reason, and seen by few.

_id     made of the document's unique id and its hash: the same document waits once
file    its bytes (`store.files`), until it was released or rejected
by      actor keys of whose deposit it is
who     the requester who deposited it, `Requester.described`
status  `held`, `released` (then `document`, its DocumentReference) or `rejected`
at, changed, reason, mode, unique_id, title, size, traits
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.store.errors import translated

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pymongo.client_session import ClientSession
    from pymongo.database import Database

Row = dict[str, Any]

COLLECTION: Final = "quarantine"
HELD, RELEASED, REJECTED = "held", "released", "rejected"


class Quarantine:
    """The documents that wait, in a transaction where there is one."""

    def __init__(self, database: Database[Row], session: ClientSession | None = None) -> None:
        self._rows, self._session = database[COLLECTION], session

    def hold(self, id_: str, row: Mapping[str, Any]) -> None:
        """Keeps a document; one that was there before waits anew, for all who deposited it."""
        facts = {name: value for name, value in row.items() if name != "by"}
        change = {"$set": facts | {"status": HELD}, "$addToSet": {"by": {"$each": list(row["by"])}}}
        self._rows.update_one({"_id": id_}, change, upsert=True, session=self._session)

    def find(self, id_: str, owners: Collection[str] | None) -> Row | None:
        """A document of one of the owners (None: of anybody); None when there is none."""
        with translated():
            return self._rows.find_one({"_id": id_} | _of(owners), session=self._session)

    def listed(self, owners: Collection[str] | None, status: str | None, after: str, count: int) -> list[Row]:
        """The next documents of the owners by id."""
        wanted: Row = _of(owners) | ({"status": status} if status else {}) | {"_id": {"$gt": after}}
        with translated():
            return list(self._rows.find(wanted, session=self._session).sort("_id").limit(count))

    def held(self) -> int:
        """How many wait."""
        with translated():
            return self._rows.count_documents({"status": HELD})

    def settle(self, id_: str, status: str, facts: Mapping[str, Any]) -> None:
        """Ends the waiting of a document."""
        self._rows.update_one({"_id": id_}, {"$set": {**facts, "status": status}}, session=self._session)


def _of(owners: Collection[str] | None) -> Row:
    return {} if owners is None else {"by": {"$in": sorted(owners)}}
