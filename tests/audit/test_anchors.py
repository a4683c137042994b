"""What was tampered with shows: over real chains in a real database, each kind of tampering by itself."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

from fhirserver.access import Access
from fhirserver.audit import Chains, Fault, lasting, verify
from fhirserver.audit.anchors import Anchors, purge
from fhirserver.spec import Definitions
from fhirserver.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pymongo.collection import Collection

    Traces = Collection[dict[str, Any]]

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SYSTEM = Access.system("test")


@pytest.fixture
def store(embedded_uri: str, database_name: str) -> Iterator[Store]:
    made = Store(embedded_uri, database_name, definitions=Definitions.core())
    yield made
    made.close()


@pytest.fixture
def traces(embedded_uri: str, store: Store) -> Iterator[Traces]:
    with MongoClient[dict[str, Any]](embedded_uri, tz_aware=True) as client:
        yield client[store.name]["trace"]


def write(store: Store, chains: Chains, count: int, at: datetime = NOW) -> None:
    """A chain of its own, of a thread of its own."""

    def run() -> None:
        for number in range(count):
            with chains.place() as place:
                store.trace(place.link({"at": at, "what": "read", "who": {"id": "x"}, "number": number}))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def faults(store: Store, named: list[str] | None = None) -> list[Fault]:
    return list(verify(store.traces(SYSTEM), store.landmarks(SYSTEM), named or ()))


def chain_of(traces: Traces, number: int = 0) -> list[dict[str, Any]]:
    """The records of one of the chains of accesses, longest first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in traces.find({"what": "read"}).sort("_id"):
        found.setdefault(row["chain"], []).append(row)
    return sorted(found.values(), key=len, reverse=True)[number]


@pytest.fixture
def two(store: Store) -> Store:
    """Two workers: chains of five, four and three records, all anchored, and one that went on and names an anchor."""
    one, other = Chains(), Chains()
    write(store, one, 5)
    write(store, one, 4)
    assert Anchors(store, one, "worker-1").anchor(NOW)
    write(store, other, 3)
    assert Anchors(store, other, "worker-2").anchor(NOW)
    write(store, one, 1)
    return store


def test_whole_chains_have_no_fault(two: Store) -> None:
    assert faults(two) == []


def swap(traces: Traces) -> None:
    first, second, *_ = chain_of(traces)
    for one, other in ((first, second), (second, first)):
        traces.replace_one({"_id": one["_id"]}, {**other, "_id": one["_id"], "n": one["n"]})


def insert(traces: Traces) -> None:
    last = chain_of(traces)[-1]
    for row in chain_of(traces)[1:]:
        traces.delete_one({"_id": row["_id"]})
    moved = [{**row, "n": row["n"] + 1, "_id": f"{row['chain']}.{row['n'] + 1:010}"} for row in [last]]
    traces.insert_many(moved)


def renew(traces: Traces) -> None:
    """Every hash fits, but the chain is another."""
    rows, prev = chain_of(traces), "0" * 64
    from fhirserver.audit.chain import digest

    for row in rows:
        row |= {"number": 99, "prev": prev}
        row["hash"] = prev = digest(row)
        traces.replace_one({"_id": row["_id"]}, row)


def forge(traces: Traces) -> None:
    """A purge that would explain what is missing, but is of this week."""
    chains, victim = Chains(), chain_of(traces)
    ends = {victim[0]["chain"]: [5, victim[-1]["hash"], NOW]}
    with chains.place() as place:
        traces.insert_one(place.link({"at": NOW, "what": "purge", "before": NOW - timedelta(days=2), "chains": ends}))
    traces.delete_many({"chain": victim[0]["chain"], "what": "read"})


def forge_all(traces: Traces) -> None:
    """A purge that would explain why everything is missing, all of it told to be old."""
    before, ends = NOW - timedelta(days=200), {}
    for row in traces.find().sort("_id"):
        ends[row["chain"]] = [row["n"] + 1, row["hash"], NOW]
    traces.delete_many({})
    with Chains().place() as place:
        traces.insert_one(place.link({"at": NOW, "what": "purge", "before": before, "chains": ends}))


def forge_one(traces: Traces, at: datetime = NOW, days: int = 200) -> None:
    """A purge of one chain alone, told to be old, or by a clock that is to come."""
    rows = chain_of(traces)
    ends = {rows[0]["chain"]: [rows[-1]["n"] + 1, rows[-1]["hash"], at]}
    traces.delete_many({"chain": rows[0]["chain"], "what": "read"})
    with Chains().place() as place:
        traces.insert_one(place.link({"at": at, "what": "purge", "before": at - timedelta(days=days), "chains": ends}))


TAMPERINGS: dict[str, Callable[[Traces], Any]] = {
    "changed": lambda traces: traces.update_one({"_id": chain_of(traces)[1]["_id"]}, {"$set": {"what": "vread"}}),
    "a date changed": lambda traces: traces.update_one(
        {"_id": chain_of(traces)[1]["_id"]}, {"$set": {"at": NOW - timedelta(days=1)}}
    ),
    "removed in the middle": lambda traces: traces.delete_one({"_id": chain_of(traces)[2]["_id"]}),
    "removed at the begin": lambda traces: traces.delete_one({"_id": chain_of(traces)[0]["_id"]}),
    "cut off at the end": lambda traces: traces.delete_one({"_id": chain_of(traces)[-1]["_id"]}),
    "a chain removed": lambda traces: traces.delete_many({"chain": chain_of(traces)[0]["chain"], "what": "read"}),
    "the chain of another worker removed": lambda traces: traces.delete_many(
        {"chain": chain_of(traces, 2)[0]["chain"]}
    ),
    "an anchor removed": lambda traces: traces.delete_one({"what": "anchor"}),
    "swapped": swap,
    "inserted": insert,
    "a chain written anew": renew,
    "purged too early": forge,
    "purged by a clock to come": lambda traces: forge_one(traces, datetime.now(UTC) + timedelta(days=184), 184),
    "no place": lambda traces: traces.update_one({"_id": chain_of(traces)[1]["_id"]}, {"$unset": {"chain": ""}}),
    "an odd place": lambda traces: traces.update_one({"_id": chain_of(traces)[1]["_id"]}, {"$set": {"n": "1"}}),
    "an odd fact": lambda traces: traces.update_one({"_id": chain_of(traces)[1]["_id"]}, {"$set": {"x": b"\0"}}),
    "an anchor without heads": lambda traces: traces.update_one({"what": "anchor"}, {"$unset": {"heads": ""}}),
}


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_tampering_shows(two: Store, traces: Traces, kind: str) -> None:
    TAMPERINGS[kind](traces)
    assert faults(two) != []


def test_the_removal_of_everything_shows_by_what_was_written_down(store: Store, traces: Traces, tmp_path: Path) -> None:
    chains, file = Chains(), tmp_path / "anchors"
    anchors = Anchors(store, chains, "worker-1", str(file))
    write(store, chains, 2)
    anchors.anchor(NOW)
    named = file.read_text().splitlines()
    assert len(named) == 1
    assert faults(store, named) == []
    traces.delete_many({})
    assert faults(store) == []
    assert [fault.text for fault in faults(store, named)] == ["an anchor that was named is missing, or was changed"]


def test_a_purge_that_was_made_up_shows_by_what_was_written_down(store: Store, traces: Traces, tmp_path: Path) -> None:
    chains, file = Chains(), tmp_path / "anchors"
    write(store, chains, 2)
    Anchors(store, chains, "worker-1", str(file)).anchor(NOW)
    forge_all(traces)
    assert [fault.text for fault in faults(store, file.read_text().splitlines())] == [
        "an anchor that was named is missing, or was changed"
    ]


def test_a_purge_of_what_an_anchor_saw_go_on_is_a_fault(store: Store, traces: Traces) -> None:
    chains = Chains()
    anchors, go_on = Anchors(store, chains, "worker-1"), threading.Event()
    halves = threading.Barrier(2)

    def run() -> None:
        for number in range(4):
            if number == 2:
                halves.wait()
                go_on.wait()
            with chains.place() as place:
                store.trace(place.link({"at": NOW, "what": "read", "who": {"id": "x"}, "number": number}))

    thread = threading.Thread(target=run)
    thread.start()
    halves.wait()
    anchors.anchor(NOW)
    go_on.set()
    thread.join()
    anchors.anchor(NOW + timedelta(minutes=5))
    assert faults(store) == []
    forge_one(traces)
    assert "it purges what was not old enough" in [fault.text for fault in faults(store)]


def test_what_is_anchored_while_it_is_looked_at_is_no_fault(two: Store, traces: Traces) -> None:
    """The landmarks were read before, the traces after a worker's anchor and what names it."""
    chains = Chains()

    def run() -> list[Fault]:
        landmarks = two.landmarks(SYSTEM)
        write(two, chains, 1)
        with chains.place() as place:
            two.trace(place.link({"at": NOW, "what": "read", "who": {"id": "x"}}))
        Anchors(two, chains, "worker-3").anchor(NOW)
        with chains.place() as place:
            two.trace(place.link({"at": NOW, "what": "read", "who": {"id": "x"}}))
        return list(verify(two.traces(SYSTEM), landmarks))

    assert run() != []
    assert lasting(run) == []
    traces.delete_one({"_id": chain_of(traces)[1]["_id"]})
    assert lasting(run) != []


def test_nothing_is_anchored_while_nothing_happens(store: Store, traces: Traces) -> None:
    chains = Chains()
    anchors = Anchors(store, chains, "worker-1")
    write(store, chains, 2)
    assert anchors.anchor(NOW)
    assert anchors.anchor(NOW + timedelta(minutes=5)) is None
    write(store, chains, 1)
    assert anchors.anchor(NOW + timedelta(minutes=10))
    assert traces.count_documents({"what": "anchor"}) == 2
    assert faults(store) == []


def test_a_new_process_anchors_what_one_that_died_left(store: Store, traces: Traces) -> None:
    write(store, Chains(), 3)
    assert Anchors(store, Chains(), "worker-2").anchor(NOW)
    traces.delete_one({"_id": chain_of(traces)[-1]["_id"]})
    assert faults(store) != []


def test_what_is_old_is_thrown_away_and_the_rest_still_verified(store: Store, traces: Traces) -> None:
    old, chains = NOW - timedelta(days=400), Chains()
    gone, kept = Chains(), Chains()
    write(store, gone, 3, old)
    anchors = Anchors(store, gone, "worker-1")
    anchors.anchor(old)
    mixed = threading.Thread(target=lambda: write_at(store, kept, old, old, NOW, NOW))
    mixed.start()
    mixed.join()
    Anchors(store, chains, "worker-2").anchor(NOW)
    assert purge(store, chains, NOW - timedelta(days=200), NOW) == 3
    assert [row["n"] for row in traces.find({"what": "read"}).sort("_id")] == [2, 3]
    assert faults(store) == []
    traces.delete_one({"what": "read", "n": 2})
    assert faults(store) != []


def test_a_purge_that_was_interrupted_is_no_fault_and_goes_on(store: Store, traces: Traces) -> None:
    old, chains = NOW - timedelta(days=400), Chains()
    write(store, chains, 4, old)
    kept = list(traces.find())
    assert purge(store, chains, NOW - timedelta(days=200), NOW) == 1
    traces.insert_many(kept[2:])
    assert faults(store) == []
    purge(store, chains, NOW - timedelta(days=200), NOW + timedelta(days=1))
    assert traces.count_documents({"what": "read"}) == 0
    assert faults(store) == []


def write_at(store: Store, chains: Chains, *times: datetime) -> None:
    for at in times:
        with chains.place() as place:
            store.trace(place.link({"at": at, "what": "read", "who": {"id": "x"}}))
