"""Access across patients: what is kept between requests is never out of date, whoever wrote what in which order."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient, monitoring
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from fhirserver.access import Access, Requester
from fhirserver.predicate import matches
from fhirserver.search import Indexer
from fhirserver.spec import Definitions
from fhirserver.store import Store, connection
from fhirserver.store.actors import shard
from fhirserver.store.policies import Policies
from tests.store.test_policies import ALICE, BOB, NOW, RPPS, House, consent, physician, team

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo.database import Database

PATIENTS = [f"p{number}" for number in range(6)]
LATE = "p1"
"""Of another shard than p0: transactions about the two may go on side by side."""


@pytest.fixture
def house(embedded_uri: str, database_name: str) -> Iterator[House]:
    definitions = Definitions.core()
    store = Store(embedded_uri, database_name, definitions=definitions, index=Indexer(definitions).index)
    yield House(store, PATIENTS)
    store.close()


@pytest.fixture
def database(house: House) -> Database[dict[str, Any]]:
    return house.store._bound().database


def seen(policies: Policies, access: Access, rows: list[dict[str, Any]]) -> set[str]:
    predicate = policies.predicate(access, "Observation")
    return {row["pat"] for row in rows if matches(predicate, row)}


def observations(database: Database[dict[str, Any]]) -> list[dict[str, Any]]:
    return database["Observation"].find().to_list()


def test_two_workers_never_answer_out_of_date(house: House, database: Database[dict[str, Any]]) -> None:
    """After each of many random writes, in any of two workers, both say what one says that has just begun."""
    draw = random.Random(7)
    workers = [Policies(database), Policies(database)]
    rows = observations(database)
    who = [physician(), physician(BOB, None), physician(BOB), Requester("system", "x", organization="750000001",
           client="his", scopes=("system/*.rs",))]  # fmt: skip
    answers = set()
    for step in range(40):
        change(house, draw)
        access = Access.of(draw.choice(who), NOW + timedelta(seconds=step))
        expected = seen(Policies(database), access, rows)
        answers.add(frozenset(expected))
        for worker in draw.sample(workers, draw.randint(1, 2)):
            assert seen(worker, access, rows) == expected, step
    assert len(answers) > 5


def change(house: House, draw: random.Random) -> None:
    patient = draw.choice(PATIENTS)
    match draw.randrange(6):
        case 0:
            house.put({"resourceType": "Patient", "id": patient, "active": draw.random() < 0.7})
        case 1:
            number = draw.choice([ALICE, BOB])
            house.put(
                {"resourceType": "Practitioner", "id": "alice", "identifier": [{"system": RPPS, "value": number}]}
            )
        case 2:
            house.put(team(f"t-{patient}", patient, draw.choice(["Practitioner/alice", "Organization/hospital", None])))
        case 3:
            end = NOW + timedelta(seconds=draw.randrange(40))
            span = {"end": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
            house.put(consent(f"c-{patient}", patient, "permit", "Practitioner/alice", period=span))
        case _:
            kind = draw.choice(["permit", "deny"])
            actor = draw.choice(["Practitioner/alice", "Organization/hospital", None])
            house.put(consent(f"c-{patient}", patient, kind, actor))


def test_what_happened_since_is_read_again_even_when_it_was_much(
    house: House, database: Database[dict[str, Any]]
) -> None:
    worker = Policies(database)
    access, rows = Access.of(physician(), NOW), observations(database)
    house.put(consent("c", "p0", "permit", "Practitioner/alice"))
    assert seen(worker, access, rows) == {"p0"}
    for number in range(40):
        house.put(consent("c", "p0", "deny" if number % 2 else "permit", "Practitioner/alice"))
    house.put(consent("d", "p1", "permit", "Practitioner/alice"))
    assert seen(worker, access, rows) == {"p1"}


def test_a_transaction_undone_leaves_nothing_behind(house: House, database: Database[dict[str, Any]]) -> None:
    worker = Policies(database)
    access, rows = Access.of(physician(), NOW), observations(database)
    house.put(consent("c", "p0", "permit", "Practitioner/alice"))
    assert seen(worker, access, rows) == {"p0"}
    worker.make()
    with database.client.start_session() as session:
        session.start_transaction(ReadConcern("snapshot"), WriteConcern("majority"))
        database["Consent"].delete_one({"_id": "c"}, session=session)
        worker.refresh(session, ["p0"], [])
        inside = worker.predicate(access, "Observation", None, session)
        assert not any(matches(inside, row) for row in rows)
        session.abort_transaction()
    assert seen(worker, access, rows) == {"p0"}
    house.put(consent("d", "p1", "permit", "Practitioner/alice"))
    assert seen(worker, access, rows) == {"p0", "p1"}


def test_the_one_that_began_first_may_commit_last(house: House, database: Database[dict[str, Any]]) -> None:
    assert shard("p0") != shard(LATE)
    house.put(consent("c", "p0", "permit", "Practitioner/alice"))
    worker, other = Policies(database), Policies(database)
    access, rows = Access.of(physician(), NOW), observations(database)
    other.make()
    with database.client.start_session() as early:
        early.start_transaction(ReadConcern("snapshot"), WriteConcern("majority"))
        database["Consent"].delete_one({"_id": "c"}, session=early)
        other.refresh(early, ["p0"], [])
        house.put(consent("d", LATE, "permit", "Practitioner/alice"))
        assert seen(worker, access, rows) == {"p0", LATE}
        early.commit_transaction()
    assert seen(worker, access, rows) == {LATE}


def test_a_request_reads_no_policy_while_none_changes(
    house: House, database: Database[dict[str, Any]], embedded_uri: str
) -> None:
    for patient in PATIENTS:
        house.put(consent(f"c-{patient}", patient, "permit", "Practitioner/alice"))
    heard = Commands()
    with MongoClient[dict[str, Any]](embedded_uri, event_listeners=[heard]) as client:
        worker = Policies(connection.database(client, database.name))
        access = Access.of(physician(), NOW)
        first = worker.predicate(access, "Observation")
        assert "policy" in heard.collections
        heard.collections.clear()
        assert worker.predicate(access, "Observation") is first
        assert heard.collections == ["actors"]


def test_only_the_policies_that_changed_are_read_again(
    house: House, database: Database[dict[str, Any]], embedded_uri: str
) -> None:
    for patient in PATIENTS:
        house.put(consent(f"c-{patient}", patient, "permit", "Practitioner/alice"))
    heard = Commands()
    with MongoClient[dict[str, Any]](embedded_uri, event_listeners=[heard]) as client:
        worker = Policies(connection.database(client, database.name))
        access, rows = Access.of(physician(), NOW), observations(database)
        assert seen(worker, access, rows) == set(PATIENTS)
        house.put(consent("c-p3", "p3", "deny", "Practitioner/alice"))
        heard.filters.clear()
        assert seen(worker, access, rows) == {*PATIENTS} - {"p3"}
        assert {repr(each) for each in heard.filters} == {"{'_id': {'$in': ['p3']}}", "{'_id': 'p3'}"}


class Commands(monitoring.CommandListener):
    """The collections that are searched, and how `policy` is."""

    def __init__(self) -> None:
        self.collections: list[str] = []
        self.filters: list[dict[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name == "find":
            self.collections.append(event.command["find"])
            if event.command["find"] == "policy":
                self.filters.append(dict(event.command["filter"]))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...
    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


def test_many_at_once_may_name_the_same_physician(house: House, database: Database[dict[str, Any]]) -> None:
    """They meet at the documents of his key: each runs again until it is its turn."""
    names = [f"x{number}" for number in range(24)]
    for name in names:
        house.put({"resourceType": "Patient", "id": name, "active": True})
        house.put({"resourceType": "Observation", "id": f"o-{name}", "subject": {"reference": f"Patient/{name}"}})
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: house.put(consent(f"c-{name}", name, "permit", "Practitioner/alice")), names))
    access, rows = Access.of(physician(), NOW), observations(database)
    assert seen(Policies(database), access, rows) == set(names)
    marks = [row for row in database["actors"].find() if row["_id"].startswith(f"rpps|{ALICE}#")]
    assert sum(len(row["recent"]) for row in marks) == len(names)
