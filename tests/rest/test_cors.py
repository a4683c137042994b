from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.auth.registrations import APP, stored

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.application import Application

OURS, THEIRS = "https://app.example", "https://evil.example"
ALLOW = "Access-Control-Allow-Origin"


@pytest.fixture(scope="module", autouse=True)
def app(application: Application) -> None:
    stored(application, APP)


def preflight(
    application: Application, path: str, origin: str = OURS, method: str = "GET", headers: str = "authorization"
) -> TestResponse:
    sent = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return application.app.test_client().options(path, headers=sent)


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/fhir/Observation", "GET"),
        ("/fhir/Observation/1", "PUT"),
        ("/fhir/Observation/1", "DELETE"),
        ("/fhir", "POST"),
        ("/fhir/", "POST"),
        ("/oauth/token", "POST"),
        ("/oauth/revoke", "POST"),
        ("/oauth/userinfo", "GET"),
    ],
)
def test_the_page_of_a_registered_app_may_call(application: Application, path: str, method: str) -> None:
    answer = preflight(application, path, method=method, headers="Authorization, Content-Type,if-match")
    assert (answer.status_code, answer.headers[ALLOW]) == (204, OURS)
    assert method in answer.headers["Access-Control-Allow-Methods"]
    assert "authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert "Origin" in answer.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/fhir/Observation", {"origin": THEIRS}),
        ("/fhir/Observation", {"origin": "null"}),
        ("/fhir/Observation", {"origin": OURS + ".evil.example"}),
        ("/fhir/Observation", {"origin": "http://app.example"}),
        ("/fhir/Observation", {"origin": OURS + ":8443"}),
        ("/fhir/Observation", {"origin": "*"}),
        ("/fhir/Observation", {"method": "TRACE"}),
        ("/fhir/Observation", {"method": "get"}),
        ("/fhir/Observation", {"headers": "x-forwarded-for"}),
        ("/oauth/token", {"method": "GET"}),
        ("/oauth/introspect", {"method": "POST"}),
        ("/oauth/register", {"method": "POST"}),
        ("/oauth/authorize", {}),
        ("/connexion", {"method": "POST"}),
        ("/catalogue/api/clients", {}),
        ("/metrics", {}),
    ],
)
def test_what_is_not_offered_to_a_page_is_refused(application: Application, path: str, asked: dict[str, str]) -> None:
    answer = preflight(application, path, **asked)
    assert answer.status_code == 403
    assert "Access-Control-Allow-Methods" not in answer.headers
    if asked.get("origin", OURS) != OURS:
        assert ALLOW not in answer.headers


def test_the_answer_to_a_page_says_who_may_read_it(application: Application) -> None:
    client = application.app.test_client()
    ours = client.get("/fhir/Observation", headers={"Origin": OURS})
    assert (ours.status_code, ours.headers[ALLOW]) == (401, OURS)
    assert "WWW-Authenticate" in ours.headers["Access-Control-Expose-Headers"]
    theirs = client.get("/fhir/Observation", headers={"Origin": THEIRS})
    nobodys = client.get("/fhir/Observation")
    for answer in (theirs, nobodys):
        assert ALLOW not in answer.headers
        assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "path",
    ["/fhir/metadata", "/fhir/.well-known/smart-configuration", "/.well-known/openid-configuration", "/oauth/jwks"],
)
def test_what_is_public_is_read_from_everywhere_without_cookies(application: Application, path: str) -> None:
    for origin in (OURS, THEIRS):
        assert preflight(application, path, origin).headers[ALLOW] == "*"
        answer = application.app.test_client().get(path, headers={"Origin": origin})
        assert (answer.status_code, answer.headers[ALLOW]) == (200, "*")
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_pages_for_people_are_read_by_no_other_page(application: Application) -> None:
    answer = application.app.test_client().get("/", headers={"Origin": OURS})
    assert ALLOW not in answer.headers


def test_the_origin_of_a_client_that_may_not_be_used_is_unknown(application: Application) -> None:
    stored(application, APP | {"redirect_uris": ["https://gone.example/"]}, "suspended")
    stored(application, APP | {"redirect_uris": ["https://new.example/"]}, "submitted")
    assert preflight(application, "/fhir/Observation", "https://gone.example").status_code == 403
    assert preflight(application, "/fhir/Observation", "https://new.example").status_code == 204
    production = application.under(environment="production")
    assert preflight(production, "/fhir/Observation", "https://new.example").status_code == 403


def test_options_that_is_no_preflight_is_not_offered(application: Application) -> None:
    assert application.app.test_client().options("/fhir/Observation").status_code == 405
