"""transaction: several writes and reads as one, or none (https://hl7.org/fhir/R4/http.html#transaction)."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from fhirserver.access import author_references
from fhirserver.errors import NotFound
from fhirserver.outcome import outcome
from fhirserver.rest import conditional, writing
from fhirserver.rest.answer import Answer, etag, of_value
from fhirserver.rest.batch import Bounds, of_answer
from fhirserver.rest.bundles import instant
from fhirserver.rest.documents import deposit, provided, replacing
from fhirserver.rest.entries import ORDER, READS, Entry, at, checked
from fhirserver.rest.patch import of_resource, patched
from fhirserver.rest.resolving import Target, brought, resolved
from fhirserver.store import ACTORS

if TYPE_CHECKING:
    from fhirserver.audit import Event
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction

_LAST: Final = 2
REASONS: Final = {200: "200 OK", 201: "201 Created", 204: "204 No Content", 304: "304 Not Modified"}


class Done(NamedTuple):
    """What an entry came to: the versions that it wrote or found, or for a read the answer.

    `besides`: what was stored with it, such as the Binary of a document.
    """

    status: int
    stored: tuple[Stored, ...] = ()
    read: Answer | None = None
    besides: tuple[Stored, ...] = ()


def transaction(exchange: Exchange, bundle: dict[str, Any]) -> Answer:
    """`POST [base]` with a Bundle of type `transaction`: answers entry by entry, in the Bundle's order.

    Raises Unavailable or TooLarge, with nothing stored, when it takes more than one Bundle may (`Bounds`).
    """
    provided.require_conforming(exchange, bundle)
    known = checked(exchange, bundle)
    provided.tied(exchange, bundle, known.entries)
    done: dict[int, Done] = {}

    def work(tx: Transaction) -> list[Stored]:
        done.clear()
        bounds = Bounds()
        targets = resolved(exchange, tx, known)
        tx.coming = brought(targets)
        for stage, some in groupby(sorted(targets, key=_turn), key=_stage):
            if stage == _LAST:
                tx.identifiers({each for target in targets for each in author_references(target.entry.resource or {})})
            for target in some:
                bounds.check()
                with at(target.entry.place):
                    found = done[target.entry.place] = _carry_out(exchange, tx, target, done)
                if found.read is not None:
                    bounds.count(found.read)
        changed = [stored for target in targets for stored in _replaced(exchange, tx, target)]
        return [stored for each in done.values() for stored in (*each.stored, *each.besides)] + changed

    def read() -> list[Event]:
        return [each.read.event for each in done.values() if each.read is not None and each.read.event is not None]

    with exchange.services.store.large(each.type for each in known.entries if each.method in ("POST", "PUT")):
        writing.commit(exchange, "transaction", 200, work, read=read)
    answers = [_response(exchange, entry, done[entry.place]) for entry in known.entries]
    response = {"resourceType": "Bundle", "type": "transaction-response"}
    return of_value(200, response | ({"entry": answers} if answers else {}))


def _stage(target: Target) -> int:
    """Actors are stored before all else: by their national numbers is known who is named by what refers to them."""
    if target.entry.method == "DELETE":
        return 0
    return 1 if target.entry.type in ACTORS and target.entry.method not in READS else _LAST


def _turn(target: Target) -> tuple[int, int, bool, bool, str, str]:
    """A Binary comes after the document whose content it is."""
    entry = target.entry
    same, content = target.same is not None, entry.type == "Binary"
    return _stage(target), ORDER.index(entry.method), same, content, entry.type, entry.id


def _replaced(exchange: Exchange, tx: Transaction, target: Target) -> list[Stored]:
    """What a new document replaces, where no patch of the Bundle has marked it so."""
    entry = target.entry
    if entry.method != "POST" or target.is_met:
        return []
    with at(entry.place):
        return replacing.superseded(exchange, tx, entry.resource or {})


def _carry_out(exchange: Exchange, tx: Transaction, target: Target, done: dict[int, Done]) -> Done:
    entry = target.entry
    if entry.method in READS:
        tx.settle()
        read = exchange.inner.carried_out(exchange, entry.method, entry.url, entry.headers, view=tx.view)
        return Done(read.status, read=read)
    if entry.method == "DELETE":
        ids = [each.id for each in target.found] if entry.condition else [entry.id]
        gone = [each for id in ids for each in writing.delete(exchange, tx, entry.type, id, entry.expected)]
        return Done(204, tuple(gone))
    resource = entry.resource or {}
    if entry.method == "POST":
        if target.is_met:
            return Done(200, target.found if target.same is None else done[target.same].stored)
        first, *besides = deposit.create(exchange, tx, resource, entry.id)
        return Done(201, (first,), besides=tuple(besides))
    if entry.method == "PATCH":
        if entry.condition is not None and not target.found:
            raise NotFound(f"Nothing matches {entry.condition.text}.")
        id = target.found[0].id if target.found else entry.id
        return Done(200, (patched(exchange, tx, entry.type, id, of_resource(exchange, resource), entry.expected)[0],))
    if entry.condition is not None:
        found = target.found[0] if target.found else None
        stored = conditional.update(exchange, tx, resource, found, entry.id, entry.expected)
    else:
        stored = writing.update(exchange, tx, resource, entry.id, entry.expected)
    return Done(201 if stored.version == 1 else 200, (stored,))


def _response(exchange: Exchange, entry: Entry, done: Done) -> dict[str, Any]:
    if done.read is not None:
        return of_answer(done.read, head=entry.method == "HEAD")
    response: dict[str, Any] = {"status": REASONS[done.status]}
    answer: dict[str, Any] = {"response": response}
    if len(done.stored) != 1:
        return answer
    stored = done.stored[0]
    if entry.method in ("POST", "PUT", "PATCH"):
        response["location"] = f"{stored.type}/{stored.id}/_history/{stored.version}"
    response["etag"] = etag(stored.version)
    response["lastModified"] = instant(stored)
    if exchange.prefer.returns == "representation" and not stored.deleted:
        answer["resource"] = orjson.Fragment(stored.body)
    if exchange.prefer.returns == "OperationOutcome":
        response["outcome"] = outcome(entry.findings)
    return answer
