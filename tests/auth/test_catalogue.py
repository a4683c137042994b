"""The catalogue of apps: its JSON, its Endpoints, and what is decided of clients."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Requester
from tests.auth.registrations import APP, ENTRY, backend, stored

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from fhirserver.access import Access
    from fhirserver.auth.clients.client import Client
    from tests.application import Application, Caller

API = "/catalogue/api"


def send(application: Application, who: Caller | None, method: str, path: str, body: Any = None) -> TestResponse:
    headers = {"Authorization": f"Bearer {who.token}"} if who else {}
    with application.app.test_client(use_cookies=False) as client:
        return client.open(API + path, method=method, json=body, headers=headers)


def told(answer: TestResponse, status: int = 200) -> Any:
    assert answer.status_code == status, answer.data
    return answer.json


def decide(application: Application, client_id: str, status: str, reason: str = "") -> TestResponse:
    path = f"/clients/{client_id}/decisions"
    return send(application, application.operator(), "POST", path, {"status": status, "reason": reason})


def test_an_operator_adds_an_app_references_it_and_everybody_finds_it(application: Application) -> None:
    operator, patient = application.operator(), application.patient("p")
    body = {"client_id": "carnet", "metadata": APP, "catalogue": ENTRY}
    made = told(send(application, operator, "POST", "/clients", body), 201)
    assert (made["client_id"], made["status"]) == ("carnet", "submitted")
    assert made["registration_access_token"]
    assert [each["client_id"] for each in told(send(application, patient, "GET", "/apps"))["apps"]] == []
    assert patient.get("Endpoint/carnet").status == 404

    assert told(decide(application, "carnet", "referenced"))["status"] == "referenced"
    listed = told(send(application, patient, "GET", "/apps?category=mesures"))
    (app,) = listed["apps"]
    assert (app["client_id"], app["publisher"], app["scope"]) == ("carnet", ENTRY["publisher"], APP["scope"])
    assert not {"redirect_uris", "jwks", "history"} & app.keys()
    assert told(send(application, patient, "GET", "/apps?category=grossesse"))["apps"] == []

    endpoint = patient.get("Endpoint/carnet").json
    assert (endpoint["status"], endpoint["name"]) == ("active", APP["client_name"])
    assert endpoint["managingOrganization"]["display"] == ENTRY["publisher"]
    found = patient.search("Endpoint", _tag="urn:fhirserver:catalogue|client", status="active")
    assert found.ids == ["carnet"]

    told(decide(application, "carnet", "suspended", "Fuite de données"))
    assert patient.get("Endpoint/carnet").json["status"] == "suspended"
    assert told(send(application, patient, "GET", "/apps"))["apps"] == []
    history = told(send(application, operator, "GET", "/clients/carnet"))["history"]
    assert [(each["status"], each["by"], each["reason"]) for each in history] == [
        ("submitted", "operator", ""),
        ("referenced", "operator", ""),
        ("suspended", "operator", "Fuite de données"),
    ]


def test_the_endpoint_is_valid_in_r4(application: Application) -> None:
    client = stored(application, APP, catalogue=ENTRY)
    issues = application.services.validator.check(application.services.catalogue.endpoint(client))
    assert [each.rule for each in issues] == ["dom-6"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/clients"),
        ("POST", "/clients"),
        ("GET", "/clients/any"),
        ("PUT", "/clients/any"),
        ("POST", "/clients/any/decisions"),
    ],
)
def test_the_register_is_for_operators(application: Application, method: str, path: str) -> None:
    everybody = [
        application.patient("p"),
        application.representative("p"),
        application.practitioner("10001112225"),
        application.system("750000001"),
        application.caller(Requester("operator", "operator", scopes=("system/Patient.cruds",))),
    ]
    for who in everybody:
        answer = send(application, who, method, path, {} if method != "GET" else None)
        assert (answer.status_code, (answer.json or {})["resourceType"]) == (403, "OperationOutcome")
    assert send(application, None, method, path).status_code == 401
    assert send(application, None, "GET", "/apps").status_code == 401


@pytest.mark.parametrize(
    ("entry", "organization"),
    [
        *(({name: value for name, value in ENTRY.items() if name != left}, "750000001") for left in ENTRY),
        (ENTRY, None),
    ],
    ids=[*ENTRY, "organization"],
)
def test_what_must_be_known_before_a_client_is_referenced(
    application: Application, entry: dict[str, Any], organization: str | None
) -> None:
    client = stored(application, backend(), "submitted", catalogue=entry, organization=organization)
    answer = decide(application, client.id, "referenced")
    assert answer.status_code == 400, answer.data


@pytest.mark.parametrize(
    "entry",
    [
        {"publisher": ""},
        {"publisher": "A\u202eB"},
        {"purpose": "x" * 601},
        {"categories": []},
        {"categories": ["inconnue"]},
        {"categories": "mesures"},
        {"hosting": {"host": "Hôte"}},
        {"hosting": {"host": "Hôte", "hds": "oui"}},
        {"price": 3},
    ],
)
def test_words_that_the_catalogue_does_not_have_are_refused(application: Application, entry: dict[str, Any]) -> None:
    client = stored(application, APP, "submitted")
    answer = send(application, application.operator(), "PUT", f"/clients/{client.id}", {"catalogue": entry})
    assert answer.status_code == 400
    assert "inconnue" not in str(entry) or "mesures" in answer.text, "the categories that there are"
    assert application.services.catalogue.client(client.id).catalogue == {}


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        ("submitted", "referenced", 200),
        ("referenced", "suspended", 200),
        ("suspended", "referenced", 200),
        ("suspended", "withdrawn", 200),
        ("referenced", "submitted", 409),
        ("referenced", "referenced", 409),
        ("withdrawn", "referenced", 409),
        ("referenced", "famous", 400),
    ],
)
def test_a_decision_follows_from_the_one_before(application: Application, before: str, after: str, status: int) -> None:
    client = stored(application, APP, before, catalogue=ENTRY)
    assert decide(application, client.id, after, "Décision").status_code == status


def test_a_suspension_says_why(application: Application) -> None:
    client = stored(application, APP, catalogue=ENTRY)
    assert decide(application, client.id, "suspended", " ").status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"catalogue": []},
        {"organization": "short"},
        {"organization": 3},
        {"resource_server": "yes"},
        {"colour": "red"},
        {"metadata": {"client_name": "Autre"}},
    ],
)
def test_a_body_that_says_something_else_is_refused(application: Application, body: dict[str, Any]) -> None:
    client = stored(application, APP, "submitted")
    answer = send(application, application.operator(), "PUT", f"/clients/{client.id}", body)
    assert answer.status_code == 400, answer.data


def test_an_unknown_client_is_not_found_and_a_taken_id_is_not_given_again(application: Application) -> None:
    assert send(application, application.operator(), "GET", "/clients/nobody").status_code == 404
    stored(application, APP | {"client_name": "Une"}, "submitted")
    body = {"client_id": "taken", "metadata": APP}
    assert send(application, application.operator(), "POST", "/clients", body).status_code == 201
    assert send(application, application.operator(), "POST", "/clients", body).status_code == 409
    for id in ("a b", "", "x" * 65, 3, "../x"):
        answer = send(application, application.operator(), "POST", "/clients", {"client_id": id, "metadata": APP})
        assert answer.status_code == 400, id


def test_clients_are_listed_by_status(application: Application) -> None:
    client = stored(application, APP, "withdrawn")
    listed = told(send(application, application.operator(), "GET", "/clients?status=withdrawn"))["clients"]
    assert client.id in [each["client_id"] for each in listed]
    assert {each["status"] for each in listed} == {"withdrawn"}
    assert send(application, application.operator(), "GET", "/clients?status=famous").status_code == 400


def test_what_is_done_in_the_register_is_traced(application: Application) -> None:
    from fhirserver.access import Access

    access: Access = Access.system("test")
    before = len([*application.services.store.traces(access)])
    client = stored(application, APP, "submitted", catalogue=ENTRY)
    decide(application, client.id, "referenced")
    send(application, application.patient("p"), "GET", "/clients")
    traced = [(each["what"], each["status"]) for each in [*application.services.store.traces(access)][before:]]
    assert ("register", 200) in traced
    assert ("catalogue", 403) in traced
    decided = [each for each in [*application.services.store.traces(access)][before:] if each["what"] == "register"]
    assert f"Endpoint/{client.id}" in str(decided[-1])


def test_an_endpoint_says_nothing_that_no_operator_has_looked_at(application: Application) -> None:
    catalogue = application.services.catalogue
    client = stored(application, APP, "submitted", catalogue=ENTRY)
    client = catalogue.decide(client, "referenced", "operator")
    application.services.registration.change(client, APP | {"client_id": client.id, "client_name": "Tout autre"})
    catalogue.publish(client.id)
    endpoint = application.patient("p").get(f"Endpoint/{client.id}").json
    assert (endpoint["status"], endpoint["name"]) == ("test", APP["client_name"])
    catalogue.decide(catalogue.client(client.id), "referenced", "operator")
    endpoint = application.patient("p").get(f"Endpoint/{client.id}").json
    assert (endpoint["status"], endpoint["name"]) == ("active", "Tout autre")


def test_an_endpoint_that_is_written_while_something_else_is_decided_follows(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = application.services.catalogue
    client = catalogue.decide(stored(application, APP, "submitted", catalogue=ENTRY), "referenced", "operator")
    look, others = catalogue.client, list[threading.Thread]()

    def suspended_meanwhile(client_id: str) -> Client:
        """What is known of the client, just before another operator suspends it."""
        found = look(client_id)
        if not others:
            others.append(threading.Thread(target=catalogue.decide, args=(client, "suspended", "other", "Incident")))
            others[0].start()
            others[0].join(1)
        return found

    monkeypatch.setattr(catalogue, "client", suspended_meanwhile)
    catalogue.publish(client.id)
    others[0].join()
    assert application.operator().get(f"Endpoint/{client.id}").json["status"] == "suspended"
