"""What is done on the pages of messages: a thread is opened, answered, closed, opened again; what is attached filed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import abort, request

from fhirserver.documents.media import media_of
from fhirserver.espace.messages import message
from fhirserver.portal import browser
from fhirserver.portal.language import _
from fhirserver.portal.messages import box as boxes
from fhirserver.portal.messages.pages import HERE, opened_box, shown
from fhirserver.portal.page import page
from fhirserver.portal.record import menu, own, wording
from fhirserver.portal.record.space import Refused, opened
from fhirserver.rest.routes import ID

if TYPE_CHECKING:
    from flask import Blueprint, Response

    from fhirserver.portal.record.space import Resource, Space

_APPOINTMENTS: Final = "20"


def routes(pages: Blueprint) -> None:
    for name, base in (("record", "/dossier/<patient>/messages"), ("own", "/messages")):
        pages.add_url_rule(f"{base}/<id>/repondre", f"messages_{name}_answer", answer, methods=["POST"])
        pages.add_url_rule(f"{base}/<id>/clore", f"messages_{name}_close", close, methods=["POST"])
        pages.add_url_rule(f"{base}/<id>/rouvrir", f"messages_{name}_reopen", reopen, methods=["POST"])
        pages.add_url_rule(f"{base}/<id>/classer", f"messages_{name}_file_it", file_it, methods=["POST"])
    new = "/dossier/<patient>/messages/nouveau"
    pages.add_url_rule(new, "messages_new", write, methods=["GET", "POST"])


@browser.takes_uploads(message.MOST_BYTES)
def answer(id: str, patient: str | None = None) -> Response:
    """Sends an answer."""
    box = opened_box(patient)
    first, errors, typed = box.message(id), dict[str, str](), {"texte": request.form.get("texte", "").strip()}
    thread = message.thread(first) or first["id"]
    files = _files(errors)
    _require_text(typed["texte"], files, errors)
    if not errors:
        try:
            box.send(_once(), typed["texte"], files, partOf=[{"reference": f"{message.TYPE}/{thread}"}])
        except Refused as refused:
            errors[""] = _("Le message n’a pas été envoyé : %(told)s", told=refused.told)
            return shown(box, thread, 409 if refused.status == 409 else 422, errors, typed)
    if errors:
        return shown(box, thread, 422, errors, typed)
    return browser.redirect(f"{box.url}/{thread}?fait=envoye#fin")


def close(id: str, patient: str | None = None) -> Response:
    return _state(id, patient, "close", "clos")


def reopen(id: str, patient: str | None = None) -> Response:
    return _state(id, patient, "reopen", "rouvert")


def file_it(id: str, patient: str | None = None) -> Response:
    """Files what is attached to a message; the document is shown to the person."""
    box, place = opened_box(patient), request.form.get("piece", "")
    found = box.message(id)
    if not place.isdecimal() or len(place) > 3:
        abort(400)
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "attachment", "valueInteger": int(place)}]}
    try:
        document = box.do(found["id"], "file", parameters)
    except Refused as refused:
        told = {"": _("La pièce n’a pas été classée : %(told)s", told=refused.told)}
        return shown(box, found["id"], 422, told, {})
    if box.space.is_person:
        return browser.redirect(f"{box.space.url}/documents/{document['id']}")
    return browser.redirect(f"{box.url}/{message.thread(found) or found['id']}?fait=classe")


@browser.takes_uploads(message.MOST_BYTES)
def write(patient: str) -> Response:
    """A professional opens a thread with the person whose record he has open."""
    space = opened(patient, "practitioner")
    box = boxes.of_professional()
    if request.method == "GET":
        return _new(space, 200, {}, {})
    form, errors = request.form, dict[str, str]()
    typed = {name: form.get(name, "").strip() for name in ("objet", "texte", "rendez-vous")}
    files = _files(errors)
    if not message.is_title(typed["objet"]):
        errors["objet"] = _("Donnez un objet de %(most)s caractères au plus.", most=message.LONGEST_TITLE)
    _require_text(typed["texte"], files, errors)
    chosen = dict(_appointments(space))
    if typed["rendez-vous"] and typed["rendez-vous"] not in chosen:
        errors["rendez-vous"] = _("Choisissez un de ces rendez-vous.")
    if not errors:
        named = {"reference": f"Patient/{space.id}", "display": space.name}
        more: dict[str, Any] = {"subject": named, "topic": {"text": typed["objet"]}}
        if id := typed["rendez-vous"]:
            more["payload"] = [{"contentReference": {"reference": f"Appointment/{id}", "display": chosen[id]}}]
        try:
            sent = box.send(_once(), typed["texte"], files, **more)
        except Refused as refused:
            errors[""] = _("Le message n’a pas été envoyé : %(told)s", told=refused.told)
        else:
            return browser.redirect(f"{box.url}/{sent['id']}?fait=envoye")
    return _new(space, 422, errors, typed)


def _state(id: str, patient: str | None, operation: str, done: str) -> Response:
    """Closes or opens the thread of a message, as it was shown."""
    box, version = opened_box(patient), request.form.get("version", "")
    first = box.message(id)
    if not version.isdecimal():
        abort(400)
    if first["meta"]["versionId"] != version:
        return shown(box, id, 409, {"": _("La conversation a changé entre-temps : vérifiez son état.")}, {})
    try:
        box.do(id, operation)
    except Refused as refused:
        return shown(box, id, 409, {"": refused.told}, {})
    return browser.redirect(f"{box.url}/{id}?fait={done}")


def _new(space: Space, status: int, errors: dict[str, str], typed: dict[str, str]) -> Response:
    return page(
        "messages/new.html",
        status,
        record=space,
        record_pages=menu.entries(space),
        appointments=_appointments(space),
        once=own.new_sending(),
        errors=errors,
        typed=typed,
        here=HERE,
    )


def _appointments(space: Space) -> list[tuple[str, str]]:
    """The appointments with this person that the professional takes part in: id, and when."""
    found = space.search("Appointment", ("_sort", "-date"), ("_count", _APPOINTMENTS)).resources
    return [(each["id"], _when(each)) for each in found if each.get("start")]


def _when(appointment: Resource) -> str:
    return _("Rendez-vous du %(when)s", when=wording.when(appointment["start"], time=True))


def _files(errors: dict[str, str]) -> list[tuple[str, bytes]]:
    """Names and bytes of the files of the form."""
    found, size = [], 0
    for each in request.files.getlist("fichier"):
        with each.stream:
            data = each.stream.read(message.MOST_BYTES + 1)
        if not data and not each.filename:
            continue
        size += len(data)
        if media_of(data) is None:
            errors["fichier"] = _("Choisissez des fichiers PDF, PNG, JPEG ou texte.")
        found.append((_named(each.filename or ""), data))
    if len(found) > message.MOST_ATTACHMENTS or size > message.MOST_BYTES:
        errors["fichier"] = _("Joignez %(most)s fichiers au plus, de 10 Mo en tout.", most=message.MOST_ATTACHMENTS)
    return found


def _named(name: str) -> str:
    """The title of a file: its name, where that is a line to show."""
    title = name.replace("\\", "/").rpartition("/")[2].rpartition(".")[0].strip()
    return title if message.is_title(title) else ""


def _require_text(text: str, files: list[tuple[str, bytes]], errors: dict[str, str]) -> None:
    if text and not message.is_text(text):
        errors["texte"] = _(
            "Écrivez %(most)s caractères au plus, sans caractères de commande.", most=message.LONGEST_TEXT
        )
    elif not text and not files:
        errors["texte"] = _("Écrivez un message ou joignez un fichier.")


def _once() -> str:
    found = request.form.get("envoi", "")
    return found if ID.fullmatch(found) else abort(400)
