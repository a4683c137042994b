"""`Patient/[id]/$summary`: an International Patient Summary (HL7 IPS) of what the requester sees of a record.

Sections and their LOINC codes are the guide's. What is not seen leaves the same section as what is not there: no
section says why it is empty, so that nothing tells of what is hidden.
"""

from __future__ import annotations

import uuid
from html import escape
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from fhirserver import __version__, jsontext
from fhirserver.access import entered
from fhirserver.audit import Entity, Event
from fhirserver.clock import to_instant
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.operations.stored import instance
from fhirserver.search import parse
from fhirserver.spec.systems import LIST_EMPTY, LOINC

if TYPE_CHECKING:
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored

MOST: Final = 200
"""Resources of a type in a section: the latest."""
EMPTY: Final = {"coding": [{"system": LIST_EMPTY, "code": "unavailable"}]}
ENTERED: Final = "Entered by the person:"
"""Stands in the narrative of a section before what is marked so (`access.entered`), which comes last."""
_XHTML: Final = "http://www.w3.org/1999/xhtml"
_SAID: Final = ("code", "vaccineCode", "medicationCodeableConcept", "type")

Asked = tuple[tuple[str, str], ...]


class Section(NamedTuple):
    """`types`: what it is made of, with the criteria of each; `required`: told of when it is empty, too."""

    title: str
    code: str
    types: tuple[tuple[str, Asked], ...]
    required: bool = False


_RIGHT: Asked = (("verification-status:not", "entered-in-error"),)
_DONE: Asked = (("status", "completed,in-progress"),)
_FINAL: Asked = (("status", "final,amended,corrected"), ("category", "laboratory"), ("_sort", "-date"))
_SOCIAL: Asked = (("status", "final,amended,corrected"), ("category", "social-history"), ("_sort", "-date"))
_REPORT: Asked = (("status", "final,amended,corrected"), ("category", "LAB"), ("_sort", "-date"))
SECTIONS: Final = (
    Section("Medication Summary", "10160-0",
            (("MedicationStatement", (("status", "active,intended,on-hold,unknown"),)),
             ("MedicationRequest", (("status", "active,on-hold"),))), required=True),
    Section("Allergies and Intolerances", "48765-2", (("AllergyIntolerance", _RIGHT),), required=True),
    Section("Problem List", "11450-4", (("Condition", _RIGHT),), required=True),
    Section("Immunizations", "11369-6", (("Immunization", (("status", "completed"), ("_sort", "-date"))),)),
    Section("Results", "30954-2", (("DiagnosticReport", _REPORT), ("Observation", _FINAL))),
    Section("History of Procedures", "47519-4", (("Procedure", _DONE),)),
    Section("Medical Devices", "46264-8", (("DeviceUseStatement", ()),)),
    Section("Family History", "10157-6", (("FamilyMemberHistory", (("status:not", "entered-in-error"),)),)),
    Section("Social History", "29762-2", (("Observation", _SOCIAL),)),
)  # fmt: skip


def summary(exchange: Exchange, type: str, id: str) -> Answer:
    """A Bundle of type document, not stored. Raises NotFound for a Patient that is not seen, or Gone."""
    exchange.refuse_parameters()
    patient = instance(exchange, type, id)
    found = [(section, _matches(exchange, section, id)) for section in SECTIONS]
    stored = [patient, *(each for _, matches in found for each in matches)]
    at = to_instant(exchange.access.now)
    name = f"urn:uuid:{uuid.uuid4()}"
    composition = {
        "resourceType": "Composition",
        "text": _narrative("<p>International Patient Summary</p>"),
        "status": "final",
        "type": {"coding": [{"system": LOINC, "code": "60591-5", "display": "Patient summary Document"}]},
        "subject": {"reference": _url(exchange, patient)},
        "date": at,
        "author": [{"display": f"fhirserver {__version__}"}],
        "title": "International Patient Summary",
        "section": [_section(exchange, section, each) for section, each in found if each or section.required],
    }
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{uuid.uuid4()}"},
        "type": "document",
        "timestamp": at,
        "entry": [
            {"fullUrl": name, "resource": composition},
            *({"fullUrl": _url(exchange, each), "resource": orjson.Fragment(each.body)} for each in stored),
        ],
    }
    return of_value(200, bundle, Event("operation", 200, tuple(map(Entity.of, stored)), query=f"{type}/$summary"))


def _matches(exchange: Exchange, section: Section, patient: str) -> list[Stored]:
    found: list[Stored] = []
    for type, criteria in section.types:
        asked = [("patient", f"Patient/{patient}"), *criteria, ("_count", str(MOST)), ("_total", "none")]
        query = parse(exchange.services.definitions, type, asked, base_url=exchange.services.base)
        found += exchange.view.search(query).matches
    return found


def _section(exchange: Exchange, section: Section, found: list[Stored]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "title": section.title,
        "code": {"coding": [{"system": LOINC, "code": section.code}]},
    }
    if not found:
        return made | {"text": _narrative("<p>—</p>"), "emptyReason": EMPTY}
    values = [jsontext.parse_object(each.body) for each in found]
    own = [bool(entered.marks(each)) for each in values]
    lines = [f"<li>{escape(_said(each))}</li>" for each in values]
    text = _list([each for each, mine in zip(lines, own, strict=True) if not mine])
    if any(own):
        text += f"<p>{ENTERED}</p>" + _list([each for each, mine in zip(lines, own, strict=True) if mine])
    ordered = sorted(range(len(found)), key=own.__getitem__)
    entries = [{"reference": _url(exchange, found[each])} for each in ordered]
    return made | {"text": _narrative(text), "entry": entries}


def _list(lines: list[str]) -> str:
    return f"<ul>{''.join(lines)}</ul>" if lines else ""


def _said(value: dict[str, Any]) -> str:
    """What a resource is about, in its own words."""
    relative = value.get("condition") if value["resourceType"] == "FamilyMemberHistory" else None
    for name in _SAID:
        concept = (relative[0] if relative else value).get(name)
        for each in (concept, *concept.get("coding", ())) if isinstance(concept, dict) else ():
            if text := each.get("text") or each.get("display") or each.get("code"):
                return str(text)
    device = value.get("device")
    if isinstance(device, dict) and device.get("display"):
        return str(device["display"])
    return f"{value['resourceType']}/{value['id']}"


def _narrative(inner: str) -> dict[str, str]:
    return {"status": "generated", "div": f'<div xmlns="{_XHTML}">{inner}</div>'}


def _url(exchange: Exchange, stored: Stored) -> str:
    return f"{exchange.services.base}/{stored.type}/{stored.id}"
