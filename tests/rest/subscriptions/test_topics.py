"""Subscriptions by topic (Subscriptions R5 Backport 1.1.0), as R4 has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.subscriptions.notification import NOTIFICATION, STATUS
from fhirserver.subscriptions.plan import ADVERTISED, PROFILE
from fhirserver.subscriptions.topics import BASE, TOPICS
from tests.records import observation
from tests.rest.subscriptions.resources import by_topic

if TYPE_CHECKING:
    from fhirserver.rest.subscriptions.working import Working
    from tests.application import Application, Caller
    from tests.rest.subscriptions.endpoint import Endpoint

LABORATORY: dict[str, Any] = {"category": [{"coding": [{
    "system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory",
}]}]}  # fmt: skip


@pytest.fixture
def patient(application: Application) -> str:
    return application.operator().create({"resourceType": "Patient", "active": True, "birthDate": "1980-01-01"})


@pytest.fixture
def person(application: Application, patient: str) -> Caller:
    return application.patient(patient)


def result(patient: str, **more: Any) -> dict[str, Any]:
    return observation(patient, **LABORATORY, **more)


def test_it_is_active_when_its_endpoint_has_taken_a_handshake(
    application: Application, person: Caller, patient: str, endpoint: Endpoint, working: Working
) -> None:
    made = person.post("Subscription", by_topic(endpoint))
    assert (made.status, made.json["status"]) == (201, "requested")
    endpoint.statuses = [500]
    person.create(result(patient))
    working.work()
    (got,) = endpoint.take()
    told = {**got.told, "subscription": got.told["subscription"]["reference"]}
    assert told == {
        "subscription": f"{application.services.base}/Subscription/{made.id}", "topic": f"{BASE}results",
        "status": "requested", "type": "handshake", "events-since-subscription-start": "0",
    }  # fmt: skip
    assert person.get(f"Subscription/{made.id}").json["status"] == "requested"
    working.delivering.round(datetime.now(UTC) + timedelta(seconds=11))
    shake, event = endpoint.take()
    assert (shake.told["type"], event.told["type"], event.numbers) == ("handshake", "event-notification", [1])
    assert person.get(f"Subscription/{made.id}").json["status"] == "active"


def test_a_notification_is_what_the_guide_says(
    application: Application, person: Caller, patient: str, endpoint: Endpoint, working: Working
) -> None:
    person.create(by_topic(endpoint))
    id = person.create(result(patient))
    working.work()
    body = endpoint.take()[1].json
    assert (body["type"], body["meta"]["profile"]) == ("history", [NOTIFICATION])
    first, second = body["entry"]
    assert first["resource"]["meta"]["profile"] == [STATUS]
    assert (first["request"]["method"], second["request"]) == ("GET", {"method": "POST", "url": "Observation"})
    assert (second["resource"]["id"], second["fullUrl"].endswith(f"/Observation/{id}")) == (id, True)
    assert [each for each in application.services.validator.check(body) if each.is_error] == []


@pytest.mark.parametrize(("content", "focus", "entries"), [("empty", False, 1), ("id-only", True, 1)])
def test_content_is_as_much_as_is_wanted(
    person: Caller, patient: str, endpoint: Endpoint, working: Working, content: str, focus: bool, entries: int
) -> None:
    person.create(by_topic(endpoint, content=content))
    id = person.create(result(patient))
    working.work()
    got = endpoint.take()[1]
    assert (id in got.body.decode(), len(got.json["entry"])) == (focus, entries)
    assert ("topic" in got.told, f"{BASE}results" in got.body.decode()) == (focus, focus)


def test_filters_narrow(application: Application, endpoint: Endpoint, working: Working) -> None:
    operator = application.operator()
    one, two = (operator.create({"resourceType": "Patient", "active": True}) for _ in range(2))
    operator.create(by_topic(endpoint, "results", f"Observation?patient={one}", "code=718-7"))
    for each in (result(one), result(two), observation(one), result(one) | {"code": {"text": "x"}}):
        operator.create(each)
    report = {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "x"}}
    operator.create(report | {"subject": {"reference": f"Patient/{one}"}})
    working.work()
    assert len(endpoint.take()) == 2


@pytest.mark.parametrize(
    "narrowed",
    [
        "code:not=718-7",
        "code:text=x",
        "Observation?status:not=amended&code:missing=false&value-quantity=gt4",
        "Observation?_filter=value-quantity gt 4",
    ],
)
def test_filters_take_modifiers_and_comparators(
    person: Caller, patient: str, endpoint: Endpoint, working: Working, narrowed: str
) -> None:
    person.create(by_topic(endpoint, "results", narrowed, content="id-only"))
    person.create(result(patient) | {"valueQuantity": {"value": 4}})
    told = person.create(result(patient) | {"code": {"text": "xyz"}, "valueQuantity": {"value": 5}})
    working.work()
    assert [each.focus for each in endpoint.take()[1:]] == [[f"Observation/{told}"]]


def test_several_events_may_come_at_once(person: Caller, patient: str, endpoint: Endpoint, working: Working) -> None:
    person.create(by_topic(endpoint, most=3))
    for number in range(5):
        person.create(result(patient, valueInteger=number))
    working.work()
    shake, *got = endpoint.take()
    assert [each.numbers for each in got] == [[1, 2, 3], [4, 5]]
    assert got[1].told["events-since-subscription-start"] == "5"
    values = [entry["resource"]["valueInteger"] for each in got for entry in each.json["entry"][1:]]
    assert (values, shake.numbers) == ([0, 1, 2, 3, 4], [])


def test_what_is_sent_again_bears_its_number(
    person: Caller, patient: str, endpoint: Endpoint, working: Working
) -> None:
    person.create(by_topic(endpoint))
    working.work()
    person.create(result(patient))
    endpoint.statuses = [200, 500]
    endpoint.take()
    endpoint.statuses = [500]
    working.work()
    working.delivering.round(datetime.now(UTC) + timedelta(seconds=11))
    assert [each.numbers for each in endpoint.take()] == [[1], [1]]


def test_heartbeats_come_while_nothing_else_does(
    person: Caller, patient: str, endpoint: Endpoint, working: Working
) -> None:
    person.create(by_topic(endpoint, heartbeat=60))
    working.work()
    now = datetime.now(UTC)
    for seconds in (30, 61, 90, 122):
        working.delivering.round(now + timedelta(seconds=seconds))
    assert [each.told["type"] for each in endpoint.take()] == ["handshake", "heartbeat", "heartbeat"]
    person.create(result(patient))
    working.work(now + timedelta(seconds=150))
    working.delivering.round(now + timedelta(seconds=200))
    assert [each.told["type"] for each in endpoint.take()] == ["event-notification"]


def test_status_says_how_it_stands(person: Caller, patient: str, endpoint: Endpoint, working: Working) -> None:
    id = person.create(by_topic(endpoint))
    person.create(result(patient))
    working.work()
    endpoint.take()
    answer = person.get(f"Subscription/{id}/$status").json
    assert (answer["type"], answer["total"]) == ("searchset", 1)
    told = {each["name"]: each for each in answer["entry"][0]["resource"]["parameter"]}
    assert told["type"]["valueCode"] == "query-status"
    assert told["events-since-subscription-start"]["valueString"] == "1"
    assert person.get("Subscription/$status?status=active").json["total"] == 1
    assert person.get("Subscription/$status?status=off").json["total"] == 0
    assert person.get(f"Subscription/$status?id={id}").json["total"] == 1
    assert person.get(f"Subscription/$status?id=other,{id}&status=off,active").json["total"] == 1
    assert person.get("Subscription/$status?id=other").json["total"] == 0
    assert person.get("Subscription/absent/$status").status == 404


def test_events_may_be_asked_for_again_as_far_as_they_may_be_seen(
    person: Caller, patient: str, endpoint: Endpoint, working: Working
) -> None:
    id = person.create(by_topic(endpoint, content="id-only"))
    ids = [person.create(result(patient)) for _ in range(3)]
    working.work()
    endpoint.take()
    path = f"Subscription/{id}/$events"
    whole = person.get(f"{path}?content=full-resource").json
    assert [entry["resource"]["id"] for entry in whole["entry"][1:]] == ids
    some = person.get(f"{path}?eventsSinceNumber=2&eventsUntilNumber=2").json["entry"][0]["resource"]["parameter"]
    assert [each["part"][0]["valueString"] for each in some if each["name"] == "notification-event"] == ["2"]
    person.delete(f"Observation/{ids[0]}")
    left = person.get(f"{path}?content=full-resource").json
    assert [entry["resource"]["id"] for entry in left["entry"][1:]] == ids[1:]
    for wrong in ("eventsSinceNumber=x", "content=all", "other=1", "eventsSinceNumber=1&eventsSinceNumber=2"):
        assert person.get(f"{path}?{wrong}").status == 400


def test_the_capability_statement_names_the_topics(application: Application) -> None:
    resources = application.nobody().get("metadata").json["rest"][0]["resource"]
    said = next(each for each in resources if each["type"] == "Subscription")
    assert [each["valueCanonical"] for each in said["extension"] if each["url"] == ADVERTISED] == list(TOPICS)
    assert said["supportedProfile"] == [PROFILE]
    assert {"status", "events"} <= {each["name"] for each in said["operation"]}
