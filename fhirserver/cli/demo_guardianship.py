"""The grandmother of the demo family, a protected adult, and her son, whom a judge appointed tutor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.spec.systems import CONDITION_CLINICAL

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME: Final = "jeanne"
_TUTOR: Final = {
    "system": "https://mos.esante.gouv.fr/NOS/TRE_R217-ProtectionJuridique/FHIR/TRE-R217-ProtectionJuridique",
    "code": "TUTEUR",
}
_CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/condition-category"
_TAKEN: Final = (("Ramipril 5 mg", "un comprimé le matin"), ("Paracétamol 500 mg", "si douleur, trois fois par jour"))


def of(name: str, subject: dict[str, str]) -> Iterator[dict[str, Any]]:
    """What her record holds beside what each of the family has; a measure that an operator declares counts."""
    if name != NAME:
        return
    yield _tutor(subject)
    yield {
        "resourceType": "Condition",
        "clinicalStatus": {"coding": [{"system": CONDITION_CLINICAL, "code": "active"}]},
        "category": [{"coding": [{"system": _CATEGORY, "code": "problem-list-item"}]}],
        "code": {"text": "Hypertension artérielle"},
        "subject": subject,
        "onsetDateTime": "2012",
    }
    for medication, dosage in _TAKEN:
        yield {
            "resourceType": "MedicationStatement",
            "status": "active",
            "medicationCodeableConcept": {"text": medication},
            "subject": subject,
            "effectiveDateTime": "2025-03-04",
            "dosage": [{"text": dosage}],
        }


def _tutor(subject: dict[str, str]) -> dict[str, Any]:
    return {
        "resourceType": "RelatedPerson",
        "active": True,
        "patient": subject,
        "relationship": [{"coding": [_TUTOR]}],
        "name": [{"use": "official", "family": "EXEMPLE", "given": ["Marc"]}],
        "period": {"start": "2024-06-03"},
    }
