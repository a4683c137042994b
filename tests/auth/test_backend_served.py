"""A backend service and an app against a served server of two workers: what one worker decides holds in the other."""

from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import pytest

from fhirserver.auth.clients.assertion import ASSERTION_TYPE
from fhirserver.cli import main
from tests.auth.registrations import ENTRY, assertion, backend
from tests.records import patient
from tests.serving import Answer, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.serving import Served

FINESS = "750000001"
SCOPE = "system/*.cruds"
TRIES = 12
"""Requests, each on a connection of its own: enough for both workers to get some."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("backend") / "data", "--workers", "2", "--profiles", "core") as found:
        yield found


class Lab:
    """A laboratory's system, as it was registered and appointed."""

    def __init__(self, running: Served) -> None:
        self.running = running
        self.site = running.base.removesuffix("/fhir")
        self.operator = running.token("--operator")
        told = at(running, "POST", "/oauth/register", json_body=backend(scope=SCOPE)).json
        self.id: str = told["client_id"]
        at(
            running,
            "PUT",
            f"/catalogue/api/clients/{self.id}",
            self.operator,
            {"catalogue": ENTRY, "organization": FINESS},
        )
        self.decide("referenced")

    def decide(self, status: str) -> None:
        body = {"status": status, "reason": "Essai"}
        path = f"/catalogue/api/clients/{self.id}/decisions"
        assert at(self.running, "POST", path, self.operator, body).status == 200

    def assertion(self) -> str:
        return assertion(self.id, f"{self.site}/oauth/token")

    def ask(self, signed: str | None = None, path: str = "token", **form: str) -> Answer:
        proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed or self.assertion()}
        return at(self.running, "POST", f"/oauth/{path}", form={**proof, **form})

    def token(self) -> str:
        answer = self.ask(grant_type="client_credentials", scope=SCOPE)
        assert answer.status == 200, answer
        return str(answer.json["access_token"])


@pytest.fixture(scope="module")
def lab(running: Served) -> Lab:
    return Lab(running)


def at(
    running: Served,
    method: str,
    path: str,
    token: str | None = None,
    json_body: Any = None,
    form: dict[str, str] | None = None,
) -> Answer:
    """One request on a connection of its own; `path` is below the site."""
    parts = urlsplit(running.base)
    sent = {"Authorization": f"Bearer {token}"} if token else {}
    body = None
    if json_body is not None:
        body, sent["Content-Type"] = json.dumps(json_body), "application/json"
    if form is not None:
        body, sent["Content-Type"] = urlencode(form), "application/x-www-form-urlencoded"
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=300)
    try:
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def statuses(running: Served, token: str) -> set[int]:
    """What both workers answer to a token."""
    return {running.call("GET", "Observation?_count=1", token).status for _ in range(TRIES)}


def test_a_backend_exports_what_its_establishment_deposited(running: Served, lab: Lab) -> None:
    token = lab.token()
    known = running.call("PUT", "Patient/p1", lab.operator, {**patient(), "id": "p1"})
    assert known.status in (200, 201), known
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": "Patient/p1"},
    }
    made = running.call("POST", "Observation", token, observation)
    assert made.status == 201, made
    begun = running.call("GET", "$export?_type=Observation", token, Prefer="respond-async")
    assert begun.status == 202, begun
    place = begun.headers["content-location"].removeprefix(running.base + "/")
    until = time.monotonic() + 300
    while (answer := running.call("GET", place, lab.token())).status == 202 and time.monotonic() < until:
        time.sleep(0.2)
    assert answer.status == 200, answer
    (file,) = answer.json["output"]
    content = running.call("GET", file["url"].removeprefix(running.base + "/"), lab.token(), Accept="*/*")
    assert [json.loads(line)["id"] for line in content.body.splitlines()] == [made.json["id"]]
    other = Lab(running)
    assert running.call("GET", place, other.token()).status == 404


def test_an_assertion_is_good_once_whichever_worker_sees_it(running: Served, lab: Lab) -> None:
    once = lab.assertion()

    def ask(_: int) -> int:
        return lab.ask(once, grant_type="client_credentials", scope=SCOPE).status

    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(ask, range(TRIES))]
    assert sorted(answers) == [200, *[401] * (TRIES - 1)]


def test_a_revoked_token_is_refused_by_every_worker_at_once(running: Served, lab: Lab) -> None:
    token = lab.token()
    assert statuses(running, token) == {200}
    assert {lab.ask(path="introspect", token=token).json["active"] for _ in range(4)} == {True}
    assert lab.ask(path="revoke", token=token).status == 200
    assert statuses(running, token) == {401}
    assert {lab.ask(path="introspect", token=token).json["active"] for _ in range(4)} == {False}


def test_a_suspended_client_is_refused_by_every_worker_at_once_and_comes_back(running: Served) -> None:
    lab = Lab(running)
    token = lab.token()
    assert statuses(running, token) == {200}
    lab.decide("suspended")
    assert statuses(running, token) == {401}
    refused = lab.ask(grant_type="client_credentials", scope=SCOPE)
    assert (refused.status, refused.json["error"]) == (401, "invalid_client")
    lab.decide("referenced")
    assert statuses(running, token) == {200}


def test_the_command_line_keeps_the_register_of_a_running_server(
    running: Served, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    at_server = ["--base", running.base, "--token", lab.operator]
    assert main(["client", "show", lab.id, *at_server]) == 0
    assert json.loads(capsys.readouterr().out)["organization"] == FINESS
    assert main(["client", "list", *at_server]) == 0
    assert lab.id in capsys.readouterr().out
    assert main(["client", "suspend", lab.id, *at_server]) == 1
    assert "says why" in capsys.readouterr().err
    assert main(["client", "list", "--base", running.base, "--token", "none"]) == 1
    assert "401" in capsys.readouterr().err
