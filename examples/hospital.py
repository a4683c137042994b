#!/usr/bin/env python3
"""A hospital feeds a record with CDA documents, against a running server; prints each step, stops where one fails.

The patient has a record with an INS. The hospital sends a discharge letter, sends it again as a retry does (the same
document), and replaces it by a corrected one; a letter of somebody whom nobody knows waits in quarantine.

    fhirserver serve --embedded data &
    python examples/hospital.py --base http://127.0.0.1:8080/fhir --data data
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

CDA = Path(__file__).parent / "cda"
FHIR, HL7V3 = "application/fhir+json", "application/hl7-v3+xml"
MATRICULE, ROOT = b"279035121518989", b"1.2.250.1.213.99.7."


class Answer(NamedTuple):
    status: int
    location: str
    body: Any


class Sender:
    """Sends as one requester; `who` are the arguments of `fhirserver token`."""

    def __init__(self, base: str, data: Path, *who: str) -> None:
        tool = Path(sys.executable).parent / "fhirserver"
        line = [str(tool), "token", "--data", str(data), *who]
        self.base = base.rstrip("/")
        self.token = subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()

    def send(self, method: str, path: str, body: bytes | None = None, media: str = FHIR) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": FHIR}
        if body is not None:
            headers["Content-Type"] = media
        request = urllib.request.Request(f"{self.base}/{path}", body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return _answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            return _answer(error.code, error.headers, error.read())


class Person:
    """The person of the synthetic documents, with a matricule and documents of their own at each run."""

    def __init__(self) -> None:
        self.number = random.randrange(10000, 100000)
        self.matricule = f"2790351215{self.number}"

    def document(self, name: str) -> bytes:
        data = (CDA / f"{name}.xml").read_bytes().replace(MATRICULE, self.matricule.encode())
        return data.replace(ROOT, ROOT + b"%d." % self.number)

    def record(self) -> bytes:
        identifier = {"use": "official", "system": "urn:oid:1.2.250.1.213.1.4.10", "value": self.matricule}
        name = {"use": "official", "family": "RENARD", "given": ["ANNE"]}
        facts = {"active": True, "gender": "female", "birthDate": "1979-03-15", "name": [name]}
        return json.dumps({"resourceType": "Patient", "identifier": [identifier], **facts}).encode()


def _answer(status: int, headers: Any, body: bytes) -> Answer:
    return Answer(status, headers.get("Location", ""), json.loads(body) if body else None)


def step(words: str, answer: Answer, *expected: int) -> Answer:
    """Prints what was done; stops the script when the answer is another one than expected."""
    print(f"{answer.status}  {words}")
    if answer.status not in expected:
        sys.exit(f"expected {' or '.join(map(str, expected))}: {json.dumps(answer.body)[:600]}")
    return answer


def arguments(text: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="http://127.0.0.1:8080/fhir", help="FHIR base of the server")
    parser.add_argument("--data", type=Path, default=Path("data"), help="its folder, where its keys are")
    return parser.parse_args()


def main() -> None:
    options = arguments(__doc__)
    operator = Sender(options.base, options.data, "--operator")
    hospital = Sender(options.base, options.data, "--system", "his", "--organization", "130000002")
    person = Person()
    letter, corrected = person.document("ldl-ses"), person.document("ldl-ses-v2")
    step("nobody has a record yet: the letter is refused", hospital.send("POST", "$cda", letter, HL7V3), 422)
    held = step("kept until it is known whose it is", hospital.send("POST", "$cda?quarantine=true", letter, HL7V3), 202)
    step("the record is made", operator.send("POST", "Patient", person.record()), 201)
    id = held.location.rpartition("=")[2]
    path = f"$quarantine-resolve?id={id}&action=retry"
    first = step("the letter is taken out of quarantine", hospital.send("POST", path), 201)
    step("sent again, it is the same document", hospital.send("POST", "$cda", letter, HL7V3), 200)
    second = step("a corrected letter replaces it", hospital.send("POST", "$cda", corrected, HL7V3), 201)
    document = first.location.partition("/fhir/")[2].partition("/_history")[0]
    old = step("what became of the first", operator.send("GET", document), 200).body
    if old["status"] != "superseded":
        sys.exit(f"the letter is {old['status']}")
    print(f"     {document} is superseded by DocumentReference/{second.body['id']}")


if __name__ == "__main__":
    main()
