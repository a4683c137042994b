"""A qualified identity, and how it is made wrong."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

from tools.conformance.building import Wrong

FRC: Final = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-"
FRS: Final = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-"
INS: Final = f"{FRC}patient-ins"
PATIENT: Final = f"{FRC}patient"
NIR_TEST: Final = "urn:oid:1.2.250.1.213.1.4.10"
"""Numbers that stand for nobody: any server of tests may store them."""
NIR_DEMO: Final = "urn:oid:1.2.250.1.213.1.4.11"
V2_0203: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"
BIRTH_NAMES: Final = f"{FRC}patient-birth-list-given-name"
COMMUNE: Final = f"{FRC}address-insee-code"
RELIABILITY: Final = f"{FRC}identity-reliability"
BIRTH_PLACE: Final = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
_COMMUNES: Final = "https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM"
LOCAL: Final = "urn:oid:1.2.250.1.999.7.1"
"""The numbers of patients of some hospital."""
DELETE: Final = object()


def number(value: str = "${nir}", *, system: str = NIR_TEST, use: str = "official") -> dict[str, Any]:
    code = "INS-NIR-TEST" if system == NIR_TEST else "INS-NIR-DEMO"
    kind = {"coding": [{"system": f"{FRS}v2-0203", "code": code}]}
    return {"use": use, "type": kind, "system": system, "value": value}


def local(use: str = "usual") -> dict[str, Any]:
    """What a hospital calls its patient."""
    kind = {"coding": [{"system": V2_0203, "code": "PI", "display": "Patient internal identifier"}]}
    return {"use": use, "type": kind, "system": LOCAL, "value": "${run}"}


def camille(value: str = "${nir}", **more: Any) -> dict[str, Any]:
    """A qualified identity (VALI) that claims the profile of the INS."""
    reliability = [
        {"url": "identityStatus", "valueCoding": {"system": f"{FRS}v2-0445", "code": "VALI"}},
        {
            "url": "validationMode",
            "valueCoding": {"system": f"{FRS}mode-validation-identity", "code": "CN"},
        },
    ]
    commune = {"url": COMMUNE, "valueCoding": {"system": _COMMUNES, "code": "69123"}}
    return {
        "resourceType": "Patient",
        "meta": {"profile": [INS]},
        "extension": [
            {"url": RELIABILITY, "extension": reliability},
            {"url": BIRTH_PLACE, "valueAddress": {"city": "Lyon", "extension": [commune]}},
        ],
        "identifier": [number(value), local()],
        "active": True,
        "name": [
            {
                "use": "official",
                "family": "MOREAU${run}",
                "given": ["Camille"],
                "extension": [{"url": BIRTH_NAMES, "valueString": "Camille Rose"}],
            },
            {"use": "usual", "family": "PETIT${run}", "given": ["Rose"]},
        ],
        "gender": "female",
        "birthDate": "1985-05-10",
        **more,
    }


def plain(**more: Any) -> dict[str, Any]:
    """A Patient who claims no profile and is right in all that the French profile asks."""
    return {
        "resourceType": "Patient",
        "identifier": [local()],
        "active": True,
        "name": [{"use": "official", "family": "PLAIN${run}", "given": ["Lou"]}],
        "gender": "female",
        "birthDate": "1990-01-01",
        **more,
    }


def changed(resource: dict[str, Any], path: str, value: Any) -> Wrong:
    """The resource with another value, or none (`DELETE`), at `name.0.family`."""
    made = deepcopy(resource)
    *steps, last = [int(each) if each.isdigit() else each for each in path.split(".")]
    place: Any = made
    for each in steps:
        place = place[each]
    if value is DELETE:
        del place[last]
    else:
        place[last] = value
    return Wrong(made)
