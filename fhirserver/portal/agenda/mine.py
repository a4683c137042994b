"""`/dossier/<patient>/agenda`: the person's appointments: to come, past; one of them; a note of one's own."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from flask import abort, request

from fhirserver.espace.roles import ROLES
from fhirserver.portal import browser
from fhirserver.portal.agenda import telling
from fhirserver.portal.agenda.telling import COMING, TYPE
from fhirserver.portal.language import N_, _
from fhirserver.portal.page import done as done_
from fhirserver.portal.page import page
from fhirserver.portal.record import reminders
from fhirserver.portal.record.space import PAGE, PERSONS, Refused, access_of, changed, opened
from fhirserver.rest.agenda.feeds import Feeds
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from flask import Blueprint, Response

    from fhirserver.portal.agenda.telling import Row
    from fhirserver.portal.record.space import Resource, Space

COUNT: Final = "20"
_SHORT: Final = 200
_MINUTES: Final = 30
_DONE: Final = {
    "pris": N_("Le rendez-vous est pris."),
    "deplace": N_("Le rendez-vous est déplacé."),
    "annule": N_("Le rendez-vous est annulé."),
    "confirme": N_("Le rendez-vous est confirmé."),
    "note": N_("Le rendez-vous est noté."),
    "supprime": N_("Le rendez-vous est supprimé."),
    "lien": N_("Le lien est retiré : il ne mène plus à rien."),
}
_TITLE: Final = N_("Donnez un titre de 200 caractères au plus.")
_DATE: Final = N_("Donnez un jour et une heure qui existent.")
_REASON: Final = N_("Écrivez le motif en 500 caractères au plus, sur une ligne.")
_MEANWHILE: Final = N_("Ce rendez-vous a changé entre-temps : le voici tel qu’il est maintenant.")


def routes(pages: Blueprint) -> None:
    base = "/dossier/<patient>/agenda"
    pages.add_url_rule(base, "agenda", coming)
    pages.add_url_rule(f"{base}/passes", "agenda_past", past)
    pages.add_url_rule(f"{base}/noter", "agenda_note", note, methods=["GET", "POST"])
    pages.add_url_rule(f"{base}/rendez-vous/<id>", "agenda_one", one)
    pages.add_url_rule(f"{base}/rendez-vous/<id>/annuler", "agenda_cancel", cancel, methods=["POST"])
    pages.add_url_rule(f"{base}/rendez-vous/<id>/confirmer", "agenda_confirm", confirm, methods=["POST"])
    pages.add_url_rule(f"{base}/rendez-vous/<id>/supprimer", "agenda_delete", delete, methods=["POST"])


def coming(patient: str) -> Response:
    space = opened(patient, *PERSONS)
    asked = (("date", f"ge{telling.instant(access_of(space).now)}"), COMING, ("_sort", "date"), ("_count", COUNT))
    found = space.search(TYPE, *asked, page=request.args.get(PAGE, ""))
    return page(
        "agenda/mine.html",
        rows=[row(space, each) for each in found.resources],
        found=found,
        done=done_(_DONE),
        reminders=reminders.upcoming(space),
        feed=Feeds(services().store).of(space.subject, access_of(space).now),
        here="agenda",
    )


def past(patient: str) -> Response:
    """What is over, and what was cancelled, the latest first."""
    space = opened(patient, *PERSONS)
    asked = (("date", f"lt{telling.instant(access_of(space).now)}"), ("_sort", "-date"), ("_count", COUNT))
    found = space.search(TYPE, *asked, page=request.args.get(PAGE, ""))
    return page("agenda/past.html", rows=[row(space, each) for each in found.resources], found=found, here="agenda")


def one(patient: str, id: str) -> Response:
    space = opened(patient, *PERSONS)
    return shown(space, space.one(TYPE, id))


def shown(space: Space, appointment: Resource, status: int = 200, errors: dict[str, str] | None = None) -> Response:
    """The page of one appointment."""
    return page("agenda/one.html", status, row=row(space, appointment), errors=errors or {}, here="agenda")


def row(space: Space, appointment: Resource) -> Row:
    return telling.row(appointment, ROLES[space.subject.kind], access_of(space).now)


def note(patient: str) -> Response:
    """A note of one's own: seen by the person and who represents him."""
    space = opened(patient, *PERSONS)
    typed = {name: request.form.get(name, "").strip()[: _SHORT + 1] for name in ("titre", "jour", "heure")}
    if request.method == "GET":
        return page("agenda/note.html", typed=typed, errors={}, here="agenda")
    errors = dict[str, str]()
    if not typed["titre"] or not telling.is_plain(typed["titre"], _SHORT):
        errors["titre"] = _(_TITLE)
    day, hour = telling.typed_date(typed["jour"]), telling.typed_time(typed["heure"])
    at = telling.local(day, hour) if day is not None and hour is not None else None
    if at is None:
        errors["jour"] = _(_DATE)
    else:
        who = telling.named(f"Patient/{space.id}", space.name)
        made = {
            "resourceType": TYPE,
            "status": "booked",
            "description": typed["titre"],
            "start": telling.instant(at),
            "end": telling.instant(at + timedelta(minutes=_MINUTES)),
            "participant": [{"actor": who, "status": "accepted"}],
        }
        try:
            if not errors:
                space.ask("POST", TYPE, made)
        except Refused as refused:
            errors[""] = refused.told
    if errors:
        return page("agenda/note.html", 422, typed=typed, errors=errors, here="agenda")
    return done(space, "note")


def cancel(patient: str, id: str) -> Response:
    """Cancels, or declines, the version that was shown; the other side reads the reason."""
    space = opened(patient, *PERSONS)
    appointment, reason = space.one(TYPE, id), request.form.get("motif", "").strip()
    if not telling.is_plain(reason):
        return shown(space, appointment, 422, {"motif": _(_REASON)})
    patch: list[dict[str, Any]] = [{"op": "replace", "path": "/status", "value": "cancelled"}]
    if reason:
        patch.append({"op": "add", "path": "/cancelationReason", "value": {"text": reason}})
    return _changed(space, appointment, patch, "annule")


def confirm(patient: str, id: str) -> Response:
    """Agrees to what the other side proposed."""
    space = opened(patient, *PERSONS)
    patch = [{"op": "replace", "path": "/status", "value": "booked"}]
    return _changed(space, space.one(TYPE, id), patch, "confirme")


def delete(patient: str, id: str) -> Response:
    """Takes away a note of one's own."""
    space = opened(patient, *PERSONS)
    appointment, version = space.one(TYPE, id), request.form.get("version", "")
    if not version.isdecimal():
        abort(400)
    try:
        space.ask("DELETE", f"{TYPE}/{id}", If_Match=f'W/"{version}"')
    except Refused as refused:
        return refusal(space, appointment["id"], refused)
    return done(space, "supprime")


def refusal(space: Space, id: str, refused: Refused) -> Response:
    """The appointment as it is now, with why nothing was done."""
    told = _(_MEANWHILE) if refused.status == 412 else refused.told
    return shown(space, space.one(TYPE, id), 409 if refused.status == 412 else refused.status, {"": told})


def done(space: Space, what: str) -> Response:
    return browser.redirect(f"{space.url}/agenda?fait={what}")


def _changed(space: Space, appointment: Resource, patch: list[dict[str, Any]], what: str) -> Response:
    try:
        changed(space, appointment, patch, request.form.get("version", ""))
    except Refused as refused:
        return refusal(space, appointment["id"], refused)
    return done(space, what)
