"""TestReport resources (R4) in a Bundle, one a script."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.conformance import result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhirserver.conformance.result import ScriptResult, Step, Test

TESTER: Final = "fhirserver conformance"


def bundle(results: Sequence[ScriptResult], base: str) -> bytes:
    """A collection of TestReports."""
    entries = [{"fullUrl": uuid.uuid4().urn, "resource": report(each, base)} for each in results]
    made: dict[str, Any] = {"resourceType": "Bundle", "type": "collection"}
    return jsontext.pretty({**made, "entry": entries} if entries else made)


def report(of: ScriptResult, base: str) -> dict[str, Any]:
    """The TestReport of one script."""
    made: dict[str, Any] = {
        "resourceType": "TestReport",
        "name": of.name,
        "status": "completed",
        "testScript": {"reference": of.url, "display": of.title},
        "result": "fail" if of.failed or of.skipped else "pass",
        "score": of.score,
        "tester": TESTER,
        "issued": of.at.isoformat(timespec="milliseconds"),
        "participant": [
            {"type": "test-engine", "uri": "urn:fhirserver:conformance", "display": TESTER},
            {"type": "server", "uri": base},
        ],
    }
    if of.setup is not None and of.setup.steps:
        made["setup"] = {"action": [_action(each) for each in of.setup.steps]}
    if tests := [_test(each) for each in of.tests if each.steps]:
        made["test"] = tests
    if of.teardown is not None and of.teardown.steps:
        made["teardown"] = {"action": [{"operation": _told(each)} for each in of.teardown.steps]}
    return made


def _test(test: Test) -> dict[str, Any]:
    words = {"name": test.name, "description": test.description}
    return {**{k: v for k, v in words.items() if v}, "action": [_action(each) for each in test.steps]}


def _action(step: Step) -> dict[str, Any]:
    return {step.kind: _told(step)}


def _told(step: Step) -> dict[str, Any]:
    text = f"{step.label}: {step.text}" if step.text and step.verdict != result.PASS else step.label
    return {"result": step.verdict, **({"message": text} if text else {})}
