"""CodeSystem/$lookup (https://hl7.org/fhir/R4/codesystem-operation-lookup.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.errors import BadRequest
from fhirserver.rest.operations import asked
from fhirserver.rest.operations.stored import terminology
from fhirserver.rest.parameters import received

if TYPE_CHECKING:
    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange


def lookup(exchange: Exchange, type: str) -> Answer:
    """What is known of a code. Unknown codes and systems: 404."""
    inputs = received(exchange, "CodeSystem-lookup", ("date",))
    if inputs.one_of("code", "coding") == "code":
        coding = {"system": inputs.need("system"), "code": inputs.get("code"), "version": inputs.get("version")}
    else:
        coding = asked.coding(inputs.get("coding"))
    if not coding.get("system") or not coding.get("code"):
        raise BadRequest("The coding needs a system and a code.", code="required")
    found = terminology(exchange).lookup(
        coding["system"],
        coding["code"],
        coding.get("version"),
        inputs.all("property"),
        asked.language(exchange, inputs),
    )
    return asked.answer(exchange, "$lookup", asked.Subject(type, coding["system"]), found)
