"""Nobody learns by a Subscription what he would not by asking: neither what happened, nor that something did."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access, Requester
from fhirserver.access.keys import FINESS
from fhirserver.auth.clients.client import Client, Clients
from tests.application import application, applications, embedded_uri
from tests.records import care_team, consent, document, observation, patient, practitioner
from tests.rest.subscriptions.conftest import endpoint, working
from tests.rest.subscriptions.resources import by_topic, subscription

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.rest.subscriptions.working import Working
    from tests.application import Application, Caller
    from tests.rest.subscriptions.endpoint import Endpoint

__all__ = ["application", "applications", "embedded_uri", "endpoint", "working"]

ALICE = "10000000001"
SECRET = {"meta": {"security": [{"code": "INVISIBLE_REPRESENTANTS_LEGAUX"}]}}


class Room:
    """A person with a care team that Alice is in, and whoever subscribes."""

    def __init__(self, application: Application) -> None:
        self.application, self.operator = application, application.operator()
        self.operator.store(practitioner(ALICE, id="alice"))
        self.id = self.operator.create(patient(birthDate="2015-01-01"))
        self.team = self.operator.create(care_team(self.id, "Practitioner/alice"))
        self.person = application.patient(self.id)
        self.alice = application.practitioner(ALICE)

    def numbers(self, who: Caller, id: str) -> str:
        """How many events a subscriber is told that there were."""
        told = who.get(f"Subscription/{id}/$status").json["entry"][0]["resource"]["parameter"]
        return str(next(each["valueString"] for each in told if each["name"].startswith("events-since")))


@pytest.fixture
def room(application: Application) -> Room:
    return Room(application)


def masked(room: Room) -> None:
    room.person.create(document(room.id, labels=("MASQUE_PS",)))


def between(change: Callable[[Room], object]) -> Callable[[Room], None]:
    """Something visible is stored, and then is not to be seen any more before it is told."""

    def done(room: Room) -> None:
        room.operator.create(document(room.id))
        change(room)

    return done


def blocked(room: Room) -> None:
    room.person.create(consent(room.id, "deny", "Practitioner/alice"))


def closed(room: Room) -> None:
    room.application.services.store.transact(Access.system("test"), lambda tx: tx.space(room.id, "closed"))


def dismissed(room: Room) -> None:
    assert room.operator.delete(f"CareTeam/{room.team}").status == 204


def elsewhere(room: Room) -> None:
    room.operator.create(document(room.operator.create(patient())))


HIDDEN_FROM_ALICE = {
    "masked": masked,
    "blocked meanwhile": between(blocked),
    "closed meanwhile": between(closed),
    "out of the team meanwhile": between(dismissed),
    "of a stranger": elsewhere,
}


@pytest.mark.parametrize("case", HIDDEN_FROM_ALICE)
def test_a_professional_hears_nothing_of_what_is_hidden(
    room: Room, endpoint: Endpoint, working: Working, case: str
) -> None:
    id = room.alice.create(by_topic(endpoint, "documents", content="empty"))
    working.work()
    endpoint.take()
    before = room.alice.get(f"Subscription/{id}")
    HIDDEN_FROM_ALICE[case](room)
    working.work()
    assert endpoint.take() == []
    assert room.numbers(room.alice, id) == "0"
    assert room.alice.get(f"Subscription/{id}") == before
    events = room.alice.get(f"Subscription/{id}/$events").json["entry"][0]["resource"]["parameter"]
    assert "notification-event" not in {each["name"] for each in events}
    mine = room.operator.create(patient())
    room.operator.create(care_team(mine, "Practitioner/alice"))
    room.operator.create(document(mine))
    working.work()
    assert [got.numbers for got in endpoint.take()] == [[1]], "what is hidden has no number"


def test_the_answer_to_criteria_tells_nothing_of_what_they_name(
    room: Room, endpoint: Endpoint, working: Working
) -> None:
    other = room.operator.create(patient())
    told = []
    for named in (other, "absent"):
        answer = room.alice.post("Subscription", subscription(endpoint, f"Observation?patient={named}"))
        body = {name: each for name, each in answer.json.items() if name not in ("id", "meta", "criteria")}
        told.append((answer.status, sorted(answer.headers), body))
    assert told[0] == told[1]
    room.operator.create(observation(other))
    working.work()
    assert endpoint.take() == []


def test_a_representative_hears_nothing_of_what_is_kept_secret(
    room: Room, endpoint: Endpoint, working: Working
) -> None:
    parent = room.application.representative(room.id)
    id = parent.create(subscription(endpoint))
    room.person.create(observation(room.id) | SECRET)
    working.work()
    assert (endpoint.take(), room.numbers(parent, id)) == ([], "0")
    room.person.create(observation(room.id))
    working.work()
    assert len(endpoint.take()) == 1


def test_a_person_hears_of_no_other_and_of_nothing_unannounced(
    room: Room, endpoint: Endpoint, working: Working
) -> None:
    room.person.create(subscription(endpoint))
    room.operator.create(observation(room.operator.create(patient())))
    room.operator.create(observation(room.id) | {"meta": {"security": [{"code": "INVISIBLE_PATIENT"}]}})
    working.work()
    assert endpoint.take() == []


def test_an_app_hears_what_its_scopes_let_it_search(room: Room, endpoint: Endpoint, working: Working) -> None:
    who = Requester("patient", f"patient/{room.id}", patient=room.id, client="app", purpose="PATRQT")
    scope = "patient/Subscription.cruds patient/Observation.rs?code=http://loinc.org|1-1"
    app = room.application.caller(who, scope=scope)
    app.create(subscription(endpoint, f"Observation?patient={room.id}"))
    room.person.create(observation(room.id, "718-7"))
    room.person.create(observation(room.id, "1-1"))
    working.work()
    assert [got.json["code"]["coding"][0]["code"] for got in endpoint.take()] == ["1-1"]


def test_a_subscription_is_its_subscribers_alone(room: Room, endpoint: Endpoint, working: Working) -> None:
    at = room.application.practitioner(ALICE, organization="750000001")
    id = at.create(subscription(endpoint, header=["Authorization: Bearer very-secret"]))
    one = Requester("patient", f"patient/{room.id}", patient=room.id, client="one", purpose="PATRQT")
    app = room.application.caller(one)
    mine = app.create(subscription(endpoint))
    others = {
        "a colleague": room.application.practitioner("10000000002", organization="750000001"),
        "the establishment": room.application.system("750000001"),
        "the person": room.person,
        "another app": room.application.caller(replace(one, client="two")),
    }
    for caller in others.values():
        for each in (id, mine):
            answers = [caller.get(f"Subscription/{each}{more}") for more in ("", "/_history/1", "/$status", "/$events")]
            absent = [caller.get(f"Subscription/absent{more}") for more in ("", "/_history/1", "/$status", "/$events")]
            assert [each.status for each in answers] == [each.status for each in absent] == [404] * 4
            assert caller.delete(f"Subscription/{each}").status == caller.delete("Subscription/absent").status
            body = subscription(endpoint) | {"id": each}
            assert caller.put(f"Subscription/{each}", body).status == 405
        assert caller.search("Subscription").total == 0
        assert caller.get("Subscription/$status").json["total"] == 0
        assert b"very-secret" not in caller.get("Subscription/_history").content
    assert app.search("Subscription").ids == [mine]
    assert room.operator.search("Subscription").total == 2
    assert working.work() == 2


def granted(room: Room, **client: Any) -> tuple[Caller, str]:
    """An app that the person let in, and the grant."""
    services = room.application.services
    Clients(services.store).save(
        Client("app", "referenced", {"client_name": "App", "scope": "patient/*.cruds"}, **client)
    )
    who = Requester("patient", f"patient/{room.id}", patient=room.id, client="app", purpose="PATRQT")
    grant = services.grants.make("app", "account", who, datetime.now(UTC) + timedelta(days=1))
    return room.application.caller(who, grant=grant.id, client_id="app"), grant.id


def suspended(room: Room, _: str) -> None:
    clients = Clients(room.application.services.store)
    found = clients.find("app", datetime.now(UTC))
    assert found is not None
    clients.replace(found._replace(status="suspended"))


def revoked(room: Room, grant: str) -> None:
    assert room.application.services.grants.revoke(grant)


@pytest.mark.parametrize("end", [suspended, revoked])
def test_who_may_not_ask_any_longer_is_told_nothing_any_longer(
    room: Room, endpoint: Endpoint, working: Working, end: Callable[[Room, str], None]
) -> None:
    app, grant = granted(room)
    id = app.create(subscription(endpoint))
    room.person.create(observation(room.id))
    working.work()
    assert len(endpoint.take()) == 1
    room.person.create(observation(room.id))
    end(room, grant)
    working.work()
    assert endpoint.take() == []
    stored = room.operator.get(f"Subscription/{id}").json
    assert (stored["status"], bool(stored["error"])) == ("off", True)
    room.person.create(observation(room.id))
    working.work()
    assert endpoint.take() == []


def test_a_system_stands_by_its_registration_not_by_a_token(room: Room, endpoint: Endpoint, working: Working) -> None:
    services = room.application.services
    clients = Clients(services.store)
    clients.save(Client("lab", "referenced", {"scope": "system/*.cruds"}, organization="750000001"))
    who = Requester("system", "client/lab", client="lab", organization="750000001")
    grant = services.grants.make("lab", "", who, datetime.now(UTC) + timedelta(minutes=5))
    lab = room.application.caller(who, grant=grant.id, client_id="lab")
    id = lab.create(subscription(endpoint))
    lab.create(observation(room.id))
    services.grants.revoke(grant.id)
    working.work()
    assert len(endpoint.take()) == 1
    found = clients.find("lab", datetime.now(UTC))
    assert found is not None
    clients.replace(found._replace(organization="750000002"))
    there = {"identifier": {"system": FINESS, "value": "750000001"}}
    room.operator.create(observation(room.id, performer=[there]))
    working.work()
    assert (endpoint.take(), room.operator.get(f"Subscription/{id}").json["status"]) == ([], "off")


def test_what_is_told_is_traced_as_a_read_and_the_person_hears_of_a_first_one(
    room: Room, endpoint: Endpoint, working: Working
) -> None:
    room.alice.create(subscription(endpoint, payload=None))
    id = room.operator.create(observation(room.id))
    endpoint.statuses = [500]
    working.work()
    working.delivering.round(datetime.now(UTC) + timedelta(seconds=11))
    assert len(endpoint.take()) == 2
    asked = {"agent:identifier": f"https://rpps.esante.gouv.fr|{ALICE}", "patient": room.id}
    assert room.person.search("AuditEvent", **asked, subtype="search-type").total == 1, "once, however often it is sent"
    notices = room.person.search("Communication", subject=f"Patient/{room.id}").json["entry"]
    assert sum("pour la première fois" in str(each["resource"]["payload"]) for each in notices) == 1
    room.alice.create(subscription(endpoint))
    room.operator.put(f"Observation/{id}", observation(room.id, id=id))
    working.work()
    assert room.person.search("AuditEvent", **asked, subtype="read", entity=f"Observation/{id}").total == 1


def test_who_is_erased_leaves_nothing(room: Room, endpoint: Endpoint, working: Working) -> None:
    person_id = room.person.create(subscription(endpoint))
    room.alice.create(subscription(endpoint))
    room.operator.create(observation(room.id))
    working.tailer.drain()
    assert room.operator.post(f"Patient/{room.id}/$espace-erase", None).status == 200
    assert working.delivering.round() >= 0
    assert endpoint.take() == []
    database = room.application.services.store._bound().database
    assert database["events"].count_documents({"pat": room.id}) == 0
    assert database["subscribers"].count_documents({"who.patient": room.id}) == 0
    assert room.operator.get(f"Subscription/{person_id}").status in (404, 410)


def test_of_a_record_that_was_merged_each_hears_what_is_his_to_see(
    room: Room, endpoint: Endpoint, working: Working
) -> None:
    """What is moved is stored anew, in the record that it is moved to: judged there, as ever."""
    source = room.operator.create(patient(birthDate="2015-01-01"))
    id = room.operator.create(observation(source))
    room.person.create(subscription(endpoint))
    stranger = room.application.practitioner("10000000003")
    stranger.create(subscription(endpoint, header=["X-Who: stranger"]))
    body = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "source-patient", "valueReference": {"reference": f"Patient/{source}"}},
            {"name": "target-patient", "valueReference": {"reference": f"Patient/{room.id}"}},
        ],
    }
    assert room.operator.post("Patient/$merge", body).status == 200
    working.work()
    got = endpoint.take()
    assert all("x-who" not in each.headers for each in got)
    assert [each.path for each in got] == [f"/hook/Observation/{id}"]
    assert got[0].json["subject"]["reference"] == f"Patient/{room.id}"
