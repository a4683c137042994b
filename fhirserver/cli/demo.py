"""The demo family: invented people with demonstration INS, loaded into an empty store by `serve --demo`."""

from __future__ import annotations

import base64
import sys
import urllib.error
import urllib.request
import uuid
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.cli import demo_agenda, demo_guardianship, demo_imaging, demo_messages, demo_profile, demo_reminders
from fhirserver.cli.demo_bundle import entry
from fhirserver.spec.systems import LOINC, OBSERVATION_CATEGORY, ROLE_CODE, UCUM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.settings import Settings

CORE: Final = "https://hl7.fr/ig/fhir/core"
V2_0203: Final = f"{CORE}/CodeSystem/fr-core-cs-v2-0203"
INS_DEMO: Final = "urn:oid:1.2.250.1.213.1.4.11"
"""Identifiers that stand for nobody (INS-NIR, demonstration)."""
TAG: Final = {"tag": [{"system": "urn:fhirserver", "code": "demo"}]}
"""What tells the pages that somebody may enter as these people (`portal.demo`)."""
HOSPITAL: Final = "750000001"
PHYSICIAN: Final = "10000000018"
FAMILY: Final = (
    ("claire", "female", "EXEMPLE", ["Claire", "Marie"], "1984-02-29", "284027505600134"),
    ("marc", "male", "EXEMPLE", ["Marc"], "1981-11-02", "181117505600221"),
    ("lea", "female", "EXEMPLE", ["Léa"], "2015-06-21", "215067505600347"),
    (demo_guardianship.NAME, "female", "EXEMPLE", ["Jeanne"], "1946-03-08", "246037505600462"),
)
_MEASURED: Final = {
    "claire": (("12.0", "16.0"), (("2025-03-04", "61.50", "13.2"), ("2025-11-18", "62.00", "12.8"))),
    "marc": (("13.0", "17.0"), (("2025-03-04", "78.50", "14.9"), ("2025-11-18", "77.80", "15.1"))),
    "lea": (("11.5", "15.5"), (("2025-03-04", "31.20", "13.0"), ("2025-11-18", "33.90", "13.3"))),
    demo_guardianship.NAME: (("12.0", "16.0"), (("2025-03-04", "58.00", "12.4"), ("2025-11-18", "57.20", "12.1"))),
}
"""Reference range of the haemoglobin (g/dL); by day, weight (kg) and haemoglobin."""


def load_demo(settings: Settings, base: str) -> None:
    """Loads the family unless the store holds a patient already; tells on standard error how to look at it."""
    token = _operator(settings)
    if _call(base, "Patient?_summary=count", token)["total"]:
        return
    answer = _call(base, "", token, bundle())
    ids = [entry["response"]["location"].split("/")[1] for entry in answer["entry"][2 : 2 + len(FAMILY)]]
    told = ", ".join(f"{person[3][0]} {id_}" for person, id_ in zip(FAMILY, ids, strict=True))
    folder = settings.embedded or "DIR"
    print(
        f"demo family loaded: {told}\n"
        f"  fhirserver token --data {folder} --patient {ids[0]}\n"
        f"  fhirserver token --data {folder} --practitioner {PHYSICIAN} --profession G15_10",
        file=sys.stderr,
        flush=True,
    )


def bundle() -> dict[str, Any]:
    """The whole family as one transaction: hospital, physician, four people, and what their records hold."""
    resources = [_hospital(), _physician(), *(_person(*each) for each in FAMILY)]
    names = ["hospital", "physician", *(each[0] for each in FAMILY)]
    entries = [entry(resource, f"urn:uuid:{_uuid(name)}") for name, resource in zip(names, resources, strict=True)]
    entries += [entry(resource) for name in names[2:] for resource in _record(name)]
    entries += demo_agenda.entries({name: f"urn:uuid:{_uuid(name)}" for name in names}, PHYSICIAN)
    entries += demo_imaging.entries({name: f"urn:uuid:{_uuid(name)}" for name in names})
    entries += demo_messages.entries({name: f"urn:uuid:{_uuid(name)}" for name in names}, PHYSICIAN)
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _record(name: str) -> Iterator[dict[str, Any]]:
    subject = {"reference": f"urn:uuid:{_uuid(name)}"}
    yield {
        "resourceType": "CareTeam",
        "status": "active",
        "subject": subject,
        "participant": [{"member": {"reference": f"urn:uuid:{_uuid('physician')}"}}],
    }
    (low, high), measured = _MEASURED[name]
    for day, weight, haemoglobin in measured:
        yield _observation(subject, day, "29463-7", "Body weight", "vital-signs", weight, "kg", "Poids")
        result = _observation(subject, day, "718-7", "Hemoglobin", "laboratory", haemoglobin, "g/dL", "Hémoglobine")
        yield result | {"referenceRange": [_range(low, high, "g/dL")]}
    yield _letter(subject)
    yield from demo_reminders.of(name, subject)
    yield from demo_profile.of(name, subject)
    yield from demo_guardianship.of(name, subject)
    if name == "claire":
        yield from _profile(subject)
    if name == "lea":
        yield _parent(subject)


def _hospital() -> dict[str, Any]:
    return {
        "resourceType": "Organization",
        "meta": TAG,
        "identifier": [
            {
                "type": {"coding": [{"system": V2_0203, "code": "FINEG"}]},
                "system": "https://finess.esante.gouv.fr",
                "value": HOSPITAL,
            }
        ],
        "active": True,
        "name": "Hôpital de démonstration",
    }


def _physician() -> dict[str, Any]:
    return {
        "resourceType": "Practitioner",
        "meta": TAG,
        "identifier": [
            {
                "type": {"coding": [{"system": V2_0203, "code": "RPPS"}]},
                "system": "https://rpps.esante.gouv.fr",
                "value": PHYSICIAN,
            }
        ],
        "active": True,
        "name": [{"family": "SOIGNANT", "given": ["Dominique"], "prefix": ["DR"]}],
    }


def _person(_: str, gender: str, family: str, given: list[str], birth: str, ins: str) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "meta": TAG,
        "identifier": [
            {
                "use": "official",
                "type": {"coding": [{"system": V2_0203, "code": "INS-NIR-DEMO"}]},
                "system": INS_DEMO,
                "value": ins,
            }
        ],
        "active": True,
        "name": [{"use": "official", "family": family, "given": given}],
        "gender": gender,
        "birthDate": birth,
        "generalPractitioner": [{"reference": f"urn:uuid:{_uuid('physician')}"}],
    }


def _observation(
    subject: dict[str, str], day: str, code: str, display: str, category: str, value: str, unit: str, said: str
) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": OBSERVATION_CATEGORY, "code": category}]}],
        "code": {"text": said, "coding": [{"system": LOINC, "code": code, "display": display}]},
        "subject": subject,
        "effectiveDateTime": day,
        "performer": [{"reference": f"urn:uuid:{_uuid('physician')}"}],
        "valueQuantity": {"value": Decimal(value), "unit": unit, "system": UCUM, "code": unit},
    }


def _profile(subject: dict[str, str]) -> Iterator[dict[str, Any]]:
    """What the profile of a grown-up holds: an allergy, a vaccination, a treatment."""
    clinical = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
    yield {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": {"coding": [{"system": clinical, "code": "active"}]},
        "criticality": "high",
        "code": {"text": "Pénicilline"},
        "patient": subject,
        "recordedDate": "2019-04-12",
        "recorder": subject,
        "reaction": [{"manifestation": [{"text": "Urticaire"}]}],
    }
    yield {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": {
            "text": "Diphtérie, tétanos, poliomyélite",
            "coding": [{"system": "http://www.whocc.no/atc", "code": "J07CA01"}],
        },
        "patient": subject,
        "occurrenceDateTime": "2024-03-01",
    }
    yield {
        "resourceType": "MedicationStatement",
        "status": "active",
        "medicationCodeableConcept": {"text": "Lévothyroxine 50 microgrammes"},
        "subject": subject,
        "effectiveDateTime": "2025-03-04",
        "dosage": [{"text": "un comprimé le matin"}],
    }


def _letter(subject: dict[str, str]) -> dict[str, Any]:
    text = "Compte rendu de consultation. Ce document est une démonstration."
    return {
        "resourceType": "DocumentReference",
        "masterIdentifier": {"use": "usual", "system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{uuid.uuid4()}"},
        "status": "current",
        "type": {"coding": [{"system": LOINC, "code": "11488-4", "display": "CR ou fiche de consultation"}]},
        "subject": subject,
        "date": "2025-11-18T10:15:00+01:00",
        "author": [
            {
                "reference": f"urn:uuid:{_uuid('physician')}",
                "identifier": {"system": "https://rpps.esante.gouv.fr", "value": PHYSICIAN},
                "display": "DR Dominique SOIGNANT",
            }
        ],
        "custodian": {"reference": f"urn:uuid:{_uuid('hospital')}"},
        "content": [
            {
                "attachment": {
                    "contentType": "text/plain",
                    "language": "fr-FR",
                    "data": base64.b64encode(text.encode()).decode(),
                    "title": "Compte rendu de consultation",
                }
            }
        ],
    }


def _parent(subject: dict[str, str]) -> dict[str, Any]:
    return {
        "resourceType": "RelatedPerson",
        "active": True,
        "patient": subject,
        "relationship": [
            {"coding": [{"system": ROLE_CODE, "code": "MTH"}]},
        ],
        "name": [{"use": "official", "family": "EXEMPLE", "given": ["Claire", "Marie"]}],
    }


def _range(low: str, high: str, unit: str) -> dict[str, Any]:
    return {name: {"value": Decimal(value), "unit": unit} for name, value in (("low", low), ("high", high))}


def _uuid(name: str) -> str:
    """A fixed UUID for a name of the demo."""
    return f"00000000-0000-4000-8000-{name.encode().hex()[:12]:0<12}"


def _operator(settings: Settings) -> str:
    from fhirserver.access import Requester
    from fhirserver.auth import DEVELOPMENT_ISSUER, KeyRing, development_claims
    from fhirserver.auth.keys import KEY_FILE

    keys = KeyRing.beside(Path(settings.key_file or Path(settings.embedded) / KEY_FILE))
    issuer = settings.issuer or DEVELOPMENT_ISSUER
    requester = Requester(kind="operator", id="demo")
    return keys.sign(development_claims(requester, issuer=issuer, audience=settings.audience or issuer, lifetime=600))


def _call(base: str, path: str, token: str, body: dict[str, Any] | None = None) -> Any:
    text = None if body is None else jsontext.dump(body)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}
    request = urllib.request.Request(f"{base}/{path}".rstrip("/"), text, headers)  # noqa: S310 - http to ourselves
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return jsontext.parse(answer.read())
