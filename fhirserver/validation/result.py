"""What a validation answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.outcome import outcome

if TYPE_CHECKING:
    from fhirserver.outcome import Issue


class Outcome:
    """The issues of one validation, in the order they were found."""

    __slots__ = ("issues",)

    def __init__(self, issues: list[Issue]) -> None:
        self.issues = issues

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings and information may be there."""
        return not any(issue.is_error for issue in self.issues)

    @property
    def errors(self) -> list[Issue]:
        """The issues of severity error or fatal."""
        return [issue for issue in self.issues if issue.is_error]

    def as_fhir(self) -> dict[str, Any]:
        """An OperationOutcome."""
        return outcome(self.issues)
