"""Resources to take apart: each call makes a new, valid one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.outcome import Issue

NARRATIVE = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">seen</div>'}


def errors(issues: list[Issue]) -> list[tuple[str | None, str]]:
    """Rule and first location of each error."""
    return [(issue.rule, issue.expression[0]) for issue in issues if issue.is_error]


def patient() -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": "p1",
        "meta": {
            "lastUpdated": "2024-02-29T12:00:00.000+01:00",
            "tag": [{"system": "http://example.org/t", "code": "a"}],
        },
        "text": dict(NARRATIVE),
        "contained": [{"resourceType": "Organization", "id": "o1", "name": "Clinic"}],
        "identifier": [{"use": "official", "system": "urn:oid:1.2.3", "value": "42"}],
        "active": True,
        "name": [{"use": "official", "family": "Durand", "given": ["Zoé", "Anne"]}],
        "telecom": [{"system": "phone", "value": "0100000000", "rank": 1}],
        "gender": "female",
        "birthDate": "1980-02-29",
        "deceasedBoolean": False,
        "address": [{"city": "Lyon", "period": {"start": "2001", "end": "2002-05"}}],
        "multipleBirthInteger": 2,
        "photo": [{"contentType": "image/png", "data": "AAEC", "title": "p"}],
        "contact": [{"name": {"family": "Durand"}, "gender": "male"}],
        "communication": [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "fr"}]}}],
        "managingOrganization": {"reference": "#o1"},
        "link": [{"other": {"reference": "Patient/p2"}, "type": "seealso"}],
    }


def observation() -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "o1",
        "text": dict(NARRATIVE),
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2024-01-31T10:00:00Z",
        "issued": "2024-01-31T10:05:00.123Z",
        "valueQuantity": {"value": 13.4, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"},
        "referenceRange": [{"low": {"value": 12}, "high": {"value": 16}}],
        "component": [{"code": {"text": "part"}, "valueString": "fine"}],
    }


def bundle() -> dict[str, Any]:
    patient_, observation_ = patient(), observation()
    observation_["subject"] = {"reference": "urn:uuid:8d8ac93a-2a35-4d6f-a5d4-3e5ea4e4c1a2"}
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": "urn:uuid:8d8ac93a-2a35-4d6f-a5d4-3e5ea4e4c1a2",
                "resource": patient_,
                "request": {"method": "POST", "url": "Patient"},
            },
            {
                "fullUrl": "urn:uuid:0b1c4f1e-9c47-4b53-8b58-7c1f1d1fd0aa",
                "resource": observation_,
                "request": {"method": "POST", "url": "Observation"},
            },
        ],
    }


def questionnaire() -> dict[str, Any]:
    return {
        "resourceType": "Questionnaire",
        "text": dict(NARRATIVE),
        "status": "draft",
        "url": "http://example.org/q",
        "item": [
            {
                "linkId": "1",
                "type": "group",
                "item": [{"linkId": "1.1", "type": "choice", "answerOption": [{"valueInteger": 1}]}],
            }
        ],
    }


SAMPLES: dict[str, Callable[[], dict[str, Any]]] = {
    "Patient": patient,
    "Observation": observation,
    "Bundle": bundle,
    "Questionnaire": questionnaire,
}
