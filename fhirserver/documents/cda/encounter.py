"""The stay or visit that the document belongs to (`encompassingEncounter`) as Encounter and Location."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda import actors, values
from fhirserver.documents.cda.participations import participation, type_of

if TYPE_CHECKING:
    from fhirserver.documents.cda.context import Context
    from fhirserver.documents.cda.header import Parts
    from fhirserver.documents.cda.node import Node
    from fhirserver.documents.cda.participations import Participation

TYPES: Final = frozenset({"ADM", "ATND", "CALLBCK", "CON", "DIS", "ESC", "REF", "SPRF", "PPRF", "PART", "RESP"})
"""As what one takes part in an Encounter; whoever does otherwise took part in the document (Provenance)."""
_INDIVIDUALS: Final = ("Practitioner", "PractitionerRole", "RelatedPerson")

Resource = dict[str, Any]


def read(node: Node | None, participants: list[Node], parts: Parts, ctx: Context) -> None:
    """Takes the encounter, with those who take part in the document; persons only can take part in an Encounter."""
    resource: Resource = {"resourceType": "Encounter"}
    taken = [found for each in participants if (found := participation(each, each.get("typeCode") or "PART", ctx))]
    if node is None:
        parts.participations += taken
        return
    responsible = node.one("responsibleParty")
    if responsible is not None and (found := participation(responsible, "RESP", ctx)):
        taken.append(found)
    for each in node.all("encounterParticipant"):
        if found := participation(each, each.get("typeCode") or "PART", ctx):
            taken.append(found)
    persons = [each for each in taken if each.type in TYPES and _individual(each, ctx)]
    parts.participations += [each for each in taken if each not in persons]
    _facts(resource, node)
    if persons:
        resource["participant"] = [_participant(each) for each in persons]
    disposition = values.concept(node.one("dischargeDispositionCode"))
    if disposition:
        resource["hospitalization"] = {"dischargeDisposition": disposition}
    _place(resource, node, parts, ctx)
    resource["subject"] = ctx.patient
    parts.encounter = ctx.add(resource, "derived")


def _facts(resource: Resource, node: Node) -> None:
    node.templates  # noqa: B018 read
    if identifiers := actors.identifiers(node):
        resource["identifier"] = identifiers
    period = values.period(node.one("effectiveTime"))
    if period is None:
        resource["status"] = "unknown"
    else:
        resource["status"] = "finished" if "end" in period else "in-progress"
    code = node.one("code")
    resource["class"] = values.coding(code) or values.absent_element(code)
    if code is not None and (translations := actors.all_of(code, "translation", values.concept)):
        resource["type"] = translations
    if period is not None:
        resource["period"] = period


def _individual(each: Participation, ctx: Context) -> bool:
    return ctx.resource(each.who)["resourceType"] in _INDIVIDUALS


def _participant(each: Participation) -> Resource:
    found: Resource = {"type": type_of(each), "individual": each.who}
    period = each.period or ({"start": each.time, "end": each.time} if each.time else None)
    return {**found, "period": period} if period else found


def _place(resource: Resource, node: Node, parts: Parts, ctx: Context) -> None:
    """The facility: its kind goes to the document's metadata too; whom it belongs to serves the encounter."""
    facility = node.at("location/healthCareFacility")
    if facility is None:
        return
    parts.facility = values.concept(facility.one("code"))
    where = actors.location(facility, ctx)
    if where is not None:
        resource["location"] = [{"location": where}]
        managing = ctx.resource(where).get("managingOrganization")
        if managing is not None:
            resource["serviceProvider"] = managing
