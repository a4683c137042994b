"""CodeSystem/$subsumes (https://hl7.org/fhir/R4/codesystem-operation-subsumes.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.errors import BadRequest
from fhirserver.rest.operations import asked
from fhirserver.rest.operations.stored import terminology
from fhirserver.rest.parameters import received
from fhirserver.terminology.answers import parameter, parameters

if TYPE_CHECKING:
    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange
    from fhirserver.rest.parameters import Inputs


def subsumes(exchange: Exchange, type: str, id: str | None = None) -> Answer:
    """How the concept A relates to B: `equivalent`, `subsumes`, `subsumed-by`, `not-subsumed`."""
    inputs = received(exchange, "CodeSystem-subsumes")
    known = terminology(exchange)
    subject = asked.Subject(type, inputs.get("system"))
    system = inputs.get("system")
    if id is not None:
        stored = asked.stored_subject(exchange, type, id)
        subject, system = stored, stored.given.get("url")
        known = known.bringing([stored.given])
    one, other = (_coding(inputs, side, system) for side in ("A", "B"))
    outcome = known.subsumes(one, other)
    return asked.answer(exchange, "$subsumes", subject, parameters([parameter("outcome", "Code", outcome)]))


def _coding(inputs: Inputs, side: str, system: str | None) -> dict[str, Any]:
    version = inputs.get("version")
    if inputs.one_of(f"code{side}", f"coding{side}") == f"code{side}":
        if not system:
            raise BadRequest("The parameter system is needed: it names the code system.", code="required")
        given = {"system": system, "code": inputs.get(f"code{side}")}
    else:
        given = asked.coding(inputs.get(f"coding{side}"))
        if "code" not in given:
            raise BadRequest(f"coding{side} has no code.", code="required")
    return {**given, "version": version} if version else given
