"""What is done with a message that is here: `Communication/[id]/$received`, `$close`, `$reopen` (docs/messages.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver import jsontext
from fhirserver.access import author_references, private, require
from fhirserver.clock import to_instant
from fhirserver.errors import Conflict
from fhirserver.espace.messages import message
from fhirserver.rest import compartment, judging, negotiate, writing
from fhirserver.rest.answer import Answer, version_headers
from fhirserver.rest.messages.sending import facts_of, judged
from fhirserver.rest.parameters import received_as
from fhirserver.rest.read import unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction

Resource = dict[str, Any]


def received(exchange: Exchange, type: str, id: str) -> Answer:
    """The requester has read what was sent to him: `received` says when first one of those it was sent to did."""

    def change(tx: Transaction, stored: Stored, resource: Resource) -> Resource | None:
        facts = facts_of(exchange.access, first_of(tx, stored, resource), tx.policy(stored.pat))
        judged("receive", exchange, facts | ({"addressed"} if _is_addressed(exchange, tx, stored, resource) else set()))
        now = to_instant(exchange.access.now)
        return None if "received" in resource else {**resource, "received": now}

    return _changed(exchange, type, id, change)


def close(exchange: Exchange, type: str, id: str) -> Answer:
    """Nobody writes in the thread of this message any more; its first message, which says so."""

    def change(tx: Transaction, stored: Stored, resource: Resource) -> Resource | None:
        judged("close", exchange, facts_of(exchange.access, stored, tx.policy(stored.pat)))
        return message.closed(resource, exchange.access.requester)

    return _changed(exchange, type, id, change, first=True)


def reopen(exchange: Exchange, type: str, id: str) -> Answer:
    """The thread of this message is open again, for the side that closed it; its first message."""

    def change(tx: Transaction, stored: Stored, resource: Resource) -> Resource | None:
        judged("reopen", exchange, facts_of(exchange.access, stored, tx.policy(stored.pat)))
        return message.reopened(resource)

    return _changed(exchange, type, id, change, first=True)


def read_message(tx: Transaction, type: str, id: str) -> tuple[Stored, Resource]:
    """A message that the requester sees. Raises NotFound, for what is none as for what is hidden."""
    found = tx.view.read(type, id) if type == message.TYPE else None
    if found is None or found.deleted:
        raise unknown(type, id)
    resource = jsontext.parse_object(found.body)
    if not (private.is_message(resource) and message.is_sent(resource)):
        raise unknown(type, id)
    return found, resource


def first_of(tx: Transaction, stored: Stored, resource: Resource) -> Stored:
    """The first message of the thread of one. Raises NotFound."""
    id = message.thread(resource)
    return stored if id is None else read_message(tx, message.TYPE, id)[0]


def _changed(
    exchange: Exchange,
    type: str,
    id: str,
    change: Callable[[Transaction, Stored, Resource], Resource | None],
    *,
    first: bool = False,
) -> Answer:
    """The message as it is then; with `first`, the first of its thread is what is changed."""
    require(exchange.access.requester, message.TYPE, "u")
    received_as(exchange, ())
    expected = negotiate.if_match(exchange.request.headers.get("If-Match"))

    def work(tx: Transaction) -> list[Stored]:
        stored, resource = read_message(tx, type, id)
        if first and (found := first_of(tx, stored, resource)).id != stored.id:
            stored, resource = read_message(tx, type, found.id)
        if expected is not None and stored.version != expected:
            raise Conflict(f"{type}/{stored.id} is no longer at version {expected}: read it again.")
        judging.require_reach(exchange, type, "u", stored.acl, (resource, stored.pat))
        changed = change(tx, stored, resource)
        if changed is None:
            return [stored]
        index = compartment.changed(exchange, tx, changed, resource, stored.pat)
        return [tx.update(changed, stored.version, index=index, identifiers=tx.identifiers(author_references(changed)))]

    stored = writing.commit(exchange, "operation", 200, work)[0]
    return Answer(200, stored.body, version_headers(stored))


def _is_addressed(exchange: Exchange, tx: Transaction, stored: Stored, resource: Resource) -> bool:
    """Whether it was sent to the requester's side: of an answer that a representative sent, not to the holder's."""
    who = exchange.access.requester
    alone = message.tagged({name: each for name, each in resource.items() if name != "sender"})
    named = set(private.participants(alone, tx.identifiers(author_references(alone))) or ())
    return f"patient|{who.patient}" in named if message.side(who) == "person" else bool(who.own & named)
