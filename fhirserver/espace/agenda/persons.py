"""Whom appointments, slots and schedules name: an appointment one patient at most, the others nobody's. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.access import keys
from fhirserver.espace.agenda.rules import Refusal, actors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PERSONS: Final = frozenset({"Patient", "RelatedPerson"})
_PATIENT: Final = frozenset({"Patient"})
_INS: Final = "1.2.250.1.213.1.4."
"""How the systems of the national identity begin, after `urn:oid:`."""


def alone(appointment: Mapping[str, Any]) -> None:
    """Raises Refusal where more than one participant is a patient, in whatever form: each would read of the other."""
    inner = keys.contained(appointment)
    if sum(_is_patient(each, inner) for each in actors(appointment) if isinstance(each, dict)) > 1:
        raise Refusal("several")


def nameless(resource: Mapping[str, Any]) -> None:
    """Raises Refusal for a Slot or Schedule that names a person."""
    if any(_names(each, _PERSONS) for each in _walk(resource)):
        raise Refusal("slot-person")


def _is_patient(actor: Mapping[str, Any], contained: Mapping[str, Mapping[str, Any]]) -> bool:
    identifier, inner = actor.get("identifier"), contained.get(str(actor.get("reference") or "").removeprefix("#"))
    return any(_names(each, _PATIENT) for each in (actor, identifier, inner) if isinstance(each, dict))


def _names(node: Mapping[str, Any], types: frozenset[str]) -> bool:
    """Whether an element, by itself, is of a person: a reference, a resource, or an identifier that is an INS."""
    parts = str(node.get("reference") or "").split("/")
    if any(each.partition("?")[0] in types for each in parts):
        return True
    if types & {str(node.get("type")).rpartition("/")[2], str(node.get("resourceType"))}:
        return True
    return _INS in str(node.get("system") or "")


def _walk(value: Any) -> Iterator[Mapping[str, Any]]:
    todo: list[Any] = [value]
    while todo:
        each = todo.pop()
        if isinstance(each, dict):
            yield each
            todo.extend(each.values())
        elif isinstance(each, list):
            todo.extend(each)
