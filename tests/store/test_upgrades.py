"""What an older format lacks is there after a migration, as if it had been written now."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

from fhirserver.access import Access, Requester, author_references
from fhirserver.cli import main
from fhirserver.spec import Definitions
from fhirserver.store import Store, upgrades
from fhirserver.store.envelope import FORMAT
from fhirserver.store.schema import COLLECTION, KEY, Reach, SchemaError, reach
from tests.records import observation, patient, practitioner, reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo.database import Database

    from fhirserver.store import Transaction

    Rows = dict[str, dict[str, Any]]

ACCESS = Access.system("test", datetime(2026, 1, 1, tzinfo=UTC))
TAKING_PART = ["patient|p", "rpps|10000000018"]


@pytest.fixture
def store(embedded_uri: str, database_name: str) -> Iterator[Store]:
    store = Store(embedded_uri, database_name, definitions=Definitions.core())
    yield store
    store.close()


@pytest.fixture
def database(embedded_uri: str, database_name: str) -> Iterator[Database[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](embedded_uri, tz_aware=True) as client:
        yield client[database_name]


def appointment(id: str, **more: Any) -> dict[str, Any]:
    actors = ("Patient/p", "Practitioner/d")
    participant = [{"actor": reference(each), "status": "accepted"} for each in actors]
    return {"resourceType": "Appointment", "id": id, "status": "booked", "participant": participant, **more}


def written(store: Store) -> None:
    """Appointments with what they were before, one of them deleted, one large; a message; whom somebody represents."""
    tag = {"system": "urn:fhirserver:message", "code": "message"}
    message = {"resourceType": "Communication", "status": "completed", "meta": {"tag": [tag]}}
    message |= {"subject": reference("Patient/p"), "sender": reference("Practitioner/d")}
    measure = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "GUARD"}]}
    related = {"resourceType": "RelatedPerson", "patient": reference("Patient/p"), "relationship": [measure]}
    first = [(patient(), "p"), (practitioner("10000000018"), "d"), (observation("p"), "o"), (related, "r")]
    some = [(appointment(id), id) for id in ("a", "b")]
    large = appointment("large", description=random.Random(1).randbytes(1_200_000).hex())

    def stored(tx: Transaction, new: dict[str, Any], id: str | None = None) -> None:
        known = tx.identifiers(author_references(new))
        if id is None:
            tx.update(new, identifiers=known)
        else:
            tx.create(new, id, identifiers=known)

    for resource, id in (*first, *some, (large, "large"), (message, "m")):
        store.transact(ACCESS, lambda tx, new=resource, id=id: stored(tx, new, id))  # type: ignore[misc]
    store.transact(ACCESS, lambda tx: stored(tx, appointment("a", status="cancelled")))
    store.transact(ACCESS, lambda tx: tx.delete("Appointment", "b"))


def aged(database: Database[dict[str, Any]]) -> None:
    """As an older version left it."""
    for name in database.list_collection_names(filter={"name": {"$regex": "^[A-Z]"}}):
        database[name].update_many({}, {"$set": {"f": 1}, "$unset": {"acl.with": ""}})
    database["policy"].update_many({}, {"$unset": {"represent": ""}})
    database[COLLECTION].update_one({"_id": KEY}, {"$set": {"oldest": 1, "newest": 1}})


def envelopes(database: Database[dict[str, Any]]) -> dict[str, Rows]:
    names = database.list_collection_names(filter={"name": {"$regex": "^[A-Z]"}})
    return {name: {row["_id"]: row for row in database[name].find()} for name in names}


def policy(database: Database[dict[str, Any]]) -> dict[str, Any]:
    found = database["policy"].find_one({"_id": "p"}) or {}
    return {name: value for name, value in found.items() if name not in ("epoch", "stamp")}


def test_what_was_stored_before_is_as_if_it_were_written_now(store: Store, database: Database[dict[str, Any]]) -> None:
    written(store)
    before, told = envelopes(database), policy(database)
    assert database["chunks"].count_documents({}) == 1
    assert before["Appointment"]["a"]["acl"]["with"] == TAKING_PART
    aged(database)
    assert reach(database) == Reach(1, 1)
    list(store.migrate(ACCESS))
    assert envelopes(database) == before
    assert policy(database) == told
    assert [id for id, _ in told["represent"]] == ["r"]
    assert reach(database) == Reach(FORMAT, FORMAT)


def test_what_names_participants_already_keeps_them(store: Store, database: Database[dict[str, Any]]) -> None:
    """Who a message is between does not follow later changes of the directory."""
    written(store)
    aged(database)
    database["Communication"].update_one({"_id": "m"}, {"$set": {"acl.with": ["rpps|10000000026"]}})
    list(store.migrate(ACCESS))
    found = database["Communication"].find_one({"_id": "m"}) or {}
    assert (found["f"], found["acl"]["with"]) == (FORMAT, ["rpps|10000000026"])


def test_policies_that_were_not_rebuilt_yet_are_the_next_time(
    store: Store, database: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    written(store)
    told = policy(database)
    aged(database)

    def ended(*_: object) -> Iterator[int]:
        raise SchemaError("ended")

    with monkeypatch.context() as patch:
        patch.setattr(upgrades, "rebuilt", ended)
        run = store.migrate(ACCESS)
        with pytest.raises(SchemaError):
            list(run)
    assert (reach(database).oldest, "represent" in policy(database)) == (1, False)
    list(store.migrate(ACCESS))
    assert (reach(database).oldest, policy(database)) == (FORMAT, told)


def test_only_the_servers_own_work_migrates(store: Store) -> None:
    with pytest.raises(PermissionError):
        next(store.migrate(Access(Requester("operator", "op"), ACCESS.now)))


def test_the_command_brings_everything_up(
    store: Store,
    embedded_uri: str,
    database_name: str,
    database: Database[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    written(store)
    before = envelopes(database)
    aged(database)
    monkeypatch.setenv("FHIRSERVER_DATABASE", database_name)
    assert main(["migrate", "--mongo", embedded_uri]) == 0
    assert f"everything is of format {FORMAT}" in capsys.readouterr().out
    assert envelopes(database) == before
    assert [(each["what"], each["who"]["id"]) for each in database["trace"].find()] == [
        ("migrate", "system:command line")
    ]
