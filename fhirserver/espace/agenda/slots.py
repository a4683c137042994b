"""Which slots carry an appointment, and what becomes of them. Pure."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from fhirserver.clock import moment
from fhirserver.espace.agenda.rules import ASKED, TAKING, Refusal, actors, status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Resource = dict[str, Any]

FREE: Final = "free"
TAKEN: Final = frozenset({"busy", "busy-tentative"})
_SLOT: Final = re.compile(r"Slot/([A-Za-z0-9\-.]{1,64})")


def named(appointment: Mapping[str, Any] | None) -> list[str]:
    """The ids of the slots that it names. Raises Refusal for another form, or one that is named twice."""
    listed = (appointment or {}).get("slot") or []
    found = [_SLOT.fullmatch(str(each.get("reference"))) for each in listed if isinstance(each, dict)]
    ids = [each[1] for each in found if each is not None]
    if len(ids) != len(listed) or len(set(ids)) != len(ids):
        raise Refusal("slot-form")
    return ids


def held(appointment: Mapping[str, Any] | None) -> list[str]:
    """The ids of the slots that it takes: of one that is cancelled none, though it names them."""
    return named(appointment) if status(appointment) in TAKING else []


def carried(appointment: Mapping[str, Any]) -> str:
    """The status of a slot that carries it."""
    return "busy-tentative" if status(appointment) in ASKED else "busy"


def fitting(appointment: Mapping[str, Any], slots: Sequence[Resource], schedule: Resource | None, patient: str) -> None:
    """Raises Refusal unless the slots, of that schedule, carry the appointment of the patient (`Patient/x`)."""
    start, end = moment(appointment.get("start")), moment(appointment.get("end"))
    if start is None or end is None or end <= start:
        raise Refusal("times")
    if schedule is None or schedule.get("active") is False or len({_schedule(each) for each in slots}) != 1:
        raise Refusal("slot-schedule")
    spans = sorted((moment(each.get("start")) or start, moment(each.get("end")) or start) for each in slots)
    if any(one[1] != two[0] for one, two in pairwise(spans)):
        raise Refusal("slot-gap")
    if start < spans[0][0] or end > spans[-1][1]:
        raise Refusal("slot-outside")
    present = {_literal(each) for each in actors(appointment)}
    if patient not in present:
        raise Refusal("patient")
    if not present & acting(schedule):
        raise Refusal("actor")


def acting(schedule: Mapping[str, Any] | None) -> set[str]:
    """The literal references of the actors of a schedule."""
    return {text for each in (schedule or {}).get("actor") or () if (text := _literal(each))}


def familiar(appointment: Mapping[str, Any], schedule: Mapping[str, Any] | None, patient: str) -> None:
    """Raises Refusal where a person names others than himself and the schedule's actors: who is named sees it."""
    allowed = {patient, *acting(schedule)}
    for each in actors(appointment):
        if not isinstance(each, dict) or "identifier" in each or (_literal(each) or patient) not in allowed:
            raise Refusal("stranger")


def timed(resource: Mapping[str, Any]) -> None:
    """Raises Refusal for a Slot that does not end after it starts."""
    if resource["resourceType"] != "Slot":
        return
    start, end = moment(resource.get("start")), moment(resource.get("end"))
    if start is None or end is None or end <= start:
        raise Refusal("slot-times")


def shifted(before: Mapping[str, Any], after: Mapping[str, Any] | None) -> bool:
    """Whether a slot changes in what an appointment relies on."""
    return after is None or any(before.get(each) != after.get(each) for each in ("schedule", "status", "start", "end"))


def _schedule(slot: Mapping[str, Any]) -> str:
    return _literal(slot.get("schedule"))


def _literal(reference: Any) -> str:
    return str(reference.get("reference") or "") if isinstance(reference, dict) else ""
