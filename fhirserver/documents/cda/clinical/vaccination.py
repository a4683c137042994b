"""Vaccinations given, refused or recommended (IHE PCC 6.3.4.17) as Immunization and ImmunizationRecommendation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda import values
from fhirserver.documents.cda.biology.comments import timed
from fhirserver.documents.cda.clinical import links
from fhirserver.documents.cda.clinical.products import product
from fhirserver.spec.systems import LOINC

if TYPE_CHECKING:
    from fhirserver.documents.cda.context import Context, Reference
    from fhirserver.documents.cda.node import Node

STATUSES: Final = {
    "completed": "completed",
    "active": "completed",
    "aborted": "not-done",
    "cancelled": "not-done",
    "nullified": "entered-in-error",
}
PERFORMERS: Final = ("Practitioner", "PractitionerRole", "Organization")
FORECAST: Final = "http://terminology.hl7.org/CodeSystem/immunization-recommendation-status"
BASED_ON: Final = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Immunization.basedOn"

Resource = dict[str, Any]


def immunization(node: Node, ctx: Context) -> list[Reference]:
    """A vaccination that was given or refused; one that is planned is an ImmunizationRecommendation."""
    if links.mood(node) != "EVN":
        return _recommendation(node, ctx)
    refused = node.get("negationInd") == "true"
    status = links.status(node, STATUSES, "completed")
    resource: Resource = {
        "resourceType": "Immunization",
        "status": "not-done" if refused else status,
        "patient": ctx.patient,
    }
    reference = links.begin(resource, node, ctx)
    _vaccine(resource, node, ctx)
    _given(resource, node, ctx)
    found = links.related(node, ctx, lambda kind, inner: inner.name == "supply")
    _protocol(resource, node, found)
    if words := links.narrated(node):
        found.notes.insert(0, {"text": words})
    _consequences(resource, reference, found, ctx)
    for _, supply in found.statements:
        if requests := [
            each for each in ctx.entry(supply) if ctx.resource(each)["resourceType"] == "MedicationRequest"
        ]:
            resource.setdefault("extension", []).append({"url": BASED_ON, "valueReference": requests[0]})
    return [reference, *(each for kind, each in found.others if kind != "RSON")]


def _vaccine(resource: Resource, node: Node, ctx: Context) -> None:
    made = product(node.one("consumable"), ctx, made=False)
    resource["vaccineCode"] = (made.code if made else None) or values.absent_element(None)
    if made is None:
        return
    if made.lot:
        resource["lotNumber"] = made.lot
    if made.expires:
        resource["expirationDate"] = made.expires
    if made.manufacturer:
        resource["manufacturer"] = made.manufacturer


def _given(resource: Resource, node: Node, ctx: Context) -> None:
    time = node.one("effectiveTime")
    when = values.date_time(time) or (values.period(time) or {}).get("start")
    if when:
        resource["occurrenceDateTime"] = when
    else:
        resource["_occurrenceDateTime"] = values.absent_element(time)
    for element, member in (("routeCode", "route"), ("approachSiteCode", "site")):
        if concept := values.concept(node.one(element)):
            resource[member] = concept
    if dose := values.quantity(node.one("doseQuantity")):
        resource["doseQuantity"] = dose
    performers = [{"actor": each} for each in links.people(node, ctx, *PERFORMERS)]
    if performers:
        resource["performer"] = performers


def _protocol(resource: Resource, node: Node, found: links.Related) -> None:
    """The rank of the dose, and whether it is a booster."""
    series = node.one("code")
    kind = _series(series)
    rank = found.integer("rank")
    if rank is None and kind is None:
        return
    protocol: Resource = {}
    if kind:
        protocol["series"] = kind
    if rank is not None and rank > 0:
        protocol["doseNumberPositiveInt"] = rank
    else:
        protocol["_doseNumberPositiveInt"] = values.absent_element(None)
    resource["protocolApplied"] = [protocol]


def _series(node: Node | None) -> str | None:
    """The code of the series, a string in FHIR; its other words count as unread."""
    return (values.coding(node) or {}).get("code") or links.words(values.concept(node))


def _consequences(resource: Resource, reference: Reference, found: links.Related, ctx: Context) -> None:
    """Comments, reasons, reactions."""
    if notes := links.note(found.notes):
        resource["note"] = notes
    links.reasons(resource, found, ctx)
    reactions = [_reaction(each, reference, ctx) for each in found.of("CAUS", "MFST")]
    if told := [each for each in reactions if each]:
        resource["reaction"] = told


def _reaction(effect: Reference, cause: Reference, ctx: Context) -> Resource:
    """An adverse effect; a Condition, which R4 does not take here, points back to the vaccination as its evidence."""
    found = ctx.resource(effect)
    if found["resourceType"] == "Observation":
        return {"detail": effect}
    if found["resourceType"] == "Condition":
        found.setdefault("evidence", []).append({"detail": [cause]})
        if "onsetDateTime" in found:
            return {"date": found["onsetDateTime"]}
    return {}


def _recommendation(node: Node, ctx: Context) -> list[Reference]:
    made = product(node.one("consumable"), ctx, lot=False, made=False)
    time = node.one("effectiveTime")
    period = values.period(time) or {}
    recommended: Resource = {
        "vaccineCode": [(made.code if made else None) or values.absent_element(None)],
        "forecastStatus": {"coding": [{"system": FORECAST, "code": "due"}]},
    }
    criteria = [
        {"code": {"coding": [{"system": LOINC, "code": code}]}, "value": period[end]}
        for end, code in (("start", "30981-5"), ("end", "59777-3"))
        if end in period
    ]
    if criteria:
        recommended["dateCriterion"] = criteria
    resource: Resource = {"resourceType": "ImmunizationRecommendation", "patient": ctx.patient}
    resource.update({"date": ctx.time} if ctx.time else {"_date": values.absent_element(None)})
    reference = links.begin(resource, node, ctx)
    found = links.related(node, ctx)
    rank = found.integer("rank")
    if rank is not None and rank > 0:
        recommended["doseNumberPositiveInt"] = rank
    if words := links.narrated(node):
        found.notes.insert(0, {"text": words})
    if found.notes:
        recommended["description"] = "\n\n".join(map(timed, found.notes))
    if series := _series(node.one("code")):
        recommended["series"] = series
    resource["recommendation"] = [recommended]
    return [reference, *found.of("COMP", "REFR", "RSON")]
