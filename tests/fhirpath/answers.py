"""Short forms that the tests of this room share."""

from __future__ import annotations

from typing import Any, Final

from fhirserver import fhirpath

PATIENT: Final[dict[str, Any]] = {
    "resourceType": "Patient",
    "id": "p1",
    "meta": {"versionId": "3"},
    "contained": [
        {"resourceType": "Organization", "id": "o1", "name": "Centre"},
        {"resourceType": "Practitioner", "id": "d1", "name": [{"family": "Durand"}]},
    ],
    "active": True,
    "name": [
        {"use": "official", "family": "Martin", "given": ["Jeanne", None], "_given": [None, {"extension": [
            {"url": "http://example.org/reason", "valueCode": "masked"}
        ]}]},
        {"use": "usual", "text": "Jeannette"},
    ],
    "gender": "female",
    "_birthDate": {"id": "b", "extension": [{"url": "http://example.org/reason", "valueCode": "unknown"}]},
    "multipleBirthInteger": 2,
    "maritalStatus": {"coding": [{"system": "urn:a", "code": "M"}, {"system": "urn:b", "code": "m"}]},
    "generalPractitioner": [{"reference": "#d1"}, {"reference": "Organization/7"}, {"display": "nobody"}],
    "managingOrganization": {"reference": "#o1"},
    "contact": [{"name": {"family": "Petit"}, "telecom": [{"system": "phone", "value": "1", "rank": 2}]}],
    "link": [{"other": {"reference": "Patient/2", "type": "Patient"}, "type": "refer"}],
}  # fmt: skip


def plain(text: str, node: Any = PATIENT, base: str | None = "Patient", **options: Any) -> list[Any]:
    """The plain values of an expression."""
    return fhirpath.compile(text, base)(node, **options)


def pairs(text: str, node: Any = PATIENT, base: str | None = "Patient") -> list[tuple[str, Any]]:
    """Type and value of each item."""
    return [(item.type, item.value) for item in fhirpath.compile(text, base).typed(node)]
