"""Small resources that conform to R4: what tests of the whole server store."""

from __future__ import annotations

import base64
from typing import Any

Resource = dict[str, Any]

RPPS = "https://rpps.esante.gouv.fr"
FINESS = "https://finess.esante.gouv.fr"
INS_NIR = "urn:oid:1.2.250.1.213.1.4.8"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"


def reference(to: str) -> dict[str, str]:
    return {"reference": to}


def patient(**more: Any) -> Resource:
    return {"resourceType": "Patient", "active": True, **more}


def practitioner(rpps: str, **more: Any) -> Resource:
    return {"resourceType": "Practitioner", "identifier": [{"system": RPPS, "value": rpps}], **more}


def organization(finess: str, **more: Any) -> Resource:
    return {"resourceType": "Organization", "identifier": [{"system": FINESS, "value": finess}], **more}


def observation(patient: str | None = None, code: str = "718-7", **more: Any) -> Resource:
    subject = {"subject": reference(f"Patient/{patient}")} if patient else {}
    coding = {"system": "http://loinc.org", "code": code}
    return {"resourceType": "Observation", "status": "final", "code": {"coding": [coding]}, **subject, **more}


def document(patient: str, *, labels: tuple[str, ...] = (), type: str = "11488-4", **more: Any) -> Resource:
    """A letter; `labels` are codes of its security labels."""
    made = {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": {"coding": [{"system": "http://loinc.org", "code": type}]},
        "subject": reference(f"Patient/{patient}"),
        "content": [{"attachment": {"contentType": "text/plain", "data": base64.b64encode(b"Bonjour").decode()}}],
        **more,
    }
    return made | ({"securityLabel": [{"coding": [{"code": label}]} for label in labels]} if labels else {})


def care_team(patient: str, *members: str, **more: Any) -> Resource:
    return {
        "resourceType": "CareTeam",
        "status": "active",
        "subject": reference(f"Patient/{patient}"),
        "participant": [{"member": reference(member)} for member in members],
        **more,
    }


def consent(patient: str, type: str, *actors: str, **provision: Any) -> Resource:
    """A privacy Consent whose provision permits or denies, to the actors named, or to all."""
    role = {"coding": [{"system": f"{_TERMINOLOGY}/v3-ParticipationType", "code": "IRCP"}]}
    named = {"actor": [{"role": role, "reference": reference(actor)} for actor in actors]} if actors else {}
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"system": f"{_TERMINOLOGY}/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": reference(f"Patient/{patient}"),
        "performer": [reference(f"Patient/{patient}")],
        "policyRule": {"coding": [{"system": f"{_TERMINOLOGY}/v3-ActCode", "code": "OPTIN"}]},
        "provision": {"type": type, **named, **provision},
    }


def post(resource: Resource, url: str | None = None) -> Resource:
    """An entry of a transaction that creates."""
    entry: Resource = {"resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}}
    return entry | ({"fullUrl": url} if url else {})


def put(resource: Resource, if_match: str | None = None) -> Resource:
    """An entry of a transaction that updates."""
    request = {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
    return {"resource": resource, "request": request | ({"ifMatch": if_match} if if_match else {})}


def ask(method: str, url: str, **request: Any) -> Resource:
    """An entry of a transaction without a resource."""
    return {"request": {"method": method, "url": url, **request}}
