"""ConceptMap/$translate (https://hl7.org/fhir/R4/conceptmap-operation-translate.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.errors import BadRequest
from fhirserver.rest.operations import asked
from fhirserver.rest.operations.stored import terminology
from fhirserver.rest.parameters import received
from fhirserver.terminology import Question

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange
    from fhirserver.rest.parameters import Inputs


def translate(exchange: Exchange, type: str, id: str | None = None) -> Answer:
    """What a code is called elsewhere, by one concept map or by all that serve: `result` and `match`."""
    inputs = received(exchange, "ConceptMap-translate")
    subject = asked.Subject(type, None)
    if id is not None or "url" in inputs or "conceptMap" in inputs:
        subject = asked.subject(exchange, inputs, type, id, "conceptMap", "conceptMapVersion")
    if "code" in inputs:
        inputs.need("system")
    codings = [each for each in asked.codings(inputs, inputs.get("system"), inputs.get("version")) if "code" in each]
    if not codings:
        raise BadRequest("There is no code to translate.", code="required")
    question = Question(
        codings,
        source=inputs.get("source"),
        target=inputs.get("target"),
        target_system=inputs.get("targetsystem"),
        reverse=inputs.get("reverse") is True,
        dependencies=_dependencies(inputs.all("dependency")),
    )
    found = terminology(exchange).translate(question, subject.given)
    return asked.answer(exchange, "$translate", subject, found)


def _dependencies(given: Iterable[Inputs]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for each in given:
        concept: dict[str, Any] = each.need("concept")
        codes = {asked.coding(item).get("code", "") for item in concept.get("coding", [])}
        text = concept.get("text")
        found.setdefault(each.need("element"), set()).update(codes | ({text} if isinstance(text, str) else set()))
    return {element: frozenset(values) for element, values in found.items()}
