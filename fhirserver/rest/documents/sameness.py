"""The same document twice is one document: same `masterIdentifier` (the uniqueId of XDS, MHD and PDSm), same hash.

Only what the requester sees counts; of two who send one document and see nothing of each other, each has his own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver import jsontext
from fhirserver.documents.fhir import is_document
from fhirserver.errors import Conflict
from fhirserver.rest.documents.belonging import attachments
from fhirserver.rest.documents.changes import DOCUMENT
from fhirserver.search import parse
from fhirserver.search.escape import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction


def unique_id(document: Mapping[str, Any]) -> tuple[str, str] | None:
    """System and value of what names this version of a document everywhere."""
    found = document.get("masterIdentifier") if document.get("resourceType") == DOCUMENT else None
    if not isinstance(found, dict) or not isinstance(found.get("value"), str):
        return None
    return str(found.get("system", "")), found["value"]


def lock(tx: Transaction, resources: Iterable[Mapping[str, Any]]) -> None:
    """Of two transactions that bring the same document, one comes wholly after the other. Before anything is read."""
    tx.lock(f"{DOCUMENT}#{'|'.join(known)}" for each in resources if (known := unique_id(each) or bundled(each)))


def bundled(bundle: Mapping[str, Any]) -> tuple[str, str] | None:
    """System and value of the identifier of a document Bundle."""
    found = bundle.get("identifier") if is_document(bundle) else None
    if not isinstance(found, dict) or not isinstance(found.get("value"), str):
        return None
    return str(found.get("system", "")), found["value"]


def found(exchange: Exchange, tx: Transaction, document: Mapping[str, Any]) -> Stored | None:
    """The document that is here already; `document` says hash and size. Raises Conflict when it says other bytes."""
    known = unique_id(document)
    if known is None:
        return None
    for each in identified(exchange, tx, DOCUMENT, *known):
        there = jsontext.parse_object(each.body)
        if unique_id(there) != known or there.get("status") == "entered-in-error":
            continue
        if _said(there) != _said(document) or _about(there) != _about(document):
            text = f"Another document bears the masterIdentifier {known[1]}: a new version has one of its own."
            raise Conflict(text, code="duplicate", expression=f"{DOCUMENT}.masterIdentifier")
        return each
    return None


def identified(exchange: Exchange, tx: Transaction, type: str, system: str, value: str) -> list[Stored]:
    """What the requester sees under an identifier."""
    asked = [("identifier", f"{escape(system)}|{escape(value)}"), ("_count", "20"), ("_total", "none")]
    return tx.view.search(parse(exchange.services.definitions, type, asked)).matches


def _said(document: Mapping[str, Any]) -> list[Any]:
    """What a document says of its bytes; where it says no hash, where they lie."""
    return [each.get("hash") or each.get("url") for _, each in attachments(document)]


def _about(document: Mapping[str, Any]) -> Any:
    subject = document.get("subject")
    if not isinstance(subject, dict):
        return None
    return subject.get("reference") or subject.get("identifier")
