"""Patient/[id]/$espace and what changes it: the opening and closing of a person's space (docs/espace.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.access import permits, require
from fhirserver.audit import Entity, Event
from fhirserver.auth.accounts.people import AGENT, read_matricule
from fhirserver.clock import to_instant
from fhirserver.errors import BadRequest, Forbidden
from fhirserver.espace import machine
from fhirserver.espace.space import Actor
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.parameters import received_as
from fhirserver.rest.read import unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from fhirserver.access import Requester
    from fhirserver.rest.exchange import Exchange

EVENTS: Final = {
    "open": ("announce", "The information of the opening was sent: it opens in six weeks"),
    "oppose": ("oppose", "Oppose the opening of a space"),
    "activate": ("activate", "Open a space at once"),
    "suspend": ("suspend", "Suspend a space"),
    "object": ("object", "Object to a suspension"),
    "lift": ("lift", "End a suspension"),
    "close": ("close", "Close a space"),
    "archive": ("archive", "Put a closed space away"),
    "reopen": ("reopen", "Have a closed space again"),
    "request-erasure": ("request-erasure", "Ask for the erasure of a space"),
}
"""By operation (`$espace-open`): the event, and what the operation does."""
CLOSING: Final = frozenset({"close", "request-erasure"})
"""Events that a representative has happen only where the measure lets him close."""
_FINDING: Final[list[dict[str, Any]]] = [{"name": "matricule", "type": "string", "max": "1"}]
_LONGEST: Final = 22
_COUNTS: Final = ("resources", "accounts", "traces", "waiting", "beside")


def espace(exchange: Exchange, type: str, id: str) -> Answer:
    """`GET Patient/[id]/$espace`: Parameters with the state, what happened, and what time will bring."""
    if not is_agent(exchange.access.requester):
        require(exchange.access.requester, "Patient", "r")
    received_as(exchange, ())
    role = _role(exchange, id)
    event = Event("operation", 200, (Entity(type, id, None, id),), query=f"{type}/$espace")
    return of_value(200, described(exchange.services.spaces.row(id), exchange.access.now, role), event)


def find(exchange: Exchange, type: str) -> Answer:
    """`POST Patient/$espace-find`, by an operator or an agent: `patient`, the ids of whom a matricule INS names.

    Without a name and anything of health; several where records were not merged.
    """
    number = read_matricule(received_as(exchange, _FINDING).need("matricule"))
    if not is_agent(exchange.access.requester):
        if exchange.access.requester.kind != "operator":
            raise Forbidden("Spaces are looked for by operators and agents.")
        require(exchange.access.requester, "Patient", "r")
    if not number.isalnum() or not number.isascii() or len(number) > _LONGEST:
        raise BadRequest("matricule is a national health identifier: 15 characters, digits but for Corsica.")
    found = exchange.services.accounts.people.of_matricule(number)
    entities = tuple(Entity(type, each, None, each) for each in found)
    event = Event("operation", 200, entities, query=f"{type}/$espace-find")
    told = [{"name": "patient", "valueId": each} for each in found]
    return of_value(200, {"resourceType": "Parameters", **({"parameter": told} if told else {})}, event)


def is_agent(who: Requester) -> bool:
    """Whether he may have happen to a space what an agent may, and nothing else."""
    return who.kind == "operator" and AGENT in who.scopes and not permits(who, "Patient", "u")


def changing(name: str) -> Callable[..., Answer]:
    """The handler of `POST Patient/[id]/$espace-[name]`: what `$espace` says afterwards; traced with the change."""
    event, _ = EVENTS[name]

    def handler(exchange: Exchange, type: str, id: str) -> Answer:
        received_as(exchange, ())
        role = _role(exchange, id)
        if role != "agent":
            require(exchange.access.requester, "Patient", "u")
        if role == "representative" and not _lets(exchange, id, event):
            raise Forbidden(f"The measure of protection leaves {event} to the person.")
        actor = Actor(role, exchange.access, exchange.services.origin)
        row = exchange.services.spaces.happen(actor, id, event)
        return of_value(200, described(row, exchange.access.now, role))

    return handler


def erase(exchange: Exchange, type: str, id: str) -> Answer:
    """`POST Patient/[id]/$espace-erase`, by an operator: all that is here of the person goes. A certificate."""
    received_as(exchange, ())
    role = _role(exchange, id)
    if role != "operator":
        raise Forbidden("A record is erased by the operator, or by time: ask for it with $espace-request-erasure.")
    require(exchange.access.requester, "Patient", "d")
    services = exchange.services
    machine.allowed(services.spaces.row(id), "erase", role, exchange.access.now)
    done = services.erasure.erase(Actor(role, exchange.access, services.origin), id)
    told: list[dict[str, Any]] = [{"name": "number", "valueString": done.number}]
    told.append({"name": "at", "valueInstant": to_instant(done.at)})
    told += [{"name": name, "valueInteger": getattr(done, name)} for name in _COUNTS]
    return of_value(200, {"resourceType": "Parameters", "parameter": told})


def described(row: Mapping[str, Any] | None, now: datetime, role: str) -> dict[str, Any]:
    """Parameters: `state`, `since`, `due` (what time will bring), `erased-by`, `event`s, and what is `possible` now to
    who asks."""
    told: list[dict[str, Any]] = [{"name": "state", "valueCode": machine.state(row, now)}]
    if row is not None:
        held = [each for each in row.get("states", ()) if each["since"] <= now]
        told += [{"name": "since", "valueInstant": to_instant(held[-1]["since"])}] if held else []
        for moment, event in machine.deadlines(row) if row.get("log") else ():
            part = [{"name": "event", "valueCode": event}, {"name": "at", "valueInstant": to_instant(moment)}]
            told.append({"name": "due", "part": part})
        if (until := machine.erased_by(row)) is not None:
            told.append({"name": "erased-by", "valueInstant": to_instant(until)})
        told += [{"name": "event", "part": _step(each)} for each in row.get("log", ())]
    told += [{"name": "possible", "valueCode": each} for each in machine.possible(row, role, now)]
    return {"resourceType": "Parameters", "parameter": told}


def _step(step: Mapping[str, Any]) -> list[dict[str, Any]]:
    codes = [{"name": name, "valueCode": step[name]} for name in ("event", "from", "to", "by")]
    at = {"name": "at", "valueInstant": to_instant(step["at"])}
    return [*codes, at, {"name": "article", "valueString": step["article"]}]


def _role(exchange: Exchange, patient: str) -> str:
    """What the requester is to the space. Raises NotFound, to whom it is nothing as to whom it is not there."""
    who, people = exchange.access.requester, exchange.services.accounts.people
    if who.kind == "operator" and permits(who, "Patient", "u"):
        role = "operator"
    elif is_agent(who):
        role = "agent"
    elif who.is_person and who.patient == patient:
        role = "holder" if who.kind == "patient" else "representative"
    elif who.kind in ("patient", "representative", "practitioner", "system"):
        raise unknown("Patient", patient)
    else:
        raise Forbidden(f"The token covers neither Patient (u) nor {AGENT}.")
    found = people.patient(patient)
    if found is None:
        raise unknown("Patient", patient)
    if role == "representative" and not people.rights(found, _related(exchange)).read:
        raise unknown("Patient", patient)
    return role


def _lets(exchange: Exchange, patient: str, event: str) -> bool:
    """Whether what the representative may covers an event."""
    people = exchange.services.accounts.people
    rights = people.rights(people.patient(patient) or {}, _related(exchange))
    return rights.close if event in CLOSING else rights.act


def _related(exchange: Exchange) -> str:
    return exchange.access.requester.id.rpartition("/")[2]
