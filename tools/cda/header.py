"""A document with the header that the CI-SIS wants, around any body."""

from __future__ import annotations

import textwrap
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tools.cda.xml import ACT_CODE, LOINC, code, el, templates, write

if TYPE_CHECKING:
    from lxml import etree

ROOT: Final = "1.2.250.1.213.99.7"
"""Under which the corpus numbers its documents."""
INS_TEST: Final = "1.2.250.1.213.1.4.10"
PERSONS: Final = "1.2.250.1.71.4.2.1"
STRUCTURES: Final = "1.2.250.1.71.4.2.2"
PROFESSIONS: Final = "1.2.250.1.213.1.1.4.5"
SETTINGS: Final = "1.2.250.1.213.1.1.4.9"
SECTORS: Final = "1.2.250.1.71.4.2.4"
COMPLEMENT: Final = "1.2.250.1.213.1.1.4.12"
UNSTRUCTURED: Final = "1.3.6.1.4.1.19376.1.2.20"
WHEN: Final = "20260305101500+0100"


@dataclass(frozen=True)
class Person:
    """A patient."""

    matricule: str
    birth_name: str
    used_name: str
    given: str
    all_given: str
    gender: str
    born: str
    commune: str


@dataclass(frozen=True)
class Structure:
    """An organisation: its FINESS, its name, what it is."""

    finess: str
    name: str
    setting: str = "ETABLISSEMENT"
    setting_name: str = "Etablissement de santé"
    sector: str = "SA01"
    sector_name: str = "Etablissement public de santé"


@dataclass(frozen=True)
class Professional:
    """Somebody with an RPPS number."""

    rpps: str
    family: str
    given: str
    profession: str = "G15_10/SM26"
    profession_name: str = "Médecin - Qualifié en Médecine Générale (SM)"


ANNE: Final = Person("279035121518989", "RENARD", "COLIN", "ANNE", "ANNE LOUISE", "F", "19790315", "51215")
LOUIS: Final = Person("185057800608491", "MOREL", "MOREL", "LOUIS", "LOUIS EMILE", "M", "19850512", "78006")
HOSPITAL: Final = Structure("750000018", "Hôpital des Peupliers")
LABORATORY: Final = Structure(
    "690000029", "Laboratoire du Confluent", "AMBULATOIRE", "Ambulatoire", "SA25", "Laboratoire de biologie médicale"
)
PRACTICE: Final = Structure(
    "330000037", "Cabinet de la Garonne", "AMBULATOIRE", "Ambulatoire", "SA07", "Cabinet individuel"
)
DOCTOR: Final = Professional("10001234567", "BLANCHET", "ODILE")
BIOLOGIST: Final = Professional("10007654321", "TESSIER", "HUGO", "G15_10/SM03", "Médecin - Biologie médicale (SM)")


@dataclass
class Document:
    """What differs from one document to the next. `body` holds sections, or the bytes of a file."""

    number: int
    type: tuple[str, str]
    title: str
    body: list[Any] | bytes
    models: tuple[str, ...] = ()
    type_system: str = LOINC
    patient: Person = ANNE
    author: Professional = DOCTOR
    structure: Structure = HOSPITAL
    when: str = WHEN
    version: int = 1
    replaces: int | None = None
    media_type: str = "application/pdf"
    act: tuple[str, str, str] = ("IMP", ACT_CODE, "Hospitalisation")
    stay: tuple[str, str, str] = ("IMP", ACT_CODE, "Hospitalisation")
    period: tuple[str, str | None] = ("20260301", "20260305")
    confidentiality: tuple[str, str, str] = ("N", "2.16.840.1.113883.5.25", "Normal")
    header: list[Any] = field(default_factory=list)
    """Elements of the header besides those that every document has, put in their place by name."""
    events: list[Any] = field(default_factory=list)
    """documentationOf elements besides the main act's."""


ORDER: Final = (
    "realmCode", "typeId", "templateId", "id", "code", "title", "effectiveTime", "confidentialityCode",
    "languageCode", "setId", "versionNumber", "recordTarget", "author", "dataEnterer", "informant", "custodian",
    "informationRecipient", "legalAuthenticator", "authenticator", "participant", "inFulfillmentOf",
    "documentationOf", "relatedDocument", "authorization", "componentOf", "component",
)  # fmt: skip


def build(document: Document) -> etree._Element:
    """The ClinicalDocument, its header in the order of the schema."""
    main = [
        *_identity(document),
        _target(document.patient),
        author(document.author, document.structure, document.when),
        _custodian(document.structure),
        _legal(document),
        _main_act(document),
        *document.events,
        *document.header,
        _stay(document),
        _body(document),
    ]
    if document.replaces is not None:
        parent = el("parentDocument", el("id", root=f"{ROOT}.{document.replaces}"))
        main.append(el("relatedDocument", parent, typeCode="RPLC"))
    main.sort(key=lambda element: ORDER.index(element.tag.rpartition("}")[2]))
    return el("ClinicalDocument", main)


def written(document: Document) -> bytes:
    """The document as a file."""
    return write(build(document))


def _identity(document: Document) -> list[Any]:
    models = document.models or ((UNSTRUCTURED,) if isinstance(document.body, bytes) else ("1.2.250.1.213.99.1.1",))
    value, display = document.type
    rank, system, rank_name = document.confidentiality
    return [
        el("realmCode", code="FR"),
        el("typeId", root="2.16.840.1.113883.1.3", extension="POCD_HD000040"),
        *templates("2.16.840.1.113883.2.8.2.1", "1.2.250.1.213.1.1.1.1", *models),
        el("id", root=f"{ROOT}.{document.number}"),
        code("code", value, document.type_system, display),
        el("title", document.title),
        el("effectiveTime", value=document.when),
        code("confidentialityCode", rank, system, rank_name),
        el("languageCode", code="fr-FR"),
        el("setId", root=f"{ROOT}.9", extension=str(document.replaces or document.number)),
        el("versionNumber", value=str(document.version)),
    ]


def _target(person: Person) -> etree._Element:
    names = [el("family", person.birth_name, qualifier="BR")]
    if person.used_name != person.birth_name:
        names.append(el("family", person.used_name, qualifier="CL"))
    names += [el("given", person.given, qualifier="BR"), el("given", person.all_given)]
    patient = el(
        "patient",
        el("name", names),
        code(
            "administrativeGenderCode",
            person.gender,
            "2.16.840.1.113883.5.1",
            {"F": "Féminin"}.get(person.gender, "Masculin"),
        ),
        el("birthTime", value=person.born),
        el("birthplace", el("place", el("addr", el("county", person.commune)))),
    )
    return el(
        "recordTarget",
        el(
            "patientRole",
            el("id", root=INS_TEST, extension=person.matricule),
            el("id", root=f"{ROOT}.8", extension=f"IPP{person.matricule[:5]}"),
            el(
                "addr",
                el("houseNumber", "12"),
                el("streetName", "rue des Acacias"),
                el("postalCode", "75013"),
                el("city", "PARIS"),
                use="H",
            ),
            el("telecom", value="tel:+33612345678", use="MC"),
            el("telecom", value=f"mailto:{person.matricule}@patient.mssante.fr"),
            patient,
        ),
    )


def person(professional: Professional) -> etree._Element:
    """The assignedPerson of a professional."""
    name = el("name", el("family", professional.family), el("given", professional.given))
    return el("assignedPerson", name)


def organization(
    structure: Structure, tag: str = "representedOrganization", *, setting: bool = False
) -> etree._Element:
    """An organisation; with its practice setting when `setting`."""
    return el(
        tag,
        el("id", root=STRUCTURES, extension=f"1{structure.finess}"),
        el("name", structure.name),
        code("standardIndustryClassCode", structure.setting, SETTINGS, structure.setting_name) if setting else None,
    )


def assigned(
    professional: Professional, structure: Structure | None, tag: str = "assignedEntity", *, setting: bool = False
) -> etree._Element:
    """A professional in an organisation."""
    return el(
        tag,
        el("id", root=PERSONS, extension=f"8{professional.rpps}"),
        code("code", professional.profession, PROFESSIONS, professional.profession_name),
        person(professional),
        organization(structure, setting=setting) if structure is not None else None,
    )


def author(professional: Professional, structure: Structure | None, when: str) -> etree._Element:
    """An author who is a person."""
    return el("author", el("time", value=when), assigned(professional, structure, "assignedAuthor"))


def device(model: str, software: str, structure: Structure, when: str) -> etree._Element:
    """An author that is a device."""
    made = el(
        "assignedAuthor",
        el("id", root=f"{ROOT}.7", extension=model),
        el("assignedAuthoringDevice", el("manufacturerModelName", model), el("softwareName", software)),
        organization(structure),
    )
    return el("author", el("time", value=when), made)


def _custodian(structure: Structure) -> etree._Element:
    return el("custodian", el("assignedCustodian", organization(structure, "representedCustodianOrganization")))


def _legal(document: Document) -> etree._Element:
    entity = assigned(document.author, document.structure)
    return el("legalAuthenticator", el("time", value=document.when), el("signatureCode", code="S"), entity)


def _main_act(document: Document) -> etree._Element:
    start, end = document.period
    event = el(
        "serviceEvent",
        code("code", *document.act),
        el("effectiveTime", el("low", value=start), el("high", value=end) if end else None),
        el("performer", assigned(document.author, document.structure, setting=True), typeCode="PRF"),
    )
    return el("documentationOf", event)


def _stay(document: Document) -> etree._Element:
    start, end = document.period
    structure = document.structure
    return el(
        "componentOf",
        el(
            "encompassingEncounter",
            code("code", *document.stay),
            el("effectiveTime", el("low", value=start), el("high", value=end) if end else None),
            el("location", el("healthCareFacility", code("code", structure.sector, SECTORS, structure.sector_name))),
        ),
    )


def _body(document: Document) -> etree._Element:
    if isinstance(document.body, bytes):
        encoded = b64encode(document.body).decode()
        text = el("text", "\n".join(textwrap.wrap(encoded, 76)), mediaType=document.media_type, representation="B64")
        return el("component", el("nonXMLBody", text))
    components = [el("component", section) for section in document.body]
    return el("component", el("structuredBody", components))


def pdf(text: str) -> bytes:
    """A PDF of one page that says a line of ASCII."""
    stream = f"BT /F1 14 Tf 60 760 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
            b" /Resources << /Font << /F1 5 0 R >> >> >>"
        ),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    made, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(made)
    made += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    made += b"".join(b"%010d 00000 n \n" % place for place in places)
    return made + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
