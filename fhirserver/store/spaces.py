"""The record of a person's space: its states, each from a moment on, of which the policy is made (`access.spaces`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pymongo import UpdateOne

from fhirserver.access import SPACES
from fhirserver.store import locks

if TYPE_CHECKING:
    from datetime import datetime

    from pymongo.client_session import ClientSession
    from pymongo.database import Database

Row = dict[str, Any]

COLLECTION: Final = "space"


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
