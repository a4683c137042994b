"""The document as a whole: DocumentReference (PDSm comprehensive), Composition, Binary, Provenance."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda import values
from fhirserver.spec.systems import CONFIDENTIALITY
from fhirserver.tables import rows as rows_of

if TYPE_CHECKING:
    from fhirserver.documents.cda.context import Context, Reference
    from fhirserver.documents.cda.header import Parts
    from fhirserver.documents.cda.node import Node
    from fhirserver.documents.cda.participations import Participation

MEDIA_TYPE: Final = "text/xml"
"""What a CDA document is in document sharing (ITI TF, XDS mimeType)."""
_NOS: Final = "https://mos.esante.gouv.fr/NOS/"
CLASSES: Final = f"{_NOS}TRE_A03-ClasseDocument/FHIR/TRE-A03-ClasseDocument"
URNS: Final = f"{_NOS}TRE_A10-NomenclatureURN/FHIR/TRE-A10-NomenclatureURN"
IHE_FORMATS: Final = f"{_NOS}TRE_A11-IheFormatCode/FHIR/TRE-A11-IheFormatCode"
RANKS: Final = frozenset("ULMNRV")
VERSION: Final = "http://hl7.org/fhir/StructureDefinition/composition-clinicaldocument-versionNumber"
CLASS_NAMES: Final = {
    "10": "Compte rendu",
    "11": "Synthèse",
    "31": "Imagerie médicale",
    "42": "Prescription",
    "43": "Dispensation",
    "44": "Plan de soins, protocole de soins",
    "45": "Traitement administré",
    "52": "Certificat, déclaration",
    "60": "Données de remboursement",
    "90": "Autres documents déposés par le patient",
    "95": "Document de gestion",
}
LABORATORY: Final = "1.3.6.1.4.1.19376.1.3.3"
ABSENT: Final = values.absent_element(None)

Resource = dict[str, Any]


def publish(root: Node, data: bytes, parts: Parts, media_type: str | None, ctx: Context) -> tuple[Reference, Reference]:
    """Takes the Binary of the document itself and its DocumentReference; the references to both.

    `media_type` is that of what a level 1 document embeds.
    """
    binary: Resource = {"resourceType": "Binary", "contentType": MEDIA_TYPE}
    held = ctx.add(binary, "binary")
    document = _document(root, data, parts, held, ctx)
    document["content"][0]["format"] = _format(root, media_type)
    reference = ctx.add(document, "document")
    for entry in ctx.entries:
        if entry.role == "binary":
            entry.resource["securityContext"] = reference
    binary["data"] = b64encode(data).decode()
    return reference, held


def _document(root: Node, data: bytes, parts: Parts, held: Reference, ctx: Context) -> Resource:
    header = parts.header
    contained, authors = _contained(parts, ctx)
    document: Resource = {
        "resourceType": "DocumentReference",
        "contained": contained,
        "masterIdentifier": {"use": "usual", "system": values.systems.URI, "value": header.unique_id},
        "status": "current",
        "type": header.code or values.required(root.one("code")),
        "category": [category(header.code)],
        "subject": ctx.patient,
        **_dated("date", header.created and values.as_instant(header.created)),
        "author": authors["AUT"] or [ABSENT],
        "custodian": parts.custodian or ABSENT,
        "securityLabel": [header.confidentiality or ABSENT],
        "content": [{"attachment": _attachment(data, parts, held)}],
        "context": _context(parts, ctx),
    }
    if header.set_id:
        document["identifier"] = [{"use": "secondary", "system": values.systems.URI, "value": header.set_id}]
    if authors["LA"]:
        document["authenticator"] = authors["LA"][0]
    if header.replaces:
        target = {"identifier": {"system": values.systems.URI, "value": header.replaces}}
        document["relatesTo"] = [{"code": "replaces", "target": target}]
    if header.title:
        document["description"] = header.title
    return document


def _attachment(data: bytes, parts: Parts, held: Reference) -> Resource:
    header = parts.header
    digest = hashlib.sha1(data, usedforsecurity=False).digest()
    return {
        "contentType": MEDIA_TYPE,
        **({"language": header.language} if header.language else {"_language": ABSENT}),
        "url": held["reference"],
        "size": len(data),
        "hash": b64encode(digest).decode(),
        "title": header.title or "-",
        **_dated("creation", header.created),
    }


def _context(parts: Parts, ctx: Context) -> Resource:
    codes = [code for event in parts.events for code in event.get("code", ())]
    main: Resource = next((event["period"] for event in parts.events if "period" in event), {})
    context: Resource = {
        "period": main if "start" in main else {**main, "_start": ABSENT},
        "facilityType": parts.facility or ABSENT,
        "practiceSetting": parts.setting or ABSENT,
        "sourcePatientInfo": {"reference": "#patient"},
    }
    if codes:
        context["event"] = codes
    if parts.encounter:
        context["encounter"] = [parts.encounter]
    if parts.orders:
        context["related"] = parts.orders
    return context


def _contained(parts: Parts, ctx: Context) -> tuple[list[Resource], dict[str, list[Reference]]]:
    """The patient as the document names them, the authors and the legal authenticator, as PDSm wants them within."""
    said = parts.header.patient.resource or {"resourceType": "Patient"}
    contained = [{**{name: value for name, value in said.items() if name != "managingOrganization"}, "id": "patient"}]
    places: dict[str, Reference] = {}
    found: dict[str, list[Reference]] = {"AUT": [], "LA": []}
    for each in (*parts.of("AUT"), *parts.of("LA")[:1]):
        url = each.who["reference"]
        if url == ctx.patient["reference"]:
            found[each.type].append({"reference": "#patient"})
            continue
        if url not in places:
            actor = ctx.resource(each.who)
            places[url] = {"reference": f"#actor-{len(places) + 1}"}
            contained.append({**role(actor, each.who), "id": places[url]["reference"][1:]})
        if places[url] not in found[each.type]:
            found[each.type].append(places[url])
    return contained, found


def role(actor: Resource, who: Reference) -> Resource:
    """An actor as a contained resource that PDSm admits among authors."""
    kind = actor["resourceType"]
    if kind == "PractitionerRole":
        return {name: value for name, value in actor.items() if name != "telecom"}
    if kind == "Practitioner":
        return {"resourceType": "PractitionerRole", "practitioner": who}
    if kind == "Organization":
        return {"resourceType": "PractitionerRole", "organization": who}
    return dict(actor)


def _format(root: Node, media_type: str | None) -> Resource:
    """The format (JDV_J10) that the template of the document tells."""
    if media_type is not None:
        kind = "pdf" if media_type == "application/pdf" else "text"
        return {"system": IHE_FORMATS, "code": f"urn:ihe:iti:xds-sd:{kind}:2008"}
    if any(name == LABORATORY for name, _ in root.templates):
        return {"system": IHE_FORMATS, "code": "urn:ihe:lab:xd-lab:2008"}
    return {"system": URNS, "code": "urn:ihe:iti:xds:2017:mimeTypeSufficient"}


def category(type: Resource | None) -> Resource:
    """The class (JDV_J06) of a type of document (ASS_X16); of a type that it does not classify, the type's own text."""
    codings = (type or {}).get("coding", ())
    for coding in codings:
        found = _classes().get(coding["code"])
        if found:
            return {"coding": [{"system": CLASSES, "code": found, "display": CLASS_NAMES[found]}]}
    display = next((coding["display"] for coding in codings if "display" in coding), None)
    return {"text": display} if display else dict(ABSENT)


def is_prescription(type: Resource | None) -> bool:
    """Whether a document of this type is a prescription, which its lines then share as their group."""
    return any(coding.get("code") == "42" for coding in category(type).get("coding", ()))


@cache
def _classes() -> dict[str, str]:
    return {row["type"]: row["class"] for row in rows_of("fhirserver.documents.cda", "classes.csv")}


def compose(root: Node, parts: Parts, sections: list[Resource], ctx: Context) -> Reference:
    """Takes the Composition."""
    header = parts.header
    authors = list({each.who["reference"]: each.who for each in parts.of("AUT")}.values())
    composition: Resource = {
        "resourceType": "Composition",
        "status": "final",
        "type": header.code or values.required(root.one("code")),
        "category": [category(header.code)],
        "subject": ctx.patient,
        **_dated("date", header.created),
        "author": authors or [ABSENT],
        "title": header.title or "-",
    }
    if header.language:
        composition["language"] = header.language
    if header.version is not None:
        composition["extension"] = [{"url": VERSION, "valueString": str(header.version)}]
    if header.set_id:
        composition["identifier"] = {"system": values.systems.URI, "value": header.set_id}
    labels = (header.confidentiality or {}).get("coding", ())
    rank = next((label for label in labels if label.get("system") == CONFIDENTIALITY), None)
    if rank and rank["code"] in RANKS:
        composition["confidentiality"] = rank["code"]
    if attesters := [_attester(each) for each in parts.of("LA", "AUTHEN")]:
        composition["attester"] = attesters
    if parts.custodian:
        composition["custodian"] = parts.custodian
    if parts.encounter:
        composition["encounter"] = parts.encounter
    if header.replaces:
        target = {"system": values.systems.URI, "value": header.replaces}
        composition["relatesTo"] = [{"code": "replaces", "targetIdentifier": target}]
    if parts.events:
        composition["event"] = parts.events
    if sections:
        composition["section"] = sections
    return ctx.add(composition, "composition")


def _attester(each: Participation) -> Resource:
    found: Resource = {"mode": "legal" if each.type == "LA" else "professional", "party": each.who}
    return {**found, "time": each.time} if each.time else found


def _dated(name: str, text: str | None) -> Resource:
    """A date that FHIR demands: why there is none, when there is none."""
    return {name: text} if text else {f"_{name}": ABSENT}
