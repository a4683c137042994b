"""Why a question about codes has no answer (https://hl7.org/fhir/R4/terminology-service.html)."""

from __future__ import annotations

from fhirserver.errors import Unprocessable


class NotHere(Unprocessable):
    """A code system or value set that the answer rests on is not here, or only in part: `canonical` names it."""

    code = "not-found"

    def __init__(self, canonical: str, text: str) -> None:
        super().__init__(text)
        self.canonical = canonical


class TooCostly(Unprocessable):
    """The expansion is without end, or larger than one answer may be."""

    code = "too-costly"
