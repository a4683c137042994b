"""The header: what becomes of each part, and what is said of one that breaks a rule."""

from __future__ import annotations

from base64 import b64decode

import pytest

from fhirserver.documents.cda import PATIENT, convert
from fhirserver.errors import BadRequest, Unprocessable
from tests.documents.corpus import converted, corpus
from tools.cda.header import ROOT

LEVEL1 = corpus()["l1-compte-rendu"]


def without(start: bytes, end: bytes, data: bytes = LEVEL1) -> bytes:
    """A document without what stands from one mark to the other, both included."""
    first = data.index(start)
    return data[:first] + data[data.index(end, first) + len(end) :]


def rules(data: bytes, **options: str) -> list[tuple[str, str]]:
    return [(finding.severity, finding.rule or "") for finding in convert(data, **options).findings]


def test_the_traits_of_the_patient_are_those_of_the_header() -> None:
    patient = converted("l1-compte-rendu").document.patient
    assert patient.identifiers[0] == ("urn:oid:1.2.250.1.213.1.4.10", "279035121518989")
    assert (patient.birth_name, patient.used_name) == ("RENARD", "COLIN")
    assert patient.given == ("ANNE", "LOUISE")
    assert (patient.gender, patient.birth_date, patient.birth_place) == ("female", "1979-03-15", "51215")


def test_the_patient_is_no_entry() -> None:
    conversion = converted("l1-compte-rendu")
    assert not conversion.all("Patient")
    assert conversion.of("document")[0]["subject"] == {"reference": PATIENT}


def test_a_replacement_names_what_it_replaces_and_keeps_the_set() -> None:
    first, second = converted("l1-compte-rendu"), converted("l1-compte-rendu-v2")
    assert second.document.replaces == first.document.unique_id
    assert second.document.set_id == first.document.set_id
    assert (first.document.version, second.document.version) == (1, 2)
    (related,) = second.of("document")[0]["relatesTo"]
    assert related["code"] == "replaces"
    assert related["target"]["identifier"]["value"] == first.document.unique_id


def test_the_embedded_pdf_is_a_binary_that_the_composition_refers_to() -> None:
    conversion = converted("l1-compte-rendu")
    assert conversion.level == 1
    (section,) = conversion.of("composition")[0]["section"]
    pdf = next(e.resource for e in conversion.entries if e.full_url == section["entry"][0]["reference"])
    assert pdf["contentType"] == "application/pdf"
    assert b64decode(pdf["data"]).startswith(b"%PDF-1.4")


def test_professionals_are_known_by_rpps_and_organizations_by_finess() -> None:
    conversion = converted("l1-compte-rendu")
    systems = {(each["identifier"][0]["system"], each["identifier"][0]["value"]) for each in conversion.of("directory")
               if "identifier" in each}  # fmt: skip
    assert ("https://rpps.esante.gouv.fr", "10001234567") in systems
    assert ("https://finess.esante.gouv.fr", "750000018") in systems


def test_one_actor_is_taken_once() -> None:
    conversion = converted("entete-complet")
    numbers = [each["identifier"][0]["value"] for each in conversion.all("Practitioner")]
    assert sorted(numbers) == ["10001234567", "10007654321"]


def test_a_device_and_a_relative_take_part() -> None:
    conversion = converted("entete-complet")
    (device,) = conversion.all("Device")
    assert device["deviceName"][0]["name"] == "Spiro 12"
    assert device["version"] == [{"value": "Souffle 4.0"}]
    (relative,) = conversion.all("RelatedPerson")
    assert relative["name"][0]["family"] == "RENARD"


def test_the_patient_as_author_is_the_patient() -> None:
    conversion = converted("auteur-patient")
    assert {"reference": PATIENT} in conversion.document.authors
    assert {"reference": "#patient"} in conversion.of("document")[0]["author"]


def test_all_who_took_part_are_in_provenance_attester_or_encounter() -> None:
    conversion = converted("entete-complet")
    types = {agent["type"]["coding"][0]["code"] for each in conversion.of("provenance") for agent in each["agent"]
             if "type" in agent}  # fmt: skip
    assert types == {"AUT", "ENT", "INF", "PRCP", "PRF"}
    assert {each["mode"] for each in conversion.of("composition")[0]["attester"]} == {"legal", "professional"}
    (encounter,) = conversion.all("Encounter")
    assert {each["type"][0]["coding"][0]["code"] for each in encounter["participant"]} == {"REF", "RESP"}


def test_the_class_of_a_document_is_that_of_its_type() -> None:
    found = {
        name: converted(name).of("document")[0]["category"][0]["coding"][0]["code"]
        for name in ("l1-compte-rendu", "vac", "ep-med", "img-cr", "vsm")
    }
    assert found == {"l1-compte-rendu": "10", "vac": "52", "ep-med": "42", "img-cr": "31", "vsm": "11"}


def test_masking_codes_become_the_security_label() -> None:
    (label,) = converted("l1-masque").of("document")[0]["securityLabel"]
    assert label["coding"][0]["code"] == "MASQUE_PS"


def test_a_consent_in_a_document_grants_nothing_and_is_named() -> None:
    conversion = converted("entete-complet")
    assert not conversion.all("Consent")
    assert ("/ClinicalDocument/authorization", "consent") in [(each.xpath, each.why) for each in conversion.left]


@pytest.mark.parametrize(
    ("start", "end", "rule"),
    [
        (b"<realmCode", b"/>", "cda-realm"),
        (b"<typeId", b"/>", "cda-type-id"),
        (b'<templateId root="1.2.250.1.213.1.1.1.1"', b"/>", "cda-templates"),
        (b'<templateId root="1.3.6.1.4.1.19376.1.2.20"', b"/>", "cda-templates-unstructured"),
        (b"<title", b"</title>", "cda-title"),
        (b"<effectiveTime", b"/>", "cda-effective-time"),
        (b"<confidentialityCode", b"/>", "cda-confidentiality"),
        (b"<languageCode", b"/>", "cda-language"),
        (b"<setId", b"/>", "cda-set-id"),
        (b"<versionNumber", b"/>", "cda-version-number"),
        (b"<recordTarget", b"</recordTarget>", "cda-record-target"),
        (b"<birthTime", b"/>", "cda-ins-birth-date"),
        (b"<birthplace", b"</birthplace>", "cda-ins-birth-place"),
        (b"<author>", b"</author>", "cda-author"),
        (b"<custodian", b"</custodian>", "cda-custodian"),
        (b"<legalAuthenticator", b"</legalAuthenticator>", "cda-legal-authenticator"),
        (b"<signatureCode", b"/>", "cda-legal-authenticator-signature"),
        (b"<documentationOf", b"</documentationOf>", "cda-documentation-of"),
        (b"<performer", b"</performer>", "cda-main-act"),
        (b"<componentOf", b"</componentOf>", "cda-component-of"),
        (b"<location", b"</location>", "cda-encounter-location"),
    ],
)
def test_a_missing_part_of_the_header_is_an_error_with_its_rule(start: bytes, end: bytes, rule: str) -> None:
    broken = without(start, end)
    assert ("error", rule) in rules(broken)
    assert ("warning", rule) in rules(broken, mode="lenient")
    assert all(severity != "error" for severity, _ in rules(broken, mode="lenient"))


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (b'code="FR"', b'code="BE"', "cda-realm"),
        (b'code="fr-FR"', b'code="french"', "cda-language"),
        (b'<versionNumber value="1"', b'<versionNumber value="0"', "cda-version-number"),
        (b'<effectiveTime value="20260305101500+0100"', b'<effectiveTime value="20260305101500"', "cda-effective-time"),
        (b'<signatureCode code="S"', b'<signatureCode code="X"', "cda-legal-authenticator-signature"),
    ],
)
def test_a_wrong_value_is_an_error_with_its_rule_and_place(old: bytes, new: bytes, rule: str) -> None:
    findings = convert(LEVEL1.replace(old, new, 1)).findings
    (found,) = [each for each in findings if each.is_error]
    assert found.rule == rule
    assert found.expression[0].startswith("/ClinicalDocument")


def test_findings_speak_french_when_asked() -> None:
    (found,) = convert(without(b"<title", b"</title>"), language="fr").findings
    assert "manque" in found.text


def test_a_document_without_id_is_refused() -> None:
    with pytest.raises(Unprocessable) as caught:
        convert(without(f'<id root="{ROOT}.101"'.encode(), b"/>"))
    assert caught.value.issues[0].expression == ("/ClinicalDocument/id",)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(BadRequest):
        convert(LEVEL1, mode="loose")
