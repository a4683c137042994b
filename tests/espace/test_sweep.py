"""What time brings to many spaces: in batches, by an index, resumable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

from fhirserver.access import Access
from fhirserver.audit import Chains
from fhirserver.espace import space
from fhirserver.espace.space import Actor, Spaces
from fhirserver.spec import Definitions
from fhirserver.store import Store
from fhirserver.store.spaces import Place
from tests.database import database_name as database_name
from tests.store.listening import listening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.store import Transaction

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
LATER = BEGIN + timedelta(weeks=7)


@pytest.fixture
def store(embedded_uri: str, database_name: str) -> Iterator[Store]:
    store = Store(embedded_uri, database_name, definitions=Definitions.core())
    yield store
    store.close()


def announced(store: Store, *ids: str) -> Spaces:
    """Spaces that are due at the same moment."""
    spaces, access = Spaces(store, Chains()), Access.system("test", BEGIN)

    def work(tx: Transaction) -> None:
        for each in ids:
            tx.create({"resourceType": "Patient", "birthDate": "1980-05-01"}, each, fresh=True)
        facts = {each: {"zone": "Europe/Paris", "born": "1980-05-01"} for each in ids}
        spaces.announce(Actor("operator", access), dict.fromkeys(ids, BEGIN), facts, tx)

    store.transact(access, work)
    return spaces


def states(store: Store, *ids: str) -> list[str]:
    rows = store.spaces.of(ids)
    return [rows[each]["log"][-1]["to"] for each in ids]


def test_all_that_are_due_are_brought_each_once_though_some_cannot_be(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "_TOGETHER", 2)
    monkeypatch.setattr(space, "_LISTED", 3)
    ids = [f"p{each}" for each in range(7)]
    spaces = announced(store, *ids)
    merged = {
        "_id": "p4",
        "into": "p5",
        "names": ["p4", "p5"],
        "mine": [],
        "traitant": [],
        "space": [[], []],
        "active": True,
    }
    store.transact(Access.system("test", BEGIN), lambda tx: tx.delete("Patient", "p2"))
    store.transact(Access.system("test", BEGIN), lambda tx: tx.merges.add(merged))
    assert spaces.bring(BEGIN) == {}
    assert spaces.bring(LATER) == {"open": 5}
    assert states(store, *ids) == ["open", "open", "announced", "open", "announced", "open", "open"]
    assert spaces.bring(LATER) == {}
    traced = [each["p"] for row in store.traces(Access.system("test", LATER)) for each in row["entities"]]
    assert sorted(traced) == sorted({*ids} - {"p2", "p4"})
    assert store.outbox.waiting() == 5


def test_broken_off_it_goes_on_and_nothing_happens_twice(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "_TOGETHER", 2)
    ids = [f"p{each}" for each in range(5)]
    spaces = announced(store, *ids)
    brought, calls = Spaces._brought, list[list[str]]()

    def once(self: Spaces, patients: list[str], now: datetime) -> list[str]:
        calls.append(patients)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return brought(self, patients, now)

    monkeypatch.setattr(Spaces, "_brought", once)
    with pytest.raises(KeyboardInterrupt):
        spaces.bring(LATER)
    assert states(store, *ids).count("open") == 2
    assert spaces.bring(LATER) == {"open": 3}
    assert all(len(row["log"]) == 2 for row in store.spaces.of(ids).values())


def test_what_is_due_is_found_by_ranges_of_an_index(store: Store, embedded_uri: str, database_name: str) -> None:
    announced(store, *(f"p{each}" for each in range(5)))
    (first, second, *rest) = store.spaces.due(LATER, 10)
    assert [each.patient for each in (first, second, *rest)] == [f"p{each}" for each in range(5)]
    assert store.spaces.due(LATER, 2, second) == rest[:2]
    assert store.spaces.due(LATER, 2, rest[-1]) == []
    assert store.spaces.due(LATER, 2, Place(first.due - timedelta(days=1), "z")) == [first, second]
    with listening() as heard:
        again = Store(embedded_uri, database_name, definitions=Definitions.core())
        again.spaces.due(LATER, 2, second)
        again.spaces.due(LATER, 9, second)
        again.close()
    finds = [each for each in heard.reads if each.get("find") == "space"]
    assert len(finds) == 3
    with MongoClient[dict[str, Any]](embedded_uri) as client:
        for each in finds:
            plan = str(client[database_name].command("explain", each, verbosity="queryPlanner"))
            assert "'indexName': 'due'" in plan, each
            assert "COLLSCAN" not in plan, each
