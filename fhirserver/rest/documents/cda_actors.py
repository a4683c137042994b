"""The actors that a document names: matched with those of the directory that are here, or added to it.

A national number (RPPS, FINESS) leads to whoever bears it here; what has none is known again by all that is said of it,
of which its id is made. Two deposits at once of the same new actor store one.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.access import UNDERIVED, Access, keys
from fhirserver.rest import writing
from fhirserver.search import parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fhirserver.documents.cda import Entry
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction

REASON: Final = "actors of a deposit"
_NUMBERED: Final = ("Practitioner", "Organization")
_NAMESPACE: Final = uuid.UUID("0b8c1c55-5a02-5d0e-9e0c-93f5ad4c7b1e")
_URL: Final = re.compile(rb'"(urn:uuid:[0-9a-f-]{36})"')


def is_shared(entry: Entry) -> bool:
    """Whether an entry is nobody's: one of the directory, which all records share."""
    return entry.role != "document" and entry.resource["resourceType"] in UNDERIVED


def resolved(resource: dict[str, Any], known: Mapping[str, str]) -> dict[str, Any]:
    """A copy of a resource with references (`Type/id`) in place of the full URLs that are known."""
    return jsontext.parse_object(linked(jsontext.dump(resource), known))


def linked(text: bytes, known: Mapping[str, str]) -> bytes:
    """The JSON text with references in place of the full URLs that are known."""

    def reference(found: re.Match[bytes]) -> bytes:
        to = known.get(found[1].decode())
        return found[0] if to is None else b'"' + to.encode() + b'"'

    return _URL.sub(reference, text)


def settled(exchange: Exchange, tx: Transaction, entries: Sequence[Entry], known: dict[str, str]) -> list[Stored]:
    """Puts into `known` who each actor is, those that they refer to first; the actors that were added."""
    waiting, added = list(entries), []
    while waiting:
        urls = {each.full_url for each in waiting}
        ready = [each for each in waiting if not (_referred(each) - {each.full_url}) & urls] or waiting[:1]
        for entry in ready:
            type = entry.resource["resourceType"]
            resource = resolved(entry.resource, known)
            id = _numbered(exchange, tx, resource) if type in _NUMBERED else None
            if id is None:
                id, stored = _added(exchange, tx, resource)
                added += [stored] if stored else []
            known[entry.full_url] = f"{type}/{id}"
        waiting = [each for each in waiting if each.full_url not in known]
    return added


def _referred(entry: Entry) -> set[str]:
    return {found.decode() for found in _URL.findall(jsontext.dump(entry.resource))}


def _numbered(exchange: Exchange, tx: Transaction, resource: dict[str, Any]) -> str | None:
    """Who bears a national number of this actor here; the first by id, should there be several."""
    type = resource["resourceType"]
    trusted = tx.trusted(Access.system(REASON, exchange.access.now))
    for number in sorted(keys.of_resource(resource)):
        for text in keys.to_identifiers(number):
            asked = [("identifier", text), ("_count", "1"), ("_total", "none")]
            found = trusted.search(parse(exchange.services.definitions, type, asked)).matches
            if found:
                return found[0].id
    return None


def _added(exchange: Exchange, tx: Transaction, resource: dict[str, Any]) -> tuple[str, Stored | None]:
    """The id of an actor whom no number leads to, and the actor if it had to be added."""
    type = resource["resourceType"]
    numbers = sorted(keys.of_resource(resource)) if type in _NUMBERED else []
    if numbers:
        tx.lock(f"{type}#{number.partition('|')[2]}" for number in numbers)
        id = writing.new_id()
        return id, writing.create(exchange, tx, resource, id)
    id = str(uuid.uuid5(_NAMESPACE, f"{type}|{jsontext.dump(resource).decode()}"))
    there = tx.trusted(Access.system(REASON, exchange.access.now)).read(type, id)
    if there is not None and not there.deleted:
        return id, None
    tx.lock([f"{type}#{id}"])
    return id, writing.create_shared(exchange, tx, resource, id)
