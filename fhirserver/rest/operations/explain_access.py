"""$explain-access: whether a requester sees a resource, and each rule that took part, in words (docs/access.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.access import Access, words
from fhirserver.access.explain import explain
from fhirserver.audit import Entity, Event
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.operations import asking
from fhirserver.rest.parameters import received_as

if TYPE_CHECKING:
    from fhirserver.access.explain import Part
    from fhirserver.rest.exchange import Exchange

PARAMETERS: Final = tuple(
    {"name": name, "use": "in", "min": least, "max": "1", "type": "string"}
    for name, least in (("resource", 1), ("requester", 1), ("profession", 0), ("organization", 0), ("purpose", 0))
)
_VERDICTS: Final = {
    "en": {True: "This requester sees it.", False: "This requester does not see it."},
    "fr": {True: "Ce demandeur le voit.", False: "Ce demandeur ne le voit pas."},
}


def explain_access(exchange: Exchange) -> Answer:
    """Parameters: the verdict as of now, and the rules. For whose record it is, and the operator; others: 404."""
    inputs = received_as(exchange, PARAMETERS)
    subject = asking.subject(exchange, inputs.need("resource"))
    who = asking.requester(inputs, subject)
    language = asking.language(exchange)
    found = explain(Access(who, exchange.access.now), subject.type, subject.record.envelope, subject.record.policies)
    parameters: list[dict[str, Any]] = [
        {"name": "visible", "valueBoolean": found.visible},
        {"name": "text", "valueString": _VERDICTS[language][found.visible]},
        {"name": "resource", "valueReference": {"reference": f"{subject.type}/{subject.id}"}},
        {"name": "requester", "valueString": inputs.get("requester")},
        {"name": "purpose", "valueCode": who.purpose},
        *(_rule(part, language, _readable(exchange, part)) for part in found.parts),
    ]
    entity = Entity(subject.type, subject.id, subject.version, subject.patient)
    event = Event("operation", 200, (entity,), query="$explain-access")
    return of_value(200, {"resourceType": "Parameters", "parameter": parameters}, event)


def _rule(part: Part, language: str, consents: list[str]) -> dict[str, Any]:
    wording = words.of(part.rule)
    told: list[dict[str, Any]] = [
        {"name": "code", "valueCode": part.rule},
        {"name": "effect", "valueCode": part.effect},
        {"name": "holds", "valueBoolean": part.holds},
        {"name": "text", "valueString": wording.said(language)},
    ]
    if wording.source:
        told.append({"name": "source", "valueString": wording.source})
    told += [{"name": "of", "valueCode": grant} for grant in part.of]
    told += [{"name": "consent", "valueReference": {"reference": f"Consent/{id}"}} for id in consents]
    return {"name": "rule", "part": told}


def _readable(exchange: Exchange, part: Part) -> list[str]:
    """The Consents that who asks may read himself: a minor may keep one from the representatives."""
    found = ((id, exchange.view.read("Consent", id)) for id in part.consents)
    return [id for id, stored in found if stored is not None and not stored.deleted]
