"""One finding, and the OperationOutcome that carries several (https://hl7.org/fhir/R4/operationoutcome.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

RULE = "urn:fhirserver:rule"
"""System of `issue.details.coding` that carries the rule's key, such as `ele-1` or `slice-min`."""

LONGEST: Final = 4000
"""Characters of a text: what a request said is repeated, but not at any length."""


class Issue(NamedTuple):
    """A finding. `expression` holds FHIRPath locations, such as `Patient.name[0].given[1]`."""

    severity: str
    code: str
    text: str
    expression: tuple[str, ...] = ()
    profile: str | None = None
    rule: str | None = None
    line: int | None = None
    column: int | None = None

    @property
    def is_error(self) -> bool:
        return self.severity in ("error", "fatal")

    def as_fhir(self) -> dict[str, Any]:
        """`OperationOutcome.issue`: the text in `diagnostics`, the rule's key and its profile in `details`."""
        issue: dict[str, Any] = {"severity": self.severity, "code": self.code}
        if self.rule or self.profile:
            details: dict[str, Any] = {}
            if self.rule:
                details["coding"] = [{"system": RULE, "code": self.rule}]
            if self.profile:
                details["text"] = self.profile
            issue["details"] = details
        place = "" if self.line is None else f" (line {self.line}, column {self.column})"
        text = self.text if len(self.text) <= LONGEST else f"{self.text[:LONGEST]}…"
        issue["diagnostics"] = text + place
        if self.expression:
            issue["expression"] = list(self.expression)
        return issue


def outcome(issues: Iterable[Issue]) -> dict[str, Any]:
    """An OperationOutcome; without issues, one `information` that says all is well (the element is 1..*)."""
    listed = [issue.as_fhir() for issue in issues]
    if not listed:
        listed = [Issue("information", "informational", "No issues.").as_fhir()]
    return {"resourceType": "OperationOutcome", "issue": listed}
