"""Addresses of MSSanté in the directory: whose one is, and which one somebody has.

The directory is fed by many. An address counts only in an entry of whom it is about: one that the professional or
organisation deposited, or the operator. Otherwise whoever feeds the directory could read and write in another's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.access import Access, keys
from fhirserver.search import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.rest.services import Services

Resource = dict[str, Any]

REASON: Final = "address of a message"
EMAIL_TYPE: Final = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-contact-point-email-type"
_SECURE: Final = "MSSANTE"
_TYPES: Final = ("Practitioner", "PractitionerRole")
"""In which an address is sought: R4 has no search of Organization by it."""
_KINDS: Final = ("rpps", "finess")
_MOST: Final = "20"


class Bearer(NamedTuple):
    """Whose an address is: an actor key, and the name."""

    key: str
    name: str | None


def bearer(services: Services, address: str) -> Bearer | None:
    """Whom an address belongs to; None where that is nobody here, or not one alone.

    What the operator entered comes first: nobody takes an address from another by entering it for himself.
    """
    found: dict[bool, set[Bearer]] = {True: set(), False: set()}
    for type_ in _TYPES:
        for resource, key, vouched in _entries(services, type_, ("email", f"{address},{address.lower()}")):
            if address.lower() in (each.lower() for each in _addresses(resource)):
                found[vouched].add(Bearer(key, _name(resource)))
    those = found[True] or found[False]
    return next(iter(those)) if len({each.key for each in those}) == 1 else None


def address_of(services: Services, key: str) -> str | None:
    """The address of a professional or an organisation, by actor key; the first one, None for none."""
    type_ = "Organization" if keys.kind(key) == "finess" else "Practitioner"
    asked = ("identifier", ",".join(keys.to_identifiers(key)))
    held = [each for each, whose, _ in _entries(services, type_, asked) if whose == key]
    for each in [] if type_ == "Organization" else list(held):
        roles = _entries(services, "PractitionerRole", ("practitioner", f"Practitioner/{each['id']}"))
        held += [role for role, whose, _ in roles if whose == key]
    return next((address for each in held for address in _addresses(each)), None)


def _entries(services: Services, type_: str, asked: tuple[str, str]) -> Iterator[tuple[Resource, str, bool]]:
    """Active entries that their bearer, or the operator, deposited, with whom each is about, and whether it was the
    operator."""
    view = services.store.view(Access.system(REASON, services.clock()))
    query = parse(services.published, type_, [asked, ("active:not", "false"), ("_count", _MOST), ("_total", "none")])
    for stored in view.search(query).matches:
        resource, by = jsontext.parse_object(stored.body), set(stored.acl.get("by", ()))
        held = {key for key in _keys(services, resource) if keys.kind(key) in _KINDS}
        if len(held) == 1 and (not by or held <= by):
            yield resource, held.pop(), not by


def _keys(services: Services, resource: Resource) -> tuple[str, ...]:
    """Whom an entry is about: of a role the practitioner; of one that names none, the organisation."""
    if resource["resourceType"] != "PractitionerRole":
        return keys.of_resource(resource)
    named = resource.get("practitioner") or resource.get("organization") or {}
    place = keys.local(named.get("reference"))
    if place is None:
        return keys.of_identifier(named.get("identifier"))
    found = services.store.view(Access.system(REASON, services.clock())).read(*place)
    return () if found is None or found.deleted else keys.of_resource(jsontext.parse_object(found.body))


def _addresses(resource: Resource) -> Iterator[str]:
    for each in resource.get("telecom", ()):
        kinds = [
            one.get("valueCoding", {}).get("code") for one in each.get("extension", ()) if one["url"] == EMAIL_TYPE
        ]
        if each.get("system") == "email" and _SECURE in kinds and each.get("use") != "old" and each.get("value"):
            yield str(each["value"])


def _name(resource: Resource) -> str | None:
    name = resource.get("name")
    if isinstance(name, str):
        return name
    told: Resource = next(iter(name or ()), {})
    words = [*told.get("given", ()), told.get("family")]
    return " ".join(str(each) for each in words if each) or told.get("text")
