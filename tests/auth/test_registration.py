"""RFC 7591 and RFC 7592 over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access
from tests.auth.registrations import APP, ENTRY, backend, stored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.test import TestResponse

    from tests.application import Application

PATH = "/oauth/register"


def send(
    application: Application,
    method: str,
    path: str = PATH,
    body: Any = None,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> TestResponse:
    sent = {"Authorization": f"Bearer {token}"} if token else {}
    with application.app.test_client(use_cookies=False) as client:
        return client.open(path, method=method, json=body, headers={**sent, **(headers or {})})


def test_a_client_registers_reads_changes_and_withdraws_itself(application: Application) -> None:
    made = send(application, "POST", body=APP)
    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
    told = made.json or {}
    assert {name: told[name] for name in APP} == APP
    assert told["status"] == "submitted"
    assert "notice" in told
    path = told["registration_client_uri"].removeprefix("http://127.0.0.1:8080")
    token = told["registration_access_token"]

    found = send(application, "GET", path, token=token)
    assert (found.status_code, (found.json or {})["client_name"]) == (200, APP["client_name"])
    assert "registration_access_token" not in (found.json or {})

    changed = send(application, "PUT", path, APP | {"client_id": told["client_id"], "client_name": "Autre nom"}, token)
    assert (changed.status_code, (changed.json or {})["client_name"]) == (200, "Autre nom")

    ended = send(application, "DELETE", path, token=token)
    assert (ended.status_code, ended.data) == (204, b"")
    assert send(application, "GET", path, token=token).status_code == 401


def test_a_client_registers_no_more_than_it_is_allowed_to_say(application: Application) -> None:
    claimed = {"client_id": "mine", "organization": "750000001", "status": "referenced", "resource_server": True}
    made = send(application, "POST", body=APP | claimed).json or {}
    assert (made["client_id"] != "mine", made["status"]) == (True, "submitted")
    client = application.services.catalogue.client(made["client_id"])
    assert (client.organization, client.status, client.resource_server) == (None, "submitted", False)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (APP | {"redirect_uris": ["https://a.example/#"]}, "invalid_redirect_uri"),
        (APP | {"grant_types": ["password"]}, "invalid_client_metadata"),
        (APP | {"software_statement": "eyJ"}, "unapproved_software_statement"),
        ([APP], "invalid_client_metadata"),
        ({}, "invalid_client_metadata"),
    ],
    ids=["redirect URI", "grant type", "software statement", "a list", "nothing"],
)
def test_a_refusal_says_what_to_change(application: Application, body: Any, error: str) -> None:
    answer = send(application, "POST", body=body)
    assert (answer.status_code, (answer.json or {})["error"]) == (400, error)
    assert (answer.json or {})["error_description"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_what_is_no_json_or_too_much_is_refused(application: Application) -> None:
    with application.app.test_client() as client:
        assert client.post(PATH, data={"client_name": "x"}).status_code == 415
        assert client.post(PATH, data=b"{", content_type="application/json").status_code == 400
        large = client.post(PATH, data=b"{" + b" " * 300_000, content_type="application/json")
        assert (large.status_code, (large.json or {})["error"]) == (413, "invalid_client_metadata")


def test_another_clients_token_a_missing_one_and_an_unknown_client_are_refused_alike(application: Application) -> None:
    one, other = (send(application, "POST", body=APP).json or {} for _ in range(2))
    answers = [
        send(application, "GET", f"{PATH}/{one['client_id']}", token=other["registration_access_token"]),
        send(application, "GET", f"{PATH}/{one['client_id']}"),
        send(application, "GET", f"{PATH}/nobody", token=one["registration_access_token"]),
        send(application, "DELETE", f"{PATH}/{one['client_id']}", token=other["registration_access_token"]),
        send(application, "PUT", f"{PATH}/{one['client_id']}", APP, other["registration_access_token"]),
    ]
    assert {(each.status_code, each.data) for each in answers} == {(401, answers[0].data)}
    assert "invalid_token" in answers[0].headers["WWW-Authenticate"]


def test_a_referenced_client_that_changes_what_was_looked_at_is_looked_at_again(application: Application) -> None:
    registration, catalogue = application.services.registration, application.services.catalogue
    made = registration.register(backend())
    client = catalogue.appoint(catalogue.describe(made.client, ENTRY), "750000001", resource_server=False)
    client = catalogue.decide(client, "referenced", "operator")
    rotated = backend(contacts=["it@lab.example"]) | {"client_id": client.id}
    assert registration.change(client, rotated).client.status == "referenced"
    client = catalogue.client(client.id)
    widened = registration.change(client, {**rotated, "scope": "system/*.cruds"}).client
    assert (widened.status, widened.history[-1].by) == ("submitted", "client")
    assert widened.organization == "750000001"


def test_a_suspended_client_does_not_change_itself(application: Application) -> None:
    made = send(application, "POST", body=APP).json or {}
    catalogue = application.services.catalogue
    catalogue.decide(catalogue.client(made["client_id"]), "suspended", "operator", "Incident")
    path, token = f"{PATH}/{made['client_id']}", made["registration_access_token"]
    answer = send(application, "PUT", path, APP | {"client_id": made["client_id"]}, token)
    assert (answer.status_code, (answer.json or {})["error"]) == (403, "access_denied")


def test_the_body_of_a_change_names_the_client(application: Application) -> None:
    made = send(application, "POST", body=APP).json or {}
    path, token = f"{PATH}/{made['client_id']}", made["registration_access_token"]
    assert send(application, "PUT", path, APP, token).status_code == 400
    assert send(application, "PUT", path, APP | {"client_id": "other"}, token).status_code == 400


def test_no_secret_is_in_the_database(application: Application) -> None:
    secretive = application.under(client_secrets=True)
    made = send(secretive, "POST", body=APP | {"token_endpoint_auth_method": "client_secret_basic"}).json or {}
    row = str(application.services.store.register("clients").listed(application.services.clock(), count=1000))
    assert made["client_secret"] not in row
    assert made["registration_access_token"] not in row
    assert made["client_secret_expires_at"] == 0
    client = application.services.catalogue.client(made["client_id"])
    assert client.holds(made["client_secret"])
    assert not client.holds("")


def test_registration_can_be_closed(application: Application) -> None:
    answer = send(application.under(open_registration=False), "POST", body=APP)
    assert (answer.status_code, (answer.json or {})["error"]) == (403, "access_denied")


def test_two_who_change_a_client_at_once_do_not_overwrite_one_another(application: Application) -> None:
    client = stored(application, APP)
    registration = application.services.registration
    registration.change(client, APP | {"client_id": client.id, "client_name": "Un"})
    with pytest.raises(Exception, match="meanwhile"):
        registration.change(client, APP | {"client_id": client.id, "client_name": "Deux"})
    assert application.services.catalogue.client(client.id).name == "Un"


def test_a_registration_is_traced(application: Application) -> None:
    made = send(application, "POST", body=APP).json or {}
    traces = [*application.services.store.traces(Access.system("test"))]
    assert any(each["what"] == "register" and each["who"].get("client") == made["client_id"] for each in traces)


@pytest.mark.parametrize(
    ("method", "path", "traced"),
    [
        ("GET", "/oauth/register/x", "register"),
        ("GET", "/oauth/userinfo", "userinfo"),
        ("POST", "/oauth/launch", "launch"),
        ("GET", "/catalogue/api/apps", "catalogue"),
        ("POST", "/catalogue/api/clients", "register"),
        ("POST", "/accounts/api/cards", "card"),
    ],
)
def test_a_token_that_is_refused_leaves_a_trace(application: Application, method: str, path: str, traced: str) -> None:
    client, store = application.app.test_client(), application.services.store
    before = len([*store.traces(Access.system("test"))])
    assert client.open(path, method=method).status_code == 401
    assert len([*store.traces(Access.system("test"))]) == before
    assert client.open(path, method=method, headers={"Authorization": "Bearer a.b.c"}).status_code == 401
    found = [*store.traces(Access.system("test"))]
    assert len(found) == before + 1
    assert any((each["what"], each["status"], each["who"]["kind"]) == (traced, 401, "nobody") for each in found)
