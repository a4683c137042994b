"""Asking for a job, waiting for it, and reading what it made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver import jsontext

if TYPE_CHECKING:
    from tests.application import Answer, Application, Caller

ASYNC = {"Prefer": "respond-async"}
BASE = "http://127.0.0.1:8080/fhir/"


def kicked_off(caller: Caller, path: str, body: Any = None) -> str:
    """The status path of a job that was accepted."""
    answer = caller.call("GET" if body is None else "POST", path, body, headers=ASYNC)
    assert answer.status == 202, answer
    return answer.headers["content-location"].removeprefix(BASE)


def exported(application: Application, caller: Caller, path: str = "$export", body: Any = None) -> dict[str, Any]:
    """The manifest of an export that ran to its end."""
    status = kicked_off(caller, path, body)
    application.work()
    answer = caller.get(status)
    assert answer.status == 200, answer
    assert answer.headers["content-type"] == "application/json"
    manifest: dict[str, Any] = answer.json
    return manifest


def lines(caller: Caller, manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """All resources of an export, in the order of its files; each file is of one type, and of as many as it says."""
    found = []
    for output in manifest["output"]:
        file = fetched(caller, output)
        assert file.headers["content-type"] == "application/fhir+ndjson"
        rows = [jsontext.parse_object(line) for line in file.content.splitlines()]
        assert {row["resourceType"] for row in rows} == {output["type"]}
        assert len(rows) == output["count"]
        found += rows
    return found


def fetched(caller: Caller, output: dict[str, Any]) -> Answer:
    answer = caller.get(output["url"].removeprefix(BASE))
    assert answer.status == 200, answer
    return answer


def places(resources: list[dict[str, Any]]) -> list[str]:
    return sorted(f"{each['resourceType']}/{each['id']}" for each in resources)
