"""`Communication/[id]/$file`: what is attached to a message becomes a document of the record, once.

The document says who sent the message as its author, and follows the rules of documents from then on; the message stays
as it is. Asked again, it is the same document: its uniqueId is made of the message and the place.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.access import keys, require
from fhirserver.access.acl import HIDDEN_FROM_REPRESENTATIVES, MASKED
from fhirserver.audit import Entity, Event
from fhirserver.documents import authored
from fhirserver.errors import BadRequest, Unprocessable
from fhirserver.espace.messages import message
from fhirserver.rest.documents.contents import decoded
from fhirserver.rest.messages.operations import first_of, read_message
from fhirserver.rest.messages.sending import facts_of, judged
from fhirserver.rest.parameters import received_as

if TYPE_CHECKING:
    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction

Resource = dict[str, Any]

_PARAMETERS: Final = tuple(
    {"name": name, "use": "in", "min": 0, "max": "1", "type": type_}
    for name, type_ in (("attachment", "integer"), ("type", "code"), ("title", "string"), ("masked", "boolean"))
)
_NAMESPACE: Final = uuid.UUID("2f8a0f0f-59a3-5f6f-9a5c-1d9b4a3a7c11")
_BY_PERSON, _BY_PROFESSIONAL = "DOCPAT01", "11488-4"


def file(exchange: Exchange, type: str, id: str) -> Answer:
    """The DocumentReference: 201, or 200 where it was filed before."""
    given = received_as(exchange, _PARAMETERS)
    require(exchange.access.requester, message.TYPE, "r")

    def judge(tx: Transaction) -> tuple[Stored, Resource]:
        stored, resource = read_message(tx, type, id)
        facts = facts_of(exchange.access, first_of(tx, stored, resource), tx.policy(stored.pat))
        own = exchange.access.requester.own & set(stored.acl.get("author", ()))
        judged("file", exchange, facts | ({"sender"} if own else set()))
        return stored, resource

    stored, resource = exchange.services.store.transact(exchange.access, judge)
    exchange.services.trace(exchange.access, Event("operation", 200, (Entity.of(stored),), query=f"{type}/$file"))
    made = _document(exchange, stored, resource, given.get("attachment") or 1, given.get("type"), given.get("title"))
    masked = [MASKED[0]] if given.get("masked") else []
    kept = [HIDDEN_FROM_REPRESENTATIVES] if HIDDEN_FROM_REPRESENTATIVES in stored.acl.get("labels", ()) else []
    body = jsontext.dump(authored.labelled(made, *masked, *kept))
    return exchange.inner.carried_out(exchange, "POST", "DocumentReference", {}, body=body)


def _document(
    exchange: Exchange, stored: Stored, resource: Resource, place: int, type_: str | None, title: str | None
) -> Resource:
    held = message.attachments(resource)
    if not 1 <= place <= len(held):
        raise Unprocessable(f"The message has {len(held)} attachments; attachment is the number of one of them.")
    sender = resource.get("sender") or {}
    person = str(sender.get("reference", "")).startswith(("Patient/", "RelatedPerson/"))
    chosen = type_ or (_BY_PERSON if person else _BY_PROFESSIONAL)
    if chosen not in authored.types():
        raise BadRequest(f"type: {chosen!r} is no type of document (JDV_J07).", code="code-invalid")
    attachment = held[place - 1]
    told = title or str(attachment.get("title") or "")
    if not message.is_title(told):
        raise BadRequest(f"title is a line of {message.LONGEST_TITLE} characters at most.")
    unique = f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{stored.id}/{place}')}"
    media, data = _content(exchange, attachment)
    return authored.document(str(stored.pat), unique, chosen, told, media, data, sender, exchange.access.now)


def _content(exchange: Exchange, attachment: Resource) -> tuple[str, bytes]:
    """Media type and bytes, as the requester sees them."""
    local = keys.local(attachment.get("url"))
    binary = exchange.view.read(*local) if local is not None else None
    if binary is None or binary.deleted:
        raise Unprocessable("What is attached is not here any more.", code="not-found")
    value = jsontext.parse_object(binary.body)
    return str(value["contentType"]), decoded(value.get("data", ""), "Binary.data")
