"""Imaging: studies, series and instances that a document refers to (DICOM PS3.20) as ImagingStudy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda import values
from fhirserver.documents.cda.clinical import links

if TYPE_CHECKING:
    from fhirserver.documents.cda.context import Context, Reference
    from fhirserver.documents.cda.header import Parts
    from fhirserver.documents.cda.node import Node

DICOM: Final = "urn:dicom:uid"
DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"
STUDY, SERIES, MODALITY = "113014", "113015", "121139"
ACCESSION: Final = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]}
DOCUMENTS: Final = frozenset({"18748-4", "IMG-KOS", "52040-3"})
"""Types of document whose acts are imaging studies: CR d'imagerie, reference of a study's objects, image."""

Resource = dict[str, Any]


def study(node: Node, ctx: Context) -> list[Reference]:
    """A study with its series and instances."""
    resource: Resource = {"resourceType": "ImagingStudy", "status": "available", "subject": ctx.patient}
    uids = [uid for each in node.all("id") if (uid := _uid(each))]
    if uids:
        resource["identifier"] = [{"system": DICOM, "value": f"urn:oid:{uid}"} for uid in uids]
    _coded(node)
    node.templates  # noqa: B018 read
    reference = ctx.add(resource, "derived")
    links.name(node, reference, ctx)
    started = values.date_time(node.one("effectiveTime"))
    if started:
        resource["started"] = started
    if ctx.scope.encounter:
        resource["encounter"] = ctx.scope.encounter
    found = links.related(node, ctx, lambda kind, inner: inner.name == "act")
    series = [made for _, inner in found.statements if (made := _series(inner, ctx))]
    if series:
        resource["series"] = series
        modalities = [each["modality"] for each in series if "code" in each["modality"]]
        resource["modality"] = [m for i, m in enumerate(modalities) if m not in modalities[:i]]
        resource["numberOfSeries"] = len(series)
        resource["numberOfInstances"] = sum(len(each.get("instance", ())) for each in series)
        if not resource["modality"]:
            del resource["modality"]
    if found.notes:
        resource["note"] = found.notes
    ctx.shared["imaging"] = resource
    return [reference, *(each for _, each in found.others)]


def _series(node: Node, ctx: Context) -> Resource | None:
    uid = next((uid for each in node.all("id") if (uid := _uid(each))), None)
    if uid is None:
        return None
    node.templates  # noqa: B018 read
    code = node.one("code")
    modality: Resource = values.absent_element(None)
    for each in code.all("qualifier") if code is not None else ():
        name = each.one("name")
        if name is not None and name.attributes.get("code") == MODALITY:
            name.told()
            modality = values.coding(each.one("value")) or modality
    _coded(node)
    found: Resource = {"uid": uid, "modality": modality}
    started = values.date_time(node.one("effectiveTime"))
    if started:
        found["started"] = started
    text = values.said(node.one("text"))
    if text:
        found["description"] = text
    inner = links.related(node, ctx, lambda kind, each: each.name == "observation")
    inner.unsaid(ctx)
    instances = [made for _, each in inner.statements if (made := _instance(each))]
    if instances:
        found["instance"] = instances
        found["numberOfInstances"] = len(instances)
    return found


def _instance(node: Node) -> Resource | None:
    uid = next((uid for each in node.all("id") if (uid := _uid(each))), None)
    if uid is None:
        return None
    node.templates  # noqa: B018 read
    node.get("classCode")
    code = node.one("code")
    sop = values.code(code)
    found: Resource = {
        "uid": uid,
        "sopClass": {"system": values.systems.URI, "code": f"urn:oid:{sop}"} if sop else values.absent_element(code),
    }
    return found


def _uid(node: Node) -> str | None:
    """A DICOM UID: a root without extension."""
    root = node.attributes.get("root")
    if not root or "extension" in node.attributes or not values.systems.is_oid(root):
        return None
    return node.get("root")


def _coded(node: Node) -> None:
    """The code of a study or series only says which of the two it is."""
    code = node.one("code")
    if code is not None and code.attributes.get("code") in (STUDY, SERIES):
        values.coding(code)


def of_header(root: Node, parts: Parts, ctx: Context) -> None:
    """The study that the header tells of; what the body did not say of it is added."""
    codes = {coding["code"] for coding in (parts.header.code or {}).get("coding", ())}
    if not codes & DOCUMENTS:
        return
    resource = ctx.shared.get("imaging")
    for documentation in root.all("documentationOf"):
        event = documentation.one("serviceEvent")
        uids = [uid for each in event.all("id") if (uid := _uid(each))] if event is not None else []
        if event is None or not uids:
            continue
        if resource is None:
            resource = {"resourceType": "ImagingStudy", "status": "unknown", "subject": ctx.patient}
            resource["identifier"] = [{"system": DICOM, "value": f"urn:oid:{uid}"} for uid in uids]
            ctx.add(resource, "derived")
        named = {identifier["value"] for identifier in resource.get("identifier", ())}
        if f"urn:oid:{uids[0]}" not in named:
            continue
        if code := values.concept(event.one("code")):
            resource.setdefault("procedureCode", [code])
        started = (values.period(event.one("effectiveTime")) or {}).get("start")
        if started:
            resource.setdefault("started", started)
    if resource is None:
        return
    for order in parts.orders:
        identifier = order["identifier"]
        if identifier["type"]["coding"][0]["code"].endswith(":accession"):
            resource.setdefault("identifier", []).append({**identifier, "type": ACCESSION})
    if parts.encounter:
        resource.setdefault("encounter", parts.encounter)


def catalogued(node: Node, ctx: Context) -> list[Reference]:
    """An act of a catalogue of DICOM objects: a study; anything else as any act."""
    from fhirserver.documents.cda.clinical.procedures import act

    code = node.one("code")
    return study(node, ctx) if code is not None and code.attributes.get("code") == STUDY else act(node, ctx)
