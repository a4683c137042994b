"""Results: observations, batteries, isolates and their antibiograms as Observation (CR-BIO 2024.01)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.documents.cda import actors, values
from fhirserver.documents.cda.biology.comments import comment, is_comment
from fhirserver.documents.cda.biology.laboratory import Laboratory, Level, laboratory, narrowed, performer
from fhirserver.documents.cda.biology.media import media
from fhirserver.documents.cda.biology.ranges import interpretation, reference_ranges
from fhirserver.documents.cda.biology.specimens import is_germ, isolate, specimen, stated, taken
from fhirserver.spec.systems import OBSERVATION_CATEGORY

if TYPE_CHECKING:
    from fhirserver.documents.cda.context import Context, Reference
    from fhirserver.documents.cda.node import Node

CATEGORY: Final = {"coding": [{"system": OBSERVATION_CATEGORY, "code": "laboratory"}]}
ISOLATE: Final = {"text": "Isolat microbiologique"}
"""The code of an isolate that has none."""
ISOLATES: Final = ("1.3.6.1.4.1.19376.1.3.1.5", "1.2.250.1.213.1.1.3.79")
SEQUEL: Final = "http://hl7.org/fhir/StructureDefinition/observation-sequelTo"
"""Extension of an Observation: the previous result that it is compared with."""

STATUSES: Final = {
    "completed": "final",
    "normal": "final",
    "aborted": "cancelled",
    "cancelled": "cancelled",
    "active": "preliminary",
    "held": "registered",
    "new": "registered",
    "suspended": "registered",
    "nullified": "entered-in-error",
    "obsolete": "entered-in-error",
}
"""v3-ActStatus to Observation.status."""

RELATIONS: Final = ("entryRelationship", "component")

Resource = dict[str, Any]


class Contents(NamedTuple):
    """What a statement holds: references, and Annotations."""

    members: list[Reference]
    previous: list[Reference]
    media: list[Reference]
    notes: list[Resource]


def observation(node: Node, ctx: Context) -> list[Reference]:
    """A result, with what it holds."""
    lab = laboratory(node, ctx)
    level = _sampled(node, ctx, lab, narrowed(node, ctx, lab.level))
    resource, reference = _begun(node, ctx, level)
    observed(node, resource, ctx)
    found = [each for each in map(interpretation, node.all("interpretationCode")) if each]
    if found:
        resource["interpretation"] = found
    for element, name in (("methodCode", "method"), ("targetSiteCode", "bodySite")):
        concept = values.concept(node.one(element))
        if concept:
            resource[name] = concept
    ranges = reference_ranges(node)
    if ranges:
        resource["referenceRange"] = ranges
    if level.effective is None and level.specimen:
        resource.update(taken(ctx.resource(level.specimen)))
    _filled(resource, contents(node, ctx, lab, level), level)
    return [reference]


def organizer(node: Node, ctx: Context) -> list[Reference]:
    """A battery, or an isolate: an Observation with members."""
    lab = laboratory(node, ctx)
    level = _sampled(node, ctx, lab, narrowed(node, ctx, lab.level))
    resource, reference = _begun(node, ctx, level)
    node.get("classCode")
    inner = level
    roots = {root for root, _ in node.templates}
    for each in node.all("specimen"):
        if is_germ(each) or not roots.isdisjoint(ISOLATES):
            if "valueCodeableConcept" in resource:
                ctx.leave(each, "unread")
                continue
            found, organism = isolate(each, level.specimen, ctx, lab)
            inner = inner._replace(specimen=found)
            if organism:
                resource["valueCodeableConcept"] = organism
            if node.one("code") is None:
                resource["code"] = ISOLATE
    _filled(resource, contents(node, ctx, lab, inner), inner)
    return [reference]


def _sampled(node: Node, ctx: Context, lab: Laboratory, level: Level) -> Level:
    """The level with the specimen that a statement names itself, unless that is an isolate, or that it holds."""
    roots = {root for root, _ in node.templates}
    named = [] if not roots.isdisjoint(ISOLATES) else [each for each in node.all("specimen") if not is_germ(each)]
    if len(named) == 1:
        level = level._replace(specimen=stated(named[0], ctx, lab))
    return sampled(level, collected(node, ctx, lab))


def sampled(level: Level, specimens: list[Reference]) -> Level:
    """The level within a statement that holds specimens: of several, none is that of all results."""
    if not specimens:
        return level
    return level._replace(specimen=specimens[0] if len(specimens) == 1 else None)


def collected(node: Node, ctx: Context, lab: Laboratory) -> list[Reference]:
    """The specimens whose collection a statement holds."""
    found: dict[str, Reference] = {}
    for relation in node.kids:
        procedure = relation.one("procedure") if relation.name in RELATIONS else None
        if procedure is not None:
            reference = specimen(procedure, ctx, lab)
            found.setdefault(reference["reference"], reference)
    return list(found.values())


def contents(node: Node, ctx: Context, lab: Laboratory, level: Level) -> Contents:
    """All that lies within a statement besides specimens."""
    found = Contents([], [], [], [])
    with lab.within(level):
        for relation in node.kids:
            if relation.name in RELATIONS:
                relation.templates  # noqa: B018 read
                for kid in relation.kids:
                    if kid.name not in ("procedure", "templateId"):
                        _content(relation, kid, ctx, found)
    return found


def _content(relation: Node, node: Node, ctx: Context, found: Contents) -> None:
    if node.name == "observation":
        if relation.attributes.get("typeCode") == "REFR":
            relation.get("typeCode")
            lab = laboratory(node, ctx)
            with lab.within(lab.level._replace(performers=(), devices=(), effective=None, specimen=None)):
                found.previous.extend(observation(node, ctx))
        else:
            found.members.extend(observation(node, ctx))
    elif node.name == "organizer":
        found.members.extend(organizer(node, ctx))
    elif node.name == "observationMedia":
        found.media.extend(media(node, ctx))
    elif node.name == "act" and is_comment(node):
        note = comment(node, ctx)
        if note:
            if relation.attributes.get("typeCode") == "SUBJ":
                relation.get("typeCode")
                relation.get("inversionInd")
            found.notes.append(note)
    elif node.name == "act" and any(kid.name in RELATIONS for kid in node.kids):
        _wrapped(node, ctx, found)
    else:
        ctx.entry(node)


def _wrapped(node: Node, ctx: Context, found: Contents) -> None:
    """An act between a statement and its results: what it holds belongs to the statement."""
    node.templates  # noqa: B018 read
    lab = laboratory(node, ctx)
    level = narrowed(node, ctx, lab.level)
    inner = contents(node, ctx, lab, sampled(level, collected(node, ctx, lab)))
    untimely(node, level, inner.members, ctx)
    for outer, more in zip(found, inner, strict=True):
        outer.extend(more)


def untimely(node: Node, level: Level, members: list[Reference], ctx: Context) -> None:
    """Name the time of a statement that becomes no resource as left, when all within have times of their own."""
    when = node.one("effectiveTime")
    if when is None or not level.effective:
        return
    if not any(level.effective.items() <= ctx.resource(each).items() for each in members):
        ctx.leave(when, "unread")


def _begun(node: Node, ctx: Context, level: Level) -> tuple[Resource, Reference]:
    """An Observation with what batteries and results have in common."""
    node.templates  # noqa: B018 read
    resource: Resource = {"resourceType": "Observation"}
    identifiers = actors.identifiers(node)
    if identifiers:
        resource["identifier"] = identifiers
    status = node.one("statusCode")
    said = status.attributes.get("code") if status is not None else None
    if status is not None and said in STATUSES:
        status.get("code")
    resource["status"] = STATUSES.get(said or "", "unknown")
    resource["category"] = [CATEGORY, *level.categories]
    resource["code"] = values.required(node.one("code"))
    resource["subject"] = ctx.patient
    resource.update(level.effective or {})
    wording(node, resource)
    return resource, ctx.add(resource, "derived")


def wording(node: Node, resource: Resource) -> None:
    """`text` mostly refers to the narrative of the section, which Composition keeps; words of its own are a note."""
    text = node.one("text")
    if text is None:
        return
    reference = text.one("reference")
    if reference is None:
        said = values.said(text)
        if said:
            resource["note"] = [{"text": said}]
    elif text.resolve(reference.attributes.get("value")) is not None:
        reference.get("value")


def observed(node: Node, resource: Resource, ctx: Context) -> None:
    """`value[x]`; a second amount of the same is a translation into another unit. Without value: why."""
    listed = node.all("value")
    for each in listed:
        if each.attributes.get("representation") == "B64":
            resource.setdefault("derivedFrom", []).extend(media(node, ctx, each))
            continue
        held = resource.get("valueQuantity")
        free = not any(name.startswith("value") for name in resource)
        found = values.value(each) if free else {}
        if held is not None and (other := values.quantity(each)):
            extension = {"url": "http://hl7.org/fhir/StructureDefinition/iso21090-PQ-translation"}
            held.setdefault("extension", []).append({**extension, "valueQuantity": other})
        elif found:
            resource.update(found)
    if listed and not any(name.startswith("value") for name in resource):
        reason = values.absence(listed[0])
        if reason:
            resource["dataAbsentReason"] = reason
    if resource["status"] == "preliminary" and not any(name.startswith("value") for name in resource):
        resource["status"] = "registered"


def _filled(resource: Resource, found: Contents, level: Level) -> None:
    """Members, notes, images, previous results, and who did it with which specimen."""
    listed = performer(level)
    if listed:
        resource["performer"] = listed
    if level.devices:
        resource["device"] = level.devices[0]
    if level.specimen:
        resource["specimen"] = level.specimen
    if found.notes:
        resource.setdefault("note", []).extend(found.notes)
    if found.members:
        resource["hasMember"] = found.members
    if found.media:
        resource.setdefault("derivedFrom", []).extend(found.media)
    if found.previous:
        resource["extension"] = [{"url": SEQUEL, "valueReference": each} for each in found.previous]
