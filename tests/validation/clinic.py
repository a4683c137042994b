"""A made-up guide that uses every rule of profiles once, and a Patient that keeps them all."""

from __future__ import annotations

from typing import Any

from tests.validation.crafted import BASE, element, sliced, structure
from tests.validation.samples import NARRATIVE

URL = BASE + "clinic"
COLOUR, NEGATION, TAGGED = BASE + "colour", BASE + "negation", BASE + "tagged"
PLAIN, ABROAD = BASE + "address-plain", BASE + "address-abroad"
MARRIED = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code": "M"}]}


def _extension(name: str, kind: str, context: tuple[str, str], *, modifier: bool = False) -> dict[str, Any]:
    made = structure(
        name,
        "Extension",
        element("Extension.url", fixedUri=BASE + name),
        element("Extension.value[x]", min=1, type=[{"code": kind}]),
        context=[{"type": context[0], "expression": context[1]}],
    )
    if modifier:
        made["differential"]["element"][0] |= {"isModifier": True, "isModifierReason": "it negates"}
    return made


def _patient() -> dict[str, Any]:
    rule = {"key": "clinic-1", "severity": "error", "human": "h", "expression": "name.exists() or telecom.exists()"}
    practitioner = {
        "code": "Reference",
        "targetProfile": [BASE + "clinic-practitioner"],
        "aggregation": ["contained"],
    }
    colour = [{"code": "Extension", "profile": [COLOUR]}]
    return structure(
        "clinic",
        "Patient",
        {"id": "Patient", "path": "Patient", "constraint": [rule]},
        element("Patient.extension", slicing=sliced("value", "url")),
        element("Patient.extension:colour", max="1", type=colour),
        element("Patient.identifier", slicing=sliced("value", "system", "closed", ordered=True)),
        element("Patient.identifier:a", min=1, max="1"),
        element("Patient.identifier:a.system", min=1, fixedUri="urn:clinic:a"),
        element("Patient.identifier:a.value", min=1, maxLength=6),
        element("Patient.identifier:b", max="1"),
        element("Patient.identifier:b.system", min=1, fixedUri="urn:clinic:b"),
        element("Patient.active", min=1, fixedBoolean=True),
        element("Patient.name", type=[{"code": "HumanName", "profile": [BASE + "clinic-name"]}]),
        element("Patient.telecom", slicing=sliced("value", "system", "openAtEnd")),
        element("Patient.telecom:phone", min=1),
        element("Patient.telecom:phone.system", min=1, fixedCode="phone"),
        element("Patient.birthDate", minValueDate="1900-01-01", maxValueDate="2100-01-01"),
        element("Patient.address", max="2", type=[{"code": "Address", "profile": [PLAIN, ABROAD]}]),
        element("Patient.maritalStatus", patternCodeableConcept=MARRIED),
        element("Patient.multipleBirth[x]", type=[{"code": "integer"}]),
        element("Patient.photo", max="0"),
        element("Patient.contact.gender", min=1),
        element("Patient.communication.language", binding={"strength": "required", "valueSet": BASE + "tongues"}),
        element("Patient.generalPractitioner", type=[practitioner]),
    )


DEFINITIONS: list[dict[str, Any]] = [
    _patient(),
    structure("clinic-name", "HumanName", element("HumanName.family", min=1), element("HumanName.text", max="0")),
    structure("address-plain", "Address", element("Address.country", max="0")),
    structure("address-abroad", "Address", element("Address.country", min=1), element("Address.city", min=1)),
    structure("clinic-practitioner", "Practitioner", element("Practitioner.active", min=1)),
    _extension("colour", "code", ("element", "Patient")),
    _extension("negation", "boolean", ("element", "Patient"), modifier=True),
    _extension("tagged", "string", ("fhirpath", "Patient.name.where(use = 'official')")),
    {
        "resourceType": "ValueSet",
        "url": BASE + "tongues",
        "status": "active",
        "compose": {"include": [{"system": "urn:tongues", "concept": [{"code": "fr"}, {"code": "br"}]}]},
    },
]


def clinic() -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "meta": {"profile": [URL]},
        "text": dict(NARRATIVE),
        "contained": [{"resourceType": "Practitioner", "id": "d", "active": True}],
        "extension": [{"url": COLOUR, "valueCode": "red"}],
        "modifierExtension": [{"url": NEGATION, "valueBoolean": False}],
        "identifier": [{"system": "urn:clinic:a", "value": "1"}, {"system": "urn:clinic:b", "value": "2"}],
        "active": True,
        "name": [{"use": "official", "family": "Durand", "extension": [{"url": TAGGED, "valueString": "x"}]}],
        "telecom": [{"system": "phone", "value": "1"}, {"system": "email", "value": "a@example.org"}],
        "birthDate": "1980-01-01",
        "address": [{"city": "Lyon"}, {"city": "Namur", "country": "BE"}],
        "maritalStatus": {"coding": [dict(MARRIED["coding"][0])], "text": "x"},
        "multipleBirthInteger": 2,
        "contact": [{"gender": "male", "name": {"text": "x"}}],
        "communication": [{"language": {"coding": [{"system": "urn:tongues", "code": "fr"}]}}],
        "generalPractitioner": [{"reference": "#d"}],
    }
