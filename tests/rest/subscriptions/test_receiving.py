"""What a Subscription may ask for; all else is refused with what is wrong, and nothing is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Requester
from fhirserver.auth.fetching import refusal
from fhirserver.errors import BadRequest, Unprocessable
from fhirserver.rest.subscriptions import receiving
from fhirserver.subscriptions.plan import BACKPORT, FILTER, PROFILE, Wanted
from tests.rest.subscriptions.endpoint import Endpoint
from tests.rest.subscriptions.resources import by_topic, subscription

if TYPE_CHECKING:
    from tests.application import Application


class Somewhere(Endpoint):
    """An address that is never asked."""

    def __init__(self) -> None:
        self.url = "https://hooks.example.org/fhir"


HERE = Somewhere()


def of_channel(**channel: Any) -> dict[str, Any]:
    return subscription(HERE, **channel)


def of_criteria(criteria: str) -> dict[str, Any]:
    return subscription(HERE, criteria)


def extended(name: str, **value: Any) -> dict[str, Any]:
    made = by_topic(HERE)
    made["channel"]["extension"] = [{"url": f"{BACKPORT}{name}", **value}]
    return made


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no such parameter": (of_criteria("Observation?colour=red"), "colour"),
    "no such type": (of_criteria("Observations?code=1"), "not a resource type"),
    "no search": (of_criteria("all observations"), "search"),
    "an absolute URL": (of_criteria("https://elsewhere.example.org/Observation?code=1"), "search"),
    "nothing after the mark": (of_criteria("Observation?"), "search"),
    "no query": (of_criteria("Observation?code"), "query of a URL"),
    "a bad date": (of_criteria("Observation?date=tomorrow"), "date"),
    "a chain": (of_criteria("Observation?code=1&patient.name=x"), "What patient.name asks"),
    "a chain with a type": (of_criteria("Observation?subject:Patient.gender=male"), "What subject:Patient.gender asks"),
    "a chain in a filter": (by_topic(HERE, "results", "patient.name=x"), "What patient.name asks"),
    "_has in a filter": (by_topic(HERE, "documents", "_has:Provenance:target:agent=x"), "_has:Provenance:target:agent"),
    "a list": (of_criteria("Observation?_list=1"), "What _list asks"),
    "a chain in _filter": (of_criteria("Observation?_filter=patient.name eq x"), "What _filter asks"),
    "a modifier that is none": (by_topic(HERE, "results", "code:colour=1"), "colour"),
    "_has": (of_criteria("Patient?_has:Observation:patient:code=1"), "What _has:Observation:patient:code asks"),
    "words": (of_criteria("Observation?_content=x"), "What _content asks"),
    "an include": (of_criteria("Observation?code=1&_include=Observation:patient"), "_include"),
    "a sort": (of_criteria("Observation?code=1&_sort=date"), "_sort"),
    "a count": (of_criteria("Observation?code=1&_count=1"), "_count"),
    "traces": (of_criteria("AuditEvent?patient=1"), "nobody can subscribe"),
    "itself": (of_criteria("Subscription?status=active"), "nobody can subscribe"),
    "e-mail": (of_channel(type="email"), "rest-hook"),
    "websocket": (of_channel(type="websocket", endpoint=None), "rest-hook"),
    "no endpoint": (of_channel(endpoint=None), "where notifications"),
    "plain http": (of_channel(endpoint="http://hooks.example.org/"), "https"),
    "a user in the endpoint": (of_channel(endpoint="https://me:you@hooks.example.org/"), "user"),
    "another scheme": (of_channel(endpoint="file:///etc/passwd"), "endpoint"),
    "a fragment": (of_channel(endpoint="https://hooks.example.org/#x"), "fragment"),
    "a line break in the endpoint": (of_channel(endpoint="https://hooks.example.org/\r\nx"), ""),
    "another payload": (of_channel(payload="text/html"), "payload"),
    "a line break in a header": (of_channel(header=["X-A: b\r\nHost: evil"]), ""),
    "Host": (of_channel(header=["Host: evil.example.org"]), "set by the server"),
    "Content-Length": (of_channel(header=["content-length: 1"]), "set by the server"),
    "Transfer-Encoding": (of_channel(header=["Transfer-Encoding: chunked"]), "set by the server"),
    "a proxy's header": (of_channel(header=["Proxy-Authorization: x"]), "set by the server"),
    "no header": (of_channel(header=["secret-without-a-name"]), "Header 1"),
    "an accent": (of_channel(header=["X-Name: é"]), "Header 1"),
    "the same twice": (of_channel(header=["X-A: 1", "x-a: 2"]), "twice"),
    "too many headers": (of_channel(header=[f"X-{n}: 1" for n in range(21)]), "20"),
    "a header too long": (of_channel(header=["X-A: " + "1" * 5000]), "Header 1"),
    "no such topic": (of_criteria("urn:fhirserver:topic:all") | {"meta": {"profile": [PROFILE]}}, "no such topic"),
    "a search that says it is a topic": (subscription(HERE) | {"meta": {"profile": [PROFILE]}}, "no such topic"),
    "a filter of a search": (
        subscription(HERE) | {"_criteria": {"extension": [{"url": FILTER, "valueString": "code=1"}]}}, "for topics",
    ),
    "a filter of another type": (by_topic(HERE, "results", "Patient?_id=1"), "filter"),
    "a filter that is no search": (by_topic(HERE, "documents", "colour=red"), "colour"),
    "no such content": (by_topic(HERE, content="everything"), "content"),
    "a heartbeat too often": (extended("backport-heartbeat-period", valueUnsignedInt=1), "30"),
    "too many at once": (extended("backport-max-count", valuePositiveInt=1000), "100"),
    "a timeout too long": (extended("backport-timeout", valueUnsignedInt=3600), "30"),
    "a heartbeat of a search": (
        of_channel(extension=[{"url": f"{BACKPORT}backport-heartbeat-period", "valueUnsignedInt": 60}]), "for topics",
    ),
    "no reason": ({name: each for name, each in subscription(HERE).items() if name != "reason"}, "reason"),
    "no such status": (subscription(HERE) | {"status": "waiting"}, "status"),
    "an end before time": (subscription(HERE) | {"end": "0001-01-01T00:00:00+23:59"}, ""),
}  # fmt: skip


ACCEPTED = (
    "code=http://loinc.org|718-7", "code:text=haemo", "code:not=718-7", "date=ge2026", "date:missing=true", "_id=x",
    "subject:identifier=urn:n|1", "_tag=x", "_security=R", "_lastUpdated=ge2026", "_filter=code eq 718-7",
    "value-quantity=gt5",
)  # fmt: skip
BEYOND = (
    "code:in=http://loinc.org/vs/x", "code:below=http://loinc.org|x", "_text=x", "_summary=true", "_elements=id",
    "_total=none", "_revinclude=Provenance:target", "_contained=true", "_format=json",
)  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_carried_out_is_refused(application: Application, case: str) -> None:
    body, told = REFUSED[case]
    before = application.counts()
    answer = application.system("750000001").post("Subscription", body)
    assert answer.status in (400, 422), answer
    assert told in answer.told
    assert "secret-without-a-name" not in answer.told
    assert application.counts() == before
    assert not application.services.store.subscribers.anybody()


@pytest.mark.parametrize("criteria", ACCEPTED)
def test_what_a_version_answers_by_itself_is_accepted(application: Application, criteria: str) -> None:
    assert receiving.compile_(application.services, Wanted("Observation", criteria)).where


@pytest.mark.parametrize("criteria", BEYOND)
def test_what_a_version_does_not_answer_by_itself_is_not(application: Application, criteria: str) -> None:
    with pytest.raises((Unprocessable, BadRequest)):
        receiving.compile_(application.services, Wanted("Observation", criteria))


@pytest.mark.usefixtures("working")
def test_production_takes_no_loopback(application: Application) -> None:
    production = application.under(environment="production")
    made = of_channel(endpoint="http://127.0.0.1/")
    assert application.operator().post("Subscription", made).status == 201
    problem = refusal("http://127.0.0.1/", production=True)
    assert (problem, production.services.settings.environment) == ("it must be https", "production")


@pytest.mark.usefixtures("working")
def test_the_server_says_the_status(application: Application) -> None:
    caller = application.system("750000001")
    assert (
        caller.post("Subscription", subscription(HERE) | {"status": "error", "error": "x"}).json["status"] == "active"
    )
    assert caller.post("Subscription", by_topic(HERE) | {"status": "active"}).json["status"] == "requested"
    off = caller.post("Subscription", of_criteria("nothing yet") | {"status": "off"})
    assert (off.status, off.json["status"]) == (201, "off")
    told = caller.put(f"Subscription/{off.id}", off.json | {"status": "requested"})
    assert told.status == 422
    patched = caller.call(
        "PATCH",
        f"Subscription/{off.id}",
        [
            {"op": "replace", "path": "/criteria", "value": "Observation?code=1"},
            {"op": "replace", "path": "/status", "value": "requested"},
        ],
        {"Content-Type": "application/json-patch+json"},
    )
    assert (patched.status, patched.json["status"]) == (200, "active")


@pytest.mark.usefixtures("working")
def test_who_may_subscribe(application: Application) -> None:
    body, application_of = subscription(HERE), application.caller
    person = application.operator().create({"resourceType": "Patient", "active": True})
    allowed = {
        "a system": application.system("750000001"),
        "a professional": application.practitioner("10000000001"),
        "a person": application.patient(person),
        "the operator": application.operator(),
    }
    assert {who: made.post("Subscription", body).status for who, made in allowed.items()} == dict.fromkeys(allowed, 201)
    who = Requester("system", "client/a", client="a", organization="750000001")
    narrow = {"reads alone": "system/Observation.rs", "searches nothing": "system/Subscription.cruds"}
    for scope in narrow.values():
        assert application_of(who, scope=scope).post("Subscription", body).status == 403
    both = application_of(who, scope="system/Subscription.c system/Observation.s")
    assert both.post("Subscription", body).status == 201
    glass = application.practitioner("10000000001", purpose="BTG")
    assert glass.post("Subscription", body).status == 403
    assert application.nobody().post("Subscription", body).status == 401


@pytest.mark.usefixtures("working")
def test_there_is_an_end_to_how_many(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "MOST", 2)
    caller = application.system("750000001", "many")
    ids = [caller.create(subscription(HERE)) for _ in range(2)]
    assert caller.post("Subscription", subscription(HERE)).status == 422
    assert application.system("750000001", "other").post("Subscription", subscription(HERE)).status == 201
    caller.delete(f"Subscription/{ids[0]}")
    assert caller.post("Subscription", subscription(HERE)).status == 201


@pytest.mark.usefixtures("working")
def test_they_are_found_as_any_resource(application: Application) -> None:
    caller = application.system("750000001", "searching")
    id = caller.create(subscription(HERE))
    off = caller.create(subscription(HERE, "Patient?_id=1") | {"status": "off"})
    assert caller.search("Subscription", status="active").ids == [id]
    assert caller.search("Subscription", criteria="Patient?_id=1").ids == [off]
    assert caller.search("Subscription", ("type", "rest-hook"), url=HERE.url).total == 2
    assert caller.get(f"Subscription/{id}/_history").total == 1
