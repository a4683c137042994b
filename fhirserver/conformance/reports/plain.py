"""JSON for programs: verdicts by suite, script and test, and of failures what went over the wire."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.conformance import result

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fhirserver.conformance.result import ScriptResult, Step, Test
    from fhirserver.conformance.wire import Message

_SECRET: Final = re.compile(
    r"""((?:access_token|refresh_token|id_token|client_assertion|client_secret|subject_token|code_verifier|password"""
    r"""|(?<![A-Za-z_])token)"""
    r"""(?:"\s*:\s*"|=))[^"&\s]+"""
)
SHOWN: Final = 20_000
"""Characters of a body that a report shows."""


def plain(results: Sequence[ScriptResult], base: str) -> bytes:
    return jsontext.pretty({"server": base, "tests": counted(results), "scripts": [_script(each) for each in results]})


def counted(results: Iterable[ScriptResult]) -> dict[str, int]:
    """Tests by verdict; those that a failed setup kept from being run count as failed with it."""
    found: Counter[str] = Counter(dict.fromkeys((result.PASS, result.FAIL, result.ERROR, result.SKIP), 0))
    for each in results:
        found.update(verdict_of(each, test) for test in each.tests)
        found[result.SKIP] += bool(each.skipped)
    return dict(found)


def verdict_of(of: ScriptResult, test: Test) -> str:
    """A test's verdict in sums: warnings pass."""
    if of.setup is not None and of.setup.failed:
        return result.FAIL
    return result.PASS if test.verdict == result.WARNING else test.verdict


def text_of(message: Message) -> str:
    """A body as text, cut; what is no text is only counted."""
    try:
        text = message.content.decode()
    except UnicodeDecodeError:
        return f"({len(message.content)} bytes)"
    text = _SECRET.sub(r"\1(not shown)", text)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _script(of: ScriptResult) -> dict[str, Any]:
    tests = [each for each in (of.setup, *of.tests, of.teardown) if each is not None and each.steps]
    made: dict[str, Any] = {"suite": of.suite, "name": of.name, "url": of.url, "result": of.verdict}
    if of.skipped:
        made["skipped"] = of.skipped
    return {**made, "seconds": round(of.seconds, 3), "tests": [_test(each) for each in tests]}


def _test(test: Test) -> dict[str, Any]:
    return {
        "name": test.name,
        "result": test.verdict,
        "requirements": list(test.requirements),
        "steps": [_step(each) for each in test.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    made: dict[str, Any] = {"kind": step.kind, "label": step.label, "result": step.verdict, "text": step.text}
    if step.exchanged is not None and step.verdict in (result.FAIL, result.ERROR):
        request, answer = (each.shown() for each in step.exchanged)
        made["request"] = {"method": request.method, "url": request.url, "headers": dict(request.headers)}
        made["request"]["body"] = text_of(request)
        made["response"] = {"status": answer.status, "headers": dict(answer.headers), "body": text_of(answer)}
    return made
