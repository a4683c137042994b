"""$versions (https://hl7.org/fhir/R4/capabilitystatement-operation-versions.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fhirserver.rest.answer import Answer, of_value

if TYPE_CHECKING:
    from fhirserver.rest.services import Services

VERSION: Final = "4.0"


def versions(_: Services) -> Answer:
    """The versions of FHIR that are spoken here; like `metadata`, it needs no token."""
    listed = [{"name": name, "valueCode": VERSION} for name in ("version", "default")]
    return of_value(200, {"resourceType": "Parameters", "parameter": listed})
