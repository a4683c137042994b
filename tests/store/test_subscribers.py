from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fhirserver.access import Access
from fhirserver.store.changes import Change
from fhirserver.store.subscribers import KEPT, Posted

if TYPE_CHECKING:
    from fhirserver.store import Store, Transaction

NOW = datetime.now(UTC)


def subscribed(store: Store, id: str = "s", **facts: Any) -> None:
    known = {
        "live": True,
        "due": NOW + timedelta(hours=1),
        "plan": {"timeout": 10},
        "owner": "o",
        "since": NOW,
        **facts,
    }
    store.transact(Access.system("test"), lambda tx: tx.subscribers.keep(id, **known))


def posted(id: str, seq: int = 1, to: str = "s") -> Posted:
    return Posted(to, Change("Observation", {"_id": id, "v": 1, "lu": NOW, "pat": "p"}), seq)


def test_a_version_is_posted_once_and_the_subscriber_is_due(store: Store) -> None:
    subscribed(store)
    assert store.subscribers.take(NOW) is None
    for _ in range(2):
        store.subscribers.post([posted("a")], NOW)
    row = store.subscribers.take(NOW)
    assert row is not None
    assert (row["posted"], [each["id"] for each in store.subscribers.waiting("s", 9)]) == (1, ["a"])
    assert store.subscribers.take(NOW) is None, "somebody has him"


def test_what_comes_while_it_is_delivered_is_due_at_once(store: Store) -> None:
    subscribed(store, due=NOW)
    row = store.subscribers.take(NOW)
    assert row is not None
    store.subscribers.post([posted("a")], NOW)
    assert store.subscribers.settle(row, NOW + timedelta(hours=1), tries=0)
    assert store.subscribers.take(datetime.now(UTC)) is not None


def test_who_lost_a_subscriber_changes_nothing_more(store: Store) -> None:
    subscribed(store, due=NOW)
    first = store.subscribers.take(NOW)
    assert store.subscribers.take(NOW + timedelta(seconds=14)) is None
    second = store.subscribers.take(NOW + timedelta(seconds=16))
    assert first is not None
    assert second is not None
    assert not store.subscribers.note(first, number=5)
    assert not store.subscribers.settle(first, NOW, tries=1)
    assert store.subscribers.note(second, number=1)


def test_events_are_found_by_number_both_ends_included(store: Store) -> None:
    subscribed(store)
    for seq, id in enumerate("abcd"):
        store.subscribers.post([posted(id, seq)], NOW)
    waiting = store.subscribers.waiting("s", 9)
    store.subscribers.told(waiting[:3], 1, NOW)
    store.subscribers.drop(waiting[3:], NOW)
    assert [each["id"] for each in store.subscribers.between("s", 2, 3, 9)] == ["b", "c"]
    assert [each["id"] for each in store.subscribers.between("s", 2, 2, 9)] == ["b"]
    assert store.subscribers.waiting("s", 9) == []
    assert store.subscribers.sweep(NOW + KEPT) == 4


def test_a_transaction_that_meets_a_delivery_runs_again(store: Store) -> None:
    subscribed(store)
    tries = 0

    def work(tx: Transaction) -> None:
        nonlocal tries
        tries += 1
        assert tx.subscribers.find("s") is not None
        if tries == 1:
            store.subscribers.post([posted("a")], NOW)
        tx.subscribers.remove("s")

    store.transact(Access.system("test"), work)
    assert (tries, store.subscribers.find("s")) == (2, None)


def test_one_worker_follows_until_its_lease_is_over(store: Store) -> None:
    first = store.changes.claim()
    assert first is not None
    assert store.changes.claim() is None
    first.end()
    second = store.changes.claim()
    assert second is not None
    assert not first.save()
    assert second.save()
