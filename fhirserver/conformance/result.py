"""What came of a script: steps of tests, each with its verdict and what passed over the wire (TestReport, R4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from fhirserver.conformance.wire import Exchanged

PASS, FAIL, WARNING, ERROR, SKIP = "pass", "fail", "warning", "error", "skip"
"""https://hl7.org/fhir/R4/valueset-report-action-result-codes.html"""
_GRAVEST: Final = (ERROR, FAIL, WARNING, PASS, SKIP)


def gravest(verdicts: list[str]) -> str:
    """The verdict of a whole by those of its parts: one that fails makes it fail; of nothing: it was skipped."""
    return next((each for each in _GRAVEST if each in verdicts), SKIP)


class Step(NamedTuple):
    """`kind`: `operation` or `assert`; `exchanged`: what went over the wire, for operations and failed asserts."""

    kind: str
    label: str
    verdict: str
    text: str = ""
    exchanged: Exchanged | None = None


@dataclass
class Test:
    """One test of a script, or its setup or teardown. `requirements`: ids of what it checks."""

    name: str
    description: str = ""
    requirements: tuple[str, ...] = ()
    steps: list[Step] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        return gravest([each.verdict for each in self.steps])

    @property
    def failed(self) -> bool:
        return self.verdict in (FAIL, ERROR)


@dataclass
class ScriptResult:
    """`skipped`: why the script was not run at all."""

    url: str
    name: str
    title: str
    suite: str
    at: datetime
    seconds: float = 0.0
    setup: Test | None = None
    tests: list[Test] = field(default_factory=list)
    teardown: Test | None = None
    skipped: str = ""

    @property
    def failed(self) -> bool:
        return any(each.failed for each in (self.setup, *self.tests) if each is not None)

    @property
    def verdict(self) -> str:
        if self.skipped:
            return SKIP
        return FAIL if self.failed else PASS

    @property
    def score(self) -> float:
        """Percent of the tests that were run and passed (TestReport.score)."""
        run = [each for each in self.tests if each.verdict != SKIP]
        return round(100 * sum(not each.failed for each in run) / len(run), 2) if run else 0.0
