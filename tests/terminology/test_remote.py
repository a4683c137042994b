from __future__ import annotations

import json
import socket
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from fhirserver.errors import NotFound
from fhirserver.settings import SettingsError, load
from fhirserver.spec import Definitions
from fhirserver.terminology import NotHere, Remote, Terminology, remote
from tests.terminology.build import NOW, value_set

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAR = "urn:test:far"
GONE = "urn:test:gone"
UNKNOWN = {"name": "issues", "resource": {"issue": [{"code": "not-found"}]}}


class Far:
    """A terminology server: code `b` is below `a`; `answer` may stand in for what it says."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.headers: list[dict[str, str]] = []
        self.answer: Callable[[], tuple[int, bytes]] | None = None
        self.base = ""

    def reply(self, path: str, query: dict[str, list[str]]) -> tuple[int, bytes]:
        self.asked.append((path, query))
        if self.answer is not None:
            return self.answer()
        if path.endswith("$subsumes"):
            relation = {"ab": "subsumes", "ba": "subsumed-by"}.get(query["codeA"][0] + query["codeB"][0], "equivalent")
            return 200, parameters(outcome=relation)
        if query["url"] == [GONE]:
            return 200, parameters(result=False, **{"x-unknown-system": GONE})
        known = query["code"][0] in ("a", "b")
        return 200, parameters(result=known, display=f"Code {query['code'][0]}")


def parameters(*more: Any, **given: Any) -> bytes:
    parts = [
        {"name": name, "valueBoolean" if isinstance(each, bool) else "valueString": each}
        for name, each in given.items()
    ]
    return json.dumps({"resourceType": "Parameters", "parameter": [*parts, *more]}).encode()


@pytest.fixture(name="far")
def far_() -> Iterator[Far]:
    told = Far()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            told.headers.append(dict(self.headers))
            status, body = told.reply(parts.path, parse_qs(parts.query))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        told.base = f"http://127.0.0.1:{server.server_port}/r4"
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()


def made(far: Far, *resources: dict[str, Any]) -> Terminology:
    return Terminology(Definitions.core(), Remote(far.base)).bringing(resources)


def test_a_code_of_a_system_that_is_not_here_is_asked_about_elsewhere(far: Far) -> None:
    terminology = made(far)
    verdict = terminology.in_code_system([{"system": FAR, "code": "a", "display": "whatever"}])
    assert (verdict.result, verdict.display, verdict.unknown) == (True, "Code a", None)
    refused = terminology.in_code_system([{"system": FAR, "code": "x"}])
    assert (refused.result, refused.unknown) == (False, None)
    assert "remote terminology server" in str(refused.message)


def test_only_system_version_and_code_leave_this_server(far: Far) -> None:
    made(far).in_code_system([{"system": FAR, "version": "2", "code": "a", "display": "of a patient"}])
    assert far.asked == [("/r4/CodeSystem/$validate-code", {"url": [FAR], "version": ["2"], "code": ["a"]})]
    assert {name for headers in far.headers for name in headers} == {"Host", "Accept", "Accept-Encoding", "User-Agent"}


def test_what_is_here_is_not_asked_about(far: Far) -> None:
    terminology = made(far)
    assert terminology.in_code_system([{"system": "http://hl7.org/fhir/administrative-gender", "code": "male"}]).result
    assert terminology.in_code_system([{"system": "http://unitsofmeasure.org", "code": "mg"}]).result
    assert far.asked == []


def test_value_sets_of_such_systems_are_judged(far: Far) -> None:
    def filtered(op: str, value: str, name: str = "concept") -> dict[str, Any]:
        return value_set("urn:vs", {"system": FAR, "filter": [{"property": name, "op": op, "value": value}]})

    terminology = made(far, value_set("urn:test:all", {"system": FAR}))
    assert terminology.holds("urn:test:all", FAR, "a") is True
    assert terminology.holds("urn:test:all", FAR, "x") is False
    assert terminology.holds("urn:test:none", FAR, "x") is None
    for op, value, code, held in (
        ("is-a", "a", "b", True),
        ("is-a", "b", "a", False),
        ("is-a", "a", "a", True),
        ("descendent-of", "a", "a", False),
        ("descendent-of", "a", "b", True),
        ("is-not-a", "a", "b", False),
        ("is-not-a", "b", "a", True),
    ):
        assert terminology.in_value_set(filtered(op, value), [{"system": FAR, "code": code}]).result is held, (op, code)
    untold = terminology.in_value_set(filtered("=", "red", "colour"), [{"system": FAR, "code": "a"}])
    assert untold.unknown == FAR
    with pytest.raises(NotHere):
        terminology.expand("urn:test:all", now=NOW)


def test_subsumption_is_asked_elsewhere(far: Far) -> None:
    assert made(far).subsumes({"system": FAR, "code": "a"}, {"system": FAR, "code": "b"}) == "subsumes"
    far.answer = lambda: (200, parameters(outcome="above"))
    with pytest.raises(NotFound):
        made(far).subsumes({"system": FAR, "code": "a"}, {"system": FAR, "code": "b"})


def test_answers_are_remembered_for_an_hour_and_up_to_a_number(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "KEPT", 2)
    now = [0.0]
    asking = Remote(far.base, clock=lambda: now[0])
    for code in ("a", "a", "b", "a", "x", "b"):
        asking.validate(FAR, None, code)
    assert [query["code"][0] for _, query in far.asked] == ["a", "b", "x", "b"]
    now[0] = remote.FRESH
    asking.validate(FAR, None, "b")
    assert len(far.asked) == 5


@pytest.mark.parametrize(
    "answer",
    [
        (200, parameters(result=False, **{"x-unknown-system": FAR})),
        (
            200,
            parameters(result=False)[:-2] + b', {"name": "issues", "resource": {"issue": [{"code": "not-found"}]}}]}',
        ),
        (200, parameters(result="yes")),
        (200, b'{"resourceType": "Bundle"}'),
        (200, b'{"parameter": [1]}'),
        (200, b"[]"),
        (404, b""),
        (422, b"{}"),
    ],
)
def test_a_server_that_does_not_know_tells_nothing(far: Far, answer: tuple[int, bytes]) -> None:
    far.answer = lambda: answer
    verdict = made(far).in_code_system([{"system": FAR, "code": "a"}])
    assert verdict.unknown == FAR


def test_a_no_about_the_code_is_a_no(far: Far) -> None:
    issues = {"name": "issues", "resource": {"resourceType": "OperationOutcome", "issue": [{"code": "code-invalid"}]}}
    far.answer = lambda: (200, parameters(issues, result=False))
    verdict = made(far).in_code_system([{"system": FAR, "code": "a"}])
    assert (verdict.result, verdict.unknown) == (False, None)


@pytest.mark.parametrize(
    "answer", [(500, b""), (302, b""), (200, b"{"), (200, b"x" * ((1 << 20) + 1))], ids=["500", "302", "torn", "long"]
)
def test_a_server_that_fails_is_left_alone_for_a_while(far: Far, answer: tuple[int, bytes]) -> None:
    now = [0.0]
    asking = Remote(far.base, clock=lambda: now[0])
    far.answer = lambda: answer
    assert asking.validate(FAR, None, "a") is None
    assert asking.validate(FAR, None, "b") is None
    assert len(far.asked) == 1
    now[0], far.answer = remote.LEFT_ALONE, None
    assert asking.validate(FAR, None, "a") == remote.Told(True, "Code a")


def test_a_server_that_is_silent_or_away_costs_little(far: Far) -> None:
    release = threading.Event()
    far.answer = lambda: (200, b"") if release.wait(10) else (500, b"")
    try:
        assert Remote(far.base, seconds=0.05).validate(FAR, None, "a") is None
    finally:
        release.set()
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        assert Remote(f"http://127.0.0.1:{free.getsockname()[1]}").validate(FAR, None, "a") is None
    assert Remote("https://127.0.0.1:9").validate(FAR, None, "a") is None


def test_the_setting_must_be_a_url() -> None:
    assert load(environ={"FHIRSERVER_TERMINOLOGY_SERVER": "https://tx.example/r4"}).terminology_server
    for wrong in ("tx.example", "ftp://tx.example", "http://", "http://[", "http://a:x"):
        with pytest.raises(SettingsError, match="terminology_server"):
            load(environ={"FHIRSERVER_TERMINOLOGY_SERVER": wrong})
    with pytest.raises(ValueError, match="not the http or https URL"):
        Remote("tx.example")
