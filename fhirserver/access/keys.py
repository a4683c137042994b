"""Actor keys: one string for whoever a policy, a Consent or a deposit names.

rpps|10001112225     a professional, by national number
finess|750000001     an establishment
profession|G15_10    all of a profession (TRE_G15)
patient|<id>         a Patient of this server, as a person who acts
related|<id>         a RelatedPerson of this server
client|<id>          the software of a system
Practitioner/abc     a literal reference of which no national identifier is known
*                    everyone
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EVERYONE: Final = "*"
RPPS: Final = "https://rpps.esante.gouv.fr"
IDNPS: Final = "urn:oid:1.2.250.1.71.4.2.1"
FINESS: Final = "https://finess.esante.gouv.fr"
IDNST: Final = "urn:oid:1.2.250.1.71.4.2.2"

PROFESSION_SYSTEMS: Final = ("TRE_G15-ProfessionSante", "TRE-G15-ProfessionSante", "1.2.250.1.71.1.2.7")
"""How code systems of professions end: there a bare `10` is a physician, `G15_10`."""

_LOCAL: Final = re.compile(r"([A-Z][A-Za-z]{1,40})/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")
_RPPS: Final = re.compile(r"[0-9]{11}")
_FINESS: Final = re.compile(r"[0-9A-Z]{9}")


def of_identifier(identifier: Any) -> tuple[str, ...]:
    """The key that an Identifier stands for; none when it is no national identifier of an actor."""
    if not isinstance(identifier, dict):
        return ()
    system, value = identifier.get("system"), identifier.get("value")
    if not isinstance(value, str):
        return ()
    if system == RPPS or (system == IDNPS and value[:1] == "8"):
        number = value if system == RPPS else value[1:]
        return (f"rpps|{number}",) if _RPPS.fullmatch(number) else ()
    if system == FINESS or (system == IDNST and value[:1] == "1"):
        number = value if system == FINESS else value[1:]
        return (f"finess|{number}",) if _FINESS.fullmatch(number) else ()
    return ()


def to_identifiers(key: str) -> tuple[str, ...]:
    """`system|value` of the identifiers that the key of an establishment or a professional stands for."""
    kind_, _, number = key.partition("|")
    if kind_ == "finess":
        return f"{FINESS}|{number}", f"{IDNST}|1{number}"
    return (f"{RPPS}|{number}", f"{IDNPS}|8{number}") if kind_ == "rpps" else ()


def of_resource(resource: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys that a Practitioner, Organization or PractitionerRole bears itself, its references left aside."""
    found = [key for identifier in _list(resource.get("identifier")) for key in of_identifier(identifier)]
    if resource.get("resourceType") == "PractitionerRole":
        found += professions(resource)
    return tuple(dict.fromkeys(found))


def professions(role: Mapping[str, Any]) -> list[str]:
    """`profession|G15_10` for each profession among the codes of a PractitionerRole."""
    found = []
    for concept in _list(role.get("code")):
        for coding in _list(concept.get("coding") if isinstance(concept, dict) else None):
            code = coding.get("code") if isinstance(coding, dict) else None
            if not isinstance(code, str):
                continue
            if code.startswith("G15_"):
                found.append(f"profession|{code.partition('/')[0]}")
            elif str(coding.get("system", "")).endswith(PROFESSION_SYSTEMS):
                found.append(f"profession|G15_{code}")
    return found


def local(reference: Any) -> tuple[str, str] | None:
    """Type and id of a literal reference to this server, `Practitioner/abc`; None for every other form."""
    match = _LOCAL.fullmatch(reference) if isinstance(reference, str) else None
    return (match[1], match[2]) if match else None


def of_literal(type_: str, id_: str) -> str:
    """The key of a local resource as such: patients and relatives act under their id here."""
    if type_ == "Patient":
        return f"patient|{id_}"
    return f"related|{id_}" if type_ == "RelatedPerson" else f"{type_}/{id_}"


def of_reference(
    reference: Any, identifiers: Mapping[str, tuple[str, ...]], contained: Mapping[str, Mapping[str, Any]]
) -> tuple[str, ...]:
    """All that is known of whom a Reference names: by identifier, contained resource, or literal reference.

    `identifiers` gives the national keys of `Practitioner/abc`; where it knows none, the literal reference is the key.
    """
    if not isinstance(reference, dict):
        return ()
    found = list(of_identifier(reference.get("identifier")))
    text = reference.get("reference")
    if isinstance(text, str) and text.startswith("#"):
        inner = contained.get(text[1:])
        if inner is not None:
            found += of_resource(inner)
            for name in ("practitioner", "organization"):
                found += of_reference(inner.get(name), identifiers, {})
    elif (place := local(text)) is not None:
        literal = "/".join(place)
        found += identifiers.get(literal) or (of_literal(*place),)
    return tuple(dict.fromkeys(found))


def contained(resource: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The contained resources by id."""
    return {
        each["id"]: each
        for each in _list(resource.get("contained"))
        if isinstance(each, dict) and isinstance(each.get("id"), str)
    }


def references(value: Any) -> Iterator[str]:
    """Every literal reference to this server within a JSON value, without its version."""
    todo = [value]
    while todo:
        each = todo.pop()
        if isinstance(each, dict):
            if (place := local(each.get("reference"))) is not None:
                yield "/".join(place)
            todo.extend(each.values())
        elif isinstance(each, list):
            todo.extend(each)


def identified(value: Any) -> Iterator[str]:
    """The keys of every national Identifier within a JSON value."""
    todo = [value]
    while todo:
        each = todo.pop()
        if isinstance(each, dict):
            yield from of_identifier(each)
            todo.extend(each.values())
        elif isinstance(each, list):
            todo.extend(each)


def kind(key: str) -> str:
    """What a key is a key of: `rpps`, `finess`, …; a literal reference is a kind of its own."""
    head, bar, _ = key.partition("|")
    return head if bar else key


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
