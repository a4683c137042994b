#!/usr/bin/env python3
"""A laboratory feeds a record with biology reports (CDA level 3), whose results are found at once.

fhirserver serve --embedded data &
python examples/laboratory.py --base http://127.0.0.1:8080/fhir --data data
"""

from __future__ import annotations

import sys

from hospital import HL7V3, Person, Sender, arguments, step

HEMOGLOBIN = "http://loinc.org%7C718-7"


def main() -> None:
    options = arguments(__doc__)
    operator = Sender(options.base, options.data, "--operator")
    laboratory = Sender(options.base, options.data, "--system", "lab", "--organization", "750000001")
    person = Person()
    made = step("a person has a record", operator.send("POST", "Patient", person.record()), 201)
    patient = made.body["id"]
    report = person.document("bio-hemogramme")
    stored = step("the laboratory sends a report", laboratory.send("POST", "$cda", report, HL7V3), 201)
    changed = report.replace(b"</ClinicalDocument>", b" </ClinicalDocument>")
    step("other content under its unique id is refused", laboratory.send("POST", "$cda", changed, HL7V3), 409)
    holder = Sender(options.base, options.data, "--patient", patient)
    query = f"Observation?patient={patient}&code={HEMOGLOBIN}"
    found = step("the person looks for haemoglobin", holder.send("GET", query), 200).body
    for entry in found.get("entry", ()):
        result = entry["resource"]
        value = result["valueQuantity"]
        print(f"     {result.get('effectiveDateTime', '')[:10]}  {value['value']} {value['unit']}")
    if not found.get("entry"):
        sys.exit("no result was found")
    print(f"     from DocumentReference/{stored.body['id']}")


if __name__ == "__main__":
    main()
