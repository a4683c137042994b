"""One page that a human reads, with nothing beside it: verdicts by suite, and of what failed all that tells why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, select_autoescape

from fhirserver import jsontext
from fhirserver.conformance import result
from fhirserver.conformance.reports.plain import counted, text_of
from fhirserver.conformance.requirements import Requirement, requirements
from fhirserver.errors import FhirError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fhirserver.conformance.result import ScriptResult, Step, Test
    from fhirserver.conformance.wire import Message

_FAILING: Final = (result.FAIL, result.ERROR)


def _named(results: Sequence[ScriptResult]) -> list[Requirement]:
    """The requirements that the tests name, in the order of the table."""
    named = {id_ for each in results for test in each.tests for id_ in test.requirements}
    return [each for each in requirements().values() if each.id in named]


def _failures(suites: Mapping[str, Sequence[ScriptResult]]) -> list[tuple[int, ScriptResult, Test, Step]]:
    """What failed, in the order of the page, with the first step that did."""
    found = ((script, test) for each in suites.values() for script in each for test in (script.setup, *script.tests))
    failed = [(script, test) for script, test in found if test is not None and test.failed]
    told = ((script, test, next(each for each in test.steps if each.verdict in _FAILING)) for script, test in failed)
    return [(number, *each) for number, each in enumerate(told, 1)]


def _body(message: Message) -> str:
    """The body as text without secrets, JSON indented."""
    text = text_of(message)
    try:
        return jsontext.pretty(jsontext.parse(text.encode())).decode()
    except FhirError:
        return text


def html(results: Sequence[ScriptResult], base: str) -> bytes:
    """The page; bodies are shown as text, secrets are not."""
    environment = Environment(
        loader=PackageLoader("fhirserver.conformance.reports", "."),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    suites: dict[str, list[ScriptResult]] = {}
    for each in sorted(results, key=lambda found: (found.suite, found.name)):
        suites.setdefault(each.suite, []).append(each)
    failures = _failures(suites)
    facts: dict[str, Any] = {
        "base": base,
        "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "suites": suites,
        "counted": counted,
        "total": counted(results),
        "body_of": _body,
        "failures": failures,
        "numbers": {id(test): number for number, _, test, _ in failures},
        "id": id,
        "requirements": _named(results),
        "failing": _FAILING,
    }
    return environment.get_template("report.html").render(facts).encode()
