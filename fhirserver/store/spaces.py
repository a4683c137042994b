"""The record of a person's space: its states, each from a moment on, of which the policy is made (`access.spaces`).

What else a row holds (`log`, `zone`, `due`, …) is the state machine's (`espace.machine`); `due`: when it is next to be
looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pymongo import ASCENDING, UpdateOne
from pymongo.errors import BulkWriteError, OperationFailure

from fhirserver.access import SPACES
from fhirserver.store import locks
from fhirserver.store.errors import WRITE_CONFLICT, translated
from fhirserver.store.planner import few

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from pymongo.client_session import ClientSession
    from pymongo.database import Database

Row = dict[str, Any]

COLLECTION: Final = "space"


class Place(NamedTuple):
    """Where a space stands among those that are due."""

    due: datetime
    patient: str


def of(database: Database[Row], patient: str, session: ClientSession | None) -> Row | None:
    """`{_id, states: [{state, since}, …]}`, oldest first; None for a space that nothing is recorded of."""
    return database[COLLECTION].find_one({"_id": patient}, session=session)


def record(database: Database[Row], patient: str, state: str, since: datetime, session: ClientSession) -> None:
    """The space is in the state from `since` on; what was to follow later is void. Raises ValueError for no state."""
    if state not in SPACES:
        raise ValueError(f"{state!r} is no state of a space; there are {', '.join(sorted(SPACES))}")
    known = (of(database, patient, session) or {}).get("states", ())
    replace(
        database,
        patient,
        [*(each for each in known if each["since"] < since), {"state": state, "since": since}],
        session,
    )


def replace(database: Database[Row], patient: str, states: list[Row], session: ClientSession) -> None:
    """The space has had these states; none: nothing is recorded of it."""
    if not states:
        database[COLLECTION].delete_one({"_id": patient}, session=session)
        return
    change = UpdateOne({"_id": patient}, {"$set": {"states": states}, "$inc": {"n": 1}}, upsert=True)
    locks.write(database[COLLECTION], [change], session)


class Spaces:
    """The records of spaces, in a transaction where there is one."""

    def __init__(self, database: Database[Row], session: ClientSession | None = None) -> None:
        self._rows, self._session = database[COLLECTION], session

    def of(self, patients: Iterable[str]) -> dict[str, Row]:
        """Those that there are, by patient."""
        found: dict[str, Row] = {}
        with translated():
            for some in few(patients):
                rows = self._rows.find({"_id": {"$in": some}}, session=self._session)
                found |= {row["_id"]: row for row in rows}
        return found

    def due(self, now: datetime, count: int, after: Place | None = None) -> list[Place]:
        """The next spaces that are to be looked at, by when they are due: ranges of an index, however many are due at
        the same moment. The embedded database reads all that are due for it: ask for many at once."""
        with translated():
            self._rows.create_index([("due", ASCENDING), ("_id", ASCENDING)], name="due", sparse=True)
            found = [] if after is None else self._due({"due": after.due, "_id": {"$gt": after.patient}}, count)
            if len(found) < count:
                beyond = {"$lte": now} | ({} if after is None else {"$gt": after.due})
                found += self._due({"due": beyond}, count - len(found))
            return found

    def _due(self, asked: Row, count: int) -> list[Place]:
        order = [("due", ASCENDING), ("_id", ASCENDING)]
        rows = self._rows.find(asked, {"due": 1}).sort(order).limit(count)
        return [Place(row["due"], row["_id"]) for row in rows]

    def count_due(self, now: datetime) -> int:
        """How many are to be looked at."""
        with translated():
            return self._rows.count_documents({"due": {"$lte": now}})


def begin(database: Database[Row], rows: Mapping[str, Row], session: ClientSession) -> None:
    """Stores rows of patients of whose spaces nothing is recorded, as this transaction knows."""
    new = [{"_id": patient, "n": 1, **_told(row)} for patient, row in rows.items()]
    try:
        database[COLLECTION].insert_many(new, ordered=False, session=session)
    except BulkWriteError as error:
        raise OperationFailure("another transaction is at the same space", WRITE_CONFLICT) from error


def keep(database: Database[Row], rows: Mapping[str, Row], session: ClientSession) -> None:
    """Stores rows in the place of those of the same patients."""
    changes = []
    for patient, row in rows.items():
        facts = _told(row)
        gone = {name: "" for name, value in row.items() if value is None}
        change: Row = {"$set": facts, "$inc": {"n": 1}} | ({"$unset": gone} if gone else {})
        changes.append(UpdateOne({"_id": patient}, change, upsert=True))
    locks.write(database[COLLECTION], changes, session)


def _told(row: Mapping[str, Any]) -> Row:
    return {name: value for name, value in row.items() if name not in ("_id", "n") and value is not None}
