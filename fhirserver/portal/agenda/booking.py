"""`/dossier/<patient>/agenda/prendre`: whose agenda, which free slot, and the appointment on it, new or moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flask import abort, request

from fhirserver.clock import moment
from fhirserver.portal.agenda import mine, telling
from fhirserver.portal.agenda.telling import TYPE
from fhirserver.portal.language import N_, _
from fhirserver.portal.page import page
from fhirserver.portal.record import choices, wording
from fhirserver.portal.record.space import PAGE, PERSONS, Refused, access_of, changed, opened
from fhirserver.rest.routes import ID
from fhirserver.search.escape import escape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flask import Blueprint, Response

    from fhirserver.portal.record.space import Resource, Space

_SHORTEST: Final = 2
_LONGEST: Final = 80
_COUNT: Final = "60"
_WAYS: Final = (
    "actor:Practitioner.name",
    "actor:PractitionerRole.practitioner.name",
    "actor:HealthcareService.name",
    "specialty:text",
)
"""How an agenda is found by what somebody types."""
_TYPED: Final = N_("Écrivez au moins deux lettres du nom ou de la spécialité.")
_REASON: Final = N_("Écrivez le motif en 500 caractères au plus, sur une ligne.")
_GONE: Final = N_("Ce créneau n’est plus libre : choisissez-en un autre.")
_VERSION: Final = N_("Ce rendez-vous a changé entre-temps : recommencez.")


class Keeper(NamedTuple):
    """A Schedule, for lists: whose it is."""

    id: str
    name: str
    details: str


def routes(pages: Blueprint) -> None:
    base = "/dossier/<patient>/agenda"
    pages.add_url_rule(f"{base}/prendre", "agenda_search", search)
    pages.add_url_rule(f"{base}/prendre/<schedule>", "agenda_slots", slots)
    pages.add_url_rule(f"{base}/creneau/<slot>", "agenda_book", book, methods=["GET", "POST"])


def search(patient: str) -> Response:
    """Agendas by the name of the professional or the specialty."""
    space, typed = opened(patient, *PERSONS), request.args.get("q", "").strip()[:_LONGEST]
    if "q" not in request.args:
        return page("agenda/search.html", typed="", found=None, errors={}, here="agenda")
    if len(typed) < _SHORTEST or not typed.isprintable():
        return page("agenda/search.html", 422, typed=typed, found=None, errors={"q": _(_TYPED)}, here="agenda")
    text = escape(typed)
    found: dict[str, Keeper] = {}
    for way in _WAYS:
        asked = ((way, text), ("active:not", "false"), ("_include", "Schedule:actor"), ("_count", "20"))
        bundle = space.read("Schedule", *asked, ("_total", "none"))
        found |= {each.id: each for each in keepers(bundle)}
    return page("agenda/search.html", typed=typed, found=list(found.values()), errors={}, here="agenda")


def slots(patient: str, schedule: str) -> Response:
    """The free slots of an agenda, by day."""
    space = opened(patient, *PERSONS)
    keeper, sealed = _keeper(space, schedule), request.args.get(PAGE, "")
    now = telling.instant(access_of(space).now)
    asked = (("schedule", f"Schedule/{schedule}"), ("status", "free"), ("start", f"gt{now}"), ("_sort", "start"))
    found = space.found("Slot", *asked, ("_count", _COUNT), page=sealed)
    return page(
        "agenda/slots.html",
        keeper=keeper,
        days=telling.days(found.resources),
        found=found,
        moved=_moved(space),
        here="agenda",
    )


def book(patient: str, slot: str) -> Response:
    """The slot, to confirm; then the appointment on it."""
    space = opened(patient, *PERSONS)
    found, moved = _read(space, "Slot", slot), _moved(space)
    keeper = _keeper(space, str(found["schedule"].get("reference", "")).partition("/")[2])
    if request.method == "GET":
        return _confirming(space, found, keeper, moved)
    reason = request.form.get("motif", "").strip()
    if not telling.is_plain(reason):
        return _confirming(space, found, keeper, moved, 422, {"motif": _(_REASON)}, reason)
    try:
        if moved is None:
            space.ask("POST", TYPE, made(space, found, reason))
        else:
            changed(space, moved, _moving(space, found, moved), request.form.get("version", ""))
    except Refused as refused:
        told = {409: _(_GONE), 412: _(_VERSION)}.get(refused.status, refused.told)
        status = 409 if refused.status == 412 else refused.status
        return _confirming(space, found, keeper, moved, status, {"": told}, reason)
    return mine.done(space, "pris" if moved is None else "deplace")


def keepers(bundle: Resource) -> list[Keeper]:
    """The Schedules of a search with their actors."""
    resources = [each["resource"] for each in bundle.get("entry", ())]
    known = {f"{each['resourceType']}/{each['id']}": each for each in resources}
    return [_told(each, known) for each in resources if each["resourceType"] == "Schedule"]


def _told(schedule: Resource, known: dict[str, Resource]) -> Keeper:
    names = [_name(each, known) for each in schedule.get("actor") or ()]
    specialties = [wording.concept(each) for each in schedule.get("specialty") or ()]
    details = [*filter(None, names[1:]), *filter(None, specialties), str(schedule.get("comment") or "")]
    return Keeper(schedule["id"], next(filter(None, names), _("Agenda")), ", ".join(filter(None, details)))


def _name(actor: Resource, known: dict[str, Resource]) -> str:
    """Of an actor: as the directory has it, or as the reference says."""
    found = known.get(str(actor.get("reference", "")), {})
    if found.get("name"):
        return choices.name_of(found)
    return str(actor.get("display") or wording.actor(found.get("practitioner") or {}) or "")


def _keeper(space: Space, schedule: str) -> Keeper:
    if not ID.fullmatch(schedule):
        abort(404)
    asked = (("_id", schedule), ("active:not", "false"), ("_include", "Schedule:actor"), ("_total", "none"))
    found = keepers(space.read("Schedule", *asked))
    return found[0] if found else abort(404)


def _read(space: Space, type_: str, id_: str) -> Resource:
    if not ID.fullmatch(id_):
        abort(404)
    return space.read(f"{type_}/{id_}")


def _moved(space: Space) -> Resource | None:
    """The appointment that is to be moved."""
    id_ = request.values.get("deplace", "")
    return space.one(TYPE, id_) if id_ else None


def _confirming(
    space: Space,
    slot: Resource,
    keeper: Keeper,
    moved: Resource | None,
    status: int = 200,
    errors: dict[str, str] | None = None,
    typed: str = "",
) -> Response:
    return page(
        "agenda/book.html",
        status,
        slot=slot["id"],
        when=telling.when(slot),
        keeper=keeper,
        moved=None if moved is None else mine.row(space, moved),
        errors=errors or {},
        typed=typed[: telling.LONGEST],
        here="agenda",
    )


def made(space: Space, slot: Resource, reason: str) -> Resource:
    """An Appointment of the person on a slot, with the actors of its schedule."""
    found: dict[str, Any] = {"resourceType": TYPE, "status": "booked"}
    found |= times(slot) | {"participant": [*_me(space), *_theirs(space, slot)]}
    found |= {"created": telling.instant(access_of(space).now)}
    return found | ({"comment": reason} if reason else {})


def _moving(space: Space, slot: Resource, moved: Resource) -> Iterable[Resource]:
    values = times(slot) | {"participant": [*_me(space), *_theirs(space, slot)]}
    return [
        {"op": "replace" if name in moved else "add", "path": f"/{name}", "value": each}
        for name, each in values.items()
    ]


def times(slot: Resource) -> dict[str, Any]:
    """What an Appointment on a slot says of it."""
    start, end = moment(slot["start"]), moment(slot["end"])
    found = {"start": slot["start"], "end": slot["end"], "slot": [{"reference": f"Slot/{slot['id']}"}]}
    length = telling.minutes(start, end) if start is not None and end is not None else 0
    return found | ({"minutesDuration": length} if length > 0 else {})


def _me(space: Space) -> list[Resource]:
    return [{"actor": telling.named(f"Patient/{space.id}", space.name), "status": "accepted"}]


def _theirs(space: Space, slot: Resource) -> list[Resource]:
    """The actors of the schedule, who by offering the slot have accepted."""
    asked = (("_id", str(slot["schedule"].get("reference", "")).partition("/")[2]), ("_include", "Schedule:actor"))
    resources = [each["resource"] for each in space.read("Schedule", *asked, ("_total", "none")).get("entry", ())]
    known = {f"{each['resourceType']}/{each['id']}": each for each in resources}
    found = []
    schedules = [each for each in resources if each["resourceType"] == "Schedule"]
    for each in schedules[0].get("actor", ()) if schedules else ():
        name = _name(each, known)
        if each.get("reference"):
            found.append({"actor": telling.named(each["reference"], name), "status": "accepted"})
    return found
