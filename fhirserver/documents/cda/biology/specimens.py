"""Specimens: the procedure of collection, and its reception at the laboratory, as Specimen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.documents.cda import actors, values
from fhirserver.documents.cda.biology.comments import comment
from fhirserver.documents.cda.biology.laboratory import labelled

if TYPE_CHECKING:
    from fhirserver.documents.cda.biology.laboratory import Laboratory
    from fhirserver.documents.cda.context import Context, Reference
    from fhirserver.documents.cda.node import Node

ENTITIES: Final = "http://terminology.hl7.org/CodeSystem/v3-EntityClass"
MICROORGANISM: Final = {"coding": [{"system": ENTITIES, "code": "MIC"}]}
"""The type of the Specimen that stands for an isolate."""
RECEPTION: Final = ("1.3.6.1.4.1.19376.1.3.1.3", "1.2.250.1.213.1.1.3.107")

Resource = dict[str, Any]


def specimen(node: Node, ctx: Context, lab: Laboratory) -> Reference:
    """A collection as Specimen; the same specimen stated again is the same resource."""
    node.templates  # noqa: B018 read
    resource: Resource = {"resourceType": "Specimen"}
    identifiers = actors.identifiers(node)
    kinds: list[Resource] = []
    collection: Resource = {}
    for each in node.all("participant"):
        role = each.one("participantRole")
        if role is not None and each.attributes.get("typeCode") in ("PRD", "SPC", None):
            each.get("typeCode")
            identifiers += _material(role, kinds, collection)
    if identifiers:
        resource["identifier"] = identifiers
    if kinds:
        resource["type"] = kinds[0]
    resource["subject"] = ctx.patient
    received = _reception(node, resource, ctx)
    if received:
        resource["receivedTime"] = received
    collection = {**_collection(node, ctx), **collection}
    if collection:
        resource["collection"] = collection
    return _once(resource, node, ctx, lab)


def taken(resource: Resource) -> Resource:
    """When a specimen was collected, as `effective[x]`."""
    collection = resource.get("collection", {})
    return {
        f"effective{kind}": collection[f"collected{kind}"]
        for kind in ("DateTime", "Period")
        if f"collected{kind}" in collection
    }


def _material(role: Node, kinds: list[Resource], collection: Resource) -> list[Resource]:
    """Identifiers of what was taken; its kind and quantity go where they belong."""
    if role.attributes.get("classCode") == "SPEC":
        role.get("classCode")
    entity = role.one("playingEntity") or role.one("specimenPlayingEntity")
    if entity is not None:
        entity.get("classCode")
        kind = None if kinds else values.concept(entity.one("code"))
        description = None if kinds else values.said(entity.one("desc")) or values.organization_name(entity.one("name"))
        if description:
            kind = {**(kind or {}), "text": description} if "text" not in (kind or {}) else kind
        if kind:
            kinds.append(kind)
        quantity = values.quantity(entity.one("quantity"))
        if quantity:
            collection["quantity"] = quantity
    return actors.identifiers(role)


def _collection(node: Node, ctx: Context) -> Resource:
    found: Resource = {}
    for each in node.all("performer"):
        who = actors.participant(each, ctx)
        kind = ctx.resource(who)["resourceType"] if who is not None else ""
        if who is not None and kind in ("Practitioner", "PractitionerRole") and found.get("collector", who) == who:
            found["collector"] = who
        elif who is not None:
            ctx.leave(each, "unread")
    found.update(values.when(node.one("effectiveTime"), "collected"))
    method = values.concept(node.one("methodCode")) or values.concept(node.one("code"))
    if method:
        found["method"] = method
    site = values.concept(node.one("targetSiteCode")) or values.concept(node.one("approachSiteCode"))
    if site:
        found["bodySite"] = site
    return found


def _reception(node: Node, resource: Resource, ctx: Context) -> str | None:
    """When the specimen came to the laboratory; comments on the way go to `note`."""
    received = None
    node.formal("statusCode", "completed")
    for relation in node.all("entryRelationship"):
        act = relation.one("act")
        if act is None:
            continue
        roots = [root for root, _ in act.templates]
        code = act.one("code")
        is_reception = any(root in RECEPTION for root in roots) or (
            code is not None and code.attributes.get("code") == "SPRECEIVE"
        )
        if is_reception:
            received = received or values.date_time(act.one("effectiveTime"))
            act.formal("code", "SPRECEIVE")
            act.formal("statusCode", "completed")
        elif note := comment(act, ctx):
            relation.get("typeCode")
            relation.get("inversionInd")
            resource.setdefault("note", []).append(note)
    return received


def is_germ(node: Node) -> bool:
    """Whether the `specimen` of a statement is a microorganism."""
    entity = node.at("specimenRole/specimenPlayingEntity") or node.at("specimenRole/playingEntity")
    return entity is not None and entity.attributes.get("classCode") == "MIC"


def stated(node: Node, ctx: Context, lab: Laboratory) -> Reference:
    """The Specimen that a statement names (`specimen`), without its collection."""
    resource, _ = _of_role(node, None, ctx)
    return _once(resource, node, ctx, lab)


def _of_role(node: Node, type: Resource | None, ctx: Context) -> tuple[Resource, list[Resource]]:
    """The Specimen of a `specimenRole`, of this type or of what it says to be; and what it says to be."""
    node.get("typeCode")
    role = node.one("specimenRole")
    kinds: list[Resource] = []
    collection: Resource = {}
    identifiers = _material(role, kinds, collection) if role is not None else []
    said = type or (kinds[0] if kinds else None)
    resource: Resource = {"resourceType": "Specimen"}
    known = {"identifier": identifiers, "type": said, "subject": ctx.patient, "collection": collection}
    resource |= {name: value for name, value in known.items() if value or name == "subject"}
    return resource, kinds


def isolate(node: Node, source: Reference | None, ctx: Context, lab: Laboratory) -> tuple[Reference, Resource | None]:
    """The Specimen of a microorganism that was isolated (`specimen` of an organizer), and what it is."""
    resource, kinds = _of_role(node, MICROORGANISM, ctx)
    if source is not None:
        resource["parent"] = [source]
    return _once(resource, node, ctx, lab), kinds[0] if kinds else None


def _once(resource: Resource, node: Node, ctx: Context, lab: Laboratory) -> Reference:
    """A specimen with the same identifiers, or the same in every word, is the same one, unless they disagree."""
    key = jsontext.dump(resource.get("identifier") or resource).decode()
    known = lab.specimens.get(key)
    if known is None or not _completed(ctx.resource(known), resource):
        known = lab.specimens[key] = ctx.add(resource, "derived")
    else:
        labelled(ctx.resource(known), ctx)
    return known


def _completed(held: Resource, resource: Resource) -> bool:
    """Adds what another statement says of a specimen; not when it says otherwise."""
    inner = [name for name in resource if isinstance(held.get(name), dict) and isinstance(resource[name], dict)]
    plain = [name for name in resource if name in held and name not in inner]
    differing = any(held[name] != resource[name] for name in plain) or any(
        held[name][part] != resource[name][part] for name in inner for part in resource[name] if part in held[name]
    )
    if differing:
        return False
    for name in inner:
        held[name] = {**held[name], **resource[name]}
    held.update((name, resource[name]) for name in resource if name not in held)
    return True
