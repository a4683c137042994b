from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

from fhirserver.errors import Unavailable
from fhirserver.store import schema
from fhirserver.store.definitions import WORKERS
from fhirserver.store.envelope import FORMAT, decode
from fhirserver.store.schema import COLLECTION, KEY, Migration, Reach, SchemaError, meet, migrate, reach

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo.database import Database

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TYPES = ("Patient", "Observation")


@pytest.fixture
def database(embedded_uri: str, database_name: str) -> Iterator[Database[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](embedded_uri, tz_aware=True) as client:
        yield client[database_name]


def filled(database: Database[dict[str, Any]], count: int, **more: Any) -> None:
    for name in ("Patient", "Patient.history", "Observation"):
        rows = [{"_id": f"{n:05}", "v": 1, "lu": NOW, "r": b"{}", **more} for n in range(count)]
        database[name].insert_many(rows)


@pytest.fixture(autouse=True)
def small_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "BATCH", 25)


def marked(type_: str, envelope: dict[str, Any]) -> dict[str, Any]:
    return {**envelope, "type": type_}


MIGRATION = Migration(2, marked)


def test_a_new_database_is_of_the_format_that_is_written(database: Database[dict[str, Any]]) -> None:
    assert reach(database) == Reach(FORMAT, FORMAT)
    meet(database)
    assert database[COLLECTION].find_one({"_id": KEY}) == {"_id": KEY, "oldest": FORMAT, "newest": FORMAT}


def test_a_database_from_before_there_were_formats_is_of_the_first(database: Database[dict[str, Any]]) -> None:
    filled(database, 1)
    assert reach(database) == Reach(1, 1)


def test_neighbours_work_side_by_side_and_nobody_else(database: Database[dict[str, Any]]) -> None:
    filled(database, 1)
    meet(database, written=1)
    meet(database, written=2)
    meet(database, written=1)
    with pytest.raises(SchemaError, match="in between"):
        meet(database, written=3)
    list(migrate(database, TYPES, [MIGRATION], written=2))
    meet(database, written=3)
    with pytest.raises(SchemaError, match="Install the newer"):
        meet(database, written=1)


def test_everything_is_brought_up_history_too(database: Database[dict[str, Any]]) -> None:
    filled(database, 60)
    assert sum(migrate(database, TYPES, [MIGRATION], written=2)) == 180
    for name in ("Patient", "Patient.history", "Observation"):
        assert database[name].count_documents({"f": 2, "type": name.removesuffix(".history"), "r": b"{}"}) == 60
    assert reach(database) == Reach(2, 2)


def test_it_goes_on_where_it_was_ended(database: Database[dict[str, Any]]) -> None:
    filled(database, 60)
    run = migrate(database, TYPES, [MIGRATION], written=2)
    assert next(run) == schema.BATCH
    del run
    assert reach(database).oldest == 1
    assert sum(migrate(database, TYPES, [MIGRATION], written=2)) == 180 - schema.BATCH
    assert database["Observation"].count_documents({"f": 2}) == 60
    assert database["Patient.history"].count_documents({"f": 2}) == 60


def test_what_was_written_meanwhile_is_left_as_it_is(database: Database[dict[str, Any]]) -> None:
    filled(database, 3)

    def meddling(type_: str, envelope: dict[str, Any]) -> dict[str, Any]:
        newer = {"v": 2, "f": 2, "lu": NOW, "r": b"newer"}
        database[type_].update_one({"_id": "00001"}, {"$set": newer})
        return marked(type_, envelope)

    list(migrate(database, ("Patient",), [Migration(2, meddling)], written=2))
    assert database["Patient"].find_one({"_id": "00001"}) == {"_id": "00001", "v": 2, "lu": NOW, "r": b"newer", "f": 2}


@pytest.mark.parametrize("moved", [{"pat": "b", "was": {"id": "a"}}, {"doc": {"_id": "x", "acl": {}}}])
def test_what_a_merge_or_a_document_changed_meanwhile_is_brought_up_the_next_time(
    database: Database[dict[str, Any]], moved: dict[str, Any]
) -> None:
    filled(database, 3, pat="a")
    done: list[object] = []

    def meddling(type_: str, envelope: dict[str, Any]) -> dict[str, Any]:
        if not done and envelope["_id"] == "00001":
            done.append(database[type_].update_one({"_id": "00001"}, {"$set": moved}))
        return marked(type_, envelope)

    list(migrate(database, ("Patient",), [Migration(2, meddling)], written=2))
    found = database["Patient"].find_one({"_id": "00001"}) or {}
    assert (found.get("f"), found["type"], {name: found[name] for name in moved}) == (2, "Patient", moved)


def test_what_is_newer_is_not_touched(database: Database[dict[str, Any]]) -> None:
    filled(database, 2, f=3)
    meet_newest = {"$set": {"oldest": 3, "newest": 3}}
    database[COLLECTION].update_one({"_id": KEY}, meet_newest, upsert=True)
    with pytest.raises(SchemaError, match="nothing was done"):
        list(migrate(database, TYPES, [MIGRATION], written=2))
    assert database["Patient"].count_documents({"f": 3}) == 2


def test_while_older_workers_are_up_it_does_not_end(database: Database[dict[str, Any]]) -> None:
    filled(database, 2)
    database[WORKERS].insert_one({"_id": "old", "epoch": 0, "format": 1, "at": datetime.now(UTC)})
    with pytest.raises(SchemaError, match="older version"):
        list(migrate(database, TYPES, [MIGRATION], written=2))
    assert reach(database).oldest == 1


def test_what_older_workers_wrote_behind_it_is_brought_up_after_them(database: Database[dict[str, Any]]) -> None:
    filled(database, 2)
    old = {"_id": "old", "epoch": 0, "format": 1, "at": datetime.now(UTC)}

    def coming(type_: str, envelope: dict[str, Any]) -> dict[str, Any]:
        database[WORKERS].update_one({"_id": "old"}, {"$set": old}, upsert=True)
        return marked(type_, envelope)

    with pytest.raises(SchemaError, match="older version"):
        list(migrate(database, TYPES, [Migration(2, coming)], written=2))
    database["Patient"].insert_one({"_id": "0", "v": 1, "lu": NOW, "r": b"{}"})
    database[WORKERS].delete_one({"_id": "old"})
    list(migrate(database, TYPES, [MIGRATION], written=2))
    assert database["Patient"].count_documents({"f": 2}) == 3


def test_an_envelope_of_a_format_to_come_is_not_guessed_at() -> None:
    envelope = {"_id": "a", "v": 1, "lu": NOW}
    assert decode("Patient", {**envelope, "f": FORMAT + 1}, b"{}").id == "a"
    with pytest.raises(Unavailable):
        decode("Patient", {**envelope, "f": FORMAT + 2}, b"{}")
