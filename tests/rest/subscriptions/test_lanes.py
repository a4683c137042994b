"""Who does not answer holds none but himself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.rest.subscriptions import telling
from fhirserver.rest.subscriptions.lanes import AILING, AT_HOST, AT_ONCE, FAILING, Lanes
from tests.records import observation
from tests.rest.subscriptions.resources import subscription

if TYPE_CHECKING:
    from fhirserver.rest.subscriptions.working import Working
    from tests.application import Application
    from tests.rest.subscriptions.endpoint import Endpoint


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def row(name: str, host: str, tries: int = 0) -> dict[str, Any]:
    return {"host": host, "tries": tries, "holder": name}


def test_few_go_to_one_host_at_once(clock: Clock) -> None:
    lanes = Lanes(clock)
    rows = [row(f"h{n}", "slow") for n in range(AT_HOST)]
    for each in rows[:-1]:
        lanes.enter(each)
    assert lanes.excepted() == (frozenset(), False)
    lanes.enter(rows[-1])
    assert lanes.excepted() == (frozenset({"slow"}), False)
    lanes.leave(rows[0], failed=False)
    assert lanes.excepted() == (frozenset(), False)


def test_few_go_to_those_who_failed_of_late(clock: Clock) -> None:
    lanes = Lanes(clock)
    lanes.enter(row("first", "dead"))
    lanes.leave(row("first", "dead"), failed=True)
    lanes.enter(row("again", "dead"))
    assert lanes.excepted() == (frozenset(), False)
    for n in range(FAILING - 1):
        lanes.enter(row(f"f{n}", f"failing{n}", tries=1))
    assert lanes.excepted() == (frozenset({"dead"}), True)
    assert lanes.free, "for others there is room"
    clock.now += AILING + 1
    assert lanes.excepted() == (frozenset(), True)
    lanes.leave(row("again", "dead"), failed=False)
    assert lanes.excepted() == (frozenset(), False)


def test_there_is_an_end_to_how_many(clock: Clock) -> None:
    lanes = Lanes(clock)
    for n in range(AT_ONCE):
        assert lanes.free
        lanes.enter(row(str(n), str(n)))
    assert not lanes.free


def test_of_a_dead_host_many_subscriptions_wait_while_others_are_told(
    application: Application, endpoint: Endpoint, working: Working
) -> None:
    operator = application.operator()
    for n in range(3):
        dead = subscription(endpoint)
        dead["channel"]["endpoint"] = f"http://127.0.0.1:9/{n}"
        operator.create(dead)
    operator.create(subscription(endpoint))
    operator.create(observation(operator.create({"resourceType": "Patient"})))
    working.tailer.drain()
    subscribers, taken = application.services.store.subscribers, []
    while (found := subscribers.take(datetime.now(UTC), besides={"127.0.0.1:9"}, sound=True)) is not None:
        taken.append(found["host"])
        working.delivering.deliver(found)
    assert (set(taken), len(endpoint.take())) == ({endpoint.url.split("/")[2]}, 1)
    assert working.delivering.round() == 3


def test_what_is_judged_too_long_ago_is_judged_again(
    application: Application, endpoint: Endpoint, working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many events those that may not be seen any more when their turn comes are not told."""
    operator = application.operator()
    patient = operator.create({"resourceType": "Patient", "active": True, "birthDate": "1980-01-01"})
    person = application.patient(patient)
    person.create(subscription(endpoint))
    ids = [person.create(observation(patient, valueInteger=n)) for n in range(4)]
    working.tailer.drain()
    monkeypatch.setattr(telling, "FRESH", -1.0)

    def delete() -> None:
        if len(endpoint.got) == 2:
            assert operator.delete(f"Observation/{ids[2]}").status == 204

    endpoint.then = delete
    working.delivering.round()
    assert [got.json["valueInteger"] for got in endpoint.take()] == [0, 1, 3]
