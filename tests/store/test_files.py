"""Files in the database: written and read in pieces, whole or not there at all."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from gridfs import GridFSBucket
from pymongo import MongoClient

from fhirserver.errors import NotFound
from fhirserver.store.files import CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.store import Store

TOMORROW = datetime.now(UTC) + timedelta(days=1)


def _documents(store: Store) -> int:
    with MongoClient[dict[str, Any]](store.uri) as client:
        return sum(client[store.name][f"fs.{name}"].count_documents({}) for name in ("files", "chunks", "open"))


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1, 2 * CHUNK + 7])
def test_a_file_comes_back_as_it_was_written(store: Store, size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    file = store.files.write([content[:10], b"", content[10:]], "text/plain", owner="job")
    assert (file.length, file.media, file.owner) == (size, "text/plain", "job")
    assert file.sha1 == hashlib.sha1(content).hexdigest()
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert b"".join(store.files.read(file.id)) == content
    found = store.files.find(file.id)
    assert found is not None
    assert (found.sha256, found.length) == (file.sha256, size)


@pytest.mark.parametrize(
    ("start", "end"), [(0, 5), (CHUNK - 1, CHUNK + 1), (CHUNK, None), (5, 5), (7, 3), (2 * CHUNK, 9 * CHUNK), (-4, 2)]
)
def test_a_range_of_a_file(store: Store, start: int, end: int | None) -> None:
    content = bytes(number % 249 for number in range(2 * CHUNK + 100))
    file = store.files.write([content])
    assert b"".join(store.files.read(file.id, start, end)) == content[max(start, 0) : end]


def test_a_file_is_written_and_read_a_chunk_at_a_time(store: Store) -> None:
    with MongoClient[dict[str, Any]](store.uri) as client:
        chunks = client[store.name]["fs.chunks"]

        def parts() -> Iterator[bytes]:
            for number in range(4):
                assert chunks.count_documents({}) == number
                yield b"x" * CHUNK

        file = store.files.write(parts())
    assert [len(part) for part in store.files.read(file.id)] == [CHUNK] * 4


def test_a_write_that_is_given_up_leaves_nothing(store: Store) -> None:
    def parts() -> Iterator[bytes]:
        yield b"x" * (2 * CHUNK)
        raise ValueError("the client went away")

    with pytest.raises(ValueError, match="went away"):
        store.files.write(parts())
    assert _documents(store) == 0


def test_what_a_dead_writer_left_is_swept(store: Store) -> None:
    whole = store.files.write([b"whole"])

    def parts() -> Iterator[bytes]:
        yield b"x" * (2 * CHUNK)
        assert store.files.sweep(datetime.now(UTC) - timedelta(hours=1)) == 0
        assert store.files.sweep(TOMORROW) == 1
        yield b"x"

    with pytest.raises(Exception, match="went away"):
        store.files.write(parts())
    assert b"".join(store.files.read(whole.id)) == b"whole"
    store.files.delete(whole.id)
    assert _documents(store) == 0


def test_a_file_whose_owner_was_never_stored_is_swept_and_no_other(store: Store) -> None:
    kept, settled, lost = (
        store.files.write([b"x"], owner=f"Binary/{name}", until_owned=True) for name in ("kept", "settled", "lost")
    )
    store.files.settle(settled.id)
    asked = []

    def owned(owner: str, file: str) -> bool:
        asked.append((owner, file))
        return owner == "Binary/kept"

    assert store.files.sweep(TOMORROW) == 0
    assert store.files.sweep_ownerless(datetime.now(UTC) - timedelta(hours=1), owned) == 0
    assert store.files.sweep_ownerless(TOMORROW, owned) == 1
    assert sorted(asked) == [("Binary/kept", kept.id), ("Binary/lost", lost.id)]
    assert [store.files.find(each.id) is None for each in (kept, settled, lost)] == [False, False, True]
    assert store.files.sweep_ownerless(TOMORROW, owned) == 0


def test_a_deleted_file_is_gone_for_its_readers_too(store: Store) -> None:
    file = store.files.write([b"x" * (CHUNK + 1)], owner="job")
    reading = store.files.read(file.id)
    next(reading)
    store.files.delete(file.id)
    store.files.delete(file.id)
    assert store.files.find(file.id) is None
    assert store.files.owned("job") == []
    with pytest.raises(NotFound):
        next(reading)
    with pytest.raises(NotFound):
        store.files.read(file.id)


def test_files_are_found_by_their_owner(store: Store) -> None:
    mine = [store.files.write([text], owner="a").id for text in (b"1", b"2")]
    store.files.write([b"3"], owner="b")
    assert [each.id for each in store.files.owned("a")] == mine


def test_the_tools_of_mongodb_read_a_file(store: Store) -> None:
    file = store.files.write([b"x" * CHUNK, b"y"])
    with MongoClient[dict[str, Any]](store.uri) as client:
        assert GridFSBucket(client[store.name]).open_download_stream(file.id).read() == b"x" * CHUNK + b"y"
