"""What is stored while indexes are made is in them: an older transaction would pass by them."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

from fhirserver.errors import Unavailable
from fhirserver.search import Indexer
from fhirserver.spec import Definitions
from fhirserver.store import Store
from tests.store.standin import access

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pymongo.database import Database

    from fhirserver.store import Transaction

PATIENT = {"resourceType": "Patient", "id": "p", "active": True}
OBSERVATION = {"resourceType": "Observation", "id": "o", "subject": {"reference": "Patient/p"}}


@pytest.fixture
def database(embedded_uri: str, database_name: str) -> Iterator[Database[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](embedded_uri, retryWrites=False) as client:
        yield client[database_name]


@pytest.fixture
def open_real(embedded_uri: str, database_name: str) -> Iterator[Callable[[], Store]]:
    opened: list[Store] = []

    def make() -> Store:
        definitions = Definitions.core()
        opened.append(Store(embedded_uri, database_name, definitions=definitions, index=Indexer(definitions).index))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def stored(store: Store, *resources: dict[str, Any]) -> None:
    def work(tx: Transaction) -> None:
        tx.view.read("Patient", "p")  # from here on the transaction sees one moment
        for each in resources:
            tx.create(each, each["id"])

    store.transact(access(), work)


def lacking(database: Database[dict[str, Any]], name: str, dropped: str) -> None:
    """Takes an index away, as from an installation of before there was one."""
    database[name].drop_index(dropped)


@pytest.mark.parametrize("index", ["t", "lu", "pat_t", "pat_lu"])
def test_the_first_write_after_an_upgrade_that_brings_an_index(
    open_real: Callable[[], Store], database: Database[dict[str, Any]], index: str
) -> None:
    stored(open_real(), PATIENT, OBSERVATION)
    lacking(database, "Observation", index)
    stored(open_real(), OBSERVATION | {"id": "new"})
    everything = {row["_id"]: row for row in database["Observation"].find()}
    (term,) = (each for each in everything["new"]["t"] if each == "subject|Patient/p")
    asked = {
        "t": {"t": term},
        "lu": {"lu": {"$gte": everything["new"]["lu"]}},
        "pat_t": {"pat": "p", "t": term},
        "pat_lu": {"pat": "p", "lu": {"$gte": everything["new"]["lu"]}},
    }[index]
    assert {row["_id"] for row in database["Observation"].find(asked)} == {"o", "new"}


def test_the_first_policy_after_an_upgrade_that_brings_an_index(
    open_real: Callable[[], Store], database: Database[dict[str, Any]]
) -> None:
    stored(open_real(), PATIENT | {"id": "q", "active": False})
    lacking(database, "policy", "actors")
    stored(open_real(), PATIENT | {"active": False})
    (key,) = database["policy"].find({"_id": "p"}).to_list()[0]["actors"]
    assert {row["_id"] for row in database["policy"].find({"actors": key})} == {"p", "q"}


@pytest.mark.parametrize(("announced", "runs"), [(True, 1), (False, 2)])
def test_a_large_transaction_finds_its_collections_and_runs_once(
    open_real: Callable[[], Store], *, announced: bool, runs: int
) -> None:
    store = open_real()
    begun = []

    def work(tx: Transaction) -> None:
        begun.append(tx)
        tx.create(OBSERVATION, "o")

    with store.large(["Observation", "Patient"] if announced else []):
        store.transact(access(), work)
    assert len(begun) == runs


def test_large_transactions_of_a_process_come_one_after_another(open_real: Callable[[], Store]) -> None:
    store = open_real()
    store.patience = 0.05
    refused: list[Unavailable] = []

    def other() -> None:
        try:
            with store.large([]):
                raise AssertionError
        except Unavailable as error:
            refused.append(error)

    with store.large([]), store.large([]):  # who has it has it
        thread = Thread(target=other)
        thread.start()
        thread.join()
    assert refused[0].headers["Retry-After"]
    with store.large(["Observation"]):
        stored(store, OBSERVATION)
