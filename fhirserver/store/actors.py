"""Who is named by which policies: what a request across patients must know, told by a few small documents.

Collection `actors`: for each actor key as many documents as there are shards of patients, `_id` `<key>#<shard>`. A
transaction that makes a policy anew gives each document of the keys that it names, or named before, another `stamp`,
unique to that transaction. Two transactions that write the same document conflict, so that its stamps follow one
another: who finds the stamps that he knew knows that no policy naming these keys has changed since, whatever
transactions were undone, or were committed in another order than they began. `recent` holds the last patients whose
policies changed, each with the stamp, so that only these are read again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zlib import crc32

from bson import ObjectId
from pymongo import UpdateOne

from fhirserver.store import locks
from fhirserver.store.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pymongo.client_session import ClientSession
    from pymongo.database import Database

Row = dict[str, Any]

COLLECTION: Final = "actors"
POLICIES: Final = "policy"
SHARDS: Final = 4
BATCH: Final = 1000
_RECENT: Final = 32
_KEPT: Final = 200_000
"""Patients, over all keys."""
_ENTRY: Final = 5
"""What an entry weighs by itself, in patients."""
_TRIES: Final = 4


class Members(NamedTuple):
    """The policies that name a key: their stamps by patient. Not to be changed."""

    marks: dict[str, ObjectId]
    """The stamps of the key's documents in `actors`."""
    policies: dict[str, ObjectId]


class Actors:
    """The policies by whom they name, for one process."""

    def __init__(self, database: Database[Row]) -> None:
        self._marks = database[COLLECTION]
        self._policies = database[POLICIES]
        self._kept: Kept[str, Members] = Kept(_KEPT)

    def touch(self, changed: Mapping[str, Iterable[str]], session: ClientSession) -> None:
        """To be called in the transaction that changes policies: the keys that each names or named, by patient."""
        stamp = ObjectId()
        entries: dict[str, list[Row]] = {}
        for patient, keys in changed.items():
            for key in keys:
                entries.setdefault(_name(key, shard(patient)), []).append({"stamp": stamp, "patient": patient})
        updates = []
        for name, each in sorted(entries.items()):
            recent = {"$each": each[-_RECENT:], "$slice": -_RECENT}
            updates.append(
                UpdateOne({"_id": name}, {"$set": {"stamp": stamp}, "$push": {"recent": recent}}, upsert=True)
            )
        locks.write(self._marks, updates, session)

    def members(self, keys: frozenset[str], session: ClientSession | None) -> tuple[Members, ...]:
        """The policies that name the keys, key by key, at the session's moment or at this one.

        As long as nothing changes these are the same objects.
        """
        found: dict[str, Members] = {}
        for _ in range(_TRIES):
            marks = self._read(keys, session)
            new: dict[str, Members] = {}
            for key in sorted(keys):
                mine = {name: marks[name] for name in _names(key) if name in marks}
                kept = self._kept.get(key)
                if kept is None or kept.marks != mine:
                    kept = new[key] = self._renewed(key, kept, mine, session)
                found[key] = kept
            if not new or session is not None or self._read(keys, session) == marks:
                for key, each in new.items():
                    self._kept.put(key, each, len(each.policies) + _ENTRY)
                break
        return tuple(found.values())

    def _read(self, keys: Iterable[str], session: ClientSession | None) -> dict[str, ObjectId]:
        names = [name for key in sorted(keys) for name in _names(key)]
        rows = self._marks.find({"_id": {"$in": names}}, {"stamp": 1}, session=session)
        return {row["_id"]: row["stamp"] for row in rows}

    def _renewed(
        self, key: str, kept: Members | None, marks: dict[str, ObjectId], session: ClientSession | None
    ) -> Members:
        changed = None if kept is None else self._changed(kept.marks, marks, session)
        if kept is None or changed is None:
            rows = self._policies.find({"actors": key}, {"stamp": 1}, session=session, batch_size=10 * BATCH)
            return Members(marks, {row["_id"]: row["stamp"] for row in rows})
        found = {patient: stamp for patient, stamp in kept.policies.items() if patient not in changed}
        where = {"_id": {"$in": sorted(changed)}}
        for row in self._policies.find(where, {"stamp": 1, "actors": 1}, session=session):
            if key in row["actors"]:
                found[row["_id"]] = row["stamp"]
        return Members(marks, found)

    def _changed(
        self, before: Mapping[str, ObjectId], now: Mapping[str, ObjectId], session: ClientSession | None
    ) -> set[str] | None:
        """The patients whose policies changed in between; None where that is not known any more."""
        if not before.keys() <= now.keys():
            return None
        other = sorted(name for name, stamp in now.items() if before.get(name) != stamp)
        changed: set[str] = set()
        for row in self._marks.find({"_id": {"$in": other}}, session=session):
            recent, known = row["recent"], before.get(row["_id"])
            places = [at for at, each in enumerate(recent) if each["stamp"] == known]
            if not places and (known is not None or len(recent) == _RECENT):
                return None
            changed.update(each["patient"] for each in recent[places[-1] + 1 if places else 0 :])
        return changed


def shard(patient: str) -> int:
    """Which of the documents of a key, or of a link, a patient's policy writes."""
    return crc32(patient.encode()) % SHARDS


def _name(key: str, place: int) -> str:
    return f"{key}#{place}"


def _names(key: str) -> list[str]:
    return [_name(key, place) for place in range(SHARDS)]
