"""A resource that each French guide accepts, written here."""

from __future__ import annotations

from typing import Any, Final

ANS: Final = "https://interop.esante.gouv.fr/ig/fhir/"
FRC: Final = "https://hl7.fr/ig/fhir/core/StructureDefinition/"
FRS: Final = "https://hl7.fr/ig/fhir/core/CodeSystem/"
MHD: Final = "https://profiles.ihe.net/ITI/MHD/"
RFC: Final = "urn:ietf:rfc:3986"
LOINC: Final = "http://loinc.org"
UCUM: Final = "http://unitsofmeasure.org"
CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
NOW: Final = "2026-06-12T10:00:00+02:00"
TEXT: Final = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Texte</div>'}

Json = dict[str, Any]


def nos(name: str) -> str:
    """The canonical of a nomenclature: `TRE_R02-SecteurActivite`."""
    return f"https://mos.esante.gouv.fr/NOS/{name}/FHIR/{name.replace('_', '-')}"


def concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def uuid(number: int) -> str:
    return f"urn:uuid:6f6d4c3a-0b0e-4f5e-9a53-{number:012d}"


def resource(resource_type: str, profile: str, **members: Any) -> Json:
    return {"resourceType": resource_type, "meta": {"profile": [profile]}, "text": dict(TEXT), **members}


def contained(resource_type: str, identity: str, **members: Any) -> Json:
    return {"resourceType": resource_type, "id": identity, "text": dict(TEXT), **members}


PATIENT: Final = contained("Patient", "p", name=[{"use": "official", "family": "MARTIN", "given": ["Lou"]}])
ROLE: Final = contained("PractitionerRole", "r", practitioner={"reference": "Practitioner/1"})
SECTOR: Final = concept(nos("TRE_R02-SecteurActivite"), "SA07")
DESIGNATION: Final = {"url": MHD + "StructureDefinition/ihe-designationType", "valueCodeableConcept": SECTOR}
SOURCE: Final = {
    "url": MHD + "StructureDefinition/ihe-sourceId",
    "valueIdentifier": {"system": RFC, "value": "urn:oid:1.2.250.1.999.1"},
}


def attachment(**members: Any) -> Json:
    return {"contentType": "application/pdf", "language": "fr-FR", "title": "Consultation", "creation": NOW, **members}


def document(profile: str, content: Json) -> Json:
    """A DocumentReference that both PDSm profiles accept but for its content."""
    return resource(
        "DocumentReference",
        f"{ANS}pdsm/StructureDefinition/{profile}",
        contained=[PATIENT, ROLE],
        masterIdentifier={"system": RFC, "value": "urn:oid:1.2.250.1.999.1.1"},
        status="current",
        type=concept(LOINC, "11488-4"),
        category=[concept(nos("TRE_A03-ClasseDocument"), "10")],
        subject={"reference": "Patient/1"},
        date=NOW,
        author=[{"reference": "#r"}],
        authenticator={"reference": "#r"},
        custodian={"reference": "Organization/1"},
        securityLabel=[concept(nos("TRE_A08-HL7Confidentiality"), "N")],
        content=[
            {
                "attachment": content,
                "format": {"system": nos("TRE_A10-NomenclatureURN"), "code": "urn:ihe:iti:xds:2017:mimeTypeSufficient"},
            }
        ],
        context={
            "period": {"start": NOW},
            "facilityType": SECTOR,
            "practiceSetting": concept(nos("TRE_A01-CadreExercice"), "AMBULATOIRE"),
            "sourcePatientInfo": {"reference": "#p"},
            "related": [{"identifier": {"type": concept(RFC, "urn:ihe:iti:xds:2013:accession"), "value": "7"}}],
        },
    )


def comprehensive() -> Json:
    content = attachment(url="Binary/1", size=80, hash="A/hMRrv6Y15BjSM8kMLidrz+mHc=")
    made = document("pdsm-comprehensive-document-reference", content)
    return made | {"identifier": [{"use": "official", "system": RFC, "value": uuid(9)}]}


def simplified() -> Json:
    return document("pdsm-simplified-publish", attachment(data="JVBERi0="))


def listed(profile: str, code: str, **members: Any) -> Json:
    return resource(
        "List",
        f"{ANS}pdsm/StructureDefinition/{profile}",
        status="current",
        mode="working",
        title="Documents",
        code=concept(MHD + "CodeSystem/MHDlistTypes", code),
        subject={"reference": "Patient/1"},
        date=NOW,
        **members,
    )


def submission_set() -> Json:
    return listed(
        "pdsm-submissionset-comprehensive",
        "submissionset",
        contained=[ROLE],
        extension=[DESIGNATION, SOURCE],
        identifier=[{"use": "usual", "system": RFC, "value": "urn:oid:1.2.250.1.999.2.1"}],
        source={"reference": "#r"},
        entry=[{"item": {"reference": uuid(2)}}],
    )


def folder() -> Json:
    entry = [{"item": {"reference": "DocumentReference/1"}}]
    return listed("pdsm-folder-comprehensive", "folder", extension=[DESIGNATION], entry=entry)


def posted(number: int, held: Json) -> Json:
    return {
        "fullUrl": uuid(number),
        "resource": held,
        "request": {"method": "POST", "url": held["resourceType"]},
    }


def provide_bundle() -> Json:
    made = comprehensive()
    made["content"][0]["attachment"]["url"] = uuid(3)
    parts = [("type", "valueCode", "replace"), ("path", "valueString", "DocumentReference.status")]
    parts.append(("value", "valueCode", "superseded"))
    patch = {
        "resourceType": "Parameters",
        "parameter": [{"name": "operation", "part": [{"name": name, key: value} for name, key, value in parts]}],
    }
    return {
        "resourceType": "Bundle",
        "meta": {"profile": [ANS + "pdsm/StructureDefinition/pdsm-comprehensive-provide-document-bundle"]},
        "type": "transaction",
        "entry": [
            posted(1, submission_set()),
            posted(2, made),
            posted(3, {"resourceType": "Binary", "contentType": "application/pdf", "data": "JVBERi0="}),
            {"fullUrl": uuid(4), "resource": patch, "request": {"method": "PATCH", "url": "DocumentReference/9"}},
        ],
    }


def practitioner() -> Json:
    rpps = {"system": "https://rpps.esante.gouv.fr", "value": "10001112225"}
    mailbox = {
        "extension": [
            {
                "url": FRC + "fr-core-contact-point-email-type",
                "valueCoding": {"system": nos("TRE_R256-TypeMessagerie"), "code": "MSSANTE"},
            }
        ],
        "system": "email",
        "value": "lou.martin@example.mssante.fr",
    }
    return resource(
        "Practitioner",
        ANS + "annuaire/StructureDefinition/as-practitioner",
        identifier=[rpps | {"type": concept(FRS + "fr-core-cs-v2-0203", "RPPS")}],
        active=True,
        name=[{"family": "MARTIN", "given": ["Lou"]}],
        telecom=[mailbox],
        qualification=[{"code": concept(nos("TRE_G15-ProfessionSante"), "10")}],
    )


def practitioner_role() -> Json:
    return resource(
        "PractitionerRole",
        ANS + "annuaire/StructureDefinition/as-practitionerrole",
        extension=[{"url": ANS + "annuaire/StructureDefinition/as-ext-practitionerrole-hascas", "valueBoolean": True}],
        identifier=[{"system": "https://rpps.esante.gouv.fr", "value": "1"}],
        practitioner={"reference": "Practitioner/1"},
        organization={"reference": "Organization/1"},
    )


def organization() -> Json:
    kind = {"url": ANS + "annuaire/StructureDefinition/as-ext-organization-types", "valueCode": "organizationType"}
    structure = concept(FRS + "fr-core-cs-v2-3307", "SERVICE")
    return resource(
        "Organization",
        ANS + "annuaire/StructureDefinition/as-organization",
        name="Cabinet Martin",
        type=[{"extension": [kind], **structure}],
    )


def audit_event() -> Json:
    return resource(
        "AuditEvent",
        ANS + "tde/StructureDefinition/tde-auditevent",
        type={"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"},
        subtype=[{"system": "http://hl7.org/fhir/restful-interaction", "code": "read"}],
        period={"start": NOW},
        recorded=NOW,
        agent=[{"who": {"reference": "Practitioner/1"}, "requestor": True}],
        source={"observer": {"reference": "Device/1"}},
    )


def observation(profile: str, code: str, quantity: Json, **members: Any) -> Json:
    category = {"system": CATEGORY, "code": "vital-signs", "display": "vital-signs"}
    return resource(
        "Observation",
        f"{ANS}mesures/StructureDefinition/{profile}",
        status="final",
        category=[{"coding": [category]}],
        code=concept(LOINC, code),
        subject={"reference": "Patient/1"},
        effectiveDateTime=NOW,
        performer=[{"reference": "Patient/1"}],
        valueQuantity={"system": UCUM, **quantity},
        **members,
    )


def steps() -> Json:
    quantity = {"value": 8000, "unit": "steps/day", "code": "1/(24.h)"}
    return observation("mesures-observation-steps-by-day", "41950-7", quantity)


def weight() -> Json:
    quantity = {"value": 71, "unit": "kg", "code": "kg"}
    return observation("mesures-fr-observation-body-weight", "29463-7", quantity)


def cholesterol() -> Json:
    quantity = {"value": 5.1, "unit": "mmol/L", "code": "mmol/L"}
    high = [{"high": {"value": 5.2, "system": UCUM, "code": "mmol/L"}}]
    return observation("mesures-observation-cholesterol-total", "2093-3", quantity, referenceRange=high)


def allergy() -> Json:
    return resource(
        "AllergyIntolerance",
        FRC + "fr-core-allergy-intolerance",
        clinicalStatus=concept("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "active"),
        code={"text": "Arachide"},
        patient={"reference": "Patient/1"},
        onsetPeriod={"start": "2020-01-01"},
    )


def immunization() -> Json:
    return resource(
        "Immunization",
        FRC + "fr-core-immunization",
        status="completed",
        vaccineCode={"text": "Vaccin"},
        patient={"reference": "Patient/1"},
        occurrenceDateTime="2026-01-01",
        protocolApplied=[{"series": "BOOSTER", "doseNumberPositiveInt": 2}],
    )


def medication() -> Json:
    return resource(
        "MedicationStatement",
        FRC + "fr-core-medication-statement",
        status="active",
        medicationCodeableConcept={"text": "Paracétamol"},
        subject={"reference": "Patient/1"},
        effectivePeriod={"start": "2026-01-01"},
    )


def consent() -> Json:
    return resource(
        "Consent",
        FRC + "fr-core-consent",
        status="active",
        scope=concept("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
        category=[concept(LOINC, "59284-0")],
        patient={"reference": "Patient/1"},
        performer=[{"reference": "Patient/1"}],
        policyRule=concept("http://terminology.hl7.org/CodeSystem/v3-ActCode", "OPTIN"),
    )
