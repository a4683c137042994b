"""How a document comes in, alone (IHE ITI-105) or in a transaction (ITI-65): its Binary, and what it replaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver import jsontext
from fhirserver.documents.fhir import is_document
from fhirserver.rest import compartment, writing
from fhirserver.rest.documents import belonging, bundled, contents, replacing, sameness
from fhirserver.rest.documents.changes import DOCUMENT, keep_masked

if TYPE_CHECKING:
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction


def create(exchange: Exchange, tx: Transaction, resource: dict[str, Any], id: str) -> list[Stored]:
    """Stores a resource, and with a document its Binaries, or of a document Bundle what is in it; the resource first.

    A document about a Patient who is not here stays as it was sent.
    Raises what `writing.create` does, and for a document Unprocessable and Conflict.
    """
    if is_document(resource):
        return bundled.create(exchange, tx, resource, id)
    if resource["resourceType"] != DOCUMENT or not belonging.has_record(tx, _patient(exchange, tx, resource)):
        return [writing.create(exchange, tx, resource, id)]
    document, binaries = contents.published(resource)
    before = belonging.stored_before(exchange, tx, document)
    for place, attachment in belonging.attachments(document):
        there = before.get(belonging.local(exchange, belonging.BINARY, attachment.get("url")) or "")
        if there is not None:
            contents.measure(place, attachment, contents.of_stored(exchange, there))
    for replaced in replacing.targets(exchange, tx, document):
        keep_masked(document, jsontext.parse_object(replaced.body))
    ids = {place: writing.new_id() for place in binaries}
    for place, attachment in belonging.attachments(document):
        if place in ids:
            attachment["url"] = f"{belonging.BINARY}/{ids[place]}"
    stored = [writing.create(exchange, tx, document, id)]
    for place, binary in binaries.items():
        whose = {"securityContext": {"reference": f"{DOCUMENT}/{id}"}}
        stored.append(writing.create(exchange, tx, binary | whose, ids[place]))
    return stored + [belonging.give(tx, each, id) for each in before.values()]


def found(exchange: Exchange, tx: Transaction, resource: dict[str, Any]) -> Stored | None:
    """The document when it is here already. Raises Conflict when the one here has other bytes."""
    if is_document(resource):
        return bundled.found(exchange, tx, resource)
    if sameness.unique_id(resource) is None:
        return None
    return sameness.found(exchange, tx, contents.published(resource).document)


def _patient(exchange: Exchange, tx: Transaction, document: dict[str, Any]) -> str | None:
    """Whose record the document enters; asked only where something is to belong to it."""
    if not any("data" in each or "url" in each for _, each in belonging.attachments(document)):
        return None
    return compartment.indexed(exchange, tx, document).pat
