"""`/dossier/<patient>/documents`: the list, one document, its content to read or to keep, and who may see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from flask import Response, abort, request

from fhirserver.access.acl import HIDDEN_FROM_REPRESENTATIVES, MASKED
from fhirserver.documents.authored import VISIBILITY
from fhirserver.portal import browser
from fhirserver.portal.language import N_, _
from fhirserver.portal.page import page
from fhirserver.portal.record import period, wording
from fhirserver.portal.record.space import PAGE, PERSONS, Refused, changed, opened
from fhirserver.rest.answer import Answer
from fhirserver.rest.documents import contents
from fhirserver.rest.documents.retrieving import shown_headers
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Blueprint

    from fhirserver.portal.record.space import Resource, Space

TYPE: Final = "DocumentReference"
MASK: Final = MASKED[0]
COUNT: Final = "20"
_ENDINGS: Final = {
    "application/pdf": "pdf", "text/plain": "txt", "image/png": "png", "image/jpeg": "jpg", "text/xml": "xml",
    "application/xml": "xml",
}  # fmt: skip
_NOT_DONE: Final = N_(
    "Le document a été modifié entre-temps, ou vous ne pouvez pas changer qui le voit : vérifiez son état."
)
_UNSHOWN: Final = N_("Ce document n’est pas d’une sorte qui s’affiche ici : téléchargez-le.")


def routes(pages: Blueprint) -> None:
    base = "/dossier/<patient>/documents"
    pages.add_url_rule(base, "documents", documents)
    pages.add_url_rule(f"{base}/<id>", "document", document)
    pages.add_url_rule(f"{base}/<id>/lire", "document_shown", shown)
    pages.add_url_rule(f"{base}/<id>/fichier/<int:place>", "document_file", file)
    pages.add_url_rule(f"{base}/<id>/masque", "document_mask", mask, methods=["POST"])


def documents(patient: str) -> Response:
    """Newest first, by type and period."""
    space, form = opened(patient), request.args
    chosen, asked = form.get("type", ""), period.read(form, instants=True)
    params = [("status", "current"), ("_sort", "-date"), ("_count", COUNT), *asked.params]
    if chosen in wording.document_types():
        params.append(("type", chosen))
    found = space.search(TYPE, *params, page=form.get(PAGE, ""))
    named = [(code, _(name)) for code, name in wording.document_types().items()]
    return page(
        "record/documents.html",
        asked.status,
        found=found,
        errors=asked.errors,
        rows=[summary(each) for each in found.resources],
        types=sorted(named, key=lambda each: each[1].casefold()),
        chosen=chosen,
        typed=asked.typed,
        added=form.get("ajoute") == "1",
        here="documents",
    )


def document(patient: str, id: str) -> Response:
    """One document: what is said of it, who sees it."""
    space = opened(patient)
    return _page(space, space.one(TYPE, id))


def shown(patient: str, id: str) -> Response:
    """To read: a CDA document as a page without scripts, PDF, text and images as they are ($render)."""
    space = opened(patient)
    found = space.one(TYPE, id)
    try:
        return _readable(_sent(space.ask("GET", f"{TYPE}/{found['id']}/$render")))
    except Refused as refused:
        if refused.status == 422:
            return _page(space, found, 422, {"": _UNSHOWN})
        abort(404 if refused.status in (403, 404, 410) else 500)


def file(patient: str, id: str, place: int) -> Response:
    """A content as it was deposited, to be kept."""
    space = opened(patient)
    found = space.one(TYPE, id)
    held = attachments(found)
    response = _content(space, held[place]) if place < len(held) else None
    if response is None:
        abort(404)
    return _kept(response, f"document-{found['id']}")


def sent_file(space: Space, id: str, name: str) -> Response:
    """The content of a Binary that the requester sees, to be kept under a name."""
    return _kept(_sent(space.content(id)), name)


def _kept(response: Response, name: str) -> Response:
    media = str(response.mimetype)
    ending = _ENDINGS.get(media, "json" if media.endswith("json") else "bin")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{ending}"'
    return response


def mask(patient: str, id: str) -> Response:
    """Hides it from professionals but its author and the médecin traitant, or shows it again (CSP R.1111-49)."""
    space = opened(patient, *PERSONS)
    found = space.one(TYPE, id)
    labels = [each for each in found.get("securityLabel", ()) if MASK not in _codes(each)]
    if request.form.get("masque") == "oui":
        labels.append({"coding": [{"system": VISIBILITY, "code": MASK}]})
    had = "securityLabel" in found
    patch: list[dict[str, Any]] = []
    if labels:
        patch = [{"op": "replace" if had else "add", "path": "/securityLabel", "value": labels}]
    elif had:
        patch = [{"op": "remove", "path": "/securityLabel"}]
    try:
        if patch:
            changed(space, found, patch, request.form.get("version", ""))
    except Refused as refused:
        return _page(space, found, 409 if refused.status in (409, 412) else 403, {"": _NOT_DONE})
    return browser.redirect(
        f"{space.url}/documents/{found['id']}?{urlencode({'fait': request.form.get('masque', '')})}"
    )


def summary(found: Mapping[str, Any]) -> dict[str, Any]:
    """A document in a list."""
    type_ = wording.document_type(found.get("type"))
    titles = [str(each["title"]) for each in attachments(found) if each.get("title")]
    labels = {code for each in found.get("securityLabel", ()) for code in _codes(each)}
    return {
        "id": found["id"],
        "title": next(iter(titles), "") or str(found.get("description") or "") or type_ or _("Document"),
        "type": type_,
        "date": wording.when(found.get("date")),
        "authors": [told for each in found.get("author", ()) if (told := wording.actor(each))],
        "masked": MASK in labels,
        "secret": HIDDEN_FROM_REPRESENTATIVES in labels,
    }


def attachments(found: Mapping[str, Any]) -> list[Resource]:
    return [each.get("attachment") or {} for each in found.get("content", ())]


def _page(space: Space, found: Resource, status: int = 200, errors: dict[str, str] | None = None) -> Response:
    return page(
        "record/document.html",
        status,
        document=found,
        row=summary(found),
        files=[(place, each) for place, each in enumerate(attachments(found)) if "url" in each or "data" in each],
        custodian=wording.actor(found.get("custodian") or {}),
        own_side=space.is_person,
        done=request.args.get("fait", ""),
        errors=errors or {},
        here="documents",
    )


def _content(space: Space, attachment: Resource) -> Response | None:
    """The bytes of an attachment: inside it, of a Binary, or a FHIR document; None of what is not here."""
    if "data" in attachment:
        data = contents.decoded(attachment["data"], "attachment.data")
        return _sent(Answer(200, None, shown_headers(str(attachment.get("contentType", ""))), parts=[data]))
    place, _slash, id_ = str(attachment.get("url", "")).removeprefix(services().base + "/").partition("/")
    if place == "Binary" and id_:
        return _sent(space.content(id_))
    if place == "Bundle" and id_:
        return _sent(space.got(f"Bundle/{id_}"), "application/fhir+json")
    return None


def _sent(answer: Answer, media: str = "") -> Response:
    """The bytes with the headers that keep a browser from running anything of them."""
    response = Response(answer.parts if answer.parts is not None else answer.body or b"", answer.status)
    for name, value in answer.headers.items():
        response.headers[name] = value
    if media:
        response.headers["Content-Type"] = media
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response


def _readable(response: Response) -> Response:
    """Plain text says that it is UTF-8 where it is: a browser takes it for something else."""
    if response.mimetype == "text/plain":
        try:
            response.get_data().decode()
        except UnicodeDecodeError:
            return response
        response.headers["Content-Type"] = "text/plain; charset=utf-8"
    return response


def _codes(label: Mapping[str, Any]) -> set[str]:
    return {str(each.get("code")) for each in label.get("coding", ())}
