"""Who takes part: the roles of CDA R2 (assignedAuthor, assignedEntity, …) as directory resources.

A person with a role is a Practitioner and a PractitionerRole; a device a Device; an organisation alone an Organization;
a relative a RelatedPerson; the patient is the patient. Each is taken once a document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda import values
from fhirserver.documents.cda.context import MANY
from fhirserver.spec.systems import ROLE_CLASS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fhirserver.documents.cda.context import Context, Reference
    from fhirserver.documents.cda.node import Node

ROLES: Final = (
    "assignedAuthor", "assignedEntity", "associatedEntity", "relatedEntity", "intendedRecipient", "assignedCustodian",
    "participantRole", "encounterParticipant", "relatedSubject", "responsibleEntity",
)  # fmt: skip
_PERSONS: Final = (
    "assignedPerson", "associatedPerson", "relatedPerson", "informationRecipient", "guardianPerson", "playingEntity",
)  # fmt: skip
_ORGANIZATIONS: Final = (
    "representedOrganization", "scopingOrganization", "receivedOrganization", "representedCustodianOrganization",
    "guardianOrganization", "serviceProviderOrganization", "manufacturerOrganization", "providerOrganization",
    "wholeOrganization", "scopingEntity",
)  # fmt: skip
_DEVICES: Final = ("assignedAuthoringDevice", "playingDevice")
_RELATIVES: Final = frozenset({"PAT", "PRS", "NOK", "ECON", "GUARD", "CAREGIVER", "POLHOLD", "CIT", "QUAL"})
"""classCodes of roles that are held towards the patient, not as a professional (v3-RoleClass)."""

Resource = dict[str, Any]


def participant(node: Node | None, ctx: Context) -> Reference | None:
    """Who a participation (`author`, `performer`, `legalAuthenticator`, …) names; None when it names nobody."""
    if node is None:
        return None
    for name in ROLES:
        role = node.one(name)
        if role is not None:
            return actor(role, ctx)
    return None


def actor(node: Node, ctx: Context) -> Reference | None:
    """The reference for a role: see the module. None for one that says nothing."""
    node.templates  # noqa: B018 read
    ids = identifiers(node)
    if _is_patient(ids, node, ctx):
        return ctx.patient
    person = next((kid for kid in node.kids if kid.name in _PERSONS), None)
    device = next((kid for kid in node.kids if kid.name in _DEVICES), None)
    employer = next((kid for kid in node.kids if kid.name in _ORGANIZATIONS), None)
    organization_ = organization(employer, ctx) if employer is not None else None
    if device is not None:
        return _device(node, device, ids, organization_, ctx)
    kind = node.attributes.get("classCode")
    if node.name in ("relatedEntity", "relatedSubject") or kind in _RELATIVES:
        return _relative(node, person, ids, ctx)
    names = values.human_names(person.one("name")) if person is not None else []
    if not names and not ids:
        return organization_
    if not names and person is None and organization_ is not None and not _professional(ids):
        _identified(node, ctx.resource(organization_), ctx)
        return organization_
    practitioner = _practitioner(person or node, ids, names, ctx)
    return _role(node, practitioner, organization_, ctx)


def _is_patient(ids: list[Resource], node: Node, ctx: Context) -> bool:
    """Whether a role is the patient's: by an identifier of the header, or because it says so."""
    known = any((item.get("system"), item.get("value")) in ctx.patient_identifiers for item in ids if "value" in item)
    others = [item for item in ids if (item.get("system"), item.get("value")) not in ctx.patient_identifiers]
    if not known and (node.attributes.get("classCode") != "PAT" or any(_is_ins(item) for item in others)):
        return False
    for each in node.all("id"):
        if values.identifier(each) in others:
            ctx.leave(each, "unread")
    for each in (kid for kid in node.kids if kid.name in _PERSONS):
        if words(each) <= ctx.patient_names:
            each.told()
    node.get("classCode")
    return True


def _is_ins(identifier: Resource) -> bool:
    codings = identifier.get("type", {}).get("coding", ())
    return any(coding["code"].startswith("INS") for coding in codings)


def words(node: Node) -> frozenset[str]:
    """The words within, in capitals."""
    return frozenset(word for each in node.walk() for word in each.content.upper().split())


def _identified(node: Node, organization_: Resource, ctx: Context) -> None:
    """Who is nothing but an organisation: ids that are not those of the organisation have no place."""
    known = organization_.get("identifier", ())
    for each in node.all("id"):
        found = values.identifier(each)
        if found is not None and found not in known:
            ctx.leave(each, "unread")


def _professional(ids: Iterable[Resource]) -> bool:
    return any("rpps" in item.get("system", "") or item.get("system", "").endswith("71.4.2.1") for item in ids)


def _practitioner(node: Node, ids: list[Resource], names: list[Resource], ctx: Context) -> Reference:
    resource: Resource = {"resourceType": "Practitioner"}
    if ids:
        resource["identifier"] = ids
    if names:
        resource["name"] = names
    if not names and not ids:
        resource["name"] = [values.absent_element(node.one("name"))]
    return ctx.directory(resource, node)


def _role(node: Node, practitioner: Reference, organization_: Reference | None, ctx: Context) -> Reference:
    """The PractitionerRole, when the role says more than who: an organisation, a profession, an address."""
    resource: Resource = {"resourceType": "PractitionerRole", "practitioner": practitioner}
    if organization_ is not None:
        resource["organization"] = organization_
    code = values.concept(node.one("code"))
    if code:
        resource["code"] = [code]
    if telecom := contacts(node):
        resource["telecom"] = telecom
    kind = node.attributes.get("classCode")
    if kind and kind not in ("ASSIGNED", "PROV", "AGNT"):
        node.get("classCode")
        resource.setdefault("code", []).append({"coding": [{"system": ROLE_CLASS, "code": kind}]})
    if addresses := all_of(node, "addr", values.address):
        held = ctx.resource(practitioner)
        held["address"] = [
            *held.get("address", ()),
            *(each for each in addresses if each not in held.get("address", ())),
        ]
    return ctx.directory(resource, node) if len(resource) > 2 else practitioner


def _device(node: Node, device: Node, ids: list[Resource], owner: Reference | None, ctx: Context) -> Reference:
    resource: Resource = {"resourceType": "Device"}
    if ids:
        resource["identifier"] = ids
    model = device.one("manufacturerModelName")
    name = values.said(model)
    if name:
        resource["deviceName"] = [{"name": name, "type": "model-name"}]
    kind = values.concept(node.one("code")) or values.concept(device.one("code"))
    if kind:
        resource["type"] = kind
    software = values.said(device.one("softwareName"))
    if software:
        resource["version"] = [{"value": software}]
    if owner is not None:
        resource["owner"] = owner
    if telecom := contacts(node):
        resource["contact"] = telecom
    return ctx.directory(resource, node)


def _relative(node: Node, person: Node | None, ids: list[Resource], ctx: Context) -> Reference:
    resource: Resource = {"resourceType": "RelatedPerson", "patient": ctx.patient}
    if ids:
        resource["identifier"] = ids
    relations = []
    kind = node.get("classCode")
    if kind:
        relations.append({"coding": [{"system": ROLE_CLASS, "code": kind}]})
    if code := values.concept(node.one("code")):
        relations.append(code)
    if relations:
        resource["relationship"] = relations
    names = values.human_names(person.one("name")) if person is not None else []
    if names:
        resource["name"] = names
    if telecom := contacts(node):
        resource["telecom"] = telecom
    if addresses := all_of(node, "addr", values.address):
        resource["address"] = addresses
    if period := values.period(node.one("effectiveTime")):
        resource["period"] = period
    return ctx.add(resource, "derived")


def organization(node: Node, ctx: Context) -> Reference | None:
    """An organisation with what it is part of; None for one that says nothing."""
    resource: Resource = {"resourceType": "Organization"}
    if ids := identifiers(node):
        resource["identifier"] = ids
    kind = values.concept(node.one("standardIndustryClassCode"))
    if kind:
        resource["type"] = [kind]
    names = [name for kid in (*node.all("name"), *node.all("desc")) if (name := values.organization_name(kid))]
    if names:
        resource["name"] = names[0]
    if names[1:]:
        resource["alias"] = names[1:]
    if telecom := contacts(node):
        resource["telecom"] = [_at_work(each) for each in telecom]
    if addresses := all_of(node, "addr", values.address):
        resource["address"] = [_at_work(each) for each in addresses]
    whole = node.at("asOrganizationPartOf/wholeOrganization")
    if whole is not None and (parent := organization(whole, ctx)) is not None:
        resource["partOf"] = parent
    if len(resource) == 1:
        return None
    if "identifier" not in resource and "name" not in resource:
        resource["name"] = "-"
    return ctx.directory(resource, node)


def _at_work(place: Resource) -> Resource:
    """An organisation has no home (org-2, org-3): where the document says so, nothing is said."""
    return {name: value for name, value in place.items() if name != "use" or value != "home"}


def location(node: Node, ctx: Context) -> Reference | None:
    """A place (`healthCareFacility`, a participantRole SDLOC) as Location."""
    resource: Resource = {"resourceType": "Location"}
    if ids := identifiers(node):
        resource["identifier"] = ids
    place = node.one("location") or node.one("playingEntity")
    name = values.organization_name(place.one("name")) if place is not None else None
    if name:
        resource["name"] = name
    kind = values.concept(node.one("code"))
    if kind:
        resource["type"] = [kind]
    if telecom := contacts(node):
        resource["telecom"] = telecom
    where = values.address((place.one("addr") if place is not None else None) or node.one("addr"))
    if where:
        resource["address"] = where
    provider = node.one("serviceProviderOrganization") or node.one("scopingEntity")
    if provider is not None and (manager := organization(provider, ctx)) is not None:
        resource["managingOrganization"] = manager
    return ctx.directory(resource, node) if len(resource) > 1 else None


def scope(node: Node, ctx: Context) -> dict[str, Any]:
    """What an element says of who answers for it and all within: `authors`, `time` and `informants` of a Scope."""
    found: dict[str, Any] = {}
    listed = node.all("author")
    if listed:
        authors = [reference for each in listed if (reference := participant(each, ctx)) is not None]
        for each in listed:
            each.templates  # noqa: B018 read
        if authors:
            found["authors"] = tuple(authors[:MANY])
        if time := _written(listed, ctx):
            found["time"] = time
    informants = [reference for each in node.all("informant") if (reference := participant(each, ctx)) is not None]
    if informants:
        found["informants"] = tuple(informants[:MANY])
    return found


def _written(authors: list[Node], ctx: Context) -> str | None:
    """When the first of the authors who says it wrote; another one's time counts as unread unless it is the same."""
    first = None
    for each in authors:
        node = each.one("time")
        text = values.times.read(node.attributes.get("value")) if node is not None else None
        if node is not None and text is not None and first in (None, text):
            first = values.date_time(node)
            ctx.written.append((node, text))
    return first


def identifiers(node: Node) -> list[Resource]:
    """The `id`s of a node."""
    return all_of(node, "id", values.identifier)


def contacts(node: Node) -> list[Resource]:
    """The `telecom`s of a node."""
    return all_of(node, "telecom", values.contact_point)


def all_of(node: Node, name: str, read: Any) -> list[Resource]:
    """What `read` makes of each child of a name, without those it makes nothing of."""
    return [found for kid in node.all(name) if (found := read(kid))]
