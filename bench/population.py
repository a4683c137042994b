"""Records for the catalogue of queries: of each patient 50 resources, alike in shape, different in what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

Resource = dict[str, Any]

RECORD: Final = 50
"""Resources of one patient: himself, two encounters, two conditions, 45 results."""
OWN: Final = 20
"""Patients of whose care team the physician is, and whom the searches are about: the first ones."""
FED: Final = range(OWN, 2 * OWN)
"""Others of his, whose records take what is written, so that those that are searched stay as they are."""
PRACTITIONERS: Final = 20
RPPS: Final = "10000000018"
SYSTEM: Final = "urn:oid:1.2.3.4"
LOINC: Final = "http://loinc.org"
CODES: Final = 150
FAMILIES: Final = ("Aubry", "Bernard", "Colin", "Dumas", "Étienne", "Faure", "Garnier", "Henry", "Imbert", "Joly")


def common() -> Iterator[Resource]:
    """Who treats: the physician `d0`, who asks, and others."""
    for number in range(PRACTITIONERS):
        value = RPPS if number == 0 else f"2000000{number:04d}"
        yield {
            "resourceType": "Practitioner",
            "id": f"d{number}",
            "identifier": [{"system": "https://rpps.esante.gouv.fr", "value": value}],
            "name": [{"family": FAMILIES[number % len(FAMILIES)], "given": ["Camille"]}],
        }


def teams() -> Iterator[Resource]:
    for number in range(2 * OWN):
        yield {
            "resourceType": "CareTeam",
            "id": f"t{number}",
            "status": "active",
            "subject": {"reference": f"Patient/p{number}"},
            "participant": [{"member": {"reference": "Practitioner/d0"}}],
        }


def record(number: int) -> Iterator[Resource]:
    """All resources of the patient of that number."""
    subject = {"reference": f"Patient/p{number}"}
    yield {
        "resourceType": "Patient",
        "id": f"p{number}",
        "identifier": [{"system": SYSTEM, "value": str(number)}],
        "name": [{"family": FAMILIES[number % len(FAMILIES)] + str(number // 10), "given": ["Claude"]}],
        "birthDate": f"{1930 + number % 80}-{number % 12 + 1:02d}-{number % 28 + 1:02d}",
        "gender": "female" if number % 2 else "male",
    }
    for place in range(2):
        yield {
            "resourceType": "Encounter",
            "id": f"p{number}e{place}",
            "status": "finished",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "subject": subject,
        }
        yield {
            "resourceType": "Condition",
            "id": f"p{number}c{place}",
            "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": f"E1{place}.{number % 9}"}]},
            "subject": subject,
        }
    for place in range(RECORD - 5):
        yield observation(number, place) | {"id": f"p{number}o{place}"}


def observation(number: int, place: int) -> Resource:
    """A laboratory result of about 1.2 kB."""
    day = f"{2019 + place % 7}-{place % 12 + 1:02d}-{(number + place) % 28 + 1:02d}"
    category = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [category]}],
        "code": {"coding": [{"system": LOINC, "code": code(number, place)}], "text": "Result of the analysis"},
        "subject": {"reference": f"Patient/p{number}"},
        "encounter": {"reference": f"Encounter/p{number}e{place % 2}"},
        "performer": [{"reference": f"Practitioner/d{(number + place) % PRACTITIONERS}"}],
        "effectiveDateTime": f"{day}T08:{place % 60:02d}:00+01:00",
        "valueQuantity": {"value": 12.5 + place / 100, "system": "http://unitsofmeasure.org", "code": "g/dL"},
        "note": [{"text": "Technique, conditions and remarks of the laboratory. " * 8}],
    }


def code(number: int, place: int) -> str:
    """Each patient has results of some codes of all, most of them once."""
    return f"{(number * 7 + place * 3) % CODES}-{place % 3}"
