"""Jobs: one worker at a time, resumed where the last one stopped, of nobody's once cancelled."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

from fhirserver.store import Lease, Lost, Store
from fhirserver.store.jobs import document
from tests.store.standin import Rules, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 1, 31, tzinfo=UTC)
WHO = {"kind": "operator", "id": "x"}


@pytest.fixture
def impatient(embedded_uri: str, database_name: str, rules: Rules) -> Iterator[Store]:
    """A store whose leases last but a moment."""
    opened = open_store(embedded_uri, database_name, rules, lease=0.3)
    yield opened
    opened.close()


def test_of_many_who_ask_one_has_the_job(store: Store) -> None:
    store.jobs.start(document("export", WHO, {"a": 1}, NOW))
    found = []
    workers = [threading.Thread(target=lambda: found.append(store.jobs.claim())) for _ in range(8)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    (lease,) = [each for each in found if each is not None]
    assert (lease.job.kind, lease.job.who, lease.job.asked, lease.job.at) == ("export", WHO, {"a": 1}, NOW)


def test_a_job_is_resumed_at_the_position_that_was_saved(store: Store) -> None:
    store.jobs.start(document("export", WHO, {}, NOW))
    first = store.jobs.claim()
    assert first is not None
    first.save({"after": "x"}, "half")
    assert store.jobs.claim() is None
    second = store.jobs.claim(datetime.now(UTC) + timedelta(seconds=store.lease + 1))
    assert second is not None
    assert (second.job.position, second.job.told) == ({"after": "x"}, "half")
    with pytest.raises(Lost):
        first.save({"after": "y"}, "more")
    with pytest.raises(Lost):
        first.end("done", {}, NOW)
    second.end("done", {"n": 1}, NOW)
    found = store.jobs.find(second.job.id)
    assert found is not None
    assert (found.state, found.result, found.kept) == ("done", {"n": 1}, NOW)
    assert store.jobs.claim(datetime.now(UTC) + timedelta(days=1)) is None


def test_a_holder_at_a_long_step_keeps_its_job(impatient: Store) -> None:
    impatient.jobs.start(document("export", WHO, {}, NOW))
    lease = impatient.jobs.claim()
    assert lease is not None
    with lease.kept():
        later = _until(impatient, lease) + timedelta(seconds=2 * impatient.lease)
        deadline = time.monotonic() + 60
        while _until(impatient, lease) <= later:  # a step three leases long
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert impatient.jobs.claim(later) is None
        lease.check()


def _until(store: Store, lease: Lease) -> datetime:
    """When the job is to be taken from its holder."""
    with MongoClient[dict[str, Any]](store.uri, tz_aware=True) as client:
        row = client[store.name]["jobs"].find_one({"_id": lease.job.id})
    assert row is not None
    until: datetime = row["lease"]
    return until


def test_a_holder_learns_that_its_job_was_cancelled(impatient: Store) -> None:
    job = impatient.jobs.start(document("export", WHO, {}, NOW))
    lease = impatient.jobs.claim()
    assert lease is not None
    with lease.kept():
        assert impatient.jobs.cancel(job.id)
        assert not impatient.jobs.cancel(job.id)
        with pytest.raises(Lost):
            _checked(lease)
    assert not impatient.jobs.cancel("unknown")


def _checked(lease: Lease) -> None:
    for _ in range(1200):
        lease.check()
        threading.Event().wait(0.05)


def test_a_job_is_forgotten_when_its_result_is_not_kept_any_longer(store: Store) -> None:
    job = store.jobs.start(document("export", WHO, {}, NOW))
    lease = store.jobs.claim()
    assert lease is not None
    store.jobs.forget(job.id)
    assert store.jobs.over(NOW) == []
    lease.end("done", {}, NOW + timedelta(hours=1))
    assert store.jobs.over(NOW) == []
    assert [each.id for each in store.jobs.over(NOW + timedelta(hours=2))] == [job.id]
    store.jobs.forget(job.id)
    assert store.jobs.find(job.id) is None


def test_a_job_may_have_to_wait(store: Store) -> None:
    job = store.jobs.start(document("export", WHO, {}, NOW, wait=60))
    assert store.jobs.claim() is None
    assert store.jobs.open_for(WHO) == 1
    lease = store.jobs.claim(datetime.now(UTC) + timedelta(seconds=61))
    assert lease is not None
    lease.release()
    assert [each.id for each in store.jobs.waiting("export")] == [job.id]
    assert store.jobs.claim() is not None
