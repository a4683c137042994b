"""ValueSet/$validate-code and CodeSystem/$validate-code.

https://hl7.org/fhir/R4/valueset-operation-validate-code.html, codesystem-operation-validate-code.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.errors import BadRequest
from fhirserver.rest.operations import asked
from fhirserver.rest.operations.stored import terminology
from fhirserver.rest.parameters import received

if TYPE_CHECKING:
    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange

REFUSED: Final = ("context", "date")


def validate_code(exchange: Exchange, type: str, id: str | None = None) -> Answer:
    """Whether a code is in a value set, or in a code system: `result`, `message`, `display`."""
    return _in_value_set(exchange, id) if type == "ValueSet" else _in_code_system(exchange, id)


def _in_value_set(exchange: Exchange, id: str | None) -> Answer:
    inputs = received(exchange, "ValueSet-validate-code", REFUSED)
    subject = asked.subject(exchange, inputs, "ValueSet", id, "valueSet", "valueSetVersion")
    if "code" in inputs:
        inputs.need("system")
    verdict = terminology(exchange).in_value_set(
        subject.given,
        asked.codings(inputs, inputs.get("system"), inputs.get("systemVersion")),
        abstract=inputs.get("abstract"),
        language=asked.language(exchange, inputs),
    )
    return asked.answer(exchange, "$validate-code", subject, verdict.as_fhir())


def _in_code_system(exchange: Exchange, id: str | None) -> Answer:
    inputs = received(exchange, "CodeSystem-validate-code", REFUSED)
    subject = asked.Subject("CodeSystem", inputs.get("url"))
    brought: Any = None
    if id is not None or "codeSystem" in inputs:
        subject = asked.subject(exchange, inputs, "CodeSystem", id, "codeSystem")
        brought = subject.given
    url = brought.get("url") if brought else inputs.get("url")
    codings = asked.codings(inputs, url, inputs.get("version"))
    if url is None and "code" in inputs and brought is None:
        raise BadRequest("The parameter url is needed: it names the code system.", code="required")
    verdict = terminology(exchange).in_code_system(
        [{"system": url, **each} for each in codings if url is None or each.get("system", url) == url],
        code_system=brought,
        abstract=inputs.get("abstract"),
        language=asked.language(exchange, inputs),
    )
    return asked.answer(exchange, "$validate-code", subject, verdict.as_fhir())
