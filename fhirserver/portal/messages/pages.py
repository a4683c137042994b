"""`/dossier/<patient>/messages` and `/messages`: the threads, and one of them with what is attached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import abort, request

from fhirserver.access import keys
from fhirserver.espace.messages import message
from fhirserver.portal.language import N_
from fhirserver.portal.messages import box as boxes
from fhirserver.portal.page import done, page
from fhirserver.portal.record import own
from fhirserver.portal.record.documents import sent_file
from fhirserver.portal.record.space import PAGE

if TYPE_CHECKING:
    from flask import Blueprint, Response

    from fhirserver.portal.messages.box import Box, Resource

HERE: Final = "messages"
DONE: Final = {
    "envoye": N_("Votre message est envoyé."),
    "classe": N_("La pièce jointe est classée dans le dossier."),
    "clos": N_("La conversation est close."),
    "rouvert": N_("La conversation est rouverte."),
}


def routes(pages: Blueprint) -> None:
    for name, base in (("record", "/dossier/<patient>/messages"), ("own", "/messages")):
        pages.add_url_rule(base, f"messages_{name}", listed)
        pages.add_url_rule(f"{base}/<id>", f"messages_{name}_thread", thread)
        pages.add_url_rule(f"{base}/<id>/piece/<int:place>", f"messages_{name}_file", file)


def opened_box(patient: str | None) -> Box:
    return boxes.of_professional() if patient is None else boxes.of_person(patient)


def listed(patient: str | None = None) -> Response:
    """The threads, with how many messages of each were not read."""
    box = opened_box(patient)
    found, unread = box.threads(request.args.get(PAGE, "")), dict[str, int]()
    for each in box.unread():
        id = message.thread(each) or each["id"]
        unread[id] = unread.get(id, 0) + 1
    rows = [box.shown(each) | {"unread": unread.get(each["id"], 0)} for each in found.resources]
    rows.sort(key=lambda each: each["unread"] == 0)
    return page("messages/list.html", box=box, layout=box.layout, rows=rows, found=found, here=HERE)


def thread(id: str, patient: str | None = None) -> Response:
    """One thread; a message in it leads to its beginning. What is shown was read."""
    return shown(opened_box(patient), id, 200, {}, {})


def shown(box: Box, id: str, status: int, errors: dict[str, str], typed: dict[str, str]) -> Response:
    first = box.message(id)
    if (begin := message.thread(first)) is not None:
        first = box.message(begin)
    following = request.args.get(PAGE, "")
    found = box.answers(first["id"], following)
    rows = [*([] if following else [first]), *found.resources]
    box.read(rows)
    return page(
        "messages/thread.html",
        status,
        box=box,
        layout=box.layout,
        first=box.shown(first),
        version=first["meta"]["versionId"],
        rows=[box.shown(each) for each in rows],
        found=found,
        once=own.new_sending(),
        typed=typed,
        errors=errors,
        done=done(DONE),
        here=HERE,
    )


def file(id: str, place: int, patient: str | None = None) -> Response:
    """What is attached, to be kept or read."""
    box = opened_box(patient)
    held: list[Resource] = message.attachments(box.message(id))
    local: Any = keys.local(held[place - 1].get("url")) if 1 <= place <= len(held) else None
    if local is None or local[0] != "Binary":
        abort(404)
    return sent_file(box.space, local[1], f"message-{id}-{place}")
