"""A database as a folder of files, and back: every document byte for byte, as of one moment.

    manifest.json            format, database, moment, and for each collection its indexes, count and SHA-256
    COLLECTION.bson.zst      its documents one after another (BSON, zstd); the name percent-encoded

The manifest is written last: a folder without one is no backup.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast
from urllib.parse import quote

import bson
import zstandard
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import IndexModel
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from fhirserver.store import planner, traces
from fhirserver.store.connection import check, connect
from fhirserver.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pymongo import MongoClient
    from pymongo.client_session import ClientSession
    from pymongo.collection import Collection
    from pymongo.database import Database

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
BATCH: Final = 500
"""Documents written at once."""
BATCH_BYTES: Final = 8_000_000
_RAW: Final[CodecOptions[RawBSONDocument]] = CodecOptions(document_class=RawBSONDocument)
_KEPT_OF_INDEX: Final = ("name", "key", "unique", "sparse", "partialFilterExpression", "expireAfterSeconds")


class Told(NamedTuple):
    """What a backup holds, or a restore brought back."""

    collections: int
    documents: int
    bytes: int


class BackupError(StoreError):
    """A folder that cannot be written or restored, with the reason."""


def backup(
    uri: str,
    name: str,
    folder: Path,
    progress: Callable[[int], object] = int,
    *,
    trace: Mapping[str, Any] | None = None,
) -> Told:
    """Writes the database into a folder that must be new or empty; `progress` is told how many documents at a time.

    `trace`: the record of it, stored before anything is read. Raises BackupError or StoreError.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(folder.iterdir()):
        raise BackupError(f"{folder} is not empty: a backup takes a folder of its own")
    with _connected(uri, name) as client:
        database = client.get_database(name)
        found = {}
        _traced(database, trace)
        with _snapshot(client, database) as session:
            database["schema"].find_one(session=session)  # the moment: what is made after it is not wanted
            for each in sorted(database.list_collection_names()):
                if not each.startswith("system."):
                    found[each] = _written(database, each, folder, session, progress)
    manifest = {"format": FORMAT, "database": name, "at": datetime.now(UTC).isoformat(), "collections": found}
    _private(folder / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode())
    return _summed(found)


def restore(
    uri: str,
    name: str,
    folder: Path,
    progress: Callable[[int], object] = int,
    *,
    trace: Mapping[str, Any] | None = None,
) -> Told:
    """Brings a backup back into a database that must be empty, after every file was held to its digest.

    `trace`: the record of it, stored when all is back. Raises BackupError or StoreError; what was begun is then to be
    dropped before it is tried again.
    """
    manifest = read(folder)
    for each, facts in manifest["collections"].items():
        _verified(folder / file_of(each), each, facts)
    with _connected(uri, name) as client:
        database = client.get_database(name)
        if database.list_collection_names():
            raise BackupError(f"the database {name!r} is not empty: a backup is restored into a new one")
        for each, facts in manifest["collections"].items():
            _brought_back(database, each, facts, folder, progress)
        _traced(database, trace)
    return _summed(manifest["collections"])


def read(folder: Path) -> dict[str, Any]:
    """The manifest. Raises BackupError."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
        form = manifest["format"]
    except (OSError, ValueError, KeyError, TypeError):
        raise BackupError(f"{folder} holds no backup: {MANIFEST} is missing or unreadable") from None
    if form != FORMAT:
        raise BackupError(f"the backup is of format {form}; this version reads {FORMAT}")
    return manifest


def file_of(collection: str) -> str:
    return f"{quote(collection, safe='$')}.bson.zst"


def _traced(database: Database[dict[str, Any]], trace: Mapping[str, Any] | None) -> None:
    if trace is not None:
        database[traces.COLLECTION].insert_one(dict(trace))


@contextmanager
def _connected(uri: str, name: str) -> Iterator[MongoClient[dict[str, Any]]]:
    client = connect(uri, operation=3600)
    try:
        check(client, name)
        yield client
    except PyMongoError as error:
        raise BackupError(f"the database gave up: {type(error).__name__}") from error
    except OSError as error:
        raise BackupError(f"{error.filename}: {error.strerror}") from error
    finally:
        client.close()


@contextmanager
def _snapshot(client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]) -> Iterator[ClientSession]:
    """A session that sees one moment: of mongod a snapshot session; the embedded database has transactions for it."""
    if planner.is_embedded(client.get_database(database.name)):
        with client.start_session() as session, session.start_transaction(ReadConcern("snapshot")):
            yield session
    else:
        with client.start_session(snapshot=True) as session:
            yield session


def _written(
    database: Database[dict[str, Any]],
    name: str,
    folder: Path,
    session: ClientSession,
    progress: Callable[[int], object],
) -> dict[str, Any]:
    count, size, digest = 0, 0, hashlib.sha256()
    path = folder / file_of(name)
    with _opened(path) as file, zstandard.ZstdCompressor(level=6).stream_writer(file) as packed:
        for found in database[name].find_raw_batches(session=session):
            batch = cast("bytes", found)
            packed.write(batch)
            digest.update(batch)
            many = _documents(batch)
            count, size = count + many, size + len(batch)
            progress(many)
    indexes = [
        {key: each[key] for key in _KEPT_OF_INDEX if key in each}
        for each in database[name].list_indexes()
        if each["name"] != "_id_"
    ]
    for each in indexes:
        each["key"] = [[field, way] for field, way in each["key"].items()]
    return {"count": count, "bytes": size, "sha256": digest.hexdigest(), "indexes": indexes}


def _documents(batch: bytes) -> int:
    """How many documents stand one after another."""
    count = place = 0
    while place < len(batch):
        place += int.from_bytes(batch[place : place + 4], "little")
        count += 1
    return count


def _verified(path: Path, name: str, facts: dict[str, Any]) -> None:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as packed:
            while part := packed.read(1 << 20):
                digest.update(part)
    except (OSError, zstandard.ZstdError):
        raise BackupError(f"the file of {name!r} is missing or damaged: nothing was restored") from None
    if digest.hexdigest() != facts["sha256"]:
        raise BackupError(f"the file of {name!r} is not what was backed up: nothing was restored")


def _brought_back(
    database: Database[dict[str, Any]],
    name: str,
    facts: dict[str, Any],
    folder: Path,
    progress: Callable[[int], object],
) -> None:
    collection: Collection[Any] = database.create_collection(name).with_options(_RAW)
    if facts["indexes"]:
        collection.create_indexes(
            [IndexModel([(field, way) for field, way in each.pop("key")], **each) for each in facts["indexes"]]
        )
    with (folder / file_of(name)).open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as packed:
        for batch in _batches(bson.decode_file_iter(packed, _RAW)):
            collection.insert_many(batch, ordered=False)
            progress(len(batch))
    if (found := collection.count_documents({})) != facts["count"]:
        raise BackupError(f"{name!r} has {found} documents after it was restored, {facts['count']} were backed up")


def _batches(documents: Iterator[RawBSONDocument]) -> Iterator[list[RawBSONDocument]]:
    batch, size = [], 0
    for each in documents:
        batch.append(each)
        size += len(each.raw)
        if len(batch) >= BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _summed(collections: dict[str, dict[str, Any]]) -> Told:
    found = collections.values()
    return Told(len(collections), sum(each["count"] for each in found), sum(each["bytes"] for each in found))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A file for its owner only."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file


def _private(path: Path, content: bytes) -> None:
    with _opened(path) as file:
        file.write(content)
