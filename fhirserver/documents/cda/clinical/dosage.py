"""How a medication is taken (IHE PCC 6.3.4.16.9 to 13): Dosage, from the statement and its subordinate steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.documents.cda import values
from fhirserver.documents.cda.biology.comments import timed
from fhirserver.documents.cda.clinical import links

if TYPE_CHECKING:
    from fhirserver.documents.cda.context import Context
    from fhirserver.documents.cda.node import Node

Resource = dict[str, Any]


def timing(node: Node) -> Resource | None:
    """The effectiveTimes of a statement as one Timing; those that an expression (SXPR_TS) combines count each."""
    times: list[Node] = []
    for each in node.all("effectiveTime"):
        each.get("operator")
        parts = each.all("comp")
        for part in parts:
            part.get("operator")
        times += parts or [each]
    return values.timing(times)


def dosages(node: Node, when: Resource | None, found: links.Related, ctx: Context) -> list[Resource]:
    """The dosage of the statement itself, then those of its steps."""
    own = _dosage(node, when, ctx)
    if found.instructions:
        own["patientInstruction"] = "\n".join(found.instructions)
    listed = [own] if own else []
    steps = [inner for _, inner in found.statements if inner.name == "substanceAdministration"]
    return [*listed, *(_step(step, number, ctx) for number, step in enumerate(steps, 1))]


def _step(node: Node, number: int, ctx: Context) -> Resource:
    """A subordinate administration: a dose of a taper, of alternating days, under a condition."""
    node.templates  # noqa: B018 read
    node.get("moodCode")
    node.formal("statusCode", "completed")
    made = _dosage(node, timing(node), ctx)
    inner = links.related(node, ctx)
    if inner.notes:
        made["patientInstruction"] = "\n".join(map(timed, inner.notes))
    order = values.integer(node.parent.one("sequenceNumber")) if node.parent is not None else None
    made["sequence"] = number if order is None else order
    consumable = node.one("consumable")
    if consumable is not None and consumable.at("manufacturedProduct/manufacturedMaterial/code") is None:
        consumable.told()
    return made


def _dosage(node: Node, when: Resource | None, ctx: Context) -> Resource:
    found: Resource = {}
    if words := values.said(node.one("text")):
        found["text"] = words
    if when:
        found["timing"] = when
    for element, member in (("routeCode", "route"), ("approachSiteCode", "site")):
        if concept := values.concept(node.one(element)):
            found[member] = concept
    amounts = {**_amount(node.one("doseQuantity"), "dose", ctx), **_amount(node.one("rateQuantity"), "rate", ctx)}
    _counted(amounts, node.one("administrationUnitCode"))
    if amounts:
        found["doseAndRate"] = [amounts]
    if most := values.ratio(node.one("maxDoseQuantity")):
        found["maxDosePerPeriod"] = most
    conditions = [each for kid in node.all("precondition") if (each := _criterion(kid))]
    if len(conditions) == 1:
        found["asNeededCodeableConcept"] = conditions[0]
    elif conditions:
        text = " ; ".join(links.words(each, coded=True) or "-" for each in conditions)
        found["asNeededCodeableConcept"] = {"text": text}
    return found


def _amount(node: Node | None, member: str, ctx: Context) -> Resource:
    """A dose or rate: fixed, or between two limits; what is counted has its unit in words (translation)."""
    if node is None:
        return {}
    limits = values.bounds(node)
    for name, amount in limits.items():
        bound = node.one(name)
        for each in bound.all("translation") if bound is not None else ():
            words = values.said(each.one("originalText"))
            if words and amount.get("code") == "1":
                amount.pop("system")
                amount.pop("code")
                amount["unit"] = words
    high = node.one("high")
    if high is not None and len(limits) == 2 and limits["low"]["value"] > limits["high"]["value"]:
        ctx.leave(high, "value")
        del limits["high"]
    if len(limits) == 2 and limits["low"] != limits["high"]:
        return {f"{member}Range": limits}
    if limits:
        return {f"{member}Quantity": next(iter(limits.values()))}
    quantity = values.quantity(node)
    return {f"{member}Quantity": quantity} if quantity else {}


def _counted(amounts: Resource, node: Node | None) -> None:
    """administrationUnitCode is the unit of what is counted."""
    quantities = [amounts.get("doseQuantity"), *amounts.get("doseRange", {}).values()]
    counted = [each for each in quantities if each and "unit" not in each]
    unit = values.concept(node) if counted else None
    if not unit:
        return
    coding: Resource = next(iter(unit.get("coding", ())), {})
    words = coding.get("display") or unit.get("text") or coding.get("code") or "-"
    for each in counted:
        each["unit"] = words
        if "system" in coding and "code" in coding:
            each.update(system=coding["system"], code=coding["code"])


def _criterion(node: Node) -> Resource | None:
    node.get("typeCode")
    criterion = node.one("criterion")
    if criterion is None:
        return None
    criterion.templates  # noqa: B018 read
    words = values.said(criterion.one("text"))
    return {"text": words} if words else values.concept(criterion.one("code"))
