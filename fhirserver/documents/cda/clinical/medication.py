"""Medications (IHE PCC 6.3.4.16, IHE PRE): taken as MedicationStatement, prescribed as MedicationRequest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda import values
from fhirserver.documents.cda.clinical import links
from fhirserver.documents.cda.clinical.dosage import dosages, timing
from fhirserver.documents.cda.clinical.products import medication

if TYPE_CHECKING:
    from fhirserver.documents.cda.context import Context, Reference
    from fhirserver.documents.cda.node import Node

STATEMENTS: Final = {
    "completed": "completed", "active": "active", "aborted": "stopped", "suspended": "on-hold", "held": "on-hold",
    "new": "intended", "cancelled": "not-taken", "nullified": "entered-in-error",
}  # fmt: skip
REQUESTS: Final = {
    "completed": "active", "active": "active", "aborted": "stopped", "suspended": "on-hold", "held": "on-hold",
    "new": "draft", "cancelled": "cancelled", "nullified": "entered-in-error",
}  # fmt: skip
"""A line of a prescription is complete once written; as a request it is active."""
INTENTS: Final = {"INT": "order", "RQO": "order", "PRP": "proposal", "PRMS": "plan", "ARQ": "order"}
PRIORITIES: Final = {"R": "routine", "UR": "urgent", "A": "asap", "S": "stat"}
SUBSTITUTION: Final = frozenset({"1.3.6.1.4.1.19376.1.9.1.3.9.1", "1.2.250.1.213.1.1.3.87"})
STEP: Final = frozenset({"1.3.6.1.4.1.19376.1.5.3.1.4.7.1", "1.2.250.1.213.1.1.3.83.1"})

Resource = dict[str, Any]


def administration(node: Node, ctx: Context) -> list[Reference]:
    """A medication: MedicationStatement for what is taken, MedicationRequest for what is to be."""
    mood = links.mood(node)
    return _request(node, mood, ctx) if mood in INTENTS else _statement(node, ctx)


def _statement(node: Node, ctx: Context) -> list[Reference]:
    refused = node.get("negationInd") == "true"
    status = links.status(node, STATEMENTS, "unknown")
    resource: Resource = {
        "resourceType": "MedicationStatement",
        "status": "not-taken" if refused else status,
        "subject": ctx.patient,
    }
    reference = links.begin(resource, node, ctx)
    resource.update(medication(node.one("consumable"), ctx))
    when = timing(node)
    bounds = (when or {}).get("repeat", {}).pop("boundsPeriod", None)
    if bounds:
        resource["effectivePeriod"] = bounds
    if when and not when.get("repeat", True):
        del when["repeat"]
    if category := values.concept(node.one("code")):
        resource["category"] = category
    found = links.related(node, ctx, _parts, "instructions")
    taken = dosages(node, when, found, ctx)
    if taken:
        resource["dosage"] = taken
    _common(resource, node, found, ctx, "informationSource")
    return [reference, *found.of("REFR", "COMP", "SUBJ", "CAUS"), *_supplied(found, resource, ctx)]


def _request(node: Node, mood: str, ctx: Context) -> list[Reference]:
    resource: Resource = {
        "resourceType": "MedicationRequest",
        "status": links.status(node, REQUESTS, "active"),
        "intent": INTENTS[mood],
        "subject": ctx.patient,
    }
    if node.get("negationInd") == "true":
        resource["doNotPerform"] = True
    reference = links.begin(resource, node, ctx)
    resource.update(medication(node.one("consumable"), ctx))
    if group := ctx.shared.get("prescription"):
        resource["groupIdentifier"] = group
    if ctx.scope.encounter:
        resource["encounter"] = ctx.scope.encounter
    if ctx.time:
        resource["authoredOn"] = ctx.time
    requester = links.recorder(
        ctx, "Practitioner", "PractitionerRole", "Organization", "Patient", "RelatedPerson", "Device"
    )
    if requester:
        resource["requester"] = requester
    when = timing(node)
    found = links.related(node, ctx, _parts, "instructions")
    taken = dosages(node, when, found, ctx)
    if taken:
        resource["dosageInstruction"] = taken
    if category := values.concept(node.one("code")):
        resource["category"] = [category]
    if priority := links.known(node.one("priorityCode"), PRIORITIES):
        resource["priority"] = priority
    repeats = node.one("repeatNumber")
    _dispense(resource, found, repeats, ctx)
    _common(resource, node, found, ctx, None)
    others = found.of("REFR", "COMP", "SUBJ", "CAUS", "SPRT")
    if others:
        resource["supportingInformation"] = others
    return [reference, *others]


def _parts(kind: str, node: Node) -> bool:
    """What a medication reads itself: its steps of dosage, its supply, whether it may be replaced."""
    roots = {root for root, _ in node.templates}
    if node.name == "supply" or roots & SUBSTITUTION:
        return True
    if node.name != "substanceAdministration" or kind != "COMP":
        return False
    return bool(roots & STEP) or node.at("consumable/manufacturedProduct/manufacturedMaterial/code") is None


def _common(resource: Resource, node: Node, found: links.Related, ctx: Context, source: str | None) -> None:
    """Notes, reasons, who told it."""
    if notes := links.note([*resource.get("note", ()), *found.notes]):
        resource["note"] = notes
    links.reasons(resource, found, ctx)
    if severity := found.concept("severity"):
        resource.setdefault("reasonCode", []).append(severity)
    told = node.all("informant") or ctx.scope.informants
    if source and told and ctx.scope.informants:
        resource[source] = ctx.scope.informants[0]


def _dispense(resource: Resource, found: links.Related, repeats: Node | None, ctx: Context) -> None:
    """How much is to be dispensed, until when, how often again, and whether it may be replaced."""
    request: Resource = {}
    if (count := _repeats(repeats)) is not None:
        request["numberOfRepeatsAllowed"] = count
    for _, each in found.statements:
        if each.name == "supply" and _is_delivery(each):
            ctx.entry(each)
        elif each.name == "supply":
            _supply(each, resource, request, ctx)
        elif each.name == "act":
            each.get("moodCode")
            each.formal("statusCode", "completed")
            if code := values.concept(each.one("code")):
                resource["substitution"] = {"allowedCodeableConcept": code}
    if request:
        resource["dispenseRequest"] = request


def _is_delivery(node: Node) -> bool:
    """Whether a supply hung on a prescription tells what was delivered, not what is to be."""
    return node.attributes.get("moodCode") == "EVN" and node.one("product") is not None


def _supply(node: Node, resource: Resource, request: Resource, ctx: Context) -> None:
    """A supply within a prescription: the quantity, or the period in which it may be renewed."""
    node.templates  # noqa: B018 read
    links.mood(node)
    links.status(node, REQUESTS, "active")
    for each in node.all("independentInd"):
        if each.attributes.get("value") == "false":
            each.told()
    for each in node.all("id"):
        if identifier := values.identifier(each):
            resource.setdefault("identifier", []).append(identifier)
    for member, read, element in (
        ("quantity", values.quantity, node.one("quantity")),
        ("numberOfRepeatsAllowed", _repeats, node.one("repeatNumber")),
        ("validityPeriod", values.period, node.one("effectiveTime")),
        ("expectedSupplyDuration", values.duration, node.at("expectedUseTime/width")),
    ):
        found = read(element) if member not in request else None
        if found is not None:
            request[member] = found
    inner = links.related(node, ctx)
    if inner.notes:
        resource["note"] = links.note([*resource.get("note", ()), *inner.notes])


def _repeats(node: Node | None) -> int | None:
    if node is None:
        return None
    count = values.integer(node)
    if count is None:
        count = values.integer(node.one("high"))
        if node.one("low") is not None:
            values.integer(node.one("low"))
    return count if count is not None and count >= 0 else None


def _supplied(found: links.Related, resource: Resource, ctx: Context) -> list[Reference]:
    """The prescriptions and deliveries that a medication statement names."""
    references = []
    for _, supply in found.statements:
        if supply.name == "supply":
            made = ctx.entry(supply)
            references += made
            requests = [each for each in made if ctx.resource(each)["resourceType"] == "MedicationRequest"]
            if requests:
                resource["basedOn"] = requests
    return references
