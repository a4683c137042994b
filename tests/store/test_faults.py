from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any, TypeVar

import psutil
import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import (
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    InvalidOperation,
    OperationFailure,
    PyMongoError,
    WriteError,
)

from fhirserver.errors import Conflict, TooLarge, Unavailable
from fhirserver.store import Embedded, StoreError
from fhirserver.store.errors import as_fhir
from tests.store.proxy import Fault, Relay
from tests.store.standin import access, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fhirserver.store import Store, Transaction

T = TypeVar("T")
SYSTEM = access()
PRACTITIONER = {"resourceType": "Practitioner", "id": "d1"}


@pytest.fixture
def relay(embedded_uri: str) -> Iterator[Relay]:
    relay = Relay(port_of(embedded_uri))
    yield relay
    relay.close()


@pytest.fixture
def relayed(embedded_uri: str, database_name: str, relay: Relay) -> Iterator[Store]:
    """A store that reaches the database through the relay."""
    uri = embedded_uri.replace(f":{port_of(embedded_uri)}/", f":{relay.port}/")
    store = open_store(uri, database_name, selection=30.0, operation=60.0, patience=60.0)
    yield store
    store.close()


def port_of(uri: str) -> int:
    return int(uri.rpartition(":")[2].partition("/")[0])


@pytest.mark.parametrize("fault", ["lose request", "lose answer"])
@pytest.mark.parametrize("word", ["insert", "commitTransaction"])
def test_a_write_whose_connection_breaks_is_stored_exactly_once(
    relayed: Store, relay: Relay, word: str, fault: Fault
) -> None:
    relayed.transact(SYSTEM, lambda tx: tx.create(PRACTITIONER, "d0"))
    relay.fail(word, fault)
    runs = []

    def work(tx: Transaction) -> int:
        runs.append(1)
        tx.trace({"_id": f"t{len(runs)}"})
        return tx.update({**PRACTITIONER, "id": "d0"}, expected=1).version

    assert relayed.transact(SYSTEM, work) == 2
    assert relay.met == 1
    assert relayed.view(SYSTEM).history("Practitioner", "d0", 5).total == 2


@pytest.mark.parametrize("kind", ["delete", "trace"])
def test_a_lost_answer_to_the_commit_is_known_by_what_was_stored(relayed: Store, relay: Relay, kind: str) -> None:
    relayed.transact(SYSTEM, lambda tx: tx.create(PRACTITIONER, "d1"))
    relay.fail("commitTransaction", "lose answer")
    if kind == "delete":
        assert relayed.transact(SYSTEM, lambda tx: tx.delete("Practitioner", "d1", expected=1)).version == 2
    else:
        relayed.transact(SYSTEM, lambda tx: tx.trace({"_id": "t1"}))
    assert relay.met == 1


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Embedded]:
    """A database that may be killed."""
    database = Embedded(tmp_path / "data")
    database.start()
    yield database
    database.stop()


def kill(database: Embedded) -> None:
    assert database.pid is not None
    process = psutil.Process(database.pid)
    process.kill()
    process.wait(60)


@pytest.mark.parametrize("fault", ["lose request", "lose answer"])
@pytest.mark.parametrize("kind", ["update", "delete", "trace"])
def test_a_database_killed_during_the_commit_has_stored_the_write_exactly_once(
    embedded: Embedded, kind: str, fault: Fault
) -> None:
    embedded.watch()
    relay = Relay(port_of(embedded.uri))
    uri = embedded.uri.replace(f":{port_of(embedded.uri)}/", f":{relay.port}/")
    store = open_store(uri, "fhir", selection=60.0, operation=60.0, patience=60.0)
    store.transact(SYSTEM, lambda tx: tx.create(PRACTITIONER, "d1"))
    runs = []

    def work(tx: Transaction) -> None:
        runs.append(1)
        if kind == "trace":
            tx.trace({"_id": "t1"})
        elif kind == "delete":
            tx.delete("Practitioner", "d1", expected=1)
        else:
            tx.update(PRACTITIONER, expected=1)

    relay.fail("commitTransaction", fault, lambda: kill(embedded))
    store.transact(SYSTEM, work)
    assert relay.met == 1
    assert len(runs) == (1 if fault == "lose answer" else 2)
    assert store.view(SYSTEM).history("Practitioner", "d1", 5).total == (1 if kind == "trace" else 2)
    assert len(list(store.traces(SYSTEM))) == (1 if kind == "trace" else 0)
    store.close()
    relay.close()


def test_a_write_of_which_nobody_knows_whether_it_was_stored_says_so(embedded: Embedded) -> None:
    relay = Relay(port_of(embedded.uri))
    uri = embedded.uri.replace(f":{port_of(embedded.uri)}/", f":{relay.port}/")
    store = open_store(uri, "fhir", selection=2.0, patience=0.5)
    store.transact(SYSTEM, lambda tx: tx.create(PRACTITIONER, "d1"))
    relay.fail("commitTransaction", "lose answer", lambda: kill(embedded))
    with pytest.raises(Unavailable, match="may have been stored"):
        store.transact(SYSTEM, lambda tx: tx.update(PRACTITIONER, expected=1))
    store.close()
    relay.close()


def test_traces_are_for_the_server_itself(store: Store) -> None:
    with pytest.raises(PermissionError):
        list(store.traces(access("doctor")))


def test_a_ping_reaches_the_database(store: Store) -> None:
    store.ping()


@pytest.mark.parametrize("fault", ["lose request", "lose answer"])
def test_the_trace_of_a_read_is_stored_once_when_its_connection_breaks(
    embedded_uri: str, database_name: str, relayed: Store, relay: Relay, fault: Fault
) -> None:
    relay.fail("insert", fault)
    relayed.trace({"_id": "t1", "what": "read"})
    assert relay.met == 1
    with MongoClient[dict[str, Any]](embedded_uri) as client:
        assert client[database_name]["trace"].count_documents({}) == 1


def test_reads_ride_out_a_broken_connection(relayed: Store, relay: Relay) -> None:
    stored = relayed.transact(SYSTEM, lambda tx: tx.create(PRACTITIONER, "d1"))
    relay.fail("aggregate", "lose answer")
    assert relayed.view(SYSTEM).read("Practitioner", "d1") == stored
    assert relay.met == 1


def once_it_is_back(read: Callable[[], T]) -> T:
    """What is read as soon as the database, which is not waited for long, answers in time."""
    until = time.monotonic() + 120
    while True:
        try:
            return read()
        except Unavailable:
            assert time.monotonic() < until


def test_without_a_database_reads_and_writes_are_unavailable_and_say_when_to_come_back(
    tmp_path: Path,
) -> None:
    embedded = Embedded(tmp_path / "data", sync=False)
    store = open_store(embedded.start(), "fhir", selection=0.5, operation=1.0, patience=60)
    store.transact(SYSTEM, lambda tx: tx.create(PRACTITIONER, "d1"))
    embedded.stop()
    runs = []

    def create(tx: Transaction) -> None:
        runs.append(1)
        tx.create(PRACTITIONER, "d2")

    for interaction in (
        lambda: store.view(SYSTEM).read("Practitioner", "d1"),
        lambda: store.view(SYSTEM).history("Practitioner", "d1", 5),
        lambda: store.transact(SYSTEM, create),
        lambda: store.trace({"_id": "t1"}),
    ):
        with pytest.raises(Unavailable) as caught:
            interaction()
        assert int(caught.value.headers["Retry-After"]) > 0
    assert len(runs) <= 2, "it does not wait for the database again and again"
    embedded.start()
    assert once_it_is_back(lambda: store.view(SYSTEM).read("Practitioner", "d1")) is not None
    store.close()
    embedded.stop()


def test_a_transaction_that_always_meets_another_gives_up(embedded_uri: str, database_name: str) -> None:
    store = open_store(embedded_uri, database_name, patience=1.0)
    runs = []

    def work(_: Transaction) -> None:
        runs.append(1)
        raise OperationFailure("conflict", 112)

    with pytest.raises(Unavailable, match="Too many writes"):
        store.transact(SYSTEM, work)
    assert len(runs) > 1
    store.close()


def test_a_closed_store_opens_again_on_its_next_use(store: Store) -> None:
    store.close()
    assert store.view(SYSTEM).read("Practitioner", "d1") is None


def test_a_standalone_mongod_is_refused(embedded_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command = Database.command

    def standalone(self: Any, command_: Any, *rest: Any, **options: Any) -> Any:
        answer = command(self, command_, *rest, **options)
        return {key: value for key, value in answer.items() if key != "setName"} if command_ == "hello" else answer

    monkeypatch.setattr(Database, "command", standalone)
    with pytest.raises(StoreError, match=r"standalone .* replica set"):
        open_store(embedded_uri, "fhir")


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("mongodb://127.0.0.1:{free}/?directConnection=true", "not reachable"),
        ("mongodb://fhirserver:wrong@127.0.0.1:{port}/?directConnection=true", "refuses the user or the password"),
        ("mongodb://127.0.0.1:{port}/?directConnection=true", "MongoDB"),
        ("http://127.0.0.1:{port}/", "no URI"),
        ("mongodb://127.0.0.1:many/", "no URI"),
    ],
)
def test_a_database_that_cannot_be_used_is_refused_with_the_reason(embedded_uri: str, uri: str, text: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    wait = 0.5 if "{free}" in uri else 60.0
    with pytest.raises(StoreError, match=text):
        open_store(uri.format(free=port, port=port_of(embedded_uri)), "fhir", selection=wait, operation=wait)


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (ConnectionFailure("gone"), Unavailable, "transient"),
        (ExecutionTimeout("slow", 50), Unavailable, "timeout"),
        (OperationFailure("shutting down", 91), Unavailable, "transient"),
        (DuplicateKeyError("taken", 11000), Conflict, "conflict"),
        (InvalidOperation("Cannot use MongoClient after it was closed"), Unavailable, "transient"),
    ],
)
def test_errors_of_the_driver_have_a_meaning_for_clients(error: PyMongoError, kind: type, code: str) -> None:
    known = as_fhir(error)
    assert isinstance(known, kind)
    assert known is not None
    assert known.issues[0].code == code


def test_a_fault_of_this_program_is_not_disguised() -> None:
    assert as_fhir(WriteError("bad operator", 9)) is None


def test_a_resource_with_too_many_index_entries_is_too_large(store: Store) -> None:
    resource = {"resourceType": "Observation", "id": "o1", "codes": [f"{n}" * 20 for n in range(200_000)]}
    with pytest.raises(TooLarge):
        store.transact(SYSTEM, lambda tx: tx.create(resource, "o1"))
