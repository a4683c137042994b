"""The smallest resource of each type that R4 takes: its required elements, and what its rules demand besides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from fhirserver.spec import Definitions

Resource = dict[str, Any]

_VALUES: Final[dict[str, Any]] = {
    "string": "x", "markdown": "x", "id": "x", "boolean": True, "integer": 1, "positiveInt": 1, "unsignedInt": 1,
    "decimal": 1, "uri": "urn:x", "url": "http://x.example", "canonical": "http://x.example/x", "oid": "urn:oid:1.2",
    "base64Binary": "eA==", "date": "2026-01-01", "dateTime": "2026-01-01", "instant": "2026-01-01T00:00:00Z",
    "time": "12:00:00", "code": "x", "CodeableConcept": {"text": "x"}, "Coding": {"system": "urn:x", "code": "x"},
    "Identifier": {"system": "urn:x", "value": "x"}, "Quantity": {"value": 1}, "SimpleQuantity": {"value": 1},
    "Money": {"value": 1}, "Period": {"start": "2026-01-01"}, "Annotation": {"text": "x"}, "Timing": {},
    "Attachment": {"contentType": "text/plain"}, "HumanName": {"family": "x"}, "ContactPoint": {"value": "x"},
}  # fmt: skip
_ALLERGY: Final = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
_WHO: Final = {"actor": {"reference": "Practitioner/x"}, "status": "accepted"}
_ITEM: Final = {"type": "source", "resource": {"reference": "Basic/x"}}
MORE: Final[dict[str, Resource]] = {
    "AllergyIntolerance": {"clinicalStatus": {"coding": [{"system": _ALLERGY, "code": "active"}]}},
    "Appointment": {"status": "proposed", "participant": [_WHO]},
    "AppointmentResponse": {"actor": {"reference": "Practitioner/x"}},
    "Bundle": {"type": "collection"},
    "CapabilityStatement": {"description": "x", "kind": "requirements", "rest": [{"mode": "server"}]},
    "Consent": {"policyRule": {"text": "x"}},
    "EventDefinition": {"trigger": [{"type": "named-event", "name": "x"}]},
    "ImmunizationRecommendation": {
        "recommendation": [{"vaccineCode": [{"text": "x"}], "forecastStatus": {"text": "x"}}]
    },
    "InsurancePlan": {"name": "x"},
    "Linkage": {"item": [_ITEM, _ITEM]},
    "Organization": {"name": "x"},
    "SearchParameter": {"type": "token", "expression": "Account.status"},
    "StructureDefinition": {
        "kind": "resource",
        "type": "Basic",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Basic",
        "derivation": "constraint",
        "differential": {"element": [{"id": "Basic", "path": "Basic"}]},
    },
    "Subscription": {
        "criteria": "Observation?code=x",
        "channel": {"type": "rest-hook", "endpoint": "https://x.example/hook"},
    },
    "TerminologyCapabilities": {"description": "x", "kind": "requirements"},
}
"""What rules, not cardinalities, ask of a type."""


def smallest(definitions: Definitions, type: str) -> Resource:
    """A resource that is valid by itself: no reference of it leads anywhere."""
    found = definitions.structure(type)
    assert found is not None
    elements = found["snapshot"]["element"]
    made: Resource = {"resourceType": type, **_filled(definitions, elements, type)}
    return {**made, **MORE.get(type, {})}


def _filled(definitions: Definitions, elements: list[dict[str, Any]], path: str) -> Resource:
    made: Resource = {}
    for element in elements:
        parent, _, name = element["path"].rpartition(".")
        if parent != path or not element.get("min"):
            continue
        code = element["type"][0]["code"] if element.get("type") else "BackboneElement"
        value = _value(definitions, elements, element, code)
        name = name.replace("[x]", code[:1].upper() + code[1:])
        made[name] = value if element["max"] == "1" else [value]
    return made


def _value(definitions: Definitions, elements: list[dict[str, Any]], element: dict[str, Any], code: str) -> Any:
    binding = element.get("binding", {})
    if binding.get("strength") == "required" and (codes := definitions.codes(binding["valueSet"])):
        system = min(codes)
        chosen = min(codes[system])
        return _coded(code, system, chosen)
    if binding.get("valueSet", "").startswith("http://hl7.org/fhir/ValueSet/mimetypes"):
        return "text/plain"
    if code == "Reference":
        targets = [each.rpartition("/")[2].partition("|")[0] for each in element["type"][0].get("targetProfile", ())]
        target = targets[0] if targets and targets[0] != "Resource" else "Basic"
        return {"reference": f"{target}/x"}
    if code == "BackboneElement":
        return _filled(definitions, elements, element["path"])
    return _VALUES.get(code, {})


def _coded(type: str, system: str, code: str) -> Any:
    coding = {"system": system, "code": code}
    return {"CodeableConcept": {"coding": [coding]}, "Coding": coding}.get(type, code)
