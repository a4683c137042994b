"""Whatever is sent wherever without a token: the answer tells nothing, and is one that is given on purpose."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from werkzeug.routing import Rule
    from werkzeug.test import TestResponse

    from tests.application import Application

NOTHING = {400, 401, 404, 405, 406, 413, 415}
"""Statuses that are the same whatever the database holds."""
PUBLIC = {
    *("fhir.metadata", "fhir.versions", "fhir.smart", "health.health", "health.metrics"),
    *("oauth-wellknown.authorization_server", "oauth-wellknown.openid", "oauth-wellknown.jwks"),
    *("api-docs.openapi_json", "api-docs.openapi_swagger_ui", "docs-assets.asset", "portal.asset"),
    *("portal.home", "portal.login", "portal.forgotten", "portal.forgotten_code", "portal.activate"),
    *("portal.activate_ask", "portal.catalogue", "portal.manifest", "portal.oppose"),
}
"""What is there for everybody."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "FOO")
PLACES = st.one_of(
    st.sampled_from(
        ["Patient", "Observation", "x", "$export", "_history", "..", ".", "*", "0", "é", "\x00", "a" * 300]
    ),
    st.text(min_size=1, max_size=8),
)
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20)
NAMES = (
    *("Accept", "Content-Type", "Authorization", "Cookie", "Prefer", "If-Match", "If-None-Match", "Range", "Origin"),
    *("If-Modified-Since", "If-None-Exist", "X-Forwarded-For", "X-Request-Id", "Client-Cert", "Content-Encoding"),
    *("Access-Control-Request-Method", "Access-Control-Request-Headers", "X-HTTP-Method-Override", "Sec-Fetch-Site"),
)
VALUES = (
    *("application/fhir+json", "application/fhir+xml", "application/json", "application/x-www-form-urlencoded"),
    *("multipart/form-data; boundary=x", "text/html", "*/*;q=x", "a/b;charset=no", "Basic eDp5", "Basic é", "Bearer"),
    *("Bearer a.b.c", "Bearer eyJhbGciOiJub25lIn0.e30.", "bearer x y", "respond-async", 'W/"1"', 'W/"99999999999"'),
    *("bytes=0-", "bytes=9-1,-5", "null", "https://app.example", "session=x; etape=y; visit=z; choix=é", "x=\x7f"),
    *("identifier=a|b", "::1, 1.1.1.1", "Fri, 31 Feb 9999 99:99:99 GMT", ":AAAA:", "POST", "authorization", "gzip"),
)
SAID = (
    *("_format=xml", "_format=x", "_count=-1", "%ff=%00", "a=b&a=c", "_id=" + "x," * 500, "&&=&", "name:missing=é"),
    *("_format=xml&_pretty=true", "id=x", "suite=gAAAA", "neuf=1", "mode=full", "mode=x", "_page=x"),
    *("state=x&code=y", "\\", "a=\\..\\"),
)
SENT = (
    *(b"", b"{}", b"[]", b"null", b'{"a":1e999}', b"[" * 2000, b'{"resourceType":"Patient"}', b"<Patient/>"),
    *(b"a=b&a=c", b"csrf=x&identifiant=y", b"%ff=%zz", b"--x\r\n\r\n--x--", b"\xff\xfe"),
    *(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', b"grant_type=client_credentials&client_id=x"),
    *(b"token=x&client_id=y", b'{"client_name":5}'),
)
HEADERS = st.dictionaries(st.sampled_from(NAMES), st.one_of(TEXT, st.sampled_from(VALUES)), max_size=5)
QUERIES = st.one_of(st.just(""), st.text(max_size=20).map(quote), st.sampled_from(SAID))
BODIES = st.one_of(st.binary(max_size=30), st.sampled_from(SENT))


@pytest.fixture(scope="module")
def server(applications: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    counts: Path = tmp_path_factory.mktemp("counts")
    with pytest.MonkeyPatch.context() as patch, applications(address_rate=0, client_secrets=True) as application:
        patch.setenv("PROMETHEUS_MULTIPROC_DIR", str(counts))
        application.operator().store({"resourceType": "Patient", "id": "x"})
        yield application


def rules(server: Application) -> list[Rule]:
    return sorted(server.app.url_map.iter_rules(), key=lambda each: (str(each), each.endpoint))


def path_of(rule: Rule, places: list[str]) -> str:
    """A path that the rule is for, with places of our own where it takes any."""
    left = iter(places)
    fixed = dict(rule.defaults or {})

    def place(found: re.Match[str]) -> str:
        return "1" if found[1] == "int" else quote(fixed.get(found[2]) or next(left), safe="$*.")

    return re.sub(r"<(?:(\w+)(?:\([^)]*\))?:)?(\w+)>", place, str(rule))


def is_on_purpose(endpoint: str, method: str, answer: TestResponse) -> bool:
    """Whether the answer is one of those that tell nothing of anybody."""
    status, location = answer.status_code, answer.headers.get("Location", "")
    if status in NOTHING or (status == 200 and endpoint in PUBLIC and method in ("GET", "HEAD")):
        return True
    if method == "OPTIONS":
        return status in (204, 403)
    if not endpoint.startswith("portal."):
        return status == 308
    if method == "POST":
        return status == 403 or location.startswith("/oauth/authorize")
    return status == 303 and location.startswith("/connexion?suite=")


def test_every_endpoint_by_every_method(server: Application) -> None:
    client = server.app.test_client()
    for rule in rules(server):
        path = path_of(rule, ["Patient", "x", "Observation"])
        for method in METHODS:
            answer = client.open(path, method=method)
            endpoint = _endpoint(server, path, method) or rule.endpoint
            assert is_on_purpose(endpoint, method, answer), (method, path, answer.status, answer.data[:300])


@given(data=st.data())
@pytest.mark.no_cover
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_anything_sent_anywhere(server: Application, data: st.DataObject) -> None:
    rule = data.draw(st.sampled_from(rules(server)))
    path = path_of(rule, data.draw(st.lists(PLACES, min_size=4, max_size=4)))
    method, query = data.draw(st.sampled_from(METHODS)), data.draw(QUERIES)
    headers, body = data.draw(HEADERS), data.draw(BODIES)
    client = server.app.test_client(use_cookies=False)
    answer = client.open(path, method=method, query_string=query, headers=headers, data=body)
    endpoint = _endpoint(server, path, method) or rule.endpoint
    assert is_on_purpose(endpoint, method, answer), (
        method,
        path,
        query,
        headers,
        body,
        answer.status,
        answer.data[:300],
    )


def _endpoint(server: Application, path: str, method: str) -> str | None:
    """What answers at a path, which may be another endpoint than the one that it was made for."""
    with server.app.test_request_context(path, method=method) as context:
        return context.request.endpoint
