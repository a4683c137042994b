"""Where a person is in the database, and how all of it goes, for the server's own work (`Store.erasing`).

It is no transaction, for a record may be larger than one holds: each step may be done again, the Patient and the record
of the space go last, so that what was interrupted is seen and done anew. Resources that are about several patients and
lie in another's record stay there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.errors import Conflict
from fhirserver.store import bodies, claims, jobs, merges, outbox, spaces, subscribers, traces
from fhirserver.store.actors import POLICIES
from fhirserver.store.errors import translated
from fhirserver.store.files import Files
from fhirserver.store.quarantine import COLLECTION as QUARANTINE
from fhirserver.store.quarantine import HELD
from fhirserver.store.registers import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pymongo.collection import Collection
    from pymongo.database import Database

    from fhirserver.store.collections import Collections

Row = dict[str, Any]

COLLECTION: Final = "erasures"
PATIENT: Final = "Patient"
_AT_ONCE: Final = 1000
_NAMING: Final = (
    ("invitations", "patient"), ("vitale", "_id"), ("letters", "_id"), ("grants", "patient"), ("reminders", "_id"),
    ("agenda-feeds", "patient"),
)  # fmt: skip
"""Registers whose rows are a person's, and the field that says whose."""
_OF_ACCOUNT: Final = ("sessions", "devices", "federation.links", "grants")
_FILED: Final = "Binary"
_SUBSCRIBED: Final = "Subscription"


class Erasing:
    """What is of some patients, who are one person, in one database."""

    def __init__(self, database: Database[Row], collections: Collections, patients: Iterable[str]) -> None:
        self._database, self._collections = database, collections
        self._patients = sorted(patients)
        self._here = {"$in": self._patients}

    def people(self) -> frozenset[str]:
        """References to the person and to those who are related to him (`RelatedPerson/x`)."""
        with translated():
            ids = self._ids("RelatedPerson")
        return frozenset(
            {*(f"{PATIENT}/{each}" for each in self._patients), *(f"RelatedPerson/{each}" for each in ids)}
        )

    def resources(self, progress: Callable[[int], object]) -> int:
        """Deletes current and former versions, their bodies, files and what was derived; the Patients come last."""
        with translated():
            types = sorted(each for each in self._collections.types() if self._collections.of_patients(each))
            count = 0
            for type_ in sorted(types, key=lambda each: each == PATIENT):
                count += self._of_type(type_, progress)
        return count

    def beside(self) -> int:
        """How many resources of other records name the person."""
        with translated():
            types = (each for each in self._collections.types() if self._collections.of_patients(each))
            asked = {"patx": self._here, "pat": {"$nin": self._patients}}
            return sum(self._database[each].count_documents(asked) for each in types)

    def accounts(self) -> int:
        """Takes the records from the accounts that reach them, and an account away that reaches nothing more."""
        with translated():
            rows = self._register("accounts").find({"records.patient": self._here}).to_list()
            for row in rows:
                left = [each for each in row["records"] if each["patient"] not in self._patients]
                if left:
                    change = {"$set": {"records": left}, "$inc": {"n": 1}}
                    self._register("accounts").update_one({"_id": row["_id"], "n": row["n"]}, change)
                    continue
                self._register("account-names").delete_one({"_id": row["login"]})
                for name in _OF_ACCOUNT:
                    self._register(name).delete_many({"account": row["_id"]})
                self._register("accounts").delete_one({"_id": row["_id"]})
            grants = [row["_id"] for row in self._register("grants").find({"patient": self._here}, {"_id": 1})]
            self._register("refresh").delete_many({"grant": {"$in": grants}})
            done = [self._register(name).delete_many({field: self._here}) for name, field in _NAMING]
        return len(rows) + sum(each.deleted_count for each in done)

    def waiting(self) -> int:
        """Deletes news, documents in quarantine that were released into the record, jobs, claims, Subscriptions of the
        person and what waits to be told of him."""
        with translated():
            held = {"document": {"$in": [f"DocumentReference/{each}" for each in self._ids("DocumentReference")]}}
            count = self._database[outbox.COLLECTION].delete_many({"patient": self._here}).deleted_count
            count += self._unfiled(QUARANTINE, held, f"{QUARANTINE}/")
            count += self._unfiled(jobs.COLLECTION, {"who.patient": self._here}, "")
            count += self._subscribed()
            for each in self._patients:
                keys = {"_id": {"$gte": f"{each}|", "$lt": f"{each}}}"}}
                count += self._database[claims.COLLECTION].delete_many(keys).deleted_count
        return count

    def held(self, numbers: Iterable[str]) -> int:
        """Deletes documents that wait for their patient and bear one of the person's national numbers."""
        wanted, files, count = [each.encode() for each in numbers], Files(self._database), 0
        with translated():
            for row in self._database[QUARANTINE].find({"status": HELD}).to_list():
                found = files.find(row["file"])
                content = b"".join(files.read(found.id)) if found is not None else b""
                if any(each in content for each in wanted):
                    count += self._unfiled(QUARANTINE, {"_id": row["_id"]}, f"{QUARANTINE}/")
        return count

    def traces(self) -> Iterator[Row]:
        """The traces that name the person."""
        with translated():
            yield from self._database[traces.COLLECTION].find({"pats": self._here})

    def retell(self, records: Iterable[Row]) -> None:
        """Stores traces in the place of those of the same chain and place."""
        with translated():
            for each in records:
                self._database[traces.COLLECTION].replace_one({"_id": each["_id"]}, each)

    def end(self) -> None:
        """Deletes the policies, the merges and the record of the space."""
        with translated():
            for name in (POLICIES, merges.COLLECTION, spaces.COLLECTION):
                self._database[name].delete_many({"_id": self._here})
            self._database[subscribers.EVENTS].delete_many({"pat": self._here})

    def _of_type(self, type_: str, progress: Callable[[int], object]) -> int:
        current, history = self._collections.current(type_), self._collections.history(type_)
        if type_ == _FILED:
            self._files(f"{type_}/{each}" for each in self._ids(type_))
        count = 0
        for kept in (history, current):
            where: Row = {"pat": self._here}
            large = kept.find({**where, "r": {"$gt": 0}}, {"_id": 1, "id": 1, "v": 1, "r": 1})
            keys = [key for row in large for key in bodies.keys(type_, row)]
            self._database[bodies.COLLECTION].delete_many({"_id": {"$in": keys}})
            done = kept.delete_many(where).deleted_count
            progress(done)
            count += done
        return count

    def _ids(self, type_: str) -> list[str]:
        now = self._database[type_].find({"pat": self._here}, {"_id": 1})
        past = self._database[f"{type_}.history"].find({"pat": self._here}, {"id": 1})
        return sorted({row["_id"] for row in now} | {row["id"] for row in past})

    def _subscribed(self) -> int:
        """Subscriptions that the person made, or a representative or an app did for him, and events of his record."""
        rows = self._database[subscribers.COLLECTION].find({"who.patient": self._here}, {"_id": 1})
        mine = {"$in": [row["_id"] for row in rows]}
        self._database[f"{_SUBSCRIBED}.history"].delete_many({"id": mine})
        count = self._database[_SUBSCRIBED].delete_many({"_id": mine}).deleted_count
        self._database[subscribers.COLLECTION].update_many({"_id": mine}, subscribers.farewell())
        for field, named in (("sub", mine), ("pat", self._here)):
            self._database[subscribers.EVENTS].delete_many({field: named})
        return count

    def _unfiled(self, name: str, where: Row, owner: str) -> int:
        rows = [row["_id"] for row in self._database[name].find(where, {"_id": 1})]
        self._files(f"{owner}{each}" for each in rows)
        return self._database[name].delete_many({"_id": {"$in": rows}}).deleted_count

    def _files(self, owners: Iterable[str]) -> None:
        files = Files(self._database)
        for owner in owners:
            for each in files.owned(owner):
                files.delete(each.id)

    def _register(self, name: str) -> Collection[Row]:
        return self._database[PREFIX + name]


def family(database: Database[Row], patient: str) -> list[str]:
    """The ids of the records that are one with a patient's, which must be the one that the others were merged into.

    Raises Conflict where it was merged into another itself.
    """
    with translated():
        known = merges.Merges(database).family(patient)
    if known.root != patient:
        raise Conflict(f"Patient/{patient} was merged into Patient/{known.root}: erase that one.")
    return list(known.members)


def known(database: Database[Row], patients: Iterable[str]) -> bool:
    """Whether anything is here of a person."""
    here = {"$in": sorted(patients)}
    names = (PATIENT, POLICIES, spaces.COLLECTION)
    with translated():
        if any(database[name].find_one({"_id": here}, {"_id": 1}) for name in names):
            return True
        return database[f"{PATIENT}.history"].find_one({"pat": here}, {"_id": 1}) is not None


def everybody(database: Database[Row]) -> Iterator[str]:
    """The ids of all patients of whom anything is here, some more than once."""
    with translated():
        for name, field in ((PATIENT, "_id"), (f"{PATIENT}.history", "pat"), (spaces.COLLECTION, "_id")):
            for row in database[name].find({}, {field: 1}):
                if isinstance(row.get(field), str):
                    yield row[field]
