"""The submission set of a document that was published alone: the server writes it (IHE MHD, ITI-105).

For a document that claims a profile of simplified publishing. It is derived from the document, so that it is seen where
that is, and stays when the document is replaced.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.access import keys
from fhirserver.clock import to_instant
from fhirserver.rest.documents.belonging import has_record
from fhirserver.rest.documents.contents import SIMPLIFIED
from fhirserver.rest.documents.provided import SUBMISSION_SET
from fhirserver.store import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction

Resource = dict[str, Any]

LISTS: Final = "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes"
_EXTENSION: Final = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/ihe-"
_RFC: Final = "urn:ietf:rfc:3986"


def is_published_alone(resource: Mapping[str, Any]) -> bool:
    """Whether a resource, as it was sent, claims to be a document published alone."""
    meta = resource.get("meta")
    claimed = meta.get("profile", ()) if isinstance(meta, dict) else ()
    return any(str(each).partition("|")[0] in SIMPLIFIED for each in claimed)


def written(exchange: Exchange, tx: Transaction, document: Stored) -> list[Stored]:
    """Stores the submission set of a document that was just stored. What it says follows from the document, which the
    requester may deposit; so it is not judged again. None of one whose patient has no record here."""
    if document.pat is None or not has_record(tx, document.pat):
        return []
    told = jsontext.parse_object(document.body)
    place = f"{document.type}/{document.id}"
    made: Resource = {
        "resourceType": "List",
        **({"contained": contained} if (contained := list(_sources(told))) else {}),
        **({"extension": extensions} if (extensions := list(_extensions(exchange, told))) else {}),
        "identifier": [{"use": "usual", "system": _RFC, "value": f"urn:oid:2.25.{uuid.uuid4().int}"}],
        "status": "current",
        "mode": "working",
        "code": {"coding": [{"system": LISTS, "code": SUBMISSION_SET}]},
        "subject": told["subject"],
        "date": to_instant(exchange.access.now),
        "entry": [{"item": {"reference": place}}],
    }
    if "description" in told:
        made["title"] = told["description"]
    if told.get("author"):
        made["source"] = told["author"][0]
    id = new_id()
    index = exchange.services.indexer.index(made | {"id": id})
    return [tx.create(made, id, fresh=True, index=index, document=place)]


def _sources(document: Resource) -> Iterator[Resource]:
    """The first author, where he is told of within the document."""
    authors: list[Resource] = document.get("author", [])
    author = authors[0].get("reference", "") if authors else ""
    return (each for each in document.get("contained", ()) if f"#{each.get('id')}" == author)


def _extensions(exchange: Exchange, document: Resource) -> Iterator[Resource]:
    """What kind of care it came of, and which establishment sent it."""
    if "type" in document:
        yield {"url": f"{_EXTENSION}designationType", "valueCodeableConcept": document["type"]}
    number = exchange.access.requester.organization
    if number:
        value = f"{keys.IDNST}.1{number}" if number.isdigit() else keys.IDNST
        yield {"url": f"{_EXTENSION}sourceId", "valueIdentifier": {"system": _RFC, "value": value}}
