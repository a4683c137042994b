"""The Binary of a document: `securityContext` names the document, and who sees the document sees the Binary.

Whoever deposited the document may give it content; of all other documents nothing is told, hidden or absent. Once it
belongs to a document, a Binary does not change any more: the document says its hash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.access import Access
from fhirserver.documents.fhir import is_document
from fhirserver.errors import MethodNotAllowed, Unprocessable
from fhirserver.rest.documents.changes import DOCUMENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction

BINARY: Final = "Binary"
_REASON: Final = "content of a document"
_FIXED: Final = "The content of a document is neither changed nor deleted: replace the document by another one."


def document_of(exchange: Exchange, tx: Transaction, resource: Mapping[str, Any]) -> Stored | None:
    """The document that a Binary names as its `securityContext`, when the requester deposited it."""
    id = named(exchange, resource)
    if id is None:
        return None
    found = tx.trusted(Access.system(_REASON)).read(DOCUMENT, id)
    if found is None or found.deleted or not _is_own(exchange, found) or not has_record(tx, found.pat):
        return None
    return found


def has_record(tx: Transaction, patient: str | None) -> bool:
    """Whether the patient of a document is here: what belongs to it is seen by the rules of that record."""
    if patient is None or tx.policy(patient) is not None:
        return True
    found = tx.trusted(Access.system(_REASON)).read("Patient", patient)
    return found is not None and not found.deleted


def named(exchange: Exchange, resource: Mapping[str, Any]) -> str | None:
    """The id of the document that a Binary names as its `securityContext`; None for every other resource."""
    if resource.get("resourceType") != BINARY:
        return None
    context = resource.get("securityContext")
    return local(exchange, DOCUMENT, context.get("reference") if isinstance(context, dict) else None)


def local(exchange: Exchange, type: str, text: Any) -> str | None:
    """The id in a literal reference or URL that leads to a resource of the type on this server."""
    if not isinstance(text, str):
        return None
    found, _, id = text.removeprefix(exchange.services.base + "/").partition("/_history/")[0].partition("/")
    return id if found == type and id and "/" not in id else None


def require_free(exchange: Exchange, before: Mapping[str, Any]) -> None:
    """Raises MethodNotAllowed for the Binary of a document."""
    if named(exchange, before) is not None:
        raise MethodNotAllowed(_FIXED, headers={"Allow": "GET, HEAD"})


def require_unsealed(stored: Stored, before: Mapping[str, Any]) -> None:
    """Raises MethodNotAllowed for a document Bundle that is in a record, whoever asks: its parts stand beside it."""
    if is_document(before) and stored.pat is not None:
        raise MethodNotAllowed(_FIXED, headers={"Allow": "GET, HEAD"})


def attachments(document: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The attachments of a document, each with the place of its content."""
    content = document.get("content")
    for place, each in enumerate(content if isinstance(content, list) else ()):
        attachment = each.get("attachment") if isinstance(each, dict) else None
        if isinstance(attachment, dict):
            yield place, attachment


def stored_before(exchange: Exchange, tx: Transaction, document: Mapping[str, Any]) -> dict[str, Stored]:
    """By id, the Binaries stored already that a new document names as its content, as far as the requester sees them.

    Raises Unprocessable for one that belongs to another document, or that somebody else deposited.
    """
    found: dict[str, Stored] = {}
    for place, attachment in attachments(document):
        id = local(exchange, BINARY, attachment.get("url"))
        there = tx.view.read(BINARY, id) if id is not None else None
        if id is None or there is None or there.deleted:
            continue
        if named(exchange, jsontext.parse_object(there.body)) is not None or not _is_own(exchange, there):
            where = f"{DOCUMENT}.content[{place}].attachment.url"
            raise Unprocessable(f"{where}: Binary/{id} is not free to become the content of a document: send the "
                                "document with a Binary of its own.", expression=where)  # fmt: skip
        found[id] = there
    return found


def give(tx: Transaction, binary: Stored, document: str) -> Stored:
    """Stores the Binary anew, as content of the document (an id)."""
    owner = f"{DOCUMENT}/{document}"
    changed = jsontext.parse_object(binary.body) | {"securityContext": {"reference": owner}}
    return tx.update(changed, document=owner)


def _is_own(exchange: Exchange, stored: Stored) -> bool:
    requester = exchange.access.requester
    return requester.kind == "operator" or not requester.own.isdisjoint(stored.acl.get("by", ()))
