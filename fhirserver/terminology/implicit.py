"""Value sets that a code system defines by their URL alone: all of SNOMED CT or LOINC, or what is below a code.

https://hl7.org/fhir/R4/snomedct.html#implicit, https://hl7.org/fhir/R4/loinc.html#4.3.15.0.8
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.spec.systems import LOINC, SNOMED

if TYPE_CHECKING:
    from collections.abc import Callable


def implicit(canonical: str, known: Callable[[str], object | None]) -> dict[str, Any] | None:
    """The ValueSet of such a URL, of a code system that is known; None for any other URL."""
    url = canonical.partition("|")[0]
    if url == f"{LOINC}/vs" and known(LOINC):
        return _made(url, {"system": LOINC})
    edition, mark, asked = url.partition("?fhir_vs")
    if not mark or not edition.startswith(SNOMED) or not known(SNOMED):
        return None
    include: dict[str, Any] = {"system": SNOMED}
    if edition != SNOMED:
        include["version"] = edition
    if asked.startswith("=isa/"):
        include["filter"] = [{"property": "concept", "op": "is-a", "value": asked.removeprefix("=isa/")}]
    elif asked:
        return None
    return _made(url, include)


def _made(url: str, include: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "ValueSet", "status": "active", "url": url, "compose": {"include": [include]}}
