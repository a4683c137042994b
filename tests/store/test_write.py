from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver import jsontext
from fhirserver.errors import Conflict, FhirError, NotFound, PreconditionFailed
from tests.store.standin import NOON, Rules, access

if TYPE_CHECKING:
    from fhirserver.store import Store, Stored, Transaction

SYSTEM = access()


def observation(id_: str = "o1", **members: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": id_, "subject": {"reference": "Patient/p1"}, **members}


def create(store: Store, resource: dict[str, Any], seconds: float = 0) -> Stored:
    return store.transact(access(seconds=seconds), lambda tx: tx.create(resource, resource["id"]))


def update(store: Store, resource: dict[str, Any], expected: int | None = None, seconds: float = 0) -> Stored:
    return store.transact(access(seconds=seconds), lambda tx: tx.update(resource, expected))


def test_a_created_resource_bears_its_id_version_and_time_and_reads_back_byte_for_byte(store: Store) -> None:
    resource = observation(valueQuantity={"value": 1.0}, meta={"profile": ["urn:p"], "versionId": "7"})
    stored = create(store, resource)
    assert stored.version == 1
    assert stored.last_updated == datetime(2026, 3, 1, 12, 0, 0, 123000, tzinfo=UTC)
    assert json.loads(stored.body) == {
        **resource,
        "meta": {"versionId": "1", "lastUpdated": "2026-03-01T12:00:00.123Z", "profile": ["urn:p"]},
    }
    assert store.view(SYSTEM).read("Observation", "o1") == stored
    assert resource["meta"]["versionId"] == "7", "what the caller gave is left as it was"


def test_decimals_keep_their_digits(store: Store) -> None:
    body = b'{"resourceType":"Observation","id":"o1","valueQuantity":{"value":1.500,"low":1e2,"high":-0}}'
    create(store, jsontext.parse_object(body))
    read = store.view(SYSTEM).read("Observation", "o1")
    assert read is not None
    assert b'"value":1.500,"low":1e2,"high":-0' in read.body


def test_an_update_makes_the_next_version_and_keeps_the_one_before(store: Store) -> None:
    first = create(store, observation(note="first"))
    second = update(store, observation(note="second"), seconds=1)
    assert second.version == 2
    view = store.view(SYSTEM)
    assert view.read("Observation", "o1") == second
    assert view.vread("Observation", "o1", 1) == first
    assert view.vread("Observation", "o1", 2) == second
    assert view.vread("Observation", "o1", 3) is None
    assert view.history("Observation", "o1", 10).matches == [second, first]


def test_a_version_is_always_younger_than_the_one_before_even_when_the_clock_was_set_back(store: Store) -> None:
    first = create(store, observation())
    second = update(store, observation(), seconds=-60)
    end = store.transact(access(seconds=-90), lambda tx: tx.delete("Observation", "o1"))
    again = create(store, observation(), seconds=-120)
    times = [version.last_updated for version in (first, second, end, again)]
    assert times == sorted(set(times))
    assert times[-1] - NOON < timedelta(seconds=1)


def test_an_update_of_another_version_than_expected_is_refused(store: Store) -> None:
    create(store, observation())
    update(store, observation(), expected=1)
    with pytest.raises(PreconditionFailed):
        update(store, observation(), expected=1)


def test_what_is_not_there_can_be_neither_updated_nor_deleted(store: Store) -> None:
    with pytest.raises(NotFound):
        update(store, observation())
    with pytest.raises(NotFound):
        store.transact(SYSTEM, lambda tx: tx.delete("Observation", "o1"))


def test_an_id_that_is_taken_is_not_created_again(store: Store) -> None:
    create(store, observation())
    with pytest.raises(Conflict):
        create(store, observation())
    with pytest.raises(Conflict, match="meanwhile"):
        store.transact(SYSTEM, lambda tx: tx.create(observation(), "o1", fresh=True))
    assert store.view(SYSTEM).history("Observation", "o1", 10).total == 1


def test_a_deletion_leaves_a_tombstone_and_a_later_version_counts_on(store: Store) -> None:
    first = create(store, observation())
    end = store.transact(SYSTEM, lambda tx: tx.delete("Observation", "o1", expected=1))
    assert (end.deleted, end.version, end.body) == (True, 2, b"")
    view = store.view(SYSTEM)
    assert view.read("Observation", "o1") == end
    assert view.vread("Observation", "o1", 2) == end
    again = create(store, observation())
    assert again.version == 3
    assert view.read("Observation", "o1") == again
    assert view.history("Observation", "o1", 10).matches == [again, end, first]


def test_a_deletion_of_another_version_than_expected_is_refused(store: Store) -> None:
    create(store, observation())
    with pytest.raises(PreconditionFailed):
        store.transact(SYSTEM, lambda tx: tx.delete("Observation", "o1", expected=2))


def test_of_concurrent_updates_of_one_version_exactly_one_wins(store: Store) -> None:
    create(store, observation())
    barrier = Barrier(6)

    def race(number: int) -> int | str:
        barrier.wait()
        try:
            return update(store, observation(note=str(number)), expected=1).version
        except PreconditionFailed:
            return "refused"

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(race, range(6)))
    assert sorted(map(str, results)) == ["2", *["refused"] * 5]
    assert store.view(SYSTEM).history("Observation", "o1", 10).total == 2


def test_concurrent_updates_without_an_expected_version_all_count(store: Store) -> None:
    create(store, observation())
    with ThreadPoolExecutor(6) as pool:
        versions = list(pool.map(lambda n: update(store, observation(note=str(n))).version, range(12)))
    assert sorted(versions) == list(range(2, 14))
    history = store.view(SYSTEM).history("Observation", "o1", 20)
    assert [version.version for version in history.matches] == list(range(13, 0, -1))


def test_of_concurrent_creations_with_one_id_exactly_one_wins(store: Store) -> None:
    def race(_: int) -> str:
        try:
            return str(create(store, observation()).version)
        except Conflict:
            return "refused"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(race, range(4))) == ["1", *["refused"] * 3]


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    def work(tx: Transaction) -> None:
        tx.create(observation("o1"), "o1")
        tx.create(observation("o2"), "o2")
        assert tx.view.read("Observation", "o1") is not None, "a transaction sees its own writes"
        tx.trace({"_id": "t1"})
        raise FhirError("the last entry is wrong")

    with pytest.raises(FhirError, match="the last entry"):
        store.transact(SYSTEM, work)
    view = store.view(SYSTEM)
    assert view.read("Observation", "o1") is None
    assert view.history("Observation", "o2", 10).total == 0


def test_one_transaction_may_write_a_resource_twice(store: Store) -> None:
    def work(tx: Transaction) -> None:
        tx.create(observation(note="first"), "o1")
        tx.update(observation(note="second"), expected=1)
        tx.delete("Observation", "o1", expected=2)
        tx.create(observation(note="third"), "o1")

    store.transact(SYSTEM, work)
    page = store.view(SYSTEM).history("Observation", "o1", 10)
    assert [(version.version, version.deleted) for version in page.matches] == [
        (4, False),
        (3, True),
        (2, False),
        (1, False),
    ]


@pytest.mark.parametrize("size", [2_048, 70_000, 1_500_000, 20_000_000])
def test_a_body_of_any_size_comes_back_whole_also_from_history(store: Store, size: int) -> None:
    data = random.Random(size).randbytes(size // 2).hex()
    first = create(store, {"resourceType": "Binary", "id": "b1", "data": data})
    second = update(store, {"resourceType": "Binary", "id": "b1", "data": "none"})
    view = store.view(SYSTEM)
    assert view.read("Binary", "b1") == second
    assert view.vread("Binary", "b1", 1) == first
    assert json.loads(first.body)["data"] == data


def test_who_first_deposited_a_resource_is_told_to_the_access_rules_of_the_next_version(store: Store) -> None:
    store.transact(access("lab"), lambda tx: tx.create(observation(), "o1"))
    stored = store.transact(access("hospital"), lambda tx: tx.update(observation()))
    assert stored.acl["by"] == ["lab"]


def test_policies_are_brought_up_to_date_for_the_patients_before_and_after(store: Store, rules: Rules) -> None:
    def consent(patient: str) -> dict[str, Any]:
        return {"resourceType": "Consent", "id": "c1", "subject": {"reference": f"Patient/{patient}"}}

    create(store, consent("p1"))
    store.transact(SYSTEM, lambda tx: tx.update({**consent("p2"), "others": ["p3"]}))
    store.transact(SYSTEM, lambda tx: tx.delete("Consent", "c1"))
    create(store, observation())
    create(store, {"resourceType": "Practitioner", "id": "d1"})
    assert rules.refreshed == [
        (frozenset({"p1"}), frozenset()),
        (frozenset({"p1", "p2", "p3"}), frozenset()),
        (frozenset({"p2", "p3"}), frozenset()),
        (frozenset(), frozenset({"Practitioner/d1"})),
    ]


def test_a_type_that_r4_does_not_know_is_a_fault_of_the_caller(store: Store) -> None:
    with pytest.raises(ValueError, match="Chart"):
        create(store, {"resourceType": "Chart", "id": "x"})
    with pytest.raises(ValueError, match=r"Patient\.history"):
        store.view(SYSTEM).read("Patient.history", "x")
