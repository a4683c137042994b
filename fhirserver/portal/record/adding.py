"""`/dossier/<patient>/documents/ajouter`: the person adds a document, as the API takes one (IHE ITI-105)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from flask import Response, request

from fhirserver.documents import authored
from fhirserver.documents.media import media_of
from fhirserver.portal import browser
from fhirserver.portal.language import N_, _
from fhirserver.portal.page import page
from fhirserver.portal.record import wording
from fhirserver.portal.record.documents import MASK, TYPE
from fhirserver.portal.record.space import PERSONS, Refused, access_of, opened

if TYPE_CHECKING:
    from flask import Blueprint

    from fhirserver.portal.record.space import Resource, Space

LONGEST: Final = 200
MOST_BYTES: Final = 10 * 1024 * 1024
_NOT_OWN: Final = "DOCPAT08"
"""The health profile, which the service makes."""
_KINDS: Final = N_("Choisissez un fichier PDF, PNG, JPEG ou texte.")
_TOO_LARGE: Final = N_("Choisissez un fichier de 10 Mo au plus.")


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/dossier/<patient>/documents/ajouter", "document_add", add, methods=["GET", "POST"])


@browser.takes_uploads(MOST_BYTES)
def add(patient: str) -> Response:
    """The form, and what was sent by it."""
    space = opened(patient, *PERSONS)
    if request.method == "GET":
        return _page(200, {}, {})
    form, errors = request.form, dict[str, str]()
    title, type_ = form.get("titre", "").strip(), form.get("type", "")
    if not title or len(title) > LONGEST or not title.isprintable():
        errors["titre"] = _("Donnez un titre de %(most)s caractères au plus.", most=LONGEST)
    if type_ not in types():
        errors["type"] = _("Choisissez ce que c’est.")
    data = _file()
    media = media_of(data)
    if len(data) > MOST_BYTES:
        errors["fichier"] = _(_TOO_LARGE)
    elif media is None:
        errors["fichier"] = _(_KINDS)
    if not errors:
        try:
            space.ask("POST", TYPE, _document(space, title, type_, str(media), data))
        except Refused as refused:
            errors[""] = _("Le document n’a pas été accepté : %(told)s", told=refused.told)
    if errors:
        return _page(422, errors, {"titre": title, "type": type_})
    return browser.redirect(f"{space.url}/documents?ajoute=1")


def _file() -> bytes:
    """The file that was sent, or as much of it as tells that it is too large."""
    sent = request.files.get("fichier")
    if sent is None:
        return b""
    with sent.stream:
        return sent.stream.read(MOST_BYTES + 1)


def types() -> dict[str, str]:
    """What persons deposit, by code of JDV_J07."""
    known = wording.document_types().items()
    return {code: name for code, name in known if code.startswith(authored.OWN) and code != _NOT_OWN}


def _document(space: Space, title: str, type_: str, media: str, data: bytes) -> Resource:
    who = space.subject
    reference = f"Patient/{space.id}" if who.kind == "patient" else who.id
    author = {"reference": reference, **({"display": who.name} if who.name else {})}
    unique = f"urn:uuid:{uuid.uuid4()}"
    made = authored.document(space.id, unique, type_, title, media, data, author, access_of(space).now)
    return authored.labelled(made, *([MASK] if request.form.get("masque") == "oui" else []))


def _page(status: int, errors: dict[str, str], typed: dict[str, str]) -> Response:
    options = sorted((code, _(name)) for code, name in types().items())
    return page("record/add.html", status, errors=errors, typed=typed, options=options, here="documents")
