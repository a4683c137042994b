"""`/mon-agenda`: a professional's own agenda: slots made in series, who booked, what is confirmed or cancelled."""

from __future__ import annotations

from datetime import time, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from flask import abort, g, request

from fhirserver.access import zones
from fhirserver.access.keys import RPPS
from fhirserver.access.zones import METROPOLE
from fhirserver.espace.agenda import series
from fhirserver.espace.agenda.rules import span
from fhirserver.espace.agenda.series import MOST, Series
from fhirserver.espace.roles import ROLES
from fhirserver.portal import browser, dates
from fhirserver.portal.agenda import booking, telling
from fhirserver.portal.agenda.telling import COMING, TYPE
from fhirserver.portal.language import N_, _
from fhirserver.portal.page import done, page
from fhirserver.portal.record import choices
from fhirserver.portal.record.space import JSON_PATCH, PAGE, Refused, Space, access_of
from fhirserver.rest.routes import ID

if TYPE_CHECKING:
    from flask import Blueprint, Response

    from fhirserver.portal.agenda.booking import Keeper
    from fhirserver.portal.record.space import Found, Resource

LENGTHS: Final = ("10", "15", "20", "30", "45", "60")
WEEKS: Final = 12
DECISIONS: Final = {
    "confirmer": "booked",
    "annuler": "cancelled",
    "arrive": "arrived",
    "honore": "fulfilled",
    "manque": "noshow",
}
_COUNT: Final = "20"
_FIELDS: Final = ("agenda", "du", "au", "de", "a", "duree", "fuseau")
_DAYS: Final = N_("Donnez deux jours, le second après le premier, à douze semaines d’écart au plus.")
_HOURS: Final = N_("Donnez deux heures, la seconde après la première.")
_WEEK: Final = N_("Choisissez au moins un jour de la semaine.")
_CHOICE: Final = N_("Choisissez dans la liste.")
_NONE: Final = N_("Il n’y a là aucun créneau à ouvrir : ces heures sont passées, ou déjà dans l’agenda.")
_MANY: Final = N_("Cela ferait plus de 200 créneaux : raccourcissez la période.")
_UNKNOWN: Final = N_(
    "L’annuaire ne connaît pas votre numéro RPPS : votre établissement ou l’exploitant peut vous y inscrire."
)
_REASON: Final = N_("Dites pourquoi, en 500 caractères au plus, sur une ligne : la personne le lira.")
_MEANWHILE: Final = N_("Ce rendez-vous a changé entre-temps : le voici tel qu’il est maintenant.")
_OTHERS: Final = N_("Ce créneau a été ouvert par quelqu’un d’autre : lui, ou l’exploitant du service, peut le retirer.")
_HERE: Final = N_("France métropolitaine")
_DONE: Final = {
    "ouvert": N_("Votre agenda est ouvert."),
    "creneaux": N_("Les créneaux sont ouverts."),
    "retire": N_("Le créneau est retiré."),
    "change": N_("C’est enregistré."),
    "inscrit": N_("Le rendez-vous est inscrit ; la personne en est informée."),
}


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/mon-agenda", "own_agenda", own)
    pages.add_url_rule("/mon-agenda/ouvrir", "own_agenda_open", start, methods=["POST"])
    pages.add_url_rule("/mon-agenda/creneaux", "own_agenda_slots", add, methods=["POST"])
    pages.add_url_rule("/mon-agenda/creneaux/<slot>/retirer", "own_agenda_remove", remove, methods=["POST"])
    pages.add_url_rule("/mon-agenda/rendez-vous/<id>", "own_agenda_decide", decide, methods=["POST"])
    pages.add_url_rule("/mon-agenda/rendez-vous/<id>/deplacer", "own_agenda_move", move, methods=["POST"])


def own() -> Response:
    return _page(_professional())


def start() -> Response:
    """Opens an agenda of the professional's own."""
    space = _professional()
    known = choices.found(space, RPPS, space.subject.rpps or "")
    if known is None:
        return _page(space, 422, {"": _(_UNKNOWN)})
    actor = telling.named(f"Practitioner/{known['id']}", choices.name_of(known))
    try:
        space.ask("POST", "Schedule", {"resourceType": "Schedule", "active": True, "actor": [actor]})
    except Refused as refused:
        return _page(space, refused.status, {"": refused.told})
    return _done("ouvert")


def add() -> Response:
    """Opens slots in a series, but where there are some already."""
    space = _professional()
    typed = {name: request.form.get(name, "")[:40] for name in _FIELDS}
    days = [each for each in request.form.getlist("jours") if each in dict(telling.weekdays())]
    errors = dict[str, str]()
    wanted = _series(space, typed, days, errors)
    made: list[Resource] = []
    if wanted is not None and not errors:
        now = access_of(space).now
        found = series.spans(wanted, now, _taken(space, typed["agenda"], wanted))
        if not found or len(found) > MOST:
            errors["du"] = _(_NONE) if not found else _(_MANY)
        made = [_slot(typed["agenda"], *each) for each in found]
    if not errors:
        try:
            space.create_all(made)
        except Refused as refused:
            errors[""] = refused.told
    return _page(space, 422, errors, typed | {"jours": days}) if errors else _done("creneaux")


def remove(slot: str) -> Response:
    """Takes a free slot out of the agenda."""
    space = _professional()
    try:
        space.ask("DELETE", f"Slot/{slot}" if ID.fullmatch(slot) else abort(404))
    except Refused as refused:
        return _page(space, refused.status, {"": _(_OTHERS) if refused.status == 403 else refused.told})
    return _done("retire")


def decide(id: str) -> Response:
    """Confirms, cancels (with a reason), or says how it went; of the version that was shown."""
    space, version = _professional(), request.form.get("version", "")
    status, reason = DECISIONS.get(request.form.get("decision", "")), request.form.get("motif", "").strip()
    if status is None or not version.isdecimal() or not ID.fullmatch(id):
        abort(400)
    if not telling.is_plain(reason) or (status == "cancelled" and not reason):
        return _page(space, 422, {f"motif-{id}": _(_REASON)})
    patch: list[dict[str, Any]] = [{"op": "replace", "path": "/status", "value": status}]
    if status == "cancelled":
        patch.append({"op": "add", "path": "/cancelationReason", "value": {"text": reason}})
    return _changed(space, id, patch, version)


def move(id: str) -> Response:
    """Gives an appointment another slot that is free; of the version that was shown."""
    space, version, slot = _professional(), request.form.get("version", ""), request.form.get("creneau", "")
    if not version.isdecimal() or not ID.fullmatch(id):
        abort(400)
    found = space.found("Slot", ("_id", slot)).resources if ID.fullmatch(slot) else []
    if not found:
        return _page(space, 422, {"": _(_CHOICE)})
    values = booking.times(found[0])
    patch = [{"op": "add", "path": f"/{name}", "value": value} for name, value in values.items()]
    return _changed(space, id, patch, version)


def _changed(space: Space, id: str, patch: list[dict[str, Any]], version: str) -> Response:
    try:
        space.ask("PATCH", f"{TYPE}/{id}", patch, Content_Type=JSON_PATCH, If_Match=f'W/"{version}"')
    except Refused as refused:
        told = _(_MEANWHILE) if refused.status == 412 else refused.told
        return _page(space, 409 if refused.status == 412 else refused.status, {"": told})
    return _done("change")


def _professional() -> Space:
    session = browser.needed_session()
    if session.subject.kind != "practitioner" or not session.subject.rpps:
        abort(404)
    chosen = request.values.get("fuseau", METROPOLE)
    g.zone = ZoneInfo(chosen if chosen in zones.names() else METROPOLE)
    return Space(session.subject)


def schedules(space: Space) -> list[Keeper]:
    """The agendas that the professional is an actor of, himself or in a role."""
    found: dict[str, Keeper] = {}
    number = f"{RPPS}|{space.subject.rpps}"
    for way in ("actor:Practitioner.identifier", "actor:PractitionerRole.practitioner.identifier"):
        asked = ((way, number), ("active:not", "false"), ("_include", "Schedule:actor"), ("_total", "none"))
        found |= {each.id: each for each in booking.keepers(space.read("Schedule", *asked))}
    return list(found.values())


def free(space: Space, agendas: list[Keeper], *, slot: str | None = None, page: str = "") -> Found | None:
    """The free slots to come of these agendas, or just that one of them; None where there can be none."""
    if not agendas or (slot is not None and not ID.fullmatch(slot)):
        return None
    of = ",".join(f"Schedule/{each.id}" for each in agendas)
    now = telling.instant(access_of(space).now)
    asked = (("schedule", of), ("status", "free"), ("start", f"gt{now}"), ("_sort", "start"), ("_count", _COUNT))
    return space.found("Slot", *asked, *((("_id", slot),) if slot is not None else ()), page=page)


def _page(space: Space, status: int = 200, errors: dict[str, str] | None = None, typed: Any = None) -> Response:
    now, agendas = access_of(space).now, schedules(space)
    known, found = choices.found(space, RPPS, space.subject.rpps or ""), None
    if known is not None:
        asked = (("actor", f"Practitioner/{known['id']}"), ("date", f"ge{telling.instant(now - timedelta(hours=12))}"))
        more = (COMING, ("_sort", "date"), ("_count", _COUNT))
        found = space.found(TYPE, *asked, *more, page=request.args.get(PAGE, ""))
    offered = free(space, agendas)
    return page(
        "agenda/own.html",
        status,
        errors=errors or {},
        typed=typed
        or {"duree": "30", "de": "09:00", "a": "12:00", "fuseau": METROPOLE, "jours": ["0", "1", "2", "3", "4"]},
        schedules=agendas,
        found=found,
        rows=[telling.row(each, ROLES[space.subject.kind], now) for each in found.resources] if found else [],
        free=[(each["id"], telling.when(each)) for each in offered.resources] if offered is not None else [],
        weekdays=telling.weekdays(),
        lengths=LENGTHS,
        zones=[(each, dates.place_of(each) or _(_HERE)) for each in zones.names()],
        done=done(_DONE),
    )


def _series(space: Space, typed: dict[str, str], days: list[str], errors: dict[str, str]) -> Series | None:
    """What was typed; what is wrong with it goes into `errors`."""
    first, last = telling.typed_date(typed["du"]), telling.typed_date(typed["au"])
    opens, closes = telling.typed_time(typed["de"]), telling.typed_time(typed["a"])
    if first is None or last is None or not timedelta() <= last - first <= timedelta(weeks=WEEKS):
        errors["du"] = _(_DAYS)
    if opens is None or closes is None or closes <= opens:
        errors["de"] = _(_HOURS)
    if not days:
        errors["jours"] = _(_WEEK)
    offered = {"duree": LENGTHS, "fuseau": zones.names(), "agenda": [each.id for each in schedules(space)]}
    errors |= {name: _(_CHOICE) for name, among in offered.items() if typed[name] not in among}
    if errors or first is None or last is None:
        return None
    week = frozenset(int(each) for each in days)
    return Series(first, last, week, opens or time(), closes or time(), int(typed["duree"]), typed["fuseau"])


def _taken(space: Space, schedule: str, wanted: Series) -> list[series.Span]:
    """The times of the slots that the agenda has in that period."""
    zone = ZoneInfo(wanted.zone)
    bounds = (("start", f"ge{wanted.first - timedelta(days=1)}"), ("start", f"le{wanted.last + timedelta(days=1)}"))
    asked = (("schedule", f"Schedule/{schedule}"), *bounds, ("_count", "1000"))
    spans = [span(each) for each in space.found("Slot", *asked).resources]
    return [(each[0].astimezone(zone), each[1].astimezone(zone)) for each in spans if each is not None]


def _slot(schedule: str, start: Any, end: Any) -> Resource:
    return {
        "resourceType": "Slot",
        "schedule": {"reference": f"Schedule/{schedule}"},
        "status": "free",
        "start": telling.instant(start),
        "end": telling.instant(end),
    }


def _done(what: str) -> Response:
    zone = request.form.get("fuseau", METROPOLE)
    return browser.redirect(f"/mon-agenda?fait={what}" + (f"&fuseau={zone}" if zone in zones.names() else ""))
