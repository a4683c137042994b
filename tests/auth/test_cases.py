"""The table of `cases` against the endpoints, and around it: what a good request gets."""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt
from joserfc.jwk import RSAKey

from fhirserver.auth import SigningKey
from fhirserver.auth.clients.client import digest
from fhirserver.auth.server.code import REGISTER
from tests.auth import flow
from tests.auth.cases import AUTHORIZATIONS, BEARERS, CODE, EXCHANGES, Authorization, Bearer, Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Application

OTHER = SigningKey(RSAKey.generate_key(2048))
SCOPE = "launch/patient offline_access patient/Observation.rs"


@pytest.fixture(scope="module")
def server(applications: Callable[..., Any]) -> Iterator[Application]:
    """A server with the record `p`, and the clients that the table names."""
    with applications(client_secrets=True) as application:
        application.operator().store({"resourceType": "Patient", "id": "p", "name": [{"family": "EXEMPLE"}]})
        application.operator().create({"resourceType": "Condition", "subject": {"reference": "Patient/p"}})
        flow.registered(application)
        flow.registered(application, "native", redirect_uris=["http://127.0.0.1/cb"])
        flow.registered(application, "secret", secret="s3cret")
        flow.registered(application, "backend", grant_types=["client_credentials"])
        flow.registered(application, "suspended", status="suspended")
        flow.registered(application, "withdrawn", status="withdrawn")
        yield application


@pytest.fixture(scope="module")
def person(server: Application) -> flow.Person:
    return flow.Person(server, flow.patient_of())


@pytest.fixture(scope="module")
def given(server: Application, person: flow.Person) -> dict[str, Any]:
    """A good token answer, whose access token is used by many."""
    answer = flow.token(server, flow.exchange(person.code(scope=SCOPE)))
    assert answer.status == 200, answer
    found: dict[str, Any] = answer.json
    return found


@pytest.mark.parametrize("case", AUTHORIZATIONS, ids=lambda case: f"{case.what} ({case.source})")
def test_an_authorization_request_that_is_refused(person: flow.Person, case: Authorization) -> None:
    answer = person.open([*flow.asked(**case.changes).items(), *case.repeated])
    if case.shown:
        assert answer.status == 400
        assert "location" not in answer.headers
        assert answer.headers["content-type"].startswith("text/html")
        assert b"<script" not in answer.content
        return
    told = flow.told(answer)
    assert told["error"] == case.error, (answer.status, told)
    assert told["iss"] == "http://127.0.0.1:8080"
    assert told.get("state") == (case.changes.get("state", flow.STATE) or None)
    assert "code" not in told


@pytest.mark.parametrize("case", EXCHANGES, ids=lambda case: f"{case.what} ({case.source})")
def test_a_token_request_that_is_refused(server: Application, person: flow.Person, case: Exchange) -> None:
    needed = {value for value in case.changes.values() if value} | set(CODE.values())
    filled = {"challenge": flow.challenge(), "code": person.code(scope=SCOPE)}
    if needed & {"{refresh}", "{access}"}:
        first = flow.token(server, flow.exchange(person.code(scope=SCOPE))).json
        filled |= {"refresh": first["refresh_token"], "access": first["access_token"]}
    params = {name: value for name, value in (CODE | case.changes).items() if value is not None}
    pairs = [(name, value.format(**filled) if value.startswith("{") else value) for name, value in params.items()]
    answer = flow.token(server, [*pairs, *case.repeated], **case.headers)
    assert (answer.status, answer.json["error"]) == (case.status, case.error), answer.json
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json["error_description"].isascii()
    assert set(answer.json) == {"error", "error_description"}
    if case.status == 401:
        assert answer.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize("case", BEARERS, ids=lambda case: f"{case.what} ({case.source})")
def test_a_token_that_is_refused(server: Application, given: dict[str, Any], case: Bearer) -> None:
    claims, header = _parts(given["access_token"])
    claims = {name: value for name, value in {**claims, **case.claims}.items() if value is not None}
    header = {name: value for name, value in {**header, **case.header}.items() if value is not None}
    if header.get("jwk"):
        header["jwk"] = OTHER.jwk.as_dict(private=False)
    answer = server.nobody(_signed(server, header, claims, case.key)).get("Observation")
    assert answer.status == 401, answer
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert answer.issue["code"] == "login"


def test_the_same_requests_are_answered_when_nothing_is_wrong(
    server: Application, person: flow.Person, given: dict[str, Any]
) -> None:
    claims, header = _parts(given["access_token"])
    again = server.nobody(_signed(server, header, claims, "own"))
    assert again.get("Observation").status == 200
    assert (again.get("Condition").total, server.operator().get("Condition").total) == (0, 1)
    assert set(given["scope"].split()) == set(SCOPE.split())
    assert (given["token_type"], given["patient"], given["expires_in"]) == ("Bearer", "p", 600)
    native = person.code(client_id="native", redirect_uri="http://127.0.0.1:51234/cb")
    params = flow.exchange(native, client_id="native", redirect_uri="http://127.0.0.1:51234/cb")
    assert flow.token(server, params).status == 200
    secret = flow.exchange(person.code(client_id="secret"), client_id=None)
    assert flow.token(server, secret, Authorization=flow.basic("secret", "s3cret")).status == 200


def test_there_are_eighty_cases_and_more() -> None:
    assert len(AUTHORIZATIONS) + len(EXCHANGES) + len(BEARERS) >= 80


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{}", "application/json"),
        (b"grant_type=authorization_code", "text/plain"),
        (b"grant_type=\xff", "application/x-www-form-urlencoded"),
        (b"", "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_that_is_no_form_is_refused(server: Application, content: bytes, kind: str) -> None:
    response = server.app.test_client().post("/oauth/token", data=content, content_type=kind)
    assert (response.status_code, json.loads(response.data)["error"]) == (400, "invalid_request")


def test_parameters_in_the_url_are_refused(server: Application, person: flow.Person) -> None:
    params = {name: value for name, value in flow.exchange(person.code()).items() if value is not None}
    client = server.app.test_client()
    form = "application/x-www-form-urlencoded"
    assert client.post("/oauth/token?" + urlencode(params), content_type=form).status_code == 400
    assert client.get("/oauth/token?" + urlencode(params)).status_code == 405


def test_where_no_secrets_are_taken_one_that_is_shown_is_not_overlooked(
    server: Application, person: flow.Person
) -> None:
    strict, tried = server.under(client_secrets=False), flow.exchange(person.code())
    refused = flow.token(strict, tried, Authorization=flow.basic("secret", "s3cret"))
    assert (refused.status, refused.json["error"]) == (401, "invalid_client")
    assert flow.token(strict, tried).status == 200


def test_in_production_a_client_that_nobody_reviewed_gets_nothing(server: Application, person: flow.Person) -> None:
    flow.registered(server, "new", status="submitted")
    tried = flow.exchange(person.code(client_id="new"), client_id="new")
    production = server.under(environment="production")
    assert flow.token(production, tried).json["error"] == "invalid_client"
    assert flow.token(server, tried).status == 200
    assert flow.Person(production, flow.patient_of()).open(flow.asked(client_id="new")).status == 400


def test_a_token_names_the_app_in_the_trace(server: Application, given: dict[str, Any]) -> None:
    requester = server.services.verifier.requester(f"Bearer {given['access_token']}")
    assert (requester.kind, requester.client, requester.patient) == ("patient", "app", "p")
    assert replace(requester, client=None, scopes=()) == replace(flow.patient_of(), scopes=())


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims, _ = token.split(".")
    return _opened(claims), _opened(header)


def _opened(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def _signed(server: Application, header: dict[str, Any], claims: dict[str, Any], key: str) -> str:
    """A compact JWS made by hand where a library would not make it."""
    own = server.services.keys.current
    if key in ("none", "public"):
        text = ".".join(
            base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in (header, claims)
        )
        secret = own.jwk.as_pem(private=False)
        mark = b"" if key == "none" else hmac.new(secret, text.encode(), "sha256").digest()
        return f"{text}.{base64.urlsafe_b64encode(mark).decode().rstrip('=')}"
    if key == "own-pss":
        return jwt.encode(header, claims, own.jwk, algorithms=["PS256"])
    if key == "other":
        header = header | {"kid": OTHER.kid}
    if "crit" in header or "jwk" in header:
        return _by_hand(header, claims, OTHER if key.startswith("other") else own)
    return jwt.encode(header, claims, (OTHER if key.startswith("other") else own).jwk)


def _by_hand(header: dict[str, Any], claims: dict[str, Any], key: SigningKey) -> str:
    text = ".".join(
        base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in (header, claims)
    )
    private = key.jwk.private_key
    assert private is not None
    mark = private.sign(text.encode(), PKCS1v15(), SHA256())
    return f"{text}.{base64.urlsafe_b64encode(mark).decode().rstrip('=')}"


def test_an_expired_code_is_worth_nothing(server: Application, person: flow.Person) -> None:
    code = person.code()
    codes = server.services.store.register(REGISTER)
    codes.change(digest(code), {"expires": datetime.now(UTC) - timedelta(seconds=1)})
    assert flow.token(server, flow.exchange(code)).json["error"] == "invalid_grant"
