"""Procedures, requests, encounters, supplies, family history, and acts of any kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda import actors, values
from fhirserver.documents.cda.biology.comments import comment, is_comment
from fhirserver.documents.cda.biology.results import wording
from fhirserver.documents.cda.clinical import links
from fhirserver.documents.cda.clinical.products import medication
from fhirserver.spec.systems import LOINC, PARTICIPATION

if TYPE_CHECKING:
    from fhirserver.documents.cda.context import Context, Reference
    from fhirserver.documents.cda.node import Node

PROCEDURE_STATUS: Final = {
    "completed": "completed", "active": "in-progress", "aborted": "stopped", "cancelled": "not-done",
    "new": "preparation", "suspended": "on-hold", "held": "on-hold", "nullified": "entered-in-error",
}  # fmt: skip
REQUEST_STATUS: Final = {
    "completed": "completed", "active": "active", "aborted": "revoked", "cancelled": "revoked", "new": "draft",
    "suspended": "on-hold", "held": "on-hold", "nullified": "entered-in-error",
}  # fmt: skip
ENCOUNTER_STATUS: Final = {
    "completed": "finished", "active": "in-progress", "aborted": "cancelled", "cancelled": "cancelled",
    "new": "planned", "nullified": "entered-in-error",
}  # fmt: skip
SUPPLY_STATUS: Final = {
    "completed": "completed",
    "active": "in-progress",
    "aborted": "stopped",
    "cancelled": "cancelled",
}
INTENTS: Final = {
    "INT": "plan",
    "RQO": "order",
    "PRP": "proposal",
    "PRMS": "plan",
    "ARQ": "order",
    "APT": "plan",
    "GOL": "plan",
}
METHOD: Final = "http://hl7.org/fhir/StructureDefinition/procedure-method"
_INDIVIDUALS: Final = ("Practitioner", "PractitionerRole", "RelatedPerson")
PRIORITIES: Final = {"R": "routine", "UR": "urgent", "A": "asap", "S": "stat", "EM": "stat"}

Resource = dict[str, Any]


def procedure(node: Node, ctx: Context) -> list[Reference]:
    """A procedure that was done; one that is wanted is a ServiceRequest."""
    mood = links.mood(node)
    if mood in INTENTS:
        return requested(node, mood, ctx)
    refused = node.get("negationInd") == "true"
    status = links.status(node, PROCEDURE_STATUS, "completed")
    resource: Resource = {
        "resourceType": "Procedure",
        "status": "not-done" if refused else status,
        "subject": ctx.patient,
    }
    reference = links.begin(resource, node, ctx)
    resource["code"] = values.required(node.one("code"))
    resource.update(values.when(node.one("effectiveTime"), "performed"))
    if ctx.scope.encounter:
        resource["encounter"] = ctx.scope.encounter
    if sites := actors.all_of(node, "targetSiteCode", values.concept):
        resource["bodySite"] = sites
    ways = actors.all_of(node, "approachSiteCode", values.concept)
    if methods := actors.all_of(node, "methodCode", values.concept):
        resource["extension"] = [{"url": METHOD, "valueCodeableConcept": each} for each in methods]
    if performers := [{"actor": each} for each in links.people(node, ctx)]:
        resource["performer"] = performers
    wording(node, resource)
    found = links.related(node, ctx)
    notes = [*resource.get("note", ()), *found.notes]
    notes += [{"text": links.words(each, coded=True)} for each in ways]
    if notes:
        resource["note"] = notes
    _devices(resource, node, ctx)
    _why(resource, found, ctx)
    return [reference, *(each for _, each in found.others)]


def _devices(resource: Resource, node: Node, ctx: Context) -> None:
    """What was used or implanted, and where it was done."""
    for each in node.all("participant"):
        kind = each.get("typeCode")
        if kind == "LOC":
            place = each.one("participantRole")
            if place is not None and (where := actors.location(place, ctx)) is not None:
                resource["location"] = where
            continue
        who = links.people_of(each, ctx)
        if who is not None and who != ctx.patient and ctx.resource(who)["resourceType"] == "Device":
            resource.setdefault("usedReference", []).append(who)
        elif who is not None and who != ctx.patient:
            function = {"coding": [{"system": PARTICIPATION, "code": kind}]}
            resource.setdefault("performer", []).append({"function": function, "actor": who})


def _why(resource: Resource, found: links.Related, ctx: Context) -> None:
    links.reasons(resource, found, ctx)
    if severity := found.concept("severity"):
        resource.setdefault("reasonCode", []).append(severity)


def requested(node: Node, mood: str, ctx: Context) -> list[Reference]:
    """What is wanted or planned, as ServiceRequest."""
    resource: Resource = {
        "resourceType": "ServiceRequest",
        "status": links.status(node, REQUEST_STATUS, "active"),
        "intent": INTENTS.get(mood, "plan"),
        "subject": ctx.patient,
    }
    reference = links.begin(resource, node, ctx)
    resource["code"] = values.required(node.one("code"))
    if node.get("negationInd") == "true":
        resource["doNotPerform"] = True
    if priority := links.known(node.one("priorityCode"), PRIORITIES):
        resource["priority"] = priority
    resource.update(values.when(node.one("effectiveTime"), "occurrence"))
    if ctx.scope.encounter:
        resource["encounter"] = ctx.scope.encounter
    if ctx.time:
        resource["authoredOn"] = ctx.time
    if requester := links.recorder(ctx, "Practitioner", "PractitionerRole", "Organization", "Patient", "RelatedPerson"):
        resource["requester"] = requester
    if sites := actors.all_of(node, "targetSiteCode", values.concept):
        resource["bodySite"] = sites
    if performers := links.people(node, ctx):
        resource["performer"] = performers
    wording(node, resource)
    found = links.related(node, ctx, None, "instructions")
    if notes := [*resource.get("note", ()), *found.notes]:
        resource["note"] = notes
    if found.instructions:
        resource["patientInstruction"] = "\n".join(found.instructions)
    _why(resource, found, ctx)
    return [reference, *(each for _, each in found.others)]


def act(node: Node, ctx: Context) -> list[Reference]:
    """Any act: a wrapper gives way to what it holds; what says something itself is a Procedure or a ServiceRequest."""
    if is_comment(node):
        return _remark(node, ctx)
    kind = node.get("classCode")
    mood = links.mood(node)
    if mood in INTENTS:
        return requested(node, mood, ctx)
    code = node.one("code")
    empty = code is None or not code.attributes.get("code")
    if (empty or kind in ("CLUSTER", "BATTERY")) and node.one("entryRelationship") is not None:
        if code is not None:
            code.told()
        links.status(node, PROCEDURE_STATUS, "")
        found = links.related(node, ctx)
        found.unsaid(ctx)
        return [reference for _, reference in found.others]
    return procedure(node, ctx)


def _remark(node: Node, ctx: Context) -> list[Reference]:
    """A comment that hangs on nothing: an Observation of the comment's own code."""
    note = comment(node, ctx)
    if note is None:
        return []
    resource: Resource = {
        "resourceType": "Observation",
        "status": "final",
        "code": {
            "coding": [
                {
                    "system": LOINC,
                    "code": "48767-8",
                    "display": "Annotation comment [Interpretation] Narrative",
                }
            ]
        },
        "subject": ctx.patient,
        "valueString": note["text"],
    }
    if "time" in note:
        resource["effectiveDateTime"] = note["time"]
    return [links.begin(resource, node, ctx)]


def encounter(node: Node, ctx: Context) -> list[Reference]:
    """A visit that was (Encounter), or is to be (ServiceRequest)."""
    mood = links.mood(node)
    if mood in INTENTS:
        return requested(node, mood, ctx)
    resource: Resource = {
        "resourceType": "Encounter",
        "status": links.status(node, ENCOUNTER_STATUS, "finished"),
        "subject": ctx.patient,
    }
    reference = links.begin(resource, node, ctx)
    coding = values.coding(node.one("code"))
    acts = coding is not None and coding.get("system", "").endswith("ActCode")
    resource["class"] = coding if acts else values.absent_element(None)
    if coding is not None and not acts:
        resource["type"] = [{"coding": [coding]}]
    if period := values.period(node.one("effectiveTime")):
        resource["period"] = period
    participants = [{"individual": each} for each in links.people(node, ctx, *_INDIVIDUALS)]
    if participants:
        resource["participant"] = participants
    for each in node.all("participant"):
        place = each.one("participantRole")
        if each.get("typeCode") == "LOC" and place is not None and (where := actors.location(place, ctx)) is not None:
            resource.setdefault("location", []).append({"location": where})
    found = links.related(node, ctx)
    found.unsaid(ctx)
    links.reasons(resource, found, ctx)
    if node.at("text/reference") is not None:
        links.narrated(node)
    return [reference, *(each for _, each in found.others)]


def supply(node: Node, ctx: Context) -> list[Reference]:
    """Something delivered (MedicationDispense, DeviceUseStatement) or to be (MedicationRequest, DeviceRequest)."""
    mood = links.mood(node)
    device = next(
        (each for each in node.all("participant") if each.at("participantRole/playingDevice") is not None), None
    )
    if device is not None:
        return _device_use(node, device, mood, ctx)
    return _prescribed(node, mood, ctx) if mood in INTENTS else _dispensed(node, ctx)


def _device_use(node: Node, participant: Node, mood: str, ctx: Context) -> list[Reference]:
    participant.get("typeCode")
    who = links.people_of(participant, ctx)
    if who is None or ctx.resource(who)["resourceType"] != "Device":
        who = values.absent_element(None)
    resource: Resource
    if mood in INTENTS:
        resource = {"resourceType": "DeviceRequest", "status": "active", "intent": INTENTS[mood], "codeReference": who}
        resource["subject"] = ctx.patient
        resource.update(values.when(node.one("effectiveTime"), "occurrence"))
        links.status(node, REQUEST_STATUS, "active")
    else:
        status = links.status(node, {"completed": "completed", "active": "active", "aborted": "stopped"}, "active")
        resource = {"resourceType": "DeviceUseStatement", "status": status, "device": who, "subject": ctx.patient}
        found_time = values.when(node.one("effectiveTime"), "timing")
        resource.update(found_time)
    reference = links.begin(resource, node, ctx)
    wording(node, resource)
    found = links.related(node, ctx)
    if notes := [*resource.get("note", ()), *found.notes]:
        resource["note"] = notes
    return [reference, *(each for _, each in found.others)]


def _prescribed(node: Node, mood: str, ctx: Context) -> list[Reference]:
    intent = {"RQO": "order", "INT": "order", "ARQ": "order", "PRP": "proposal"}.get(mood, "plan")
    resource: Resource = {
        "resourceType": "MedicationRequest",
        "status": links.status(node, {"completed": "completed", "active": "active", "aborted": "stopped"}, "active"),
        "intent": intent,
        "subject": ctx.patient,
    }
    reference = links.begin(resource, node, ctx)
    resource.update(medication(node.one("product"), ctx))
    if ctx.time:
        resource["authoredOn"] = ctx.time
    if requester := links.recorder(
        ctx, "Practitioner", "PractitionerRole", "Organization", "Patient", "RelatedPerson", "Device"
    ):
        resource["requester"] = requester
    request: Resource = {}
    if quantity := values.quantity(node.one("quantity")):
        request["quantity"] = quantity
    if (repeats := values.integer(node.one("repeatNumber"))) is not None and repeats >= 0:
        request["numberOfRepeatsAllowed"] = repeats
    if request:
        resource["dispenseRequest"] = request
    wording(node, resource)
    found = links.related(node, ctx)
    if notes := [*resource.get("note", ()), *found.notes]:
        resource["note"] = links.note(notes)
    return [reference, *(each for _, each in found.others)]


def _dispensed(node: Node, ctx: Context) -> list[Reference]:
    resource: Resource = {
        "resourceType": "MedicationDispense",
        "status": links.status(node, SUPPLY_STATUS, "completed"),
        "subject": ctx.patient,
    }
    reference = links.begin(resource, node, ctx)
    resource.update(medication(node.one("product"), ctx))
    if kind := values.concept(node.one("code")):
        resource["type"] = kind
    if quantity := values.quantity(node.one("quantity")):
        resource["quantity"] = quantity
    if when := values.date_time(node.one("effectiveTime")):
        resource["whenHandedOver"] = when
    if performers := [{"actor": each} for each in links.people(node, ctx)]:
        resource["performer"] = performers
    if length := values.duration(node.at("expectedUseTime/width")):
        resource["daysSupply"] = length
    wording(node, resource)
    found = links.related(node, ctx, None, "instructions")
    if notes := links.note([*resource.get("note", ()), *found.notes]):
        resource["note"] = notes
    if found.instructions:
        resource["dosageInstruction"] = [{"text": "\n".join(found.instructions)}]
    requests = [each for _, each in found.others if ctx.resource(each)["resourceType"] == "MedicationRequest"]
    if requests:
        resource["authorizingPrescription"] = requests
    links.point(resource, "authorizingPrescription", found, ctx, ("MedicationRequest",))
    return [reference, *(each for _, each in found.others)]


def family(node: Node, ctx: Context) -> list[Reference]:
    """What a relative had (IHE PCC 6.3.4.23): a FamilyMemberHistory for each."""
    resource: Resource = {
        "resourceType": "FamilyMemberHistory",
        "status": links.status(node, {"completed": "completed", "active": "partial"}, "completed"),
        "patient": ctx.patient,
    }
    reference = links.begin(resource, node, ctx)
    node.get("classCode")
    relative = node.at("subject/relatedSubject")
    if relative is not None:
        relative.get("classCode")
    resource["relationship"] = values.required(relative.one("code") if relative is not None else None)
    person = relative.one("subject") if relative is not None else None
    if person is not None:
        _relative(resource, person)
    if when := values.date_time(node.one("effectiveTime")):
        resource["date"] = when
    found = links.related(node, ctx, lambda kind, inner: inner.name == "observation")
    conditions = [_had(inner, ctx) for _, inner in found.statements]
    if conditions:
        resource["condition"] = conditions
    if found.notes:
        resource["note"] = found.notes
    return [reference, *(each for _, each in found.others)]


def _relative(resource: Resource, person: Node) -> None:
    names = values.human_names(person.one("name"))
    if names:
        parts = [*names[0].get("given", ()), names[0].get("family", names[0].get("text", ""))]
        resource["name"] = " ".join(part for part in parts if part)
    gender = values.coding(person.one("administrativeGenderCode"))
    if gender:
        found = {"F": "female", "M": "male"}.get(gender["code"])
        coding = {"system": "http://hl7.org/fhir/administrative-gender", "code": found} if found else gender
        resource["sex"] = {"coding": [coding]}
    if born := values.date(person.one("birthTime")):
        resource["bornDate"] = born
    if (dead := values.boolean(person.one("sdtc:deceasedInd"))) is not None:
        resource["deceasedBoolean"] = dead


def _had(node: Node, ctx: Context) -> Resource:
    node.templates  # noqa: B018 read
    code = node.one("code")
    if code is not None and not code.kids:
        code.told()
    links.status(node, {"completed": ""}, "")
    found: Resource = {"code": values.required(node.one("value"))}
    if onset := values.date_time(node.one("effectiveTime")) or (values.period(node.one("effectiveTime")) or {}).get(
        "start"
    ):
        found["onsetString"] = onset
    text = node.one("text")
    if text is not None and (words := values.said(text)) and "coding" not in found["code"]:
        found["code"] = {"text": words}
    inner = links.related(node, ctx)
    if inner.notes:
        found["note"] = inner.notes
    return found
