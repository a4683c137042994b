#!/usr/bin/env python3
"""The main job, end to end, against a running server; prints each step and stops at the first that does not hold.

A hospital pushes a patient with an INS identity and a document; a physician of the care team finds them; the patient
blocks that physician; the same search now answers `total: 0`, and a read answers exactly like an id that never existed.

    fhirserver serve --embedded data &
    python examples/main_job.py --base http://127.0.0.1:8080/fhir --data data
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

FINESS = "750000001"
INS_NIR = "urn:oid:1.2.250.1.213.1.4.8"
RPPS = "https://rpps.esante.gouv.fr"
CORE = "https://hl7.fr/ig/fhir/core"
V2_0203 = f"{CORE}/CodeSystem/fr-core-cs-v2-0203"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: Any


class Client:
    """A requester with a token."""

    def __init__(self, base: str, token: str) -> None:
        self.base, self.token = base.rstrip("/"), token

    def call(self, method: str, path: str, body: Any = None, **params: str) -> Answer:
        url = f"{self.base}/{path}" + ("?" + urlencode(params) if params else "")
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/fhir+json"}
        if body is not None:
            headers["Content-Type"] = "application/fhir+json"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return _answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            return _answer(error.code, error.headers, error.read())


def _answer(status: int, headers: Any, body: bytes) -> Answer:
    changing = {"date", "x-request-id", "content-length"}
    kept = {name.lower(): value for name, value in headers.items() if name.lower() not in changing}
    return Answer(status, kept, json.loads(body) if body else None)


def patient(ins: str) -> dict[str, Any]:
    """A person whose identity is qualified: INS, birth name, birth date, place of birth, and how it was checked."""
    coded = {"system": f"{CORE}/CodeSystem/fr-core-cs-v2-0445", "code": "VALI"}
    return {
        "resourceType": "Patient",
        "meta": {"profile": [f"{CORE}/StructureDefinition/fr-core-patient-ins"]},
        "extension": [
            {
                "url": f"{CORE}/StructureDefinition/fr-core-identity-reliability",
                "extension": [
                    {"url": "identityStatus", "valueCoding": coded},
                    {
                        "url": "validationMode",
                        "valueCoding": {
                            "system": f"{CORE}/CodeSystem/fr-core-cs-mode-validation-identity",
                            "code": "CN",
                        },
                    },
                ],
            },
            {
                "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
                "valueAddress": {
                    "extension": [
                        {
                            "url": f"{CORE}/StructureDefinition/fr-core-address-insee-code",
                            "valueCoding": {
                                "system": "https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM",
                                "code": "63220",
                            },
                        }
                    ]
                },
            },
        ],
        "identifier": [
            {
                "use": "official",
                "type": {"coding": [{"system": V2_0203, "code": "INS-NIR"}]},
                "system": INS_NIR,
                "value": ins,
            }
        ],
        "active": True,
        "name": [
            {
                "use": "official",
                "family": "ESSAI",
                "given": ["Camille"],
                "extension": [
                    {
                        "url": f"{CORE}/StructureDefinition/fr-core-patient-birth-list-given-name",
                        "valueString": "Camille Dominique",
                    }
                ],
            }
        ],
        "gender": "male",
        "birthDate": "1985-05-14",
    }


def practitioner(rpps: str) -> dict[str, Any]:
    identifier = {"type": {"coding": [{"system": V2_0203, "code": "RPPS"}]}, "system": RPPS, "value": rpps}
    return {
        "resourceType": "Practitioner",
        "identifier": [identifier],
        "name": [{"family": "SOIGNANT", "given": ["Dominique"]}],
    }


def care_team(subject: str, member: str) -> dict[str, Any]:
    return {
        "resourceType": "CareTeam",
        "status": "active",
        "subject": {"reference": subject},
        "participant": [{"member": {"reference": member}}],
        "managingOrganization": [{"identifier": {"system": "https://finess.esante.gouv.fr", "value": FINESS}}],
    }


def document(ins: str, rpps: str) -> dict[str, Any]:
    """A letter, deposited by INS: to deposit, a hospital needs no right to read."""
    return {
        "resourceType": "DocumentReference",
        "masterIdentifier": {"use": "usual", "system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{uuid.uuid4()}"},
        "status": "current",
        "type": {"coding": [{"system": "http://loinc.org", "code": "34112-3"}]},
        "subject": {"identifier": {"system": INS_NIR, "value": ins}},
        "date": "2026-01-15T09:30:00+01:00",
        "author": [{"type": "Practitioner", "identifier": {"system": RPPS, "value": rpps}}],
        "custodian": {"identifier": {"system": "https://finess.esante.gouv.fr", "value": FINESS}},
        "content": [
            {
                "attachment": {
                    "contentType": "text/plain",
                    "language": "fr-FR",
                    "data": base64.b64encode(b"Compte rendu d'hospitalisation").decode(),
                    "title": "Compte rendu",
                }
            }
        ],
    }


def blocking(subject: str, member: str) -> dict[str, Any]:
    """The patient's Consent that denies one professional everything."""
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]
        },
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": subject},
        "dateTime": "2026-01-16T08:00:00+01:00",
        "performer": [{"reference": subject}],
        "policyRule": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTIN"}]},
        "provision": {
            "type": "deny",
            "actor": [
                {
                    "role": {
                        "coding": [
                            {"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}
                        ]
                    },
                    "reference": {"reference": member},
                }
            ],
        },
    }


def step(text: str, holds: bool, seen: Any = "") -> None:
    print(f"{'ok    ' if holds else 'FAILED'} {text}")
    if not holds:
        print(f"       {str(seen)[:600]}")
        raise SystemExit(1)


def play(base: str, tokens: Any) -> None:
    ins = f"1850563220{random.randrange(100, 1000)}"
    ins += f"{97 - int(ins) % 97:02d}"
    rpps = f"{random.randrange(10**10, 10**11)}"
    operator = Client(base, tokens("--operator"))
    hospital = Client(base, tokens("--system", "HIS", "--organization", FINESS))

    made = operator.call("POST", "Practitioner", practitioner(rpps))
    step("the directory knows the physician", made.status == 201, made)
    member = f"Practitioner/{made.body['id']}"
    made = hospital.call("POST", "Patient", patient(ins))
    step("the hospital pushes the patient, held to fr-core-patient-ins", made.status == 201, made)
    id = made.body["id"]
    subject = f"Patient/{id}"
    made = hospital.call("POST", "CareTeam", care_team(subject, member))
    step("the hospital names the care team", made.status == 201, made)
    made = hospital.call("POST", "DocumentReference", document(ins, "10000000018"))
    step("the hospital pushes a document by INS", made.status == 201, made)
    doc = made.body["id"]

    physician = Client(base, tokens("--practitioner", rpps, "--profession", "G15_10", "--organization", "750000002"))
    found = physician.call("GET", "Patient", identifier=f"{INS_NIR}|{ins}")
    step("the physician finds the patient by INS", found.body.get("total") == 1, found)
    found = physician.call("GET", "DocumentReference", patient=subject, status="current")
    step("and the document", found.body.get("total") == 1, found)
    step("and reads it", physician.call("GET", f"DocumentReference/{doc}").status == 200)

    holder = Client(base, tokens("--patient", id))
    made = holder.call("POST", "Consent", blocking(subject, member))
    step("the patient blocks that physician", made.status == 201, made)
    found = physician.call("GET", "Patient", identifier=f"{INS_NIR}|{ins}")
    step("the same search by the same physician: total 0", found.body.get("total") == 0, found)
    found = physician.call("GET", "DocumentReference", patient=subject, status="current")
    step("no document either", found.body.get("total") == 0 and "entry" not in found.body, found)
    hidden = physician.call("GET", f"DocumentReference/{doc}")
    never = physician.call("GET", "DocumentReference/00000000-0000-4000-8000-000000000000")
    alike = json.dumps(hidden).replace(doc, "ID") == json.dumps(never).replace(
        "00000000-0000-4000-8000-000000000000", "ID"
    )
    step("a read answers exactly like an id that never existed", hidden.status == 404 and alike, (hidden, never))
    step("the patient still reads it", holder.call("GET", f"DocumentReference/{doc}").status == 200)
    step("and the hospital that deposited it", hospital.call("GET", f"DocumentReference/{doc}").status == 200)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "", allow_abbrev=False)
    parser.add_argument("--base", default="http://127.0.0.1:8080/fhir")
    parser.add_argument("--data", default="data", help="folder of the embedded server, where its signing key is")
    options = parser.parse_args()
    command = Path(sys.executable).parent / "fhirserver"

    def tokens(*words: str) -> str:
        line = [str(command), "token", "--data", options.data, *words]
        return subprocess.run(line, check=True, capture_output=True, text=True).stdout.strip()

    play(options.base, tokens)


if __name__ == "__main__":
    main()
