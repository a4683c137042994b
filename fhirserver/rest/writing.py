"""What create, update, delete and transaction share: the way of a write.

Body -> received (type and id) -> validated (`conforming`) -> in one transaction: whose record, may it be written
(`judging`), stored with history, index entries, policy and trace. What a room does around it is a step of `app.STEPS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.access import require
from fhirserver.audit import Entity, Event
from fhirserver.errors import BadRequest, Conflict, MethodNotAllowed, PreconditionFailed
from fhirserver.outcome import Issue, outcome
from fhirserver.rest import judging
from fhirserver.rest.answer import Answer, version_headers
from fhirserver.rest.steps import Write
from fhirserver.store import new_id as new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fhirserver.access import Access
    from fhirserver.rest.exchange import Exchange
    from fhirserver.search import Index
    from fhirserver.store import Stored, Transaction

_NOT_YOURS: Final = "An id is given by the server: POST to {type}, or update a resource that is there."


def refuse_headers(exchange: Exchange, *names: str) -> None:
    """A condition that is not carried out is refused, not passed over. Raises BadRequest that names it."""
    for name in names:
        if name in exchange.request.headers:
            raise BadRequest(f"The condition {name} is not offered here.", code="not-supported")


def commit(
    exchange: Exchange,
    interaction: str,
    status: int | Callable[[], int],
    work: Callable[[Transaction], list[Stored]],
    *,
    subject: tuple[str, str] | None = None,
    read: Callable[[], Iterable[Event]] = tuple,
    by: Access | None = None,
) -> list[Stored]:
    """Runs the work and its trace in one transaction; `subject` is traced when nothing was written.

    `by`: who had it done, when that is another one than in whose name it is done.

    `status` and `read`, what was read besides, are asked for when the work is done.
    """
    access, services = exchange.access, exchange.services

    def traced(tx: Transaction) -> list[Stored]:
        done = work(tx)
        for step in services.steps:
            step.closing(exchange, tx, done)
        reads = tuple(read())
        services.notices.tell(access, reads)
        services.notices.queue(tx, by or access, done)
        came_to = status if isinstance(status, int) else status()
        event = _event(interaction, came_to, (*done, *tx.besides), reads, subject)
        tx.trace(place.link(event.record((by or access).requester, access.now, services.origin)))
        return done

    with services.chains.place() as place:
        done = services.store.transact(access, traced)
    for step in services.steps:
        step.committed(exchange, done)
    return done


def create(
    exchange: Exchange,
    tx: Transaction,
    resource: dict[str, Any],
    id: str,
    *,
    document: str | None = None,
    index: Index | None = None,
) -> Stored:
    """Stores a first version under an id that the server has just made. Raises Forbidden or Unprocessable.

    `document` (`DocumentReference/x`): what it was derived from; then its references are the server's own. `index`: its
    search entries, where they are others than the resource says.
    """
    write = Write(
        exchange,
        tx,
        resource["resourceType"],
        id,
        post=resource | {"id": id},
        document=document,
        derived=document is not None,
        given=index,
    )
    return _created(write, fresh=True)


def create_shared(exchange: Exchange, tx: Transaction, resource: dict[str, Any], id: str) -> Stored:
    """Stores under an id that the server made of what the resource says: there may have been one, now deleted."""
    return _created(Write(exchange, tx, resource["resourceType"], id, post=resource | {"id": id}), fresh=False)


def update(exchange: Exchange, tx: Transaction, resource: dict[str, Any], id: str, expected: int | None) -> Stored:
    """Stores the next version; for an operator also the first, under the id of his choice.

    Raises MethodNotAllowed, the same for a free id, a hidden and a deleted one; PreconditionFailed, Forbidden,
    Unprocessable.
    """
    type = resource["resourceType"]
    before = tx.view.read(type, id)
    if before is None or before.deleted:
        if exchange.access.requester.kind != "operator":
            raise MethodNotAllowed(_NOT_YOURS.format(type=type), headers={"Allow": "GET, HEAD"})
        if expected:
            raise PreconditionFailed(f"{type}/{id} is not here, so it is not at version {expected}.")
        return create_shared(exchange, tx, resource, id)
    if expected is not None and before.version != expected:
        told = f"is no longer at version {expected}: read it again" if expected else "is here already"
        raise PreconditionFailed(f"{type}/{id} {told}.")

    def stored(write: Write) -> Stored:
        return tx.update(write.resource, expected, index=write.index, identifiers=write.identifiers)

    return _carried_out(Write(exchange, tx, type, id, before, resource), stored)


def delete(exchange: Exchange, tx: Transaction, type: str, id: str, expected: int | None) -> list[Stored]:
    """The tombstone, or nothing for what is absent, hidden or deleted. Raises PreconditionFailed or Forbidden."""
    before = tx.view.read(type, id)
    if before is None or before.deleted:
        return []
    if expected is not None and before.version != expected:
        raise PreconditionFailed(f"{type}/{id} is no longer at version {expected}: read it again.")
    return [_carried_out(Write(exchange, tx, type, id, before), lambda _: tx.delete(type, id, expected))]


def answer(exchange: Exchange, stored: Stored, status: int, findings: list[Issue]) -> Answer:
    """The answer to a create or update, as `Prefer` asks: the resource unless it says otherwise."""
    headers = version_headers(stored)
    headers["Location"] = f"{exchange.services.base}/{stored.type}/{stored.id}/_history/{stored.version}"
    if exchange.prefer.returns == "minimal":
        return Answer(status, None, headers)
    if exchange.prefer.returns == "OperationOutcome":
        return Answer(status, jsontext.dump(outcome(findings)), headers)
    return Answer(status, stored.body, headers)


def _created(write: Write, *, fresh: bool) -> Stored:
    require(write.exchange.access.requester, write.type, "c")

    def stored(write: Write) -> Stored:
        try:
            return write.tx.create(
                write.resource,
                write.id,
                fresh=fresh,
                index=write.index,
                identifiers=write.identifiers,
                document=write.document,
            )
        except Conflict:
            raise Conflict(f"{write.type}/{write.id} was stored meanwhile: read it again.") from None

    return _carried_out(write, stored)


def _carried_out(write: Write, store: Callable[[Write], Stored]) -> Stored:
    """The way of each write: its steps around the judgement, and around what is stored."""
    steps = [each(write) for each in write.exchange.services.steps]
    for step in steps:
        step.receive()
    write.find()
    judging.require_allowed(write)
    for step in steps:
        step.check()
    judged = write.post
    for step in steps:
        step.settle()
    if write.post is not judged:
        write.find()
    stored = store(write)
    for step in steps:
        step.follow(stored)
    return stored


def _event(
    interaction: str, status: int, written: Iterable[Stored], reads: Sequence[Event], subject: tuple[str, str] | None
) -> Event:
    """What was written, and read besides, as one event."""
    touched = (*map(Entity.of, written), *(entity for each in reads for entity in each.entities))
    return Event(
        interaction,
        status,
        touched or ((Entity(*subject),) if subject else ()),
        query=" ".join(each.query for each in reads if each.query) or None,
        patients=tuple({patient for each in reads for patient in each.patients}),
    )
