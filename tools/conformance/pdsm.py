"""Documents and submission sets as PDSm 3.1.1 (the French MHD) has them."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tools.conformance.building import Part

PDSM: Final = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition"
MHD: Final = "https://profiles.ihe.net/ITI/MHD"
RFC: Final = "urn:ietf:rfc:3986"
WHEN: Final = "2026-06-12T10:00:00+02:00"
LETTER: Final = b"Bonjour, tout va bien."
SET, DOCUMENT, BINARY, FOLDER = (f"urn:uuid:7a1b2c3d-0000-4000-8000-{n:012}" for n in range(1, 5))
"""`fullUrl`s of the entries of a provide Bundle."""


def unique(key: int) -> str:
    """A uniqueId of this run, of the branch of examples."""
    return f"urn:oid:1.2.250.1.999.7.${{number}}.{key}"


def entry_uuid(key: int) -> str:
    """An entryUUID of this run."""
    return f"urn:uuid:${{run}}-0000-4000-8000-{key:012}"


def nos(name: str) -> str:
    """A nomenclature: `TRE_R02-SecteurActivite`."""
    return f"https://mos.esante.gouv.fr/NOS/{name}/FHIR/{name.replace('_', '-')}"


def concept(system: str, code: str) -> Part:
    return {"coding": [{"system": system, "code": code}]}


SECTOR: Final = concept(nos("TRE_R02-SecteurActivite"), "SA07")
_ROLE: Final = {
    "resourceType": "PractitionerRole",
    "id": "r",
    "practitioner": {"reference": "Practitioner/${otherPhysicianId}"},
}
_PATIENT: Final = {
    "resourceType": "Patient",
    "id": "p",
    "name": [{"use": "official", "family": "${patientFamily}", "given": ["${patientGiven}"]}],
}


def document(key: int, of: str = "${patientId}", data: bytes = LETTER, **more: Any) -> Part:
    """One that is published alone (ITI-105): its bytes within."""
    attachment = {
        "contentType": "text/plain",
        "language": "fr-FR",
        "title": "Lettre ${run}",
        "creation": WHEN,
        "data": base64.b64encode(data).decode(),
    }
    made = _metadata("pdsm-simplified-publish", key, of, attachment)
    return made | more


def provided(key: int, of: str = "${patientId}", data: bytes = LETTER, **more: Any) -> Part:
    """One that comes in a Bundle (ITI-65): its bytes in another entry."""
    attachment = {
        "contentType": "text/plain",
        "language": "fr-FR",
        "title": "Lettre ${run}",
        "creation": WHEN,
        "url": BINARY,
        "size": len(data),
        "hash": base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode(),
    }
    made = _metadata("pdsm-comprehensive-document-reference", key, of, attachment)
    entry = {"use": "official", "system": RFC, "value": entry_uuid(key)}
    return made | {"identifier": [*made["identifier"], entry]} | more


def submission_set(key: int, of: str = "${patientId}") -> Part:
    kind = {"url": f"{MHD}/StructureDefinition/ihe-designationType", "valueCodeableConcept": SECTOR}
    source = {
        "url": f"{MHD}/StructureDefinition/ihe-sourceId",
        "valueIdentifier": {"system": RFC, "value": "urn:oid:1.2.250.1.999.1"},
    }
    return {
        "resourceType": "List",
        "meta": {"profile": [f"{PDSM}/pdsm-submissionset-comprehensive"]},
        "contained": [_ROLE],
        "extension": [kind, source],
        "identifier": [{"use": "usual", "system": RFC, "value": unique(key)}],
        "status": "current",
        "mode": "working",
        "title": "Lot ${run}",
        "code": concept(f"{MHD}/CodeSystem/MHDlistTypes", "submissionset"),
        "subject": {"reference": f"Patient/{of}"},
        "date": WHEN,
        "source": {"reference": "#r"},
        "entry": [{"item": {"reference": DOCUMENT}}],
    }


def bundle(*parts: tuple[str, Part]) -> Part:
    """A provide Bundle of these entries, each with its `fullUrl`."""
    return {
        "resourceType": "Bundle",
        "meta": {"profile": [f"{PDSM}/pdsm-comprehensive-provide-document-bundle"]},
        "type": "transaction",
        "entry": [
            {"fullUrl": url, "resource": each, "request": {"method": "POST", "url": each["resourceType"]}}
            for url, each in parts
        ],
    }


def provide(key: int, data: bytes = LETTER, **more: Any) -> Part:
    """A submission set (its uniqueId is `key` + 100) with a document and its bytes."""
    return bundle(
        (SET, submission_set(key + 100)), (DOCUMENT, provided(key, data=data, **more)), (BINARY, binary(data))
    )


def binary(data: bytes = LETTER) -> Part:
    return {"resourceType": "Binary", "contentType": "text/plain", "data": base64.b64encode(data).decode()}


def _metadata(profile: str, key: int, of: str, attachment: Part) -> Part:
    return {
        "resourceType": "DocumentReference",
        "meta": {"profile": [f"{PDSM}/{profile}"]},
        "contained": [_PATIENT, _ROLE],
        "masterIdentifier": {"use": "usual", "system": RFC, "value": unique(key)},
        "identifier": [{"system": "urn:fhirserver:conformance", "value": "${run}"}],
        "status": "current",
        "type": concept("http://loinc.org", "11488-4"),
        "category": [concept(nos("TRE_A03-ClasseDocument"), "10")],
        "subject": {"reference": f"Patient/{of}"},
        "date": WHEN,
        "author": [{"reference": "#r"}],
        "authenticator": {"reference": "#r"},
        "custodian": {"reference": "Organization/${hospitalId}"},
        "description": "Lettre ${run}",
        "securityLabel": [concept(nos("TRE_A08-HL7Confidentiality"), "N")],
        "content": [
            {
                "attachment": attachment,
                "format": {"system": nos("TRE_A10-NomenclatureURN"), "code": "urn:ihe:iti:xds:2017:mimeTypeSufficient"},
            }
        ],
        "context": {
            "period": {"start": WHEN},
            "facilityType": SECTOR,
            "practiceSetting": concept(nos("TRE_A01-CadreExercice"), "AMBULATOIRE"),
            "sourcePatientInfo": {"reference": "#p"},
        },
    }
