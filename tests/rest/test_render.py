"""A document to read (`$render`) and a record in short (`$summary`)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.spec import Definitions
from fhirserver.validation import Validator
from tests.records import document, observation, patient, reference

if TYPE_CHECKING:
    from tests.application import Application, Caller

CDA = b"""<ClinicalDocument xmlns="urn:hl7-org:v3"><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<id root="1.2.3"/><code code="11488-4" codeSystem="2.16.840.1.113883.6.1"/><title>Lettre</title>
<effectiveTime value="20260101"/><confidentialityCode code="N"/><component><structuredBody><component><section>
<title>Conclusion</title><text>Tout va bien<script>alert(1)</script></text></section></component></structuredBody>
</component></ClinicalDocument>"""


@pytest.fixture(scope="module")
def hospital(application: Application) -> Caller:
    return application.system("750000001")


@pytest.fixture
def record(application: Application) -> str:
    return application.operator().create(patient())


def shown(caller: Caller, record: str, media: str, data: bytes) -> Any:
    attachment = {"contentType": media, "data": base64.b64encode(data).decode()}
    id = caller.create(document(record, content=[{"attachment": attachment}]))
    return caller.get(f"DocumentReference/{id}/$render", Accept="text/html")


def test_a_cda_document_becomes_a_page_that_runs_nothing(hospital: Caller, record: str) -> None:
    page = shown(hospital, record, "text/xml", CDA)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"Conclusion" in page.content
    assert b"<script" not in page.content
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_a_pdf_passes_through_and_what_cannot_be_shown_is_refused(hospital: Caller, record: str) -> None:
    pdf = shown(hospital, record, "application/pdf", b"%PDF-1.4 x")
    assert (pdf.status, pdf.content, pdf.headers["content-type"]) == (200, b"%PDF-1.4 x", "application/pdf")
    assert shown(hospital, record, "application/dicom", b"DICM").status == 422


def test_a_document_that_is_hidden_is_shown_as_one_that_never_was(
    application: Application, hospital: Caller, record: str
) -> None:
    id = hospital.create(document(record))
    other = application.system("750000002", "other")
    assert hospital.get(f"DocumentReference/{id}/$render").content == b"Bonjour"
    hidden = other.get(f"DocumentReference/{id}/$render")
    assert (hidden.status, hidden.told.replace(id, "x")) == (404, "DocumentReference/x is not known here.")


def summary(caller: Caller, record: str) -> dict[str, list[str]]:
    """Types in each section by its LOINC code, of a valid summary."""
    answer = caller.get(f"Patient/{record}/$summary")
    assert answer.status == 200, answer
    outcome = Validator(Definitions.core(), profile_set="core").validate(answer.json)
    assert not [issue for issue in outcome.issues if issue.is_error], outcome.issues
    held = {each["fullUrl"] for each in answer.json["entry"]}
    found = {}
    for section in answer.json["entry"][0]["resource"]["section"]:
        urls = [each["reference"] for each in section.get("entry", ())]
        assert held.issuperset(urls)
        assert bool(urls) != ("emptyReason" in section)
        found[section["code"]["coding"][0]["code"]] = [url.split("/")[-2] for url in urls]
    return found


def test_an_empty_record_has_the_required_sections(application: Application, record: str) -> None:
    assert summary(application.patient(record), record) == {"10160-0": [], "48765-2": [], "11450-4": []}


def test_a_summary_holds_what_the_requester_sees_section_by_section(
    application: Application, hospital: Caller, record: str
) -> None:
    to, concept = reference(f"Patient/{record}"), {"text": "x <y>"}
    laboratory = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category",
                              "code": "laboratory"}]}  # fmt: skip
    for each in (
        {"resourceType": "Condition", "subject": to, "code": concept},
        {"resourceType": "AllergyIntolerance", "patient": to, "code": concept},
        {"resourceType": "MedicationStatement", "status": "active", "subject": to,
         "medicationCodeableConcept": concept},
        {"resourceType": "Immunization", "status": "completed", "patient": to, "vaccineCode": concept,
         "occurrenceDateTime": "2026-01-01"},
        observation(record, category=[laboratory]),
        observation(record),
        {"resourceType": "Procedure", "status": "completed", "subject": to, "code": concept},
        {"resourceType": "DeviceUseStatement", "status": "active", "subject": to, "device": {"display": "x"}},
    ):  # fmt: skip
        if each["resourceType"] in ("Condition", "AllergyIntolerance"):
            kind = "condition" if each["resourceType"] == "Condition" else "allergyintolerance"
            system = f"http://terminology.hl7.org/CodeSystem/{kind}-clinical"
            each["clinicalStatus"] = {"coding": [{"system": system, "code": "active"}]}
        hospital.create(each)
    hidden = {"security": [{"code": "INVISIBLE_PATIENT"}]}
    hospital.create({"resourceType": "Procedure", "status": "completed", "subject": to, "code": concept,
                     "meta": hidden})  # fmt: skip
    assert summary(application.patient(record), record) == {
        "10160-0": ["MedicationStatement"],
        "48765-2": ["AllergyIntolerance"],
        "11450-4": ["Condition"],
        "11369-6": ["Immunization"],
        "30954-2": ["Observation"],
        "47519-4": ["Procedure"],
        "46264-8": ["DeviceUseStatement"],
    }


def test_the_summary_of_a_record_that_is_hidden_is_that_of_none(application: Application, record: str) -> None:
    other = application.patient(application.operator().create(patient()))
    assert other.get(f"Patient/{record}/$summary").status == 404
