"""Appointments as an iCalendar object (RFC 5545, RFC 7986): times in UTC, so that they are right in any zone. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from icalendar import Alarm, Calendar, Event

from fhirserver.clock import moment
from fhirserver.espace.agenda.rules import ASKED, span, status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Resource = dict[str, Any]

NAME: Final = "Mon espace santé"
NEUTRAL: Final = "Rendez-vous de santé"
"""What a calendar on somebody's desk says of an appointment, unless the person wants more."""
EVERY: Final = timedelta(hours=1)
"""How often a program is to look again."""
BEFORE: Final = timedelta(days=-1)
"""When it is to remind of an appointment."""
_GONE: Final = frozenset({"cancelled", "noshow", "entered-in-error"})


def calendar(appointments: Iterable[Resource], host: str, *, details: bool) -> bytes:
    """The calendar of these Appointments. `host`: of the server, for the UIDs. `details`: with whom, and for what."""
    made = Calendar()
    made.add("prodid", "-//fhirserver//agenda//FR")
    made.add("version", "2.0")
    made.add("calscale", "GREGORIAN")
    made.add("method", "PUBLISH")
    for name in ("name", "x-wr-calname"):
        made.add(name, NAME)
    for name in ("refresh-interval", "x-published-ttl"):
        made.add(name, EVERY, parameters={"VALUE": "DURATION"})
    for each in appointments:
        times = span(each)
        if times is not None:
            made.add_component(_event(each, times, host, details=details))
    return bytes(made.to_ical())


def _event(appointment: Resource, times: tuple[datetime, datetime], host: str, *, details: bool) -> Event:
    event, meta = Event(), appointment["meta"]
    written = moment(meta["lastUpdated"]) or datetime(1970, 1, 1, tzinfo=UTC)
    event.add("uid", f"{appointment['id']}@{host}")
    event.add("dtstamp", written.replace(microsecond=0))
    event.add("last-modified", written.replace(microsecond=0))
    event.add("sequence", int(meta["versionId"]) - 1)
    event.add("dtstart", times[0])
    event.add("dtend", times[1])
    event.add("class", "PRIVATE")
    state = status(appointment)
    event.add("status", "CANCELLED" if state in _GONE else "TENTATIVE" if state in ASKED else "CONFIRMED")
    event.add("transp", "TRANSPARENT" if state in _GONE else "OPAQUE")
    event.add("summary", (details and title(appointment)) or NEUTRAL)
    if details and (told := "\n".join(_told(appointment))):
        event.add("description", told)
    if state not in _GONE:
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", NEUTRAL)
        alarm.add("trigger", BEFORE)
        event.add_component(alarm)
    return event


def title(appointment: Mapping[str, Any]) -> str:
    """What an appointment is called: by its description, its kind, or with whom it is."""
    kinds = [appointment.get("appointmentType"), *(appointment.get("serviceType") or ())]
    said = [appointment.get("description"), *(_concept(each) for each in kinds), *others(appointment)]
    return next((str(each) for each in said if each), "")


def others(appointment: Mapping[str, Any]) -> list[str]:
    """The names of who takes part besides the patient, as far as the appointment says them."""
    found = []
    for each in appointment.get("participant") or ():
        actor = each.get("actor") or {}
        if actor.get("display") and not str(actor.get("reference", "")).startswith("Patient/"):
            found.append(str(actor["display"]))
    return found


def _told(appointment: Mapping[str, Any]) -> list[str]:
    texts = (appointment.get("patientInstruction"), appointment.get("comment"))
    return [*others(appointment), *(str(each) for each in texts if each)]


def _concept(concept: Any) -> str:
    if not isinstance(concept, dict):
        return ""
    codings = concept.get("coding") or [{}]
    return str(concept.get("text") or codings[0].get("display") or "")
