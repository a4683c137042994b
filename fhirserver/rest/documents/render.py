"""`DocumentReference/[id]/$render`: a document to be read by a person.

A CDA document becomes a page without scripts (`documents.cda.rendering`); a PDF, an image or plain text passes through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.audit import Entity, Event
from fhirserver.documents.cda import rendering
from fhirserver.errors import NotFound, Unprocessable
from fhirserver.rest.answer import Answer
from fhirserver.rest.documents import contents
from fhirserver.rest.documents.belonging import BINARY, attachments, local
from fhirserver.rest.documents.retrieving import shown_headers
from fhirserver.rest.operations.stored import instance

if TYPE_CHECKING:
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored

CDA: Final = frozenset({"text/xml", "application/xml", "application/hl7-v3+xml", "application/hl7-sda+xml"})
PASSED: Final = frozenset({"application/pdf", "text/plain", "image/png", "image/jpeg", "image/gif"})


def render(exchange: Exchange, type: str, id: str) -> Answer:
    """The first content of the document that can be shown. Raises NotFound, Gone; Unprocessable when there is none."""
    exchange.refuse_parameters()
    document = instance(exchange, type, id)
    for _, attachment in attachments(jsontext.parse_object(document.body)):
        media = str(attachment.get("contentType", "")).partition(";")[0].strip().lower()
        if media in CDA or media in PASSED:
            return _shown(exchange, document, attachment, media)
    raise Unprocessable("Nothing in this document can be shown here: read its attachment.url.", code="not-supported")


def _shown(exchange: Exchange, document: Stored, attachment: dict[str, Any], media: str) -> Answer:
    data, binary = _content(exchange, attachment)
    entities = [Entity.of(document)] + ([] if binary is None else [Entity.of(binary)])
    headers = shown_headers(media)
    if media in CDA:
        language = exchange.request.accept_languages.best_match(("fr", "en")) or "fr"
        data = rendering.render(data, language="en" if language == "en" else "fr")
        headers = {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": f"{rendering.POLICY}; frame-ancestors 'none'; sandbox",
            "Referrer-Policy": "no-referrer",
        }
    headers["Content-Length"] = str(len(data))
    return Answer(
        200, None, headers, Event("operation", 200, tuple(entities), query=f"{document.type}/$render"), [data]
    )


def _content(exchange: Exchange, attachment: dict[str, Any]) -> tuple[bytes, Stored | None]:
    """The bytes, and the Binary that they came from. Raises NotFound when that is not here, or not to be seen."""
    if "data" in attachment:
        return contents.decoded(attachment["data"], "attachment.data"), None
    id = local(exchange, BINARY, attachment.get("url"))
    binary = exchange.view.read(BINARY, id) if id is not None else None
    if binary is None or binary.deleted:
        raise NotFound("The content of this document is not here.")
    value = jsontext.parse_object(binary.body)
    if "data" in value:
        return contents.decoded(value["data"], "Binary.data"), binary
    files = exchange.services.store.files
    found = files.owned(f"{BINARY}/{binary.id}")
    if not found or found[-1].length > exchange.services.settings.max_body_bytes:
        raise Unprocessable("The document is too large to be shown: read its attachment.url.", code="too-long")
    return b"".join(files.read(found[-1].id)), binary
