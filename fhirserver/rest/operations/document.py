"""Composition/[id]/$document (https://hl7.org/fhir/R4/composition-operation-document.html)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

import orjson

from fhirserver import jsontext
from fhirserver.audit import Entity, Event
from fhirserver.clock import to_instant
from fhirserver.errors import BadRequest, Unprocessable
from fhirserver.predicate import Eq, Exists, negate
from fhirserver.rest import references
from fhirserver.rest.answer import Answer, of_value, version_headers
from fhirserver.rest.compartment import composition_of
from fhirserver.rest.documents.changes import DOCUMENT
from fhirserver.rest.operations.stored import by_ids, instance
from fhirserver.rest.parameters import received
from fhirserver.search import Query, SortKey

if TYPE_CHECKING:
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored

MOST: Final = 1000
"""Resources that a document takes in."""
URIS: Final = "urn:ietf:rfc:3986"


def document(exchange: Exchange, type: str, id: str) -> Answer:
    """The document Bundle that the Composition came with, as it is stored; else one made of the Composition and every
    resource here that it refers to, not stored. On a DocumentReference: of the Composition that belongs to it.

    Raises NotFound or Gone for the Composition; Unprocessable when one of those is not to be seen, as when it never
    was: a document is whole or none. What was withdrawn with a document is given as it was.
    """
    received(exchange, "Composition-document", ("id", "persist", "graph"))
    composition = instance(exchange, type, id)
    if type == DOCUMENT:
        composition = _composition(exchange, composition)
    bundle = _whole(exchange, composition)
    if bundle is not None:
        event = Event("operation", 200, (Entity.of(bundle),), query=f"{type}/$document")
        return Answer(200, bundle.body, version_headers(bundle), event)
    return _made(exchange, type, composition)


def _composition(exchange: Exchange, reference: Stored) -> Stored:
    """The one that was derived from a document. Raises Unprocessable."""
    where = (Eq("doc._id", reference.id),)
    found = exchange.view.search(Query("Composition", where, None, (SortKey("_id", False),), 1, "none")).matches
    if not found:
        raise Unprocessable("This document has no Composition: read its attachment.url.", code="not-supported")
    return found[0]


def _whole(exchange: Exchange, composition: Stored) -> Stored | None:
    """The document Bundle that a Composition was stored with."""
    where = (Eq("t", f"composition|Composition/{composition.id}"),)
    found = exchange.view.search(Query("Bundle", where, None, (SortKey("_id", False),), MOST, "none")).matches
    return next((each for each in found if each.pat and composition_of(each.id) == composition.id), None)


def _made(exchange: Exchange, type: str, composition: Stored) -> Answer:
    parts = [composition, *_referred(exchange, composition)]
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "identifier": {"system": URIS, "value": f"urn:uuid:{uuid.uuid4()}"},
        "type": "document",
        "timestamp": to_instant(exchange.access.now),
        "entry": [
            {"fullUrl": f"{exchange.services.base}/{each.type}/{each.id}", "resource": orjson.Fragment(each.body)}
            for each in parts
        ],
    }
    entities = tuple(Entity.of(each) for each in parts)
    return of_value(200, bundle, Event("operation", 200, entities, query=f"{type}/$document"))


def _referred(exchange: Exchange, composition: Stored) -> list[Stored]:
    """What the Composition refers to, in its order; fetched type by type."""
    definitions, base = exchange.services.definitions, exchange.services.base + "/"
    wanted: dict[tuple[str, str], str] = {}
    for text in references.literal(definitions, jsontext.parse_object(composition.body)):
        type, _, id = text.removeprefix(base).partition("/_history/")[0].partition("/")
        if type in definitions.resource_types and (type, id) != (composition.type, composition.id):
            wanted.setdefault((type, id), text)
    if len(wanted) > MOST:
        raise BadRequest(f"The Composition refers to more than {MOST} resources.", code="too-costly")
    found: dict[tuple[str, str], Stored] = {}
    for type in sorted({type for type, _ in wanted}):
        ids = [id for each, id in wanted if each == type]
        found |= {(each.type, each.id): each for each in by_ids(exchange, type, ids)}
    aside = len(found) < len(wanted) and _is_set_aside(exchange, composition)
    for key, text in wanted.items():
        if aside and key not in found and (gone := _as_it_was(exchange, *key)) is not None:
            found[key] = gone
        if key not in found:
            raise Unprocessable(f"The Composition refers to {text}, which is not here.", code="not-found")
    return [found[key] for key in wanted]


def _is_set_aside(exchange: Exchange, composition: Stored) -> bool:
    """Whether it came with a document that is current no more, with which what it refers to was withdrawn."""
    where = (Eq("_id", composition.id), Exists("doc.pat"), negate(Eq("doc.t", "status|=|current")))
    return bool(exchange.view.search(Query("Composition", where, None, (SortKey("_id", False),), 1, "none")).matches)


def _as_it_was(exchange: Exchange, type: str, id: str) -> Stored | None:
    """The last version of what was deleted, as far as it may be seen."""
    end = exchange.view.read(type, id)
    return exchange.view.vread(type, id, end.version - 1) if end is not None and end.deleted else None
