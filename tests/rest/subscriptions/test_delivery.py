"""What is stored is told: at least once, in order, to whoever may see it now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver import xmltext
from fhirserver.rest.subscriptions.delivering import CHECK
from fhirserver.rest.subscriptions.working import Working
from fhirserver.store.subscribers import LINGERS
from fhirserver.subscriptions.pauses import GIVEN_UP, IN_ERROR, PAUSES
from tests.records import document, observation
from tests.rest.subscriptions.resources import by_topic, subscription

if TYPE_CHECKING:
    from tests.application import Application, Caller
    from tests.rest.subscriptions.endpoint import Endpoint


@pytest.fixture
def operator(application: Application) -> Caller:
    return application.operator()


@pytest.fixture
def patient(operator: Caller) -> str:
    return operator.create({"resourceType": "Patient", "active": True, "birthDate": "1980-01-01"})


@pytest.fixture
def person(application: Application, patient: str) -> Caller:
    return application.patient(patient)


def later(after: timedelta) -> datetime:
    return datetime.now(UTC) + after + timedelta(seconds=1)


def test_what_meets_the_criteria_is_put_to_the_endpoint(
    person: Caller, patient: str, endpoint: Endpoint, working: Working
) -> None:
    made = person.post("Subscription", subscription(endpoint, header=["Authorization: Bearer secret"]))
    assert (made.status, made.json["status"]) == (201, "active")
    other, id = person.create(observation(patient, "1-1")), person.create(observation(patient, valueInteger=1))
    working.work()
    (got,) = endpoint.take()
    assert (got.method, got.path) == ("PUT", f"/hook/Observation/{id}")
    assert (got.headers["authorization"], got.headers["content-type"]) == ("Bearer secret", "application/fhir+json")
    assert (got.json["id"], got.json["valueInteger"]) == (id, 1)
    assert other not in got.body.decode()
    working.work()
    assert endpoint.take() == []


def test_without_payload_it_is_a_ping(person: Caller, patient: str, endpoint: Endpoint, working: Working) -> None:
    person.create(subscription(endpoint, payload=None))
    person.create(observation(patient))
    working.work()
    (got,) = endpoint.take()
    assert (got.method, got.path, got.body) == ("POST", "/hook", b"")


def test_the_payload_may_be_xml(
    application: Application, person: Caller, patient: str, endpoint: Endpoint, working: Working
) -> None:
    person.create(subscription(endpoint, payload="application/fhir+xml"))
    id = person.create(observation(patient))
    working.work()
    (got,) = endpoint.take()
    assert xmltext.parse(got.body, application.services.definitions)["id"] == id


def test_each_version_is_told_while_it_meets_the_criteria_and_no_deletion(
    person: Caller, patient: str, endpoint: Endpoint, working: Working
) -> None:
    person.create(subscription(endpoint))
    id = person.create(observation(patient))
    working.work()
    for code in ("718-7", "1-1", "718-7"):
        assert person.put(f"Observation/{id}", observation(patient, code, id=id)).status == 200
        working.work()
    assert person.delete(f"Observation/{id}").status == 204
    working.work()
    assert [got.json["meta"]["versionId"] for got in endpoint.take()] == ["1", "2", "4"]


def test_of_several_changes_before_it_is_told_the_last_counts(
    person: Caller, patient: str, endpoint: Endpoint, working: Working
) -> None:
    person.create(subscription(endpoint))
    ids = [person.create(observation(patient, valueInteger=n)) for n in range(4)]
    person.put(f"Observation/{ids[0]}", observation(patient, id=ids[0]))
    person.put(f"Observation/{ids[1]}", observation(patient, "1-1", id=ids[1]))
    working.work()
    assert [got.path.rpartition("/")[2] for got in endpoint.take()] == [ids[2], ids[3], ids[0]]


def test_what_was_there_before_is_not_told(person: Caller, patient: str, endpoint: Endpoint, working: Working) -> None:
    person.create(observation(patient))
    person.create(subscription(endpoint))
    id = person.create(observation(patient))
    working.work()
    second = person.create(subscription(endpoint, payload=None))
    working.work()
    assert [got.path for got in endpoint.take()] == [f"/hook/Observation/{id}"]
    assert person.delete(f"Subscription/{second}").status == 204


def test_a_failed_notification_is_sent_again_in_order_and_the_subscription_says_so(
    person: Caller, patient: str, endpoint: Endpoint, working: Working
) -> None:
    id = person.create(subscription(endpoint))
    first, second = person.create(observation(patient)), person.create(observation(patient))
    endpoint.statuses = [503, 500, 404, 500]
    working.work()
    assert working.delivering.round() == 0
    told = [person.get(f"Subscription/{id}").json["status"]]
    now = datetime.now(UTC)
    for pause in PAUSES[: IN_ERROR - 1]:
        assert working.delivering.round(now + pause - timedelta(seconds=1)) == 0
        now += pause
        assert working.delivering.round(now) == 1
        told.append(person.get(f"Subscription/{id}").json["status"])
    assert told == ["active", "active", "error"]
    assert "status 404" in person.get(f"Subscription/{id}").json["error"]
    working.delivering.round(now + PAUSES[IN_ERROR - 1])
    assert person.get(f"Subscription/{id}").json["status"] == "error"
    assert [got.path for got in endpoint.take()] == [f"/hook/Observation/{first}"] * 4
    working.delivering.round(now + PAUSES[IN_ERROR - 1] + PAUSES[IN_ERROR])
    assert [got.path.rpartition("/")[2] for got in endpoint.take()] == [first, second]
    stored = person.get(f"Subscription/{id}").json
    assert (stored["status"], "error" in stored) == ("active", False)


def test_what_is_never_taken_is_given_up(person: Caller, patient: str, endpoint: Endpoint, working: Working) -> None:
    id = person.create(subscription(endpoint))
    person.create(observation(patient))
    endpoint.statuses = [500] * 2
    working.work()
    working.delivering.round(later(GIVEN_UP))
    stored = person.get(f"Subscription/{id}").json
    assert (stored["status"], "for days" in stored["error"]) == ("off", True)
    endpoint.take()
    person.create(observation(patient))
    working.work(later(GIVEN_UP))
    assert endpoint.take() == []
    assert person.put(f"Subscription/{id}", stored | {"status": "requested"}).json["status"] == "active"
    again = person.create(observation(patient))
    working.work()
    assert [got.path.rpartition("/")[2] for got in endpoint.take()] == [again]


def test_redirects_are_not_followed(person: Caller, patient: str, endpoint: Endpoint, working: Working) -> None:
    person.create(subscription(endpoint))
    person.create(observation(patient))
    endpoint.statuses = [302]
    working.work()
    assert [got.path for got in endpoint.take() if "elsewhere" in got.path] == []


def test_one_that_fails_holds_no_other(person: Caller, patient: str, endpoint: Endpoint, working: Working) -> None:
    dead = subscription(endpoint) | {"reason": "dead"}
    dead["channel"]["endpoint"] = "http://127.0.0.1:9/"
    person.create(dead)
    person.create(subscription(endpoint))
    person.create(observation(patient))
    working.work()
    assert len(endpoint.take()) == 1


def test_it_ends_when_it_says(
    application: Application, person: Caller, patient: str, endpoint: Endpoint, working: Working
) -> None:
    end = (datetime.now(UTC) + timedelta(hours=2)).isoformat(timespec="seconds")
    id = person.create(subscription(endpoint) | {"end": end})
    person.create(observation(patient))
    working.tailer.drain()
    late = Working(application.at(later(timedelta(hours=2))).services)
    late.delivering.round(later(timedelta(hours=2)))
    assert (endpoint.take(), person.get(f"Subscription/{id}").json["status"]) == ([], "off")


def test_off_and_deleted_are_told_nothing(person: Caller, patient: str, endpoint: Endpoint, working: Working) -> None:
    off, gone = person.create(subscription(endpoint)), person.create(subscription(endpoint))
    person.create(observation(patient))
    working.tailer.drain()
    assert person.put(f"Subscription/{off}", subscription(endpoint) | {"id": off, "status": "off"}).status == 200
    assert person.delete(f"Subscription/{gone}").status == 204
    assert (working.delivering.round(), endpoint.take()) == (0, [])
    assert working.sweep() == 1


def test_several_by_transaction_are_told_each_once_whoever_follows(
    application: Application, person: Caller, patient: str, endpoint: Endpoint, working: Working
) -> None:
    person.create(subscription(endpoint))
    entries = [
        {"resource": observation(patient, valueInteger=n), "request": {"method": "POST", "url": "Observation"}}
        for n in range(20)
    ]
    working.tailer.drain()
    assert person.transact(*entries).status == 200
    other = Working(application.services)
    assert other.tailer.step() is False, "another follows"
    working.tailer.drain()
    assert other.delivering.round() + working.delivering.round() == 1
    assert sorted(got.json["valueInteger"] for got in endpoint.take()) == list(range(20))


def test_who_goes_on_tells_what_came_meanwhile_and_nothing_twice(
    application: Application, person: Caller, patient: str, endpoint: Endpoint, working: Working
) -> None:
    person.create(subscription(endpoint))
    person.create(observation(patient, valueInteger=0))
    working.work()
    person.create(observation(patient, valueInteger=1))
    working.tailer.drain()
    working.tailer.end()
    person.create(observation(patient, valueInteger=2))
    release(application)
    other = Working(application.services)
    other.work()
    assert [got.json["valueInteger"] for got in endpoint.take()] == [0, 1, 2]
    other.tailer.end()


@pytest.mark.parametrize("token", [{"_data": "82AA"}, None])
def test_where_the_stream_is_lost_what_came_since_is_found(
    application: Application, person: Caller, patient: str, endpoint: Endpoint, working: Working, token: Any
) -> None:
    person.create(subscription(endpoint))
    person.create(observation(patient, valueInteger=0))
    working.work()
    working.tailer.end()
    release(application, token=token)
    person.create(observation(patient, valueInteger=1))
    other = Working(application.services)
    other.work()
    assert [got.json["valueInteger"] for got in endpoint.take()] == [0, 1]
    other.tailer.end()


def release(application: Application, **facts: Any) -> None:
    """The lease of who followed is over."""
    database = application.services.store._bound().database
    database["following"].update_one({}, {"$set": {"until": datetime.now(UTC) - timedelta(seconds=1), **facts}})


def test_nobody_subscribed_nobody_follows(application: Application, endpoint: Endpoint, working: Working) -> None:
    operator = application.operator()
    assert working.tailer.step() is False
    id = operator.create(subscription(endpoint))
    assert working.tailer.step() is True
    operator.delete(f"Subscription/{id}")
    application.services.store.subscribers.sweep(later(LINGERS))
    working.tailer._next_load = 0
    assert working.tailer.step() is False


def test_who_was_subscribed_under_a_former_version_hears(
    application: Application, person: Caller, patient: str, endpoint: Endpoint, working: Working
) -> None:
    """Its rows do not say what they are found by; and a worker of it may yet keep one beside this version."""
    database = application.services.store._bound().database
    former = {"$unset": dict.fromkeys(("hears", "types", "host"), "")}
    first = person.create(subscription(endpoint))
    database["subscribers"].update_one({"_id": first}, former)
    database["heard"].delete_many({})
    person.create(observation(patient))
    assert working.work() == 1
    assert len(endpoint.take()) == 1
    second = person.create(subscription(endpoint))
    database["subscribers"].update_one({"_id": second}, former)
    person.create(observation(patient))
    working.work()
    assert len(endpoint.take()) == 2


def test_a_document_and_what_it_says_of_itself(
    application: Application, patient: str, endpoint: Endpoint, working: Working
) -> None:
    """A hospital hears of its own deposits, and of nothing else."""
    mine, others = application.system("750000001", "his"), application.system("750000002", "lab")
    mine.create(by_topic(endpoint, "documents", content="id-only"))
    others.create(document(patient))
    id = mine.create(document(patient))
    working.work()
    shake, got = endpoint.take()
    assert shake.told["type"] == "handshake"
    assert got.focus == [f"DocumentReference/{id}"]


def test_who_hears_nothing_is_looked_at_now_and_then(person: Caller, endpoint: Endpoint, working: Working) -> None:
    person.create(subscription(endpoint))
    assert working.delivering.round() == 1
    assert working.delivering.round(later(CHECK - timedelta(minutes=1))) == 0
    assert working.delivering.round(later(CHECK)) == 1


def test_a_type_that_nobody_wanted_before_is_followed_at_once(
    person: Caller, patient: str, endpoint: Endpoint, working: Working
) -> None:
    person.create(subscription(endpoint))
    working.work()
    person.create(document(patient))
    second = person.create(subscription(endpoint, "DocumentReference"))
    id = person.create(document(patient))
    working.work()
    assert [got.path for got in endpoint.take()] == [f"/hook/DocumentReference/{id}"]
    changed = subscription(endpoint, "AllergyIntolerance") | {"id": second}
    assert person.put(f"Subscription/{second}", changed).status == 200
    person.create(document(patient))
    working.work()
    assert endpoint.take() == []
