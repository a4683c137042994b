"""What is between those who take part in it, and of no concern to whoever else reads the record.

A resource of a private kind is seen by the holder, the representative (unless it is kept from him), who takes part in
it and the operator: neither by the care team nor the médecin traitant, neither by a Consent nor in an emergency. Who
takes part stands in the envelope, `acl.with`, as actor keys: of a professional the person, and his organisation only
where it is named itself. What was stored before the rule, and says nobody, is seen by who booked it at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.access import entered, keys
from fhirserver.predicate import FALSE, TRUE, Exists, In, Predicate, all_of, any_of, negate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MESSAGE: Final = {"system": "urn:fhirserver:message", "code": "message"}
"""The tag of a message and of what is attached to one: nobody but the server puts it on anything, or takes it off."""
PARTICIPANT: Final = "urn:fhirserver:participant"
"""The system of further tags, of what names nobody itself: their codes are actor keys. The server's alone, too."""
FIELD: Final = "acl.with"
_NOBODY: Final = "-"
"""Keeps `acl.with` from being empty: the resource is private all the same."""


class Kind(NamedTuple):
    """`tagged`: private only with the tag `MESSAGE`, or of a Provenance that of `access.entered`, else always; then who
    booked it takes part too. `places`: elements that name participants; of a list of elements, the element of each."""

    tagged: bool
    places: tuple[tuple[str, ...], ...]


KINDS: Final[Mapping[str, Kind]] = {
    "Appointment": Kind(False, (("participant", "actor"),)),
    "AppointmentResponse": Kind(False, (("actor",),)),
    "Communication": Kind(True, (("sender",), ("recipient",))),
    "Binary": Kind(True, ()),
    "Provenance": Kind(True, ()),
}


def is_message(resource: Mapping[str, Any] | None) -> bool:
    """Whether it bears the tag of messages."""
    return any(each.get("system") == MESSAGE["system"] for each in entered.tags(resource))


def reserved(resource: Mapping[str, Any] | None) -> list[tuple[Any, Any]]:
    """System and code of the tags that are the server's, in order."""
    systems = (MESSAGE["system"], PARTICIPANT)
    found = [(each.get("system"), each.get("code")) for each in entered.tags(resource) if each.get("system") in systems]
    return sorted(found, key=repr)


def participants(resource: Mapping[str, Any], identifiers: Mapping[str, tuple[str, ...]]) -> list[str] | None:
    """The actor keys of who takes part, for `acl.with`; None of what is not private."""
    kind = KINDS.get(str(resource.get("resourceType")))
    if kind is None or (kind.tagged and not is_message(resource) and not entered.is_origin(resource)):
        return None
    inner = keys.contained(resource)
    found = {str(each.get("code")) for each in entered.tags(resource) if each.get("system") == PARTICIPANT}
    for reference in _named(resource, kind):
        found.update(_person(keys.of_reference(reference, identifiers, inner)))
    return sorted(found) or [_NOBODY]


def references(resource: Mapping[str, Any]) -> Iterator[str]:
    """Local references to participants, whose national keys `participants` wants."""
    kind = KINDS.get(str(resource.get("resourceType")))
    for reference in _named(resource, kind) if kind is not None else ():
        yield from (key for key in keys.of_reference(reference, {}, keys.contained(resource)) if "|" not in key)


def among(resource_type: str, mine: tuple[str, ...], entered: Predicate) -> Predicate:
    """What somebody sees for his part in it, or for having `entered` it; `mine` are his actor keys."""
    kind = KINDS.get(resource_type)
    if kind is None:
        return entered
    part = In(FIELD, mine)
    return any_of((part, all_of((entered, negate(Exists(FIELD)))) if kind.tagged else In("acl.by", mine)))


def open_to_others(resource_type: str) -> Predicate:
    """What is not between its participants alone."""
    kind = KINDS.get(resource_type)
    if kind is None:
        return TRUE
    return negate(Exists(FIELD)) if kind.tagged else FALSE


def _named(resource: Mapping[str, Any], kind: Kind) -> Iterator[Any]:
    for place in kind.places:
        found: list[Any] = [resource]
        for name in place:
            values = [each.get(name) for each in found if isinstance(each, dict)]
            found = [one for each in values for one in (each if isinstance(each, list) else [each])]
        yield from found


def _person(named: tuple[str, ...]) -> list[str]:
    """Of who is named in a role, the person; the organisation where it is nobody in particular."""
    persons = [key for key in named if key.startswith(("rpps|", "Practitioner/"))]
    return persons or [key for key in named if keys.kind(key) != "profession"]
