from __future__ import annotations

import json
import threading
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from fhirserver.store.backup import MANIFEST, BackupError, backup, file_of, restore
from tests.application import applications

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.application import Application

__all__ = ["applications"]

PATIENT = {"resourceType": "Patient", "name": [{"family": "Dupont"}]}
WEIGHT: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
}


@pytest.fixture
def record(applications: Callable[..., Any]) -> Iterator[Application]:
    with applications() as opened:
        yield opened


@pytest.fixture
def target(record: Application) -> Iterator[str]:
    name = f"restored-{uuid.uuid4().hex[:8]}"
    yield name
    with MongoClient[dict[str, Any]](record.services.settings.mongo) as client:
        client.drop_database(name)


def raw(uri: str, name: str) -> dict[str, dict[bytes, bytes]]:
    """Every document of every collection, as its bytes."""
    with MongoClient(uri, document_class=RawBSONDocument) as client:
        database = client[name]
        return {
            each: {bytes(found.raw): b"" for found in database[each].find()}
            for each in database.list_collection_names()
        }


def indexes(uri: str, name: str) -> dict[str, Any]:
    with MongoClient[dict[str, Any]](uri) as client:
        database = client[name]
        return {each: database[each].index_information() for each in database.list_collection_names()}


def filled(record: Application) -> str:
    operator = record.operator()
    patient = operator.create(PATIENT)
    weight = {**WEIGHT, "subject": {"reference": f"Patient/{patient}"}, "valueQuantity": {"value": Decimal("70.500")}}
    assert operator.post("Observation", weight).status == 201
    operator.put(f"Patient/{patient}", {**PATIENT, "id": patient, "active": True})
    operator.post("Binary", b"\x00\xff" * 200_000, Content_Type="application/octet-stream")
    return patient


def test_a_restored_database_is_equal_byte_for_byte(record: Application, target: str, tmp_path: Path) -> None:
    patient, uri, name = filled(record), record.services.settings.mongo, record.services.settings.database
    told = backup(uri, name, tmp_path / "b")
    assert restore(uri, target, tmp_path / "b") == told
    assert raw(uri, target) == raw(uri, name)
    assert indexes(uri, target) == indexes(uri, name)
    assert told.documents == sum(len(each) for each in raw(uri, name).values())
    before = record.operator().get(f"Patient/{patient}/$everything").content
    assert b"70.500" in before


def test_a_backup_is_of_one_moment(record: Application, tmp_path: Path) -> None:
    """Pairs are written together all the while: the backup has both of a pair or neither."""
    operator, stop = record.operator(), threading.Event()
    filled(record)

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            twins: list[dict[str, Any]] = [
                {**PATIENT, "name": [{"family": f"T{number}"}]},
                {"resourceType": "Basic", "code": {"text": f"T{number}"}},
            ]
            operator.transact(
                *({"resource": each, "request": {"method": "POST", "url": each["resourceType"]}} for each in twins)
            )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for n in range(3):
            backup(record.services.settings.mongo, record.services.settings.database, tmp_path / f"{n}")
    finally:
        stop.set()
        writer.join()
    for n in range(3):
        facts = json.loads((tmp_path / f"{n}" / MANIFEST).read_text())["collections"]
        assert facts["Patient"]["count"] == facts.get("Basic", {"count": 0})["count"] + 1


def test_a_damaged_backup_restores_nothing(record: Application, target: str, tmp_path: Path) -> None:
    filled(record)
    uri, folder = record.services.settings.mongo, tmp_path / "b"
    backup(uri, record.services.settings.database, folder)
    file = folder / file_of("Patient")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(BackupError, match="Patient"):
        restore(uri, target, folder)
    assert raw(uri, target) == {}
    file.unlink()
    with pytest.raises(BackupError, match="missing"):
        restore(uri, target, folder)


def test_what_is_no_backup_or_no_empty_place_is_refused(record: Application, tmp_path: Path) -> None:
    filled(record)
    uri, name = record.services.settings.mongo, record.services.settings.database
    with pytest.raises(BackupError, match="holds no backup"):
        restore(uri, name, tmp_path)
    backup(uri, name, tmp_path / "b")
    with pytest.raises(BackupError, match="not empty"):
        backup(uri, name, tmp_path / "b")
    with pytest.raises(BackupError, match="not empty"):
        restore(uri, name, tmp_path / "b")
    manifest = json.loads((tmp_path / "b" / MANIFEST).read_text())
    (tmp_path / "b" / MANIFEST).write_text(json.dumps(manifest | {"format": 2}))
    with pytest.raises(BackupError, match="format 2"):
        restore(uri, "elsewhere", tmp_path / "b")


def test_only_the_owner_reads_a_backup(record: Application, tmp_path: Path) -> None:
    backup(record.services.settings.mongo, record.services.settings.database, tmp_path / "b")
    assert {each.stat().st_mode & 0o077 for each in [tmp_path / "b", *(tmp_path / "b").iterdir()]} == {0}
