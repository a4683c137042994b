from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fhirserver.access import Access
from fhirserver.store.changes import Change
from fhirserver.store.subscribers import KEPT, Posted, Subscribers

if TYPE_CHECKING:
    from pymongo.database import Database

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


def taken(subscribers: Subscribers, **asked: Any) -> str | None:
    row = subscribers.take(NOW, **asked)
    return None if row is None else row["_id"]


def database(store: Store) -> Database[dict[str, Any]]:
    return store._bound().database


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


def test_several_who_are_due_are_taken_once_each_the_longest_due_first(store: Store) -> None:
    for minutes, id in enumerate("abc"):
        subscribed(store, id, due=NOW - timedelta(minutes=9 - minutes), host=id, tries=int(id == "b"))
    first, other = store.subscribers, Subscribers(database(store))
    assert taken(first, besides={"a"}, sound=True) == "c"
    assert taken(other) == "a"
    assert [taken(first), taken(other), taken(first)] == ["b", None, None]


def test_who_was_due_and_is_no_more_is_not_taken(store: Store) -> None:
    for id in "ab":
        subscribed(store, id, due=NOW)
    assert taken(store.subscribers) == "a"
    subscribed(store, "b", due=NOW + timedelta(hours=1))
    assert taken(store.subscribers) is None


def test_types_are_heard_of_while_somebody_does(store: Store) -> None:
    subscribers = store.subscribers
    assert not subscribers.anybody()
    for place in range(25):
        subscribed(store, f"s{place}", types=["Observation"], since=NOW + timedelta(minutes=place))
    subscribed(store, "t", types=["Consent", "Observation"], since=NOW + timedelta(hours=1))
    assert subscribers.anybody()
    assert subscribers.types() == {"Observation", "Consent"}
    assert subscribers.earliest(["Observation", "Patient"]) == NOW.replace(microsecond=NOW.microsecond // 1000 * 1000)
    for id in ("t", *(f"s{place}" for place in range(1, 25))):
        store.subscribers.remove(id)
    assert subscribers.types() == {"Observation"}, "of the last who were kept nobody does, but another one"
    assert subscribers.earliest(["Consent"]) is None
    subscribers.remove("s0")
    subscribers.sweep(NOW)
    assert not subscribers.anybody()


def test_the_index_of_a_former_version_gives_way(store: Store) -> None:
    """One of its name would be refused; one that begins with whether they are live reads all who are."""
    rows = database(store)["subscribers"]
    rows.create_index([("live", 1), ("due", 1)], name="due")
    subscribed(store, due=NOW)
    assert taken(store.subscribers) == "s"
    leading = {facts["key"][0][0] for facts in rows.index_information().values()}
    assert leading == {"_id", "due", "owner", "hears", "types", "failed", "gone", "who.patient"}


def test_of_many_a_few_are_found_by_an_index(store: Store) -> None:
    subscribed(store)
    store.subscribers.anybody()
    asked: tuple[dict[str, Any], ...] = (
        {"hears": {"$in": ["Observation?p", "Observation@rpps|1"]}},
        {"hears": None},
        {"failed": {"$gt": NOW}},
        {"gone": {"$gt": NOW}},
        {"who.patient": "p"},
        {"due": {"$lte": NOW}},
    )
    for each in asked:
        plan = database(store)["subscribers"].find(each).explain()["queryPlanner"]["winningPlan"]
        assert "COLLSCAN" not in str(plan), each


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
