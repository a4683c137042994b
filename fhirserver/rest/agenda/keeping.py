"""Schedules and slots: kept by who they are of, read by everyone, and so of nobody's health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.access import Access, keys
from fhirserver.espace.agenda import persons, slots
from fhirserver.espace.agenda.rules import Refusal
from fhirserver.rest.agenda.booking import taken_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction

Resource = dict[str, Any]

TYPES: Final = frozenset({"Schedule", "Slot"})
_KEPT_BY: Final = {"HealthcareService": "providedBy", "Location": "managingOrganization"}
"""Which element of an actor names the organisation that it is of."""
_PROFESSIONALS: Final = frozenset({"Practitioner", "PractitionerRole"})
_REASON: Final = "who keeps a schedule"


def judge(exchange: Exchange, tx: Transaction, pre: Resource | None, post: Resource | None) -> None:
    """Raises Refusal for a Slot or Schedule that names a person, is another's, or carries an appointment.

    Of what an operator stores, a Slot alone is held to naming nobody.
    """
    own, state = exchange.access.requester.own, post if post is not None else pre or {}
    loading = exchange.access.requester.kind == "operator"
    if post is not None and (not loading or state["resourceType"] == "Slot"):
        persons.nameless(post)
    if loading:
        return
    if post is not None:
        slots.timed(post)
    if state["resourceType"] == "Schedule":
        if post is not None and not own & _actors(tx, post):
            raise Refusal("schedule-actor")
        if post is not None and not all(own & each for each in _persons(tx, post)):
            raise Refusal("schedule-person")
        return
    schedule = _read(tx, state.get("schedule"))
    if post is not None and (schedule is None or not own & _keepers(tx, schedule)):
        raise Refusal("schedule-own")
    if pre is not None and slots.shifted(pre, post) and taken_by(exchange, tx, pre["id"]):
        raise Refusal("slot-kept")


def _keepers(tx: Transaction, schedule: Stored) -> set[str]:
    """Who keeps a schedule: who opened it, and its actors."""
    return {*schedule.acl.get("by", ()), *_actors(tx, jsontext.parse_object(schedule.body))}


def _actors(tx: Transaction, schedule: Resource) -> set[str]:
    """The actor keys of a schedule; of a place or a service those of its organisation."""
    named: list[Any] = list(schedule.get("actor") or ())
    for each in schedule.get("actor") or ():
        place = keys.local(each.get("reference")) if isinstance(each, dict) else None
        found = _read(tx, each) if place is not None and place[0] in _KEPT_BY else None
        if found is not None and place is not None:
            named.append(jsontext.parse_object(found.body).get(_KEPT_BY[place[0]]))
    known = tx.identifiers("/".join(place) for each in named if (place := keys.local((each or {}).get("reference"))))
    return {key for each in named for key in keys.of_reference(each, known, {})}


def _persons(tx: Transaction, schedule: Resource) -> Iterator[set[str]]:
    """The actor keys of each professional whom a schedule names as an actor, by each way in which it names him: in
    another's name nobody is to be booked."""
    for actor in schedule.get("actor") or ():
        for way in ({name: actor[name]} for name in ("reference", "identifier") if name in actor):
            place = keys.local(way.get("reference"))
            found = set(keys.of_reference(way, tx.identifiers(["/".join(place)] if place else ()), {}))
            if _PROFESSIONALS & {*str(way.get("reference", "")).split("/")} or any(map(_is_number, found)):
                yield found


def _is_number(key: str) -> bool:
    return keys.kind(key) == "rpps"


def _read(tx: Transaction, reference: Any) -> Stored | None:
    place = keys.local(reference.get("reference")) if isinstance(reference, dict) else None
    found = tx.trusted(Access.system(_REASON)).read(*place) if place is not None else None
    return None if found is None or found.deleted else found
