"""RFC 7662 and RFC 7009: what a client learns of a token, and how it ends one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from fhirserver.access import Requester
from fhirserver.auth.clients.assertion import ASSERTION_TYPE
from fhirserver.auth.server import Request
from fhirserver.auth.server.issuing import Login, Standing
from tests.auth.registrations import APP, assertion, backend, stored

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from fhirserver.auth.clients.client import Client
    from tests.application import Application

TOKEN = "http://127.0.0.1:8080/oauth/token"
GRANTED = ("patient/Observation.rs", "offline_access")


class Given(NamedTuple):
    """What a person granted an app, with its tokens."""

    grant: str
    access: str
    refresh: str


@pytest.fixture(scope="module")
def app(application: Application) -> Client:
    return stored(application, APP)


@pytest.fixture(scope="module")
def lab(application: Application) -> Client:
    return stored(application, backend(), organization="750000001")


@pytest.fixture(scope="module")
def registry(application: Application) -> Client:
    return stored(application, backend(), organization="750000002", resource_server=True)


def given(application: Application, client: Client, patient: str = "p") -> Given:
    """The tokens of a patient's grant, made as at the end of the code flow."""
    server = application.services.authorization_server
    subject = Requester("patient", f"patient/{patient}", patient=patient, purpose="PATRQT", scopes=GRANTED)
    until = datetime.now(UTC) + timedelta(days=1)
    grant = server.grants.make(client.id, "account", subject, until)
    standing = Standing(grant.id, client.id, subject, Login("account"), {"patient": patient})
    request = Request("POST", [])
    request.client = server.query_client(client.id)
    told = server.issued(standing, request, lasting=True)
    return Given(grant.id, told["access_token"], told["refresh_token"])


def post(application: Application, path: str, form: dict[str, Any]) -> TestResponse:
    with application.app.test_client(use_cookies=False) as client:
        return client.post(f"/oauth/{path}", data=form)


def proven(client: Client) -> dict[str, str]:
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion(client.id, TOKEN)}


def backend_token(application: Application, lab: Client) -> str:
    form = {"grant_type": "client_credentials", "scope": "system/Observation.rs", **proven(lab)}
    return str((post(application, "token", form).json or {})["access_token"])


def introspected(application: Application, by: Client, token: str, **form: str) -> Any:
    answer = post(application, "introspect", {"token": token, **proven(by), **form})
    assert answer.status_code == 200, answer.data
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.json


def test_a_client_learns_of_its_own_token(application: Application, lab: Client) -> None:
    told = introspected(application, lab, backend_token(application, lab))
    assert (told["active"], told["client_id"], told["scope"]) == (True, lab.id, "system/Observation.rs")
    assert told["token_type"] == "Bearer"
    assert told["exp"] - told["iat"] == 300


def test_tokens_of_others_are_as_no_tokens(application: Application, lab: Client, app: Client) -> None:
    found = given(application, app)
    nothing = introspected(application, lab, "nothing")
    assert nothing == {"active": False}
    for token in (found.access, found.refresh, application.operator().token or ""):
        for hint in ("", "access_token", "refresh_token", "nonsense"):
            assert introspected(application, lab, token, token_type_hint=hint) == nothing


def test_a_resource_server_learns_of_the_tokens_of_all(application: Application, registry: Client, app: Client) -> None:
    found = given(application, app, "p7")
    told = introspected(application, registry, found.access)
    assert (told["active"], told["client_id"], told["patient"]) == (True, app.id, "p7")
    told = introspected(application, registry, found.refresh, token_type_hint="access_token")
    assert (told["active"], told["client_id"], told["patient"]) == (True, app.id, "p7")
    assert "token_type" not in told


def test_a_revoked_or_used_token_is_not_active(application: Application, registry: Client, app: Client) -> None:
    found = given(application, app)
    server = application.services.authorization_server
    form = [("grant_type", "refresh_token"), ("refresh_token", found.refresh), ("client_id", app.id)]
    assert server.token(Request("POST", form)).status == 200
    assert introspected(application, registry, found.refresh) == {"active": False}
    assert introspected(application, registry, found.access)["active"]
    server.grants.revoke(found.grant)
    assert introspected(application, registry, found.access) == {"active": False}


def test_the_tokens_of_a_suspended_app_are_not_active(application: Application, registry: Client) -> None:
    shady = stored(application, APP)
    found = given(application, shady)
    catalogue = application.services.catalogue
    catalogue.decide(catalogue.client(shady.id), "suspended", "operator", "Incident")
    assert introspected(application, registry, found.access) == {"active": False}
    assert introspected(application, registry, found.refresh) == {"active": False}


@pytest.mark.parametrize("path", ["introspect", "revoke"])
def test_who_does_not_prove_who_he_is_learns_and_ends_nothing(
    application: Application, app: Client, lab: Client, path: str
) -> None:
    found = given(application, app)
    token = {"token": found.access}
    once = proven(lab)
    assert post(application, path, {"token": "x", **once}).status_code == 200
    refused = [
        post(application, path, token),
        post(application, path, {**token, "client_id": lab.id}),
        post(application, path, {**token, "client_id": "nobody"}),
        post(application, path, {**token, **once}),
        post(application, path, {**token, **proven(lab), "client_id": app.id}),
    ]
    if path == "introspect":
        refused.append(post(application, path, {**token, "client_id": app.id}))
    assert {(each.json or {})["error"] for each in refused} == {"invalid_client"}
    if path == "introspect":
        assert {(each.status_code, "WWW-Authenticate" in each.headers) for each in refused} == {(401, True)}
    assert application.nobody(found.access).get("Observation").status == 200


@pytest.mark.parametrize("path", ["introspect", "revoke"])
def test_a_request_without_token_twice_the_token_or_in_the_url_is_refused(
    application: Application, lab: Client, path: str
) -> None:
    assert (post(application, path, proven(lab)).json or {})["error"] == "invalid_request"
    twice = post(application, path, {**proven(lab), "token": ["a", "b"]})
    assert (twice.status_code, (twice.json or {})["error"]) == (400, "invalid_request")
    with application.app.test_client() as client:
        assert client.post(f"/oauth/{path}?token=a", data=proven(lab)).status_code == 400
        assert client.get(f"/oauth/{path}").status_code == 405


@pytest.mark.parametrize("which", ["access", "refresh"])
@pytest.mark.parametrize("hint", ["access_token", "refresh_token"])
def test_an_app_ends_what_it_was_granted_and_the_next_request_is_refused(
    application: Application, app: Client, which: str, hint: str
) -> None:
    found = given(application, app)
    person = application.nobody(found.access)
    assert person.get("Observation").status == 200
    form = {"token": getattr(found, which), "token_type_hint": hint, "client_id": app.id}
    answer = post(application, "revoke", form)
    assert (answer.status_code, answer.data) == (200, b"")
    assert person.get("Observation").status == 401
    again = {"grant_type": "refresh_token", "refresh_token": found.refresh, "client_id": app.id}
    assert (post(application, "token", again).json or {})["error"] == "invalid_grant"
    assert post(application, "revoke", form).status_code == 200


def test_an_app_does_not_end_what_another_was_granted(application: Application, app: Client) -> None:
    other = stored(application, APP)
    found = given(application, app)
    answer = post(application, "revoke", {"token": found.access, "client_id": other.id})
    assert (answer.status_code, (answer.json or {})["error"]) == (400, "invalid_grant")
    assert application.nobody(found.access).get("Observation").status == 200


def test_a_revocation_is_traced_with_whose_it_was(application: Application, app: Client) -> None:
    from fhirserver.access import Access

    found = given(application, app, "traced")
    post(application, "revoke", {"token": found.access, "client_id": app.id})
    last = [each for each in application.services.store.traces(Access.system("test")) if each["what"] == "revoke"]
    assert "traced" in str(last[-1])
    assert found.access not in str(last)
