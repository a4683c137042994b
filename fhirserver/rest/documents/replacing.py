"""A document that replaces another one (`relatesTo.code` `replaces`; XDS RPLC): the one replaced becomes superseded.

The Bundle of ITI-65 carries a patch for that; where it does not, and for ITI-105, the server does it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.errors import Conflict, Unprocessable
from fhirserver.rest.documents.belonging import local
from fhirserver.rest.documents.changes import DOCUMENT
from fhirserver.rest.documents.sameness import identified
from fhirserver.rest.patch import patched

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction

SUPERSEDED: Final = "superseded"


def targets(exchange: Exchange, tx: Transaction, document: Mapping[str, Any]) -> list[Stored]:
    """The documents here that a new one replaces.

    Raises Unprocessable for one that is not to be seen, as for none; Conflict for one that is current no more.
    """
    found: list[Stored] = []
    for place, target in _named(document):
        where = f"{DOCUMENT}.relatesTo[{place}].target"
        there = _found(exchange, tx, target)
        if there is None:
            raise Unprocessable(f"{where}: no such document is known here.", code="not-found", expression=where)
        if jsontext.parse_object(there.body).get("status") != "current":
            raise Conflict(f"{where}: only a current document is replaced; read who replaced it.", expression=where)
        found.append(there)
    return found


def superseded(exchange: Exchange, tx: Transaction, document: Mapping[str, Any]) -> list[Stored]:
    """Marks those that the new document replaces and that are current still. Raises Forbidden for another's."""
    if document.get("resourceType") != DOCUMENT:
        return []
    changed = []
    for _, target in _named(document):
        there = _found(exchange, tx, target)
        if there is not None and jsontext.parse_object(there.body).get("status") == "current":
            changed.append(patched(exchange, tx, DOCUMENT, there.id, _supersede, there.version)[0])
    return changed


def _supersede(before: dict[str, Any]) -> dict[str, Any]:
    return before | {"status": SUPERSEDED}


def _named(document: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    related = document.get("relatesTo")
    for place, each in enumerate(related if isinstance(related, list) else ()):
        if isinstance(each, dict) and each.get("code") == "replaces" and isinstance(each.get("target"), dict):
            yield place, each["target"]


def _found(exchange: Exchange, tx: Transaction, target: Mapping[str, Any]) -> Stored | None:
    """By literal reference, else by identifier: the uniqueId of the one replaced, as a CDA document names it."""
    id = local(exchange, DOCUMENT, target.get("reference"))
    if id is not None:
        there = tx.view.read(DOCUMENT, id)
        return None if there is None or there.deleted else there
    known = target.get("identifier")
    if not isinstance(known, dict) or not isinstance(known.get("value"), str):
        return None
    found = identified(exchange, tx, DOCUMENT, str(known.get("system", "")), known["value"])
    return found[0] if len(found) == 1 else None
