"""Files: bytes that are no resource's body, such as attachments and exports, in the layout of GridFS.

The collections are `fs.files` and `fs.chunks` (https://github.com/mongodb/specifications/blob/master/source/gridfs),
so that MongoDB's own tools read them, and `fs.open`: what is being written or deleted, or waits for its owner to be
stored, by which `sweep` and `sweep_ownerless` find what a process that died left behind. A file never changes. It
carries no access rules: whoever reads one must already hold what a guarded read has let through and that names the
file (a resource, a job), and its id tells nothing.
"""

from __future__ import annotations

import hashlib
import threading
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pymongo import ASCENDING

from fhirserver.errors import FhirError, NotFound
from fhirserver.store.errors import translated, unclear

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pymongo.database import Database

Row = dict[str, Any]

CHUNK: Final = 1 << 20
"""Bytes of a chunk; a file is written and read in as much memory."""


class File(NamedTuple):
    """A file that is whole. `length` in bytes; hashes in hexadecimal; `owner` is what it was written for; `facts` what
    else its writer had to say of it."""

    id: str
    length: int
    sha1: str
    sha256: str
    media: str
    owner: str | None
    created: datetime
    facts: Mapping[str, Any]


class Files:
    """The files of one database."""

    def __init__(self, database: Database[Row]) -> None:
        self._files, self._chunks = database["fs.files"], database["fs.chunks"]
        self._open = database["fs.open"]
        self._lock = threading.Lock()
        self._made = False

    def write(
        self,
        parts: Iterable[bytes],
        media: str = "application/octet-stream",
        owner: str | None = None,
        facts: Mapping[str, Any] | None = None,
        *,
        until_owned: bool = False,
    ) -> File:
        """Stores the parts as one file, as they come. What raises while they come leaves nothing of it.

        `facts` are kept with it, as they are when the last part has come. It is not part of a transaction: who refers
        to it in one that fails deletes it. `until_owned`: its owner is yet to be stored; then `settle` is called.
        """
        id_ = uuid.uuid4().hex
        with translated():
            self._make()
            self._open.insert_one({"_id": id_, "at": datetime.now(UTC)})
        try:
            with translated():
                return self._written(id_, parts, media, owner, facts or {}, owner if until_owned else None)
        except BaseException:
            self._abandon(id_)
            raise

    def find(self, id_: str) -> File | None:
        """What is known of a file; None when there is none."""
        with translated():
            row = self._files.find_one({"_id": id_})
        return None if row is None else _file(row)

    def owned(self, owner: str) -> list[File]:
        """The files that were written for an owner, the oldest first."""
        with translated():
            rows = self._files.find({"metadata.owner": owner}).to_list()
        return sorted(map(_file, rows), key=lambda each: (each.created, each.id))

    def read(self, id_: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` up to `end`, chunk by chunk. Raises NotFound when it is not, or no more, there."""
        found = self.find(id_)
        if found is None:
            raise NotFound("The file is not here.")
        return self._parts(found, max(start, 0), min(found.length if end is None else end, found.length))

    def delete(self, id_: str) -> None:
        """Deletes a file; of one that is not there, nothing."""
        with translated():
            self._make()
            self._open.update_one({"_id": id_}, {"$set": {"at": datetime.fromtimestamp(0, UTC)}}, upsert=True)
            self._remove(id_)

    def sweep(self, before: datetime) -> int:
        """Deletes what was begun before a moment and neither ended nor given up: its writer died. How many."""
        with translated():
            left = self._open.find({"at": {"$lt": before}, "owner": {"$exists": False}}).to_list()
            for row in left:
                self._remove(row["_id"])
        return len(left)

    def settle(self, id_: str) -> None:
        """The owner of a file was stored."""
        with translated():
            self._open.delete_one({"_id": id_})

    def sweep_ownerless(self, before: datetime, owned: Callable[[str, str], bool]) -> int:
        """Deletes files that have waited since before a moment for an owner who was never stored. How many.

        `owned` tells, of an owner and the id of a file, whether he was.
        """
        with translated():
            waiting = self._open.find({"owner": {"$exists": True}, "at": {"$lt": before}}).to_list()
        left = [row["_id"] for row in waiting if not owned(row["owner"], row["_id"])]
        with translated():
            for row in waiting:
                if row["_id"] in left:
                    self._remove(row["_id"])
                else:
                    self._open.delete_one({"_id": row["_id"]})
        return len(left)

    def _written(
        self,
        id_: str,
        parts: Iterable[bytes],
        media: str,
        owner: str | None,
        facts: Mapping[str, Any],
        waits_for: str | None,
    ) -> File:
        sha1, sha256 = hashlib.sha1(usedforsecurity=False), hashlib.sha256()
        length = number = 0
        for chunk in _chunked(parts):
            sha1.update(chunk)
            sha256.update(chunk)
            self._chunks.insert_one({"_id": f"{id_}|{number}", "files_id": id_, "n": number, "data": chunk})
            length, number = length + len(chunk), number + 1
        metadata: Row = {"sha1": sha1.hexdigest(), "sha256": sha256.hexdigest(), "facts": dict(facts)}
        if owner is not None:
            metadata["owner"] = owner
        row: Row = {
            "_id": id_,
            "length": length,
            "chunkSize": CHUNK,
            "uploadDate": datetime.now(UTC),
            "filename": id_,
            "contentType": media,
            "metadata": metadata,
        }
        self._files.insert_one(row)
        if waits_for is None:
            there = self._open.delete_one({"_id": id_}).deleted_count
        else:
            waiting = {"$set": {"at": datetime.now(UTC), "owner": waits_for}}
            there = self._open.update_one({"_id": id_}, waiting).matched_count
        if there != 1:  # taken for dead, and swept
            raise unclear()
        return _file(row)

    def _parts(self, file: File, start: int, end: int) -> Iterator[bytes]:
        """A query a chunk: the reader may be slow, and no cursor waits for it."""
        for number in range(start // CHUNK, -(-end // CHUNK) if end > start else 0):
            with translated():
                row = self._chunks.find_one({"files_id": file.id, "n": number})
            if row is None:
                raise NotFound("The file is not here any more.")
            first = number * CHUNK
            yield bytes(row["data"][max(start - first, 0) : end - first])

    def _abandon(self, id_: str) -> None:
        try:
            with translated():
                self._remove(id_)
        except FhirError:  # the sweep will; the cause is on its way up already
            return

    def _remove(self, id_: str) -> None:
        self._files.delete_one({"_id": id_})
        self._chunks.delete_many({"files_id": id_})
        self._open.delete_one({"_id": id_})

    def _make(self) -> None:
        with self._lock:
            if not self._made:
                self._chunks.create_index([("files_id", ASCENDING), ("n", ASCENDING)], unique=True)
                self._files.create_index([("filename", ASCENDING), ("uploadDate", ASCENDING)])
                self._files.create_index([("metadata.owner", ASCENDING)], name="owner", sparse=True)
                self._made = True


def _chunked(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of `CHUNK`, the last one shorter."""
    waiting = bytearray()
    for part in parts:
        for start in range(0, len(part), CHUNK):
            waiting += part[start : start + CHUNK]
            if len(waiting) >= CHUNK:
                yield bytes(waiting[:CHUNK])
                del waiting[:CHUNK]
    if waiting:
        yield bytes(waiting)


def _file(row: Row) -> File:
    known = row["metadata"]
    return File(
        row["_id"],
        row["length"],
        known["sha1"],
        known["sha256"],
        row["contentType"],
        known.get("owner"),
        row["uploadDate"],
        known.get("facts", {}),
    )
