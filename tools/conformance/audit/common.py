"""Searches of AuditEvents."""

from __future__ import annotations

from typing import Final

from tools.conformance.building import MATCHES, Part, ask, case, says, status

EVENTS: Final = f"{MATCHES}.ofType(AuditEvent)"
RPPS: Final = "https://rpps.esante.gouv.fr"
READING: Final = "http://hl7.org/fhir/restful-interaction"
KINDS: Final = "http://terminology.hl7.org/CodeSystem/audit-event-type"


def search(criteria: str, origin: int, **more: str) -> tuple[Part, Part]:
    return ask("search", "AuditEvent", f"?{criteria}", origin=origin, **more), status(200)


def finds(
    name: str, requirement: str, criteria: str, *, origin: int, count: int | None = None, that: str = "", **more: str
) -> Part:
    """How many AuditEvents are found (at least one when `count` is not given), all of them `that`."""
    found = f"{EVENTS}.exists()" if count is None else f"{EVENTS}.count() = {count}"
    checks = [says(found, text="something is found" if count is None else f"{count} are found")]
    if that:
        checks.append(says(f"{EVENTS}.all({that})", text=f"each: {that}"))
    return case(name, requirement, *search(criteria, origin, **more), *checks)
