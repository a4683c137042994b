"""A document is here once: known again by its unique id and its hash; and it may take the place of another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.access import Access, judge_write
from fhirserver.errors import Conflict, Forbidden
from fhirserver.rest.documents import sameness
from fhirserver.rest.documents.changes import DOCUMENT, keep_masked
from fhirserver.search import parse
from fhirserver.search.escape import escape

if TYPE_CHECKING:
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction

REASON: Final = "unique ids of documents"
URI: Final = "urn:ietf:rfc:3986"
KEPT: Final = frozenset({"Binary", "Bundle", "Composition", "Provenance"})
"""What stays of a document that was replaced: itself. What was derived from it is derived anew from the other one."""
_TAKEN: Final = (
    "Another document has this unique id: a corrected document bears an id of its own, and replaces this one."
)

_GONE: Final = (
    "What was derived from this document was deleted when it was set aside: deposit it anew, under an id of its own."
)
_CIRCLE: Final = "The document that this one replaces is itself to take the place of this one."
ERROR: Final = "entered-in-error"

Resource = dict[str, Any]


def there(exchange: Exchange, tx: Transaction, document: Resource) -> Stored | None:
    """The same document, where the requester deposited it or sees it: one that is hidden is as one that is not here.

    Raises Conflict when it is another one of the same unique id. Of several that deposit it at once, one stores it.
    """
    sameness.lock(tx, [document])
    found = bearing(exchange, tx, document["masterIdentifier"]["value"])
    if found is not None and _hash(jsontext.parse_object(found.body)) != _hash(document):
        raise Conflict(_TAKEN, code="duplicate", expression="/ClinicalDocument/id")
    return found


def bearing(exchange: Exchange, tx: Transaction, unique_id: str) -> Stored | None:
    """The document that has this unique id, where the requester deposited it or sees it; errors do not count."""
    asked = [("identifier", f"{URI}|{escape(unique_id)}"), ("_count", "20"), ("_total", "none")]
    query = parse(exchange.services.definitions, DOCUMENT, asked)
    for stored in tx.trusted(Access.system(REASON, exchange.access.now)).search(query).matches:
        resource = jsontext.parse_object(stored.body)
        if resource.get("status") == ERROR or resource.get("masterIdentifier", {}).get("value") != unique_id:
            continue
        if _is_own(exchange, stored) or _is_seen(tx, stored):
            return stored
    return None


def is_set_aside(before: Resource, after: Resource) -> bool:
    """Whether a document is current no more."""
    return after["resourceType"] == DOCUMENT and before.get("status") == "current" != after.get("status")


def require_settled(tx: Transaction, before: Resource, after: Resource) -> None:
    """Raises Conflict where a document would become current again of which what was derived is gone."""
    returns = after["resourceType"] == DOCUMENT and before.get("status") != "current" == after.get("status")
    if returns and any(type == "Composition" for type, _ in tx.made(f"{DOCUMENT}/{before['id']}")):
        raise Conflict(_GONE, expression=f"{DOCUMENT}.status")


def replaced(exchange: Exchange, tx: Transaction, document: Resource, patient: str) -> list[Stored]:
    """Sets aside what `document` replaces, which from then on refers to it: `superseded`, and nothing derived of it.

    A document that is not here, or that is another record's, or not to be seen, is named by its unique id only.
    Raises Forbidden for one that is not his to replace, Conflict for one that was replaced or set aside before.
    """
    done: list[Stored] = []
    for relation in document.get("relatesTo", ()):
        unique_id = relation["target"].get("identifier", {}).get("value")
        if relation["code"] != "replaces" or unique_id is None:
            continue
        before = bearing(exchange, tx, unique_id)
        if before is not None and before.pat == patient:
            done += _set_aside(exchange, tx, before)
            relation["target"]["reference"] = f"{DOCUMENT}/{before.id}"
            keep_masked(document, jsontext.parse_object(before.body))
    return done


def is_replaced(exchange: Exchange, tx: Transaction, document: Resource, patient: str) -> bool:
    """Whether the document that replaces this one came before it.

    Raises Conflict when that one, or one that replaces it in turn, is one that this one replaces.
    """
    replaced = {each["target"].get("identifier", {}).get("value") for each in document.get("relatesTo", ())}
    unique_id = document["masterIdentifier"]["value"]
    known: list[str] = []
    while (follower := _follower(exchange, tx, unique_id, patient)) is not None and follower not in known:
        if follower in replaced:
            raise Conflict(_CIRCLE, expression="/ClinicalDocument/relatedDocument")
        known.append(follower)
        unique_id = follower
    return bool(known)


def _follower(exchange: Exchange, tx: Transaction, unique_id: str, patient: str) -> str | None:
    """The unique id of the requester's document in this record that replaces the one of a unique id."""
    identifier = f"{URI}|{escape(unique_id)}"
    asked = [("relatesto:identifier", identifier), ("_count", "20"), ("_total", "none")]
    query = parse(exchange.services.definitions, DOCUMENT, asked)
    for stored in tx.trusted(Access.system(REASON, exchange.access.now)).search(query).matches:
        resource = jsontext.parse_object(stored.body)
        if stored.pat == patient and _is_own(exchange, stored) and resource["status"] != ERROR:
            return str(resource.get("masterIdentifier", {}).get("value", f"{DOCUMENT}/{stored.id}"))
    return None


def remains(resource: Resource) -> bool:
    """Whether it is stored of a document that is replaced already: not what is derived, nor where that comes from."""
    return resource["resourceType"] in KEPT and "entity" not in resource


def _is_own(exchange: Exchange, stored: Stored) -> bool:
    return not exchange.access.requester.own.isdisjoint(stored.acl.get("by", ()))


def _set_aside(exchange: Exchange, tx: Transaction, before: Stored) -> list[Stored]:
    pre = jsontext.parse_object(before.body)
    if pre["status"] != "current":
        text = f"The document that this one replaces is {pre['status']} already."
        raise Conflict(text, expression="/ClinicalDocument/relatedDocument")
    post = {**pre, "status": "superseded"}
    decision = judge_write(exchange.access, "update", DOCUMENT, pre, post, tx.policy(before.pat), acl=before.acl)
    if not decision.allowed:
        raise Forbidden(f"The document that this one replaces: {decision.words}")
    return [tx.update(post), *withdrawn(exchange, tx, before.id)]


def withdrawn(exchange: Exchange, tx: Transaction, document: str) -> list[Stored]:
    """Deletes what was derived from a document that is set aside: it stays in the history."""
    trusted = tx.trusted(Access.system(REASON, exchange.access.now))
    done = []
    for type, id in tx.made(f"{DOCUMENT}/{document}"):
        there = trusted.read(type, id) if type not in KEPT else None
        if there is not None and not _is_set(there):
            done.append(tx.delete(type, id))
    return done


def _is_set(stored: Stored) -> bool:
    """Whether it is a submission set, which tells that the document came."""
    codings = jsontext.parse_object(stored.body).get("code", {}).get("coding", ()) if stored.type == "List" else ()
    return any(each.get("code") == "submissionset" for each in codings)


def _hash(document: Resource) -> Any:
    content = document.get("content") or [{}]
    return content[0].get("attachment", {}).get("hash")


def _is_seen(tx: Transaction, stored: Stored) -> bool:
    seen = tx.view.read(stored.type, stored.id)
    return seen is not None and not seen.deleted
