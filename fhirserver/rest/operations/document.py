"""Composition/[id]/$document (https://hl7.org/fhir/R4/composition-operation-document.html)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

import orjson

from fhirserver import jsontext
from fhirserver.audit import Entity, Event
from fhirserver.errors import BadRequest, Unprocessable
from fhirserver.rest import references
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.operations.stored import by_ids, instance
from fhirserver.rest.parameters import received

if TYPE_CHECKING:
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored

MOST: Final = 1000
"""Resources that a document takes in."""
URIS: Final = "urn:ietf:rfc:3986"


def document(exchange: Exchange, type: str, id: str) -> Answer:
    """A document Bundle, not stored: the Composition, and every resource here that it refers to.

    Raises NotFound or Gone for the Composition; Unprocessable when one of those is not to be seen, as when it never
    was: a document is whole or none.
    """
    received(exchange, "Composition-document", ("id", "persist", "graph"))
    composition = instance(exchange, type, id)
    parts = [composition, *_referred(exchange, composition)]
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "identifier": {"system": URIS, "value": f"urn:uuid:{uuid.uuid4()}"},
        "type": "document",
        "timestamp": exchange.access.now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
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
    for key, text in wanted.items():
        if key not in found:
            raise Unprocessable(f"The Composition refers to {text}, which is not here.", code="not-found")
    return [found[key] for key in wanted]
