"""What appointments and slots say, for pages; what is typed of them, read."""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.clock import moment
from fhirserver.espace.agenda.calendar import others, title
from fhirserver.espace.agenda.rules import Refusal, judge, span, status
from fhirserver.portal import dates
from fhirserver.portal.language import N_, _

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Resource = dict[str, Any]

TYPE: Final = "Appointment"
LONGEST: Final = 500
COMING: Final = ("status", "proposed,pending,booked,arrived,checked-in,waitlist")
STATES: Final = {
    "proposed": N_("proposé"),
    "pending": N_("en attente de réponse"),
    "waitlist": N_("sur liste d’attente"),
    "booked": N_("confirmé"),
    "arrived": N_("arrivé"),
    "checked-in": N_("arrivé"),
    "fulfilled": N_("honoré"),
    "noshow": N_("manqué"),
    "cancelled": N_("annulé"),
    "entered-in-error": N_("inscrit par erreur"),
}
_TESTED: Final = {
    "cancelled": "cancel",
    "booked": "confirm",
    "arrived": "arrive",
    "fulfilled": "fulfil",
    "noshow": "no-show",
}
_DAYS: Final = (
    N_("lundi"), N_("mardi"), N_("mercredi"), N_("jeudi"), N_("vendredi"), N_("samedi"), N_("dimanche"),
)  # fmt: skip


class Row(NamedTuple):
    """An appointment as lists show it; `may`: what can be done with it now: cancel, confirm, move, …"""

    id: str
    version: str
    title: str
    who: list[str]
    patient: str
    name: str
    when: str
    state: str
    status: str
    comment: str
    reason: str
    slotted: bool
    note: bool
    may: frozenset[str]


class Day(NamedTuple):
    """The free slots of a day: `(id, time)`."""

    said: str
    slots: list[tuple[str, str]]


def row(appointment: Mapping[str, Any], who: str, now: datetime) -> Row:
    """`who`: a word of the rules of the agenda, for what may be done."""
    resource = dict(appointment)
    patient = next((each for each in _actors(resource) if str(each.get("reference", "")).startswith("Patient/")), {})
    with_ = others(resource)
    reason = resource.get("cancelationReason") or {}
    note = not resource.get("slot") and len(_actors(resource)) <= 1
    return Row(
        resource["id"],
        resource["meta"]["versionId"],
        title(resource) or _("Rendez-vous"),
        with_,
        str(patient.get("reference", "")).partition("/")[2],
        str(patient.get("display") or ""),
        when(resource),
        _(STATES.get(status(resource), "")) if status(resource) in STATES else status(resource),
        status(resource),
        str(resource.get("comment") or ""),
        str(reason.get("text") or ""),
        bool(resource.get("slot")),
        note,
        frozenset(_may(resource, who, now, note=note)),
    )


def when(appointment: Mapping[str, Any]) -> str:
    """The day and the hours, where the page tells times."""
    times = span(appointment)
    if times is None:
        return _("sans date")
    start, end = (each.astimezone(dates.zone()) for each in times)
    told = _("%(weekday)s %(moment)s", weekday=weekday(start.date()), moment=dates.moment(start))
    until = dates.clock_time(end.hour, end.minute)
    return _("%(when)s – %(until)s", when=told, until=until) if end > start else told


def days(slots: Iterable[Mapping[str, Any]]) -> list[Day]:
    """Slots by day, in order."""
    found: dict[date, Day] = {}
    for each in slots:
        start = moment(each.get("start"))
        if start is not None:
            local = start.astimezone(dates.zone())
            day = found.setdefault(local.date(), Day(f"{weekday(local.date())} {dates.day(start)}", []))
            day.slots.append((each["id"], dates.clock_time(local.hour, local.minute)))
    return list(found.values())


def weekday(day: date) -> str:
    return _(_DAYS[day.weekday()])


def weekdays() -> list[tuple[str, str]]:
    """Numbers (0: Monday) and names of the days of a week."""
    return [(str(number), _(each)) for number, each in enumerate(_DAYS)]


def typed_date(text: str) -> date | None:
    """A date as a form sends it."""
    try:
        found = date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None
    return found if found is not None and MINYEAR < found.year < MAXYEAR else None


def typed_time(text: str) -> time | None:
    """A time of the day as a form sends it, to the minute."""
    try:
        return time.fromisoformat(text) if len(text) == 5 else None
    except ValueError:
        return None


def local(day: date, at: time) -> datetime | None:
    """A moment by the clocks of the page; None of one that they skip in spring."""
    wall = datetime.combine(day, at)
    found = wall.replace(tzinfo=dates.zone())
    return found if found.astimezone(UTC).astimezone(dates.zone()).replace(tzinfo=None) == wall else None


def named(reference: str, name: str) -> Resource:
    """A Reference, with a name where there is one."""
    return {"reference": reference} | ({"display": name} if name else {})


def instant(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def is_plain(text: str, longest: int = LONGEST) -> bool:
    """Whether a text is short and printable, on one line."""
    return len(text) <= longest and text.isprintable()


def minutes(start: datetime, end: datetime) -> int:
    return (end - start) // timedelta(minutes=1)


def _actors(resource: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each["actor"] for each in resource.get("participant") or () if isinstance(each.get("actor"), dict)]


def _may(resource: Resource, who: str, now: datetime, *, note: bool) -> Iterable[str]:
    for to, name in _TESTED.items():
        if to != status(resource) and _fits(
            resource, resource | {"status": to, "cancelationReason": {"text": "-"}}, who, now
        ):
            yield name
    if resource.get("slot") and _fits(resource, resource | {"start": resource.get("end")}, who, now):
        yield "move"
    if note and _fits(resource, None, who, now, own=True):
        yield "delete"


def _fits(before: Resource, after: Resource | None, who: str, now: datetime, *, own: bool = False) -> bool:
    try:
        judge(before, after, who, now, own=own)
    except Refusal:
        return False
    return True
