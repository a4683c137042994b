"""What a biology report becomes is found by the searches that records are read with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver import jsontext
from fhirserver.documents.cda import PATIENT, convert
from tests.application import application, applications, embedded_uri
from tests.records import patient
from tools.cda.header import written
from tools.cda.reports import DOCUMENTS

if TYPE_CHECKING:
    from tests.application import Application, Caller

__all__ = ["application", "applications", "embedded_uri"]


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    """One who reads all: the resources of three reports are stored, the patient's id in the place of PATIENT."""
    operator = application.operator()
    operator.store(patient(id="bio"))
    for name in ("bio-biochimie", "bio-hemogramme", "bio-microbiologie"):
        entries = [
            {
                "fullUrl": entry.full_url,
                "resource": entry.resource,
                "request": {"method": "POST", "url": entry.resource["resourceType"]},
            }
            for entry in convert(written(DOCUMENTS[name])).entries
        ]
        body = jsontext.dump({"resourceType": "Bundle", "type": "transaction", "entry": entries})
        answer = operator.call(
            "POST", "", body.replace(PATIENT.encode(), b"Patient/bio"), {"Content-Type": "application/fhir+json"}
        )
        assert answer.status == 200, answer.content[:2000]
    return operator


@pytest.mark.parametrize(
    ("search", "count"),
    [
        ("Observation?code=http://loinc.org|718-7&patient=bio", 2),
        ("Observation?code=http://loinc.org|718-7&patient=bio&date=ge2026-03-05", 1),
        ("Observation?code-value-quantity=718-7$gt13.3||g/dL&patient=bio", 1),
        ("Observation?patient=bio&category=laboratory&value-quantity=gt100||mmol/L", 3),
        ("Observation?patient=bio&category=http://loinc.org|18725-2&value-concept=http://snomed.info/sct|112283007", 1),
        ("Observation?patient=bio&specimen.identifier=U1", 1),
        ("Observation?patient=bio&status=final&code=29576-6", 2),
        ("DiagnosticReport?patient=bio&code=http://loinc.org|18719-5&category=LAB", 1),
        ("DiagnosticReport?patient=bio&date=2026-03-05", 3),
        ("DiagnosticReport?patient=bio&result.code=http://loinc.org|630-4", 1),
        ("Specimen?patient=bio&type=http://terminology.hl7.org/CodeSystem/v3-EntityClass|MIC", 2),
    ],
)
def test_results_are_found_by_what_they_say(operator: Caller, search: str, count: int) -> None:
    assert len(operator.get(search).ids) == count


def test_a_report_brings_its_results_along(operator: Caller) -> None:
    found = operator.get("DiagnosticReport?patient=bio&code=18723-7&_include=DiagnosticReport:result")
    assert len(found.ids) == 2
