"""One page that a human reads, with nothing beside it: verdicts by suite, and of what failed all that tells why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, select_autoescape

from fhirserver.conformance import result
from fhirserver.conformance.reports.plain import counted, text_of, verdict_of
from fhirserver.conformance.requirements import Requirement, requirements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhirserver.conformance.result import ScriptResult


def _named(results: Sequence[ScriptResult]) -> list[Requirement]:
    """The requirements that the tests name, in the order of the table."""
    named = {id_ for each in results for test in each.tests for id_ in test.requirements}
    return [each for each in requirements().values() if each.id in named]


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
    facts: dict[str, Any] = {
        "base": base,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "suites": suites,
        "counted": counted,
        "total": counted(results),
        "verdict_of": verdict_of,
        "text_of": text_of,
        "requirements": _named(results),
        "failing": (result.FAIL, result.ERROR),
    }
    return environment.get_template("report.html").render(facts).encode()
