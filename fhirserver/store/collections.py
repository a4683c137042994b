"""The collections of the store and their indexes.

A resource type has two: `Patient` for current versions, `Patient.history` for superseded ones and tombstones. Both are
made on the first write of the type, outside its transaction (MongoDB makes indexes in a transaction only with a weaker
read concern). Each index costs every insert, and one on `t` costs it a dozen keys, so there are few:

`pat, t, _id` (types of the patient compartment)
    One patient and one term: nearly every clinical search. `_id` carries the default sort and the keyset.
`pat, lu, _id` (the same types)
    All of one patient: `$everything`, and patient searches by date, number or `_lastUpdated`, whose range is judged on
    that patient's documents.
`patx` (the same types, only documents that have it: sparse, for the embedded database takes no partial index)
    Resources in several compartments.
`doc._id` (the same types and their history, sparse likewise)
    What was derived from a document, when that changes.
`t, _id` (every type)
    Identifiers, names and references across patients.
`lu, _id` (every type)
    `_lastUpdated` and `_since` across patients, export.
`d.birthdate.lo` (Patient)
    Who was born on a day: the one date that is searched across patients.
`d.specialty:text.s` (Schedule)
    Agendas by the beginning of the name of their specialty, as a person types it.
`pat`, `patx` (history of the same types, sparse likewise)
    What a merge moves of the past.
`id, v` (history)
    The versions of one resource in order. The embedded database scans for a range on `_id`.
`lu, id, v` (history)
    What happened to a type, by time.

Any other range across patients is a scan: an installation that needs one adds its index with MongoDB's own tools.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pymongo import ASCENDING, IndexModel

from fhirserver.store import planner

if TYPE_CHECKING:
    from collections.abc import Collection as Names
    from collections.abc import Iterable
    from datetime import datetime

    from pymongo.client_session import ClientSession
    from pymongo.collection import Collection
    from pymongo.database import Database

    from fhirserver.store.traces import Traces

HISTORY: Final = ".history"
_LANDMARKS: Final = 16

_DERIVED: Final = IndexModel([("doc._id", ASCENDING)], name="doc", sparse=True)
_COMPARTMENT: Final = (
    IndexModel([("pat", ASCENDING), ("t", ASCENDING), ("_id", ASCENDING)], name="pat_t"),
    IndexModel([("pat", ASCENDING), ("lu", ASCENDING), ("_id", ASCENDING)], name="pat_lu"),
    IndexModel([("patx", ASCENDING)], name="several", sparse=True),
    _DERIVED,
)
_PAST: Final = (
    IndexModel([("pat", ASCENDING)], name="pat", sparse=True),
    IndexModel([("patx", ASCENDING)], name="several", sparse=True),
    _DERIVED,
)
_EVERY: Final = (
    IndexModel([("t", ASCENDING), ("_id", ASCENDING)], name="t"),
    IndexModel([("lu", ASCENDING), ("_id", ASCENDING)], name="lu"),
)
_OWN: Final = {
    "Patient": (IndexModel([("d.birthdate.lo", ASCENDING)], name="birthdate"),),
    "Schedule": (IndexModel([("d.specialty:text.s", ASCENDING)], name="specialty"),),
}
_VERSIONS: Final = (
    IndexModel([("id", ASCENDING), ("v", ASCENDING)], name="id_v"),
    IndexModel([("lu", ASCENDING), ("id", ASCENDING), ("v", ASCENDING)], name="lu"),
)


def listed(
    collection: Collection[dict[str, Any]], after: str, count: int, session: ClientSession | None = None
) -> list[str]:
    """The next ids in order. The embedded database reads the whole index for it: ask for many at once."""
    beyond = {"_id": {"$gt": after}} if after else {}
    found = collection.find(beyond, {"_id": 1}, session=session).hint("_id_").sort("_id").limit(count)
    return [row["_id"] for row in found]


class Collections:
    """The collections of one database, for one process. `seconds`: how long a query may take; `traces`: those that are
    shown as AuditEvents, if any are."""

    def __init__(
        self,
        database: Database[dict[str, Any]],
        types: Names[str],
        compartment: Names[str],
        seconds: float,
        traces: Traces | None = None,
    ) -> None:
        self.database, self.traces = database, traces
        self.milliseconds = int(seconds * 1000)
        self._types = frozenset(types)
        self._compartment = frozenset(compartment) | {"Patient", "Binary", "Bundle"}
        self._made: set[str] = set()
        self._embedded: bool | None = None
        self._landmarks: dict[str, tuple[datetime, ...]] = {}

    def current(self, type_: str) -> Collection[dict[str, Any]]:
        """Current versions of a resource type. Raises ValueError for what is no R4 type."""
        if type_ not in self._types:
            raise ValueError(f"{type_!r} is not a resource type of R4")
        return self.database[type_]

    def history(self, type_: str) -> Collection[dict[str, Any]]:
        """Superseded versions and tombstones of a resource type."""
        return self.database[self.current(type_).name + HISTORY]

    def types(self) -> frozenset[str]:
        """The resource types that have a collection."""
        return self._types.intersection(self.database.list_collection_names())

    def of_patients(self, type_: str) -> bool:
        """Whether a type belongs to the patient compartment, or by the document it belongs to into a record."""
        return type_ in self._compartment

    def landmarks(self, types: Names[str]) -> list[datetime]:
        """Moments at which something happened to resources of these types after a pause, as far as is known."""
        return [moment for each in types for moment in self._landmarks.get(each, ())]

    def remember(self, places: Iterable[tuple[datetime, str, str, int]]) -> None:
        """Remembers such moments: they say where to look, never whether there is anything."""
        for moment, type_, *_ in places:
            known = self._landmarks.get(type_, ())
            if moment not in known:
                self._landmarks[type_] = (moment, *known)[:_LANDMARKS]

    def suited(self, stages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """The stages as the database at hand is quick with them; the same documents answer."""
        if self._embedded is None:
            self._embedded = planner.is_embedded(self.database)
        return planner.for_embedded(stages) if self._embedded else list(stages)

    def make(self, type_: str) -> bool:
        """Makes the collections of a type with their indexes, unless this process did already: whether it did now.

        A transaction that began before must begin anew: what it stores would be missing from the new indexes.
        """
        if type_ in self._made:
            return False
        indexes = [*_EVERY, *_OWN.get(type_, ())]
        if type_ in self._compartment:
            indexes += _COMPARTMENT
        self.current(type_).create_indexes(indexes)
        self.history(type_).create_indexes([*_VERSIONS, *(_PAST if type_ in self._compartment else ())])
        self._made.add(type_)
        return True
