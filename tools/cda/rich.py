"""Documents with all that a header may hold, in every encoding and wrapping; and documents that are wrong."""

from __future__ import annotations

from typing import Final

from lxml import etree

from tools.cda.header import (
    BIOLOGIST,
    DOCTOR,
    HOSPITAL,
    INS_TEST,
    LABORATORY,
    PRACTICE,
    ROOT,
    WHEN,
    Document,
    assigned,
    author,
    build,
    device,
    organization,
    pdf,
    written,
)
from tools.cda.xml import ACT_CODE, LOINC, V3, code, el, templates, write

XSL: Final = "http://www.w3.org/1999/XSL/Transform"
CI_SIS: Final = "urn:asip-sante:ci-sis"


def _relative() -> etree._Element:
    entity = el(
        "relatedEntity",
        code("code", "MTH", "2.16.840.1.113883.5.111", "Mère"),
        el("telecom", value="tel:+33611223344", use="MC"),
        el("relatedPerson", el("name", el("family", "RENARD"), el("given", "Jeanne"))),
        classCode="NOK",
    )
    return el("informant", entity)


def _participant(kind: str, function: str | None, when: str) -> etree._Element:
    entity = assigned(DOCTOR, PRACTICE, "associatedEntity")
    entity.set("classCode", "PROV")
    people = entity.find(f"{{{V3}}}assignedPerson")
    if people is not None:
        people.tag = f"{{{V3}}}associatedPerson"
    employer = entity.find(f"{{{V3}}}representedOrganization")
    if employer is not None:
        employer.tag = f"{{{V3}}}scopingOrganization"
    spoken = code("functionCode", function, "2.16.840.1.113883.5.88", "Médecin traitant") if function else None
    return el("participant", spoken, el("time", el("low", value=when)), entity, typeCode=kind)


def _header() -> list[etree._Element]:
    recipient = el(
        "intendedRecipient",
        el("id", root="1.2.250.1.71.4.2.1", extension=f"8{BIOLOGIST.rpps}"),
        el("informationRecipient", el("name", el("family", BIOLOGIST.family), el("given", BIOLOGIST.given))),
        organization(LABORATORY, "receivedOrganization"),
    )
    accession = el("id", root=f"{ROOT}.4", extension="ACC-17")
    order = el("order", accession, code("code", "X", f"{ROOT}.3", "Demande"))
    consent = el("consent", el("id", root=f"{ROOT}.2", extension="C1"), code("code", "59284-0", LOINC, "Consentement"))
    consent.append(el("statusCode", code="completed"))
    return [
        author(BIOLOGIST, LABORATORY, "20260305090000+0100"),
        device("Spiro 12", "Souffle 4.0", HOSPITAL, "20260305091000+0100"),
        el("dataEnterer", el("time", value=WHEN), assigned(BIOLOGIST, HOSPITAL)),
        _relative(),
        el("informationRecipient", recipient, typeCode="PRCP"),
        el(
            "authenticator",
            templates("1.3.6.1.4.1.19376.1.3.3.1.5"),
            el("time", value=WHEN),
            el("signatureCode", code="S"),
            assigned(BIOLOGIST, LABORATORY),
        ),
        _participant("REF", None, "20260228"),
        _participant("INF", "PCP", "20260228"),
        el("inFulfillmentOf", order),
        el("authorization", consent),
    ]


def _full() -> etree._Element:
    """A header with every part, of a child with a guardian."""
    root = build(
        Document(
            351,
            ("34112-3", "CR hospitalier (séjour)"),
            "Compte rendu complet",
            pdf("Compte rendu"),
            header=_header(),
            period=("20260301080000+0100", "20260305120000+0100"),
        )
    )
    patient = root.find(f".//{{{V3}}}patient")
    gender = root.find(f".//{{{V3}}}birthTime")
    if patient is None or gender is None:
        raise LookupError("patient")
    gender.addnext(el("sdtc:deceasedInd", value="false"))
    guardian = el(
        "guardian",
        el("telecom", value="tel:+33655443322"),
        el("guardianPerson", el("name", el("family", "RENARD"), el("given", "Jeanne"))),
        classCode="GUARD",
    )
    birthplace = patient.find(f"{{{V3}}}birthplace")
    if birthplace is not None:
        birthplace.addprevious(guardian)
    stay = root.find(f".//{{{V3}}}encompassingEncounter")
    if stay is not None:
        stay.insert(0, el("id", root=f"{ROOT}.1", extension="SEJ-9"))
        place = stay.find(f"{{{V3}}}location")
        if place is not None:
            place.addprevious(code("dischargeDispositionCode", "home", f"{ROOT}.11", "Domicile"))
            place.addprevious(el("responsibleParty", assigned(DOCTOR, HOSPITAL)))
    return root


def _by_patient() -> Document:
    """A document that the patient wrote."""
    own = el("id", root=INS_TEST, extension="279035121518989")
    written_by = el("assignedAuthor", own, el("assignedPerson", el("name", el("family", "COLIN"), el("given", "Anne"))))
    return Document(
        352,
        ("74465-6", "Questionnaire patient"),
        "Questionnaire",
        pdf("Questionnaire"),
        header=[el("author", el("time", value=WHEN), written_by)],
        structure=PRACTICE,
        act=("AMB", ACT_CODE, "Ambulatoire"),
        stay=("AMB", ACT_CODE, "Ambulatoire"),
    )


def wrapped(root: etree._Element) -> bytes:
    """An auto-presentable document: a stylesheet that carries the ClinicalDocument; here it does nothing at all."""
    sheet = etree.Element(f"{{{XSL}}}stylesheet", nsmap={"xsl": XSL, "a": CI_SIS, "c": V3})
    sheet.set("version", "1.0")
    etree.SubElement(sheet, f"{{{CI_SIS}}}Contenu").append(root)
    template = etree.SubElement(sheet, f"{{{XSL}}}template", match="/")
    etree.SubElement(template, f"{{{XSL}}}message", terminate="yes").text = "jamais"
    return write(sheet)


def encoded(data: bytes, encoding: str) -> bytes:
    """The same document in another encoding."""
    text = data.decode().replace("UTF-8", encoding.upper(), 1)
    return text.encode(encoding)


def documents() -> dict[str, bytes]:
    """Name to file."""
    letter = Document(353, ("11490-0", "Lettre de liaison"), "Lettre à l’arrivée", pdf("Lettre"))
    latin = Document(354, ("11490-0", "Lettre de liaison"), "Lettre échangée", pdf("Lettre"))
    wide = Document(355, ("11490-0", "Lettre de liaison"), "Lettre à l’arrivée", pdf("Lettre"))
    return {
        "entete-complet": write(_full()),
        "auteur-patient": written(_by_patient()),
        "auto-presentable": wrapped(build(letter)),
        "latin-1": encoded(written(latin), "iso-8859-1"),
        "utf-16": encoded(written(wide), "utf-16"),
    }
