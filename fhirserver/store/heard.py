"""Of which resource types somebody who is subscribed hears: a row `{_id: type, since, by}` for each.

`since`: the earliest moment from which on one of them hears; `by`: the last who were kept for it, by which it is seen
that somebody still does without reading all. A type of which nobody hears any more stays until they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.store.errors import translated

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from pymongo.client_session import ClientSession
    from pymongo.database import Database

Row = dict[str, Any]

COLLECTION: Final = "heard"
_WITNESSES: Final = 20


class Heard:
    """The types of one database; `subscribers` names the collection of rows that bear `types`."""

    def __init__(self, database: Database[Row], subscribers: str) -> None:
        self._rows, self._subscribers = database[COLLECTION], database[subscribers]

    def add(self, types: Iterable[str], by: str, since: datetime, session: ClientSession | None = None) -> None:
        """Somebody hears of these from then on. In a transaction the driver's errors go up."""
        for each in types:
            witness = {"$each": [by], "$slice": -_WITNESSES}
            change = {"$push": {"by": witness}, "$min": {"since": since}}
            self._rows.update_one({"_id": each}, change, upsert=True, session=session)

    def anything(self) -> bool:
        """Whether somebody hears of anything, or did lately. Raises Unavailable."""
        with translated():
            return self._rows.find_one({}, {"_id": 1}) is not None

    def types(self) -> frozenset[str]:
        """Those of which somebody hears now; others are forgotten. Raises Unavailable."""
        with translated():
            return frozenset(row["_id"] for row in self._rows.find().to_list() if self._still(row))

    def earliest(self, types: Iterable[str]) -> datetime | None:
        """Since when somebody hears of one of these, None if nobody does. Raises Unavailable."""
        with translated():
            rows = self._rows.find({"_id": {"$in": sorted(types)}}, {"since": 1}).to_list()
        return min((row["since"] for row in rows), default=None)

    def _still(self, row: Row) -> bool:
        hears = {"types": row["_id"]}
        if self._subscribers.find_one({"_id": {"$in": row["by"]}, **hears}, {"_id": 1}) is not None:
            return True
        other = self._subscribers.find_one(hears, {"_id": 1})
        if other is not None:
            self._rows.update_one({"_id": row["_id"]}, {"$push": {"by": other["_id"]}})
            return True
        # who was kept meanwhile stands in it: then it is another row than was read
        return self._rows.delete_one({"_id": row["_id"], "by": row["by"]}).deleted_count == 0
