"""Observations outside biology: vital signs, social history, pregnancy, coded results, and any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda import values
from fhirserver.documents.cda.biology.media import media
from fhirserver.documents.cda.biology.ranges import interpretation, reference_ranges
from fhirserver.documents.cda.biology.results import STATUSES, observed, wording
from fhirserver.documents.cda.clinical import links
from fhirserver.spec.systems import DATA_ABSENT, INTERPRETATION, OBSERVATION_CATEGORY

if TYPE_CHECKING:
    from fhirserver.documents.cda.context import Context, Handler, Reference
    from fhirserver.documents.cda.node import Node

GOALS: Final = {
    "active": "active", "completed": "completed", "aborted": "cancelled", "cancelled": "cancelled", "new": "proposed",
    "held": "on-hold", "suspended": "on-hold", "nullified": "entered-in-error",
}  # fmt: skip
TARGETS: Final = {
    f"value{kind}": f"detail{kind}"
    for kind in ("Quantity", "Range", "CodeableConcept", "String", "Boolean", "Integer", "Ratio")
}
PERFORMERS: Final = ("Practitioner", "PractitionerRole", "Organization", "Patient", "RelatedPerson", "CareTeam")
SECTIONS: Final = {
    "8716-3": "vital-signs", "29762-2": "social-history", "30954-2": "laboratory", "18726-0": "imaging",
    "29545-1": "exam", "29544-3": "exam", "10187-3": "survey", "47420-5": "survey",
}  # fmt: skip
"""LOINC code of a section to the category of the observations in it."""

Resource = dict[str, Any]


def categorised(category: str) -> Handler:
    """A handler for observations of a category."""

    def handle(node: Node, ctx: Context) -> list[Reference]:
        return _observation(node, ctx, category)

    return handle


def observation(node: Node, ctx: Context) -> list[Reference]:
    """Any observation; its category is that of its section, when the section tells one."""
    return _observation(node, ctx, _category(ctx))


def _category(ctx: Context) -> str | None:
    codings = (ctx.scope.section or {}).get("coding", ())
    return next((SECTIONS[coding["code"]] for coding in codings if coding["code"] in SECTIONS), None)


def _observation(node: Node, ctx: Context, category: str | None) -> list[Reference]:
    mood = links.mood(node)
    if mood in ("RQO", "INT", "PRP", "PRMS", "ARQ"):
        from fhirserver.documents.cda.clinical.procedures import requested

        return requested(node, mood, ctx)
    if mood == "GOL":
        return _goal(node, ctx)
    resource, reference = _begun(node, ctx, category)
    observed(node, resource, ctx)
    _qualified(resource, node)
    if node.get("negationInd") == "true":
        _negated(resource)
    found = links.related(node, ctx)
    _filled(resource, node, found, ctx)
    return [reference, *(each for kind, each in found.others if kind not in ("COMP", "SPRT"))]


def _goal(node: Node, ctx: Context) -> list[Reference]:
    """What is aimed at is no observation: a Goal, with its target value and the date by which."""
    resource: Resource = {
        "resourceType": "Goal",
        "lifecycleStatus": links.status(node, GOALS, "active"),
        "description": values.required(node.one("code")),
        "subject": ctx.patient,
    }
    reference = links.begin(resource, node, ctx)
    target: Resource = {}
    aim = node.one("value")
    for name, value in values.value(aim).items():
        if name not in TARGETS and aim is not None:
            ctx.leave(aim, "value")
        else:
            target = {"measure": resource["description"], TARGETS[name]: value}
    if due := (values.period(node.one("effectiveTime")) or {}).get("end"):
        target["dueDate"] = due[:10]
    if target:
        resource["target"] = [target]
    words = links.narrated(node)
    found = links.related(node, ctx)
    if notes := [*([{"text": words}] if words else []), *found.notes]:
        resource["note"] = notes
    return [reference, *(each for _, each in found.others)]


def organizer(node: Node, ctx: Context) -> list[Reference]:
    """A group of observations: an Observation with members; of nothing but its members, when it says nothing itself."""
    found_code = node.one("code")
    if found_code is None and node.get("classCode") == "CLUSTER":
        inner = links.related(node, ctx)
        inner.unsaid(ctx)
        return [reference for _, reference in inner.others]
    category = _category(ctx)
    node.get("classCode")
    resource, reference = _begun(node, ctx, category)
    found = links.related(node, ctx)
    members = found.of("COMP")
    _filled(resource, node, found, ctx)
    if not members:
        resource.setdefault("dataAbsentReason", {"coding": [{"system": DATA_ABSENT, "code": "unknown"}]})
    listed = {each["reference"] for each in resource.get("hasMember", ())}
    return [reference, *(each for kind, each in found.others if kind != "COMP" or each["reference"] not in listed)]


def _begun(node: Node, ctx: Context, category: str | None) -> tuple[Resource, Reference]:
    resource: Resource = {"resourceType": "Observation", "status": links.status(node, STATUSES, "final")}
    if category:
        resource["category"] = [{"coding": [{"system": OBSERVATION_CATEGORY, "code": category}]}]
    resource["code"] = values.required(node.one("code"))
    resource["subject"] = ctx.patient
    if ctx.scope.encounter:
        resource["encounter"] = ctx.scope.encounter
    resource.update(values.when(node.one("effectiveTime")))
    reference = links.begin(resource, node, ctx)
    wording(node, resource)
    return resource, reference


def _qualified(resource: Resource, node: Node) -> None:
    found = [each for each in map(interpretation, node.all("interpretationCode")) if each]
    if found:
        resource["interpretation"] = found
    for element, member in (("methodCode", "method"), ("targetSiteCode", "bodySite")):
        listed = [concept for each in node.all(element) if (concept := values.concept(each))]
        if listed:
            merged = {**listed[0]}
            for other in listed[1:]:
                merged["coding"] = [*merged.get("coding", ()), *other.get("coding", ())]
            resource[member] = merged
    ranges = reference_ranges(node)
    if ranges:
        resource["referenceRange"] = ranges


def _negated(resource: Resource) -> None:
    """An observation that something is not so (negationInd)."""
    if any(name.startswith("value") for name in resource):
        resource.setdefault("interpretation", []).append({"coding": [{"system": INTERPRETATION, "code": "NEG"}]})
    else:
        resource.pop("dataAbsentReason", None)
        resource["valueBoolean"] = False


def _filled(resource: Resource, node: Node, found: links.Related, ctx: Context) -> None:
    """Who measured, with what; comments; observations within."""
    if performers := links.people(node, ctx, *PERFORMERS):
        resource["performer"] = performers
    for each in node.all("participant"):
        if each.attributes.get("typeCode") in ("DEV", "RDV") and (who := links.people_of(each, ctx)) is not None:
            each.get("typeCode")
            if _kind(who, ctx) == "Device":
                resource.setdefault("device", who)
    notes = [*resource.get("note", ()), *found.notes]
    if severity := found.concept("severity"):
        resource.setdefault("interpretation", []).append(severity)
    if status := found.concept("status"):
        notes.append(
            {"text": status.get("text") or next((c.get("display", c["code"]) for c in status.get("coding", ())), "-")}
        )
    if notes:
        resource["note"] = notes
    members = [each for each in found.of("COMP") if _kind(each, ctx) == "Observation"]
    sources = [each for each in found.of("SPRT", "COMP") if _kind(each, ctx) in ("Media",)]
    if members:
        resource["hasMember"] = members
    if sources:
        resource.setdefault("derivedFrom", []).extend(sources)


def _kind(reference: Reference, ctx: Context) -> str:
    return str(ctx.resource(reference)["resourceType"])


def picture(node: Node, ctx: Context) -> list[Reference]:
    """An image or other attachment as Media."""
    found = media(node, ctx)
    if found:
        links.name(node, found[0], ctx)
        code = values.concept(node.one("code"))
        if code:
            ctx.resource(found[0])["modality"] = code
    return found
