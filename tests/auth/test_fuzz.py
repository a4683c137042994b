"""Whatever is sent to the endpoints that need no token, the answer is one that they give on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.auth import flow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Application

pytestmark = pytest.mark.no_cover
QUIET = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = (
    *("response_type", "client_id", "redirect_uri", "scope", "state", "aud", "code_challenge", "nonce", "prompt"),
    *("code_challenge_method", "max_age", "launch", "login_since", "request", "response_mode", "grant_type", "code"),
    *("code_verifier", "refresh_token", "client_secret", "client_assertion", "client_assertion_type", "resource"),
    *("subject_token", "subject_token_type", "requested_token_type", "audience", "actor_token"),
)
VALUES = st.one_of(
    st.text(max_size=30),
    st.sampled_from([
        "app", flow.REDIRECT, "code", "S256", "authorization_code", "refresh_token", "client_credentials", "none",
        "login", "urn:ietf:params:oauth:grant-type:token-exchange", "patient/*.rs", "patient/Observation.rs?a=b&c|d",
        "99999999999999999999", "-1", "0", "%00", "\\", '"', "\x7f", "a.b.c",
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    ]),
)  # fmt: skip
PARAMS = st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=8)


@pytest.fixture(scope="module")
def server(applications: Callable[..., Any]) -> Iterator[Application]:
    with applications(client_secrets=True, address_rate=0) as application:
        application.operator().store({"resourceType": "Patient", "id": "p"})
        flow.registered(application)
        yield application


@pytest.fixture(scope="module")
def person(server: Application) -> flow.Person:
    return flow.Person(server, flow.patient_of())


@given(changes=PARAMS, whole=st.booleans())
@QUIET
def test_any_authorization_request(person: flow.Person, changes: list[tuple[str, str]], whole: bool) -> None:
    params = [*(flow.asked() | dict(changes)).items()] if whole else changes
    answer = person.open(params)
    assert answer.status in (200, 303, 400), answer
    location = answer.headers.get("location", "/connexion?")
    assert location.startswith((f"{flow.REDIRECT}?", "/connexion?")), location
    decided = person.decide(dict(params), decision="tout")
    assert decided.status in (200, 303, 400, 422), decided


@given(changes=PARAMS, whole=st.booleans(), header=st.one_of(st.none(), st.text(st.characters(max_codepoint=255))))
@QUIET
def test_any_token_request(
    server: Application, changes: list[tuple[str, str]], whole: bool, header: str | None
) -> None:
    params = {name: value for name, value in flow.exchange("x").items() if value is not None}
    pairs = [*(params | dict(changes)).items()] if whole else changes
    plain = header is not None and header.isprintable()
    answer = flow.token(server, pairs, **({"Authorization": f"Basic {header}"} if plain else {}))
    assert answer.status in (400, 401), answer
    assert answer.json["error"]


@given(content=st.binary(max_size=60))
@QUIET
def test_any_body(server: Application, content: bytes) -> None:
    client = server.app.test_client()
    for path in ("/oauth/token", "/oauth/introspect", "/oauth/revoke"):
        answer = client.post(path, data=content, content_type="application/x-www-form-urlencoded")
        assert answer.status_code in (400, 401), (path, answer.data)
    for path in ("/oauth/register", "/oauth/launch"):
        answer = client.post(path, data=content, content_type="application/json")
        assert answer.status_code in (400, 401, 403), (path, answer.data)


@given(query=st.text(st.characters(max_codepoint=255), max_size=60))
@QUIET
def test_any_query(server: Application, query: str) -> None:
    for path in ("/oauth/authorize", "/oauth/jwks", "/oauth/userinfo"):
        answer = server.app.test_client().get(
            f"{path}?{urlencode({'a': query})}&{query.encode('ascii', 'ignore').decode()}"
        )
        assert answer.status_code in (200, 400, 401), (path, answer.data)
