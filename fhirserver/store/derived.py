"""What was made of a document is seen only where the document is: each such resource bears a copy of what counts.

A resource derived from a DocumentReference has `doc`, what access rules read of the document's envelope; the document
has `made`: `types`, of what was made of it, and `n`, which each transaction that uses it increments, so that it cannot
pass one that changes the document. Who writes the document brings all copies, of history too, up to date with it. The
copy of a document that was deleted, or that went to another patient, holds its `_id` alone: nobody sees what bears it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.access import DOCUMENT, UNDERIVED
from fhirserver.errors import NotFound, Unprocessable
from fhirserver.store.collections import HISTORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pymongo.client_session import ClientSession
    from pymongo.database import Database

Row = dict[str, Any]

_COPIED: Final = ("_id", "v", "pat", "patx", "acl", "t", "d", "was")


def indexed_anew(database: Database[Row], row: Mapping[str, Any], entries: Mapping[str, Any]) -> None:
    """Brings in step the copies, of this version, of a document whose search entries were made anew."""
    change = {"$set": {f"doc.{name}": entries[name] for name in ("t", "d")}}
    for type_ in row.get("made", {}).get("types", ()):
        for name in (type_, f"{type_}{HISTORY}"):
            database[name].update_many({"doc._id": row["_id"], "doc.v": row["v"]}, change)


class Derived:
    """The documents that one transaction makes resources of, or changes."""

    def __init__(self, database: Database[Row], session: ClientSession) -> None:
        self._database, self._session = database, session
        self._documents: dict[str, Row] = {}
        self._made: dict[str, set[str]] = {}
        self.patients: dict[str, set[str]] = {}
        """By patient, the types of what was derived in this transaction."""

    def of(self, type_: str, document: str) -> Row:
        """The copy that a resource of the type bears of `document` (`DocumentReference/x`).

        Raises NotFound when that is not here, ValueError for a type of which nothing is derived.
        """
        if type_ in UNDERIVED:
            raise ValueError(f"nothing of type {type_} is derived from documents")
        id_ = document.removeprefix(f"{DOCUMENT}/")
        if id_ not in self._documents:
            row = self._database[DOCUMENT].find_one({"_id": id_}, dict.fromkeys(_COPIED, 1), session=self._session)
            if row is None:
                raise NotFound(f"{document} is not known.")
            self._documents[id_] = row
        self._made.setdefault(id_, set()).add(type_)
        return self._documents[id_]

    def written(self, envelope: Row) -> None:
        """Takes note of a document that this transaction stores: what is made of it need not read it."""
        self._documents[envelope["_id"]] = copied(envelope)

    def forget(self, id_: str) -> None:
        """The document is no longer as it was known here."""
        self._documents.pop(id_, None)

    def knows(self, document: str) -> bool:
        """Whether the document has been read already, or written."""
        return document.removeprefix(f"{DOCUMENT}/") in self._documents

    def listed(self, document: str) -> list[tuple[str, str]]:
        """Type and id of what bears a copy of the document."""
        id_ = document.removeprefix(f"{DOCUMENT}/")
        row = self._database[DOCUMENT].find_one({"_id": id_}, {"made": 1}, session=self._session) or {}
        found = []
        for type_ in self.types(id_, row):
            rows = self._database[type_].find({"doc._id": id_}, {"_id": 1}, session=self._session)
            found += sorted((type_, each["_id"]) for each in rows)
        return found

    def bear(self, type_: str, envelope: Row, copy: Row) -> None:
        """Puts the copy into the envelope, which belongs to the record that the document belongs to.

        Raises Unprocessable when it is of another patient.
        """
        patient = copy.get("pat")
        if "acl" in copy and envelope.get("pat", patient) != patient:
            raise Unprocessable(f"{type_}/{envelope['_id']} is about another patient than the document it came from.")
        if patient is not None:
            envelope["pat"] = patient
        if "pat" in envelope:
            self.patients.setdefault(envelope["pat"], set()).add(type_)
        if "was" in copy and "was" not in envelope:
            envelope["was"] = copy["was"] | {"v": []}
        envelope["doc"] = copy

    def types(self, id_: str, row: Mapping[str, Any]) -> list[str]:
        """The types of what was made of the document of this envelope, in this transaction too."""
        return sorted({*row.get("made", {}).get("types", ()), *self._made.get(id_, ())})

    def follow(self, id_: str, row: Mapping[str, Any], envelope: Row | None) -> None:
        """Brings what was made of the document in step: `row` is its envelope before, `envelope` after, if it is there.

        To be called when everything else that the transaction wrote so far was sent.
        """
        self.forget(id_)
        gone: Row = {"_id": id_}
        copy = gone if envelope is None else copied(envelope)
        patient = copy.get("pat")
        changes = [({"doc._id": id_, "pat": patient}, copy)]
        if patient is None or patient != row.get("pat"):
            changes.append(({"doc._id": id_, "pat": {"$ne": patient}}, gone))
        for type_ in self.types(id_, row):
            for name in (type_, f"{type_}{HISTORY}"):
                for where, what in changes:
                    self._database[name].update_many(where, {"$set": {"doc": what}}, session=self._session)

    def finish(self, waiting: Iterable[Row]) -> None:
        """Marks the documents of which something was made; `waiting` are the envelopes of those not sent yet."""
        unsent = {row["_id"]: row for row in waiting}
        for id_, types in sorted(self._made.items()):
            if id_ in unsent:
                row = unsent[id_]
                row["made"] = {"n": row.get("made", {}).get("n", 0) + 1, "types": self.types(id_, row)}
                continue
            change = {"$inc": {"made.n": 1}, "$addToSet": {"made.types": {"$each": sorted(types)}}}
            self._database[DOCUMENT].update_one({"_id": id_}, change, session=self._session)


def copied(envelope: Row) -> Row:
    """What of a document's envelope those bear that were derived from it."""
    return {name: envelope[name] for name in _COPIED if name in envelope}
