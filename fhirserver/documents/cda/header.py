"""The header: what the document is, who took part, which acts and which stay it tells of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda import actors, encounter, patient, values
from fhirserver.documents.cda.context import MANY
from fhirserver.documents.cda.conversion import Header
from fhirserver.documents.cda.participations import Participation, participation

if TYPE_CHECKING:
    from fhirserver.documents.cda.context import Context, Reference
    from fhirserver.documents.cda.node import Node

REPLACES: Final = "RPLC"

Resource = dict[str, Any]


@dataclass
class Parts:
    """What the header gives to the resources that are made of it."""

    header: Header
    participations: list[Participation] = field(default_factory=list)
    custodian: Reference | None = None
    encounter: Reference | None = None
    facility: Resource | None = None
    """The kind of facility (JDV_J02)."""
    setting: Resource | None = None
    """The setting of the main act's performer (JDV_J04)."""
    events: list[Resource] = field(default_factory=list)
    """`Composition.event`s; that of the main act comes first."""
    orders: list[Resource] = field(default_factory=list)
    """Identifiers of the orders fulfilled, and accession numbers."""

    def of(self, *types: str) -> list[Participation]:
        """Those who took part as one of these."""
        return [each for each in self.participations if each.type in types]


def read(root: Node, unique_id: str, ctx: Context) -> Parts:
    """The header of a document, its actors taken into the context; the first author is in force for the body."""
    for name in ("realmCode", "typeId"):
        for node in root.all(name):
            node.told()
    root.templates  # noqa: B018 read
    traits = patient.read(root, ctx)
    ctx.patient_identifiers = frozenset(traits.identifiers)
    named = root.at("recordTarget/patientRole/patient/name")
    ctx.patient_names = actors.words(named) if named is not None else frozenset()
    parts = Parts(_facts(root, unique_id, traits))
    authors = _participations(root, parts, ctx)
    parts.custodian = _custodian(root, ctx)
    _events(root, parts, ctx)
    _orders(root, parts)
    encounter.read(root.at("componentOf/encompassingEncounter"), root.all("participant"), parts, ctx)
    parts.header = Header(
        **{
            **vars(parts.header),
            "custodian": parts.custodian,
            "authors": tuple(each.who for each in authors),
            "encounter": parts.encounter,
            "events": tuple(parts.events),
        }
    )
    ctx.scope = ctx.scope._replace(
        authors=tuple(each.who for each in authors[:MANY]),
        time=authors[0].time if authors else parts.header.created,
        informants=tuple(each.who for each in parts.of("INF")[:MANY]),
        encounter=parts.encounter,
    )
    return parts


def _facts(root: Node, unique_id: str, traits: Any) -> Header:
    version = root.one("versionNumber")
    number = values.integer(version)
    previous = next((each for each in root.all("relatedDocument") if each.attributes.get("typeCode") == REPLACES), None)
    replaces = None
    if previous is not None:
        previous.get("typeCode")
        parent = previous.one("parentDocument")
        replaces = values.uri(parent.one("id")) if parent is not None else None
    return Header(
        unique_id=unique_id,
        set_id=values.uri(root.one("setId")),
        version=number,
        code=values.concept(root.one("code")),
        title=values.said(root.one("title")),
        language=values.code(root.one("languageCode")),
        confidentiality=values.concept(root.one("confidentialityCode")),
        created=values.date_time(root.one("effectiveTime")),
        replaces=replaces,
        patient=traits,
        custodian=None,
        authors=(),
        encounter=None,
        events=(),
    )


_TAKING_PART: Final = (
    ("author", "AUT"),
    ("dataEnterer", "ENT"),
    ("informant", "INF"),
    ("informationRecipient", "IRCP"),
    ("authenticator", "AUTHEN"),
    ("legalAuthenticator", "LA"),
)


def _participations(root: Node, parts: Parts, ctx: Context) -> list[Participation]:
    """All who took part but as `participant` or performer; the authors among them."""
    for name, type in _TAKING_PART:
        for node in root.all(name):
            taken = participation(node, type, ctx)
            if taken is not None:
                parts.participations.append(taken)
    return parts.of("AUT")


def _custodian(root: Node, ctx: Context) -> Reference | None:
    """The organisation that keeps the document."""
    node = root.one("custodian")
    who = actors.participant(node, ctx)
    if node is None or who is None or ctx.resource(who)["resourceType"] == "Organization":
        return who
    ctx.leave(node, "unread")
    return None


def _events(root: Node, parts: Parts, ctx: Context) -> None:
    """The acts documented; who performed them, and where, comes with the first that says."""
    found: list[tuple[bool, Resource]] = []
    for documentation in root.all("documentationOf"):
        documentation.templates  # noqa: B018 read
        node = documentation.one("serviceEvent")
        if node is None:
            continue
        node.templates  # noqa: B018 read
        event: Resource = {}
        if code := values.concept(node.one("code")):
            event["code"] = [code]
        if period := values.period(node.one("effectiveTime")):
            event["period"] = period
        performers = [taken for each in node.all("performer") if (taken := _performer(each, ctx))]
        parts.participations.extend(performers)
        setting = node.at("performer/assignedEntity/representedOrganization/standardIndustryClassCode")
        parts.setting = parts.setting or values.concept(setting)
        identifiers = actors.identifiers(node)
        if identifiers:
            event["detail"] = [{"identifier": identifier} for identifier in identifiers]
        if event:
            found.append((bool(performers) and "period" in event, event))
    parts.events = [event for _, event in sorted(found, key=lambda pair: not pair[0])]


def _performer(node: Node, ctx: Context) -> Participation | None:
    return participation(node, node.get("typeCode") or "PRF", ctx)


def _orders(root: Node, parts: Parts) -> None:
    for fulfilled in root.all("inFulfillmentOf"):
        fulfilled.templates  # noqa: B018 read
        order = fulfilled.one("order")
        if order is None:
            continue
        order.templates  # noqa: B018 read
        parts.orders += [_related(found, "order") for found in actors.identifiers(order)]
        for kid in order.kids:
            if kid.name.endswith("accessionNumber") and (found := values.identifier(kid)):
                parts.orders.append(_related(found, "accession"))


def _related(identifier: Resource, kind: str) -> Resource:
    """An identifier of `context.related` (JDV_J197)."""
    coding = {"system": values.systems.URI, "code": f"urn:ihe:iti:xds:2013:{kind}"}
    return {"identifier": {**identifier, "type": {"coding": [coding]}}}
