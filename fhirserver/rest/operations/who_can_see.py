"""Patient/[id]/$who-can-see: professions, organisations and named persons who see a resource (docs/access.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.access import keys
from fhirserver.access.seers import MOST, PURPOSES, TooMany, seers
from fhirserver.audit import Entity, Event
from fhirserver.errors import Unprocessable
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.operations import asking
from fhirserver.rest.parameters import received_as
from fhirserver.search import parse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fhirserver.access.seers import Seer
    from fhirserver.rest.exchange import Exchange

PARAMETERS: Final = (
    {"name": "resource", "use": "in", "min": 0, "max": "1", "type": "string"},
    {"name": "purpose", "use": "in", "min": 0, "max": "*", "type": "code"},
)
_PROFESSIONS: Final = "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"
_DIRECTORY: Final = {"rpps": ("Practitioner", keys.RPPS), "finess": ("Organization", keys.FINESS)}
_LITERAL: Final = {"patient": "Patient", "related": "RelatedPerson"}


def who_can_see(exchange: Exchange, type: str, id: str) -> Answer:
    """Parameters with a `seer` for each group, as of now; `resource` is the Patient unless said otherwise.

    For whose record it is, and the operator; others: 404.
    """
    inputs = received_as(exchange, PARAMETERS)
    subject = asking.subject(exchange, inputs.get("resource") or f"{type}/{id}", id)
    purposes = [asking.purpose(code) for code in inputs.all("purpose")] or list(PURPOSES)
    try:
        found = seers(subject.type, subject.record.envelope, subject.record.policies, exchange.access.now, purposes)
    except TooMany:
        text = f"More is named here than {MOST} questions can tell apart: ask for one purpose."
        raise Unprocessable(text, code="too-costly") from None
    names = _names(exchange, found)
    parameters = [
        {"name": "resource", "valueReference": {"reference": f"{subject.type}/{subject.id}"}},
        *(_seer(exchange, each, names) for each in found),
    ]
    entity = Entity(subject.type, subject.id, subject.version, subject.patient)
    event = Event("operation", 200, (entity,), query=f"{type}/$who-can-see")
    return of_value(200, {"resourceType": "Parameters", "parameter": parameters}, event)


def _seer(exchange: Exchange, seer: Seer, names: dict[str, str]) -> dict[str, Any]:
    told: list[dict[str, Any]] = [{"name": "kind", "valueCode": seer.kind}]
    if seer.person:
        told.append({"name": "who", "valueReference": _reference(seer.person, names)})
    if seer.organization:
        told.append({"name": "organization", "valueReference": _reference(seer.organization, names)})
    elif seer.needs_organization:
        told.append({"name": "organization", "valueReference": {"type": "Organization"}})
    told += [{"name": "profession", "valueCoding": _profession(exchange, each)} for each in seer.professions]
    told += [{"name": "purpose", "valueCode": each} for each in seer.purposes]
    for key in seer.excepted:
        kind, _, code = key.partition("|")
        if kind == "profession":
            told.append({"name": "except", "valueCoding": _profession(exchange, code)})
        else:
            told.append({"name": "except", "valueReference": _reference(key, names)})
    return {"name": "seer", "part": told}


def _profession(exchange: Exchange, code: str) -> dict[str, str]:
    """As tokens write it; the display that of the base profession."""
    base = code.partition("/")[0].removeprefix("G15_")
    system = exchange.services.definitions.code_system(_PROFESSIONS) or {}
    display = next((each["display"] for each in system.get("concept", ()) if each["code"] == base), None)
    return {"code": code} | ({"display": display} if display else {})


def _reference(key: str, names: dict[str, str]) -> dict[str, Any]:
    kind, bar, value = key.partition("|")
    if kind in _DIRECTORY:
        type, system = _DIRECTORY[kind]
        found: dict[str, Any] = {"type": type, "identifier": {"system": system, "value": value}}
        return found | ({"display": names[key]} if key in names else {})
    if kind in _LITERAL:
        return {"reference": f"{_LITERAL[kind]}/{value}"}
    if bar:
        return {"identifier": {"value": value}}
    return {"reference": key} | ({"display": names[key]} if key in names else {})


def _names(exchange: Exchange, found: Iterable[Seer]) -> dict[str, str]:
    """What the directory calls those named."""
    named = {key for seer in found for key in (seer.person, seer.organization, *seer.excepted) if key}
    names: dict[str, str] = {}
    for kind, (type, system) in _DIRECTORY.items():
        wanted = sorted(key.partition("|")[2] for key in named if keys.kind(key) == kind)
        if wanted:
            value = ",".join(f"{system}|{each}" for each in wanted)
            query = parse(exchange.services.definitions, type, [("identifier", value), ("_total", "none")])
            for stored in exchange.view.search(query).matches:
                resource = jsontext.parse_object(stored.body)
                names |= dict.fromkeys(keys.of_resource(resource), _name(resource))
    for key in named:
        type, bar, id = key.partition("/")
        if bar and type == "Practitioner" and (stored_here := exchange.view.read(type, id)):
            names[key] = "" if stored_here.deleted else _name(jsontext.parse_object(stored_here.body))
    return {key: name for key, name in names.items() if name}


def _name(resource: dict[str, Any]) -> str:
    name = resource.get("name")
    if isinstance(name, str):
        return name
    first = name[0] if isinstance(name, list) and name else {}
    return first.get("text") or " ".join((*first.get("prefix", ()), *first.get("given", ()), first.get("family", "")))
