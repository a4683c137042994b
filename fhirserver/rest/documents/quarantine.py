"""Documents whose patient could not be established, kept whole until somebody says whose they are.

`GET [base]/$quarantine` lists them, `POST [base]/$quarantine-resolve` ends their waiting. The depositor's organisation
sees its own, and how they stand; what of a record disagrees is for the operator, who watches over identities.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.access import Access, Requester, require
from fhirserver.audit import Event
from fhirserver.clock import to_instant
from fhirserver.errors import BadRequest, Conflict, Forbidden, NotFound
from fhirserver.outcome import Issue, outcome
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.compartment import FEEDERS
from fhirserver.rest.parameters import received_as
from fhirserver.store.quarantine import HELD, REJECTED, RELEASED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.documents.cda import Conversion
    from fhirserver.rest.documents.identity import Unidentified
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Transaction

MOST: Final = 500
_STATUSES: Final = (HELD, RELEASED, REJECTED)
_LISTING: Final = (
    {"name": "status", "use": "in", "type": "code", "max": "1"},
    {"name": "after", "use": "in", "type": "string", "max": "1"},
    {"name": "_count", "use": "in", "type": "integer", "max": "1"},
)
_RESOLVING: Final = (
    {"name": "id", "use": "in", "type": "string", "max": "1"},
    {"name": "action", "use": "in", "type": "code", "max": "1"},
    {"name": "patient", "use": "in", "type": "string", "max": "1"},
    {"name": "reason", "use": "in", "type": "string", "max": "1"},
)

Row = dict[str, Any]


def hold(exchange: Exchange, data: bytes, mode: str, conversion: Conversion, error: Unidentified) -> Answer:
    """202: the document waits, under an id that the same document has each time."""
    header, requester, now = conversion.document, exchange.access.requester, exchange.access.now
    id = hashlib.sha256(header.unique_id.encode() + b"\0" + data).hexdigest()[:32]
    store = exchange.services.store
    file = store.files.write([data], "text/xml", f"quarantine/{id}", until_owned=True)
    row = {
        "file": file.id,
        "by": sorted(_owners(exchange) or requester.own),
        "who": requester.described(),
        "at": now,
        "changed": now,
        "reason": error.text,
        "why": error.why,
        "mode": mode,
        "unique_id": header.unique_id,
        "title": header.title,
        "size": len(data),
    }

    def work(tx: Transaction) -> None:
        tx.quarantine.hold(id, row)
        tx.trace(place.link(event.record(requester, now, exchange.services.origin)))

    event = Event("operation", 202, query=f"$cda quarantine {id}")
    try:
        with exchange.services.chains.place() as place:
            store.transact(exchange.access, work)
    except BaseException:
        store.files.delete(file.id)
        raise
    store.files.settle(file.id)
    for other in store.files.owned(f"quarantine/{id}"):
        if other.id != file.id and other.created <= file.created:
            store.files.delete(other.id)
    told = Issue("information", "incomplete", f"The document waits in quarantine as {id}. {error.text}")
    location = f"{exchange.services.base}/$quarantine?id={id}"
    return Answer(202, jsontext.dump(outcome([told])), {"Location": location})


def quarantine(exchange: Exchange) -> Answer:
    """`GET [base]/$quarantine`: the documents that wait, or waited, of the requester's organisation; of all for the
    operator. `id` names one; else by id, `after` the last one told."""
    inputs = received_as(exchange, [*_LISTING, {"name": "id", "use": "in", "type": "string", "max": "1"}])
    owners, status = _owners(exchange), inputs.get("status")
    if status is not None and status not in _STATUSES:
        raise BadRequest(f"status={status} is none of {', '.join(_STATUSES)}.")
    count = min(inputs.get("_count") or 50, MOST)
    waiting = exchange.services.store.quarantine
    if "id" in inputs:
        rows = [_own(exchange, inputs.get("id"))]
    else:
        rows = waiting.listed(owners, status, inputs.get("after") or "", count)
    told = [{"name": "document", "part": _told(row, to_operator=owners is None)} for row in rows]
    body = {"resourceType": "Parameters", **({"parameter": told} if told else {})}
    return of_value(200, body, Event("operation", 200, query="$quarantine"))


def quarantine_resolve(exchange: Exchange) -> Answer:
    """`POST [base]/$quarantine-resolve`: `action` is `retry` (whose it is may be known now), `assign` to `patient` (the
    operator's to say) or `reject`. Stored as the deposit of who deposited it; 201 with the DocumentReference."""
    inputs = received_as(exchange, _RESOLVING)
    row, action = _own(exchange, inputs.need("id")), inputs.need("action")
    if action not in ("retry", "assign", "reject"):
        raise BadRequest(f"action={action} is none of retry, assign, reject.")
    if row["status"] != HELD:
        raise Conflict(f"The document waits no more: it was {row['status']}.")
    if action == "reject":
        return _rejected(exchange, row, inputs.get("reason"))
    patient = None
    if action == "assign":
        if exchange.access.requester.kind != "operator":
            raise Forbidden("Whose a document is, the operator says who watches over identities.")
        patient = _patient(exchange, inputs.need("patient"))
    return _released(exchange, row, patient)


def _released(exchange: Exchange, row: Row, patient: str | None) -> Answer:
    """Stored in the name of who deposited it; the trace tells of who had it stored."""
    from fhirserver.rest.documents import cda  # the two call each other

    store = exchange.services.store
    data = b"".join(store.files.read(row["file"]))
    depositor = exchange.within(exchange.request)
    depositor.access = Access.of(Requester.written(row["who"]), exchange.access.now)
    plan = cda.planned(exchange, data, row["mode"])
    stored, status = cda.store(depositor, plan, patient=patient, held=row["_id"], by=exchange.access)
    store.files.delete(row["file"])
    location = f"{exchange.services.base}/{stored.type}/{stored.id}/_history/{stored.version}"
    return Answer(status, jsontext.dump(outcome(plan.findings)), {"Location": location})


def _rejected(exchange: Exchange, row: Row, reason: str | None) -> Answer:
    access = exchange.access
    facts = {"changed": access.now, **({"rejection": reason} if reason else {})}

    def work(tx: Transaction) -> None:
        require_waiting(tx, row["_id"])
        tx.quarantine.settle(row["_id"], REJECTED, facts)
        tx.trace(place.link(event.record(access.requester, access.now, exchange.services.origin)))

    event = Event("operation", 200, query=f"$quarantine-resolve reject {row['_id']}")
    with exchange.services.chains.place() as place:
        exchange.services.store.transact(access, work)
    exchange.services.store.files.delete(row["file"])
    said = Issue("information", "informational", "The document was rejected, and is not kept.")
    return Answer(200, jsontext.dump(outcome([said])))


def require_waiting(tx: Transaction, id: str) -> None:
    """Raises Conflict for a document that was released or rejected meanwhile."""
    found = tx.quarantine.find(id, None)
    if found is None or found["status"] != HELD:
        raise Conflict("The document waits no more.")


def _patient(exchange: Exchange, text: str) -> str:
    """The id of an active Patient. Raises BadRequest."""
    id = text.removeprefix("Patient/")
    stored = exchange.view.read("Patient", id) if id and "/" not in id else None
    if stored is None or stored.deleted or jsontext.parse_object(stored.body).get("active") is False:
        raise BadRequest(f"patient={text} is no active Patient.", code="not-found")
    return id


def _own(exchange: Exchange, id: str) -> Row:
    row = exchange.services.store.quarantine.find(id, _owners(exchange))
    if row is None:
        raise NotFound(f"No document waits as {id}.")
    return row


def _owners(exchange: Exchange) -> frozenset[str] | None:
    """Whose documents the requester sees: his organisation's, or his own where he acts for none; None: everybody's."""
    requester = exchange.access.requester
    require(requester, "DocumentReference", "c")
    if requester.kind == "operator":
        return None
    if requester.kind not in FEEDERS:
        raise Forbidden("Quarantine is for who deposits documents, and for the operator.")
    organizations = frozenset(each for each in requester.own if each.startswith("finess|"))
    return organizations or requester.own


def _told(row: Mapping[str, Any], *, to_operator: bool) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [
        {"name": "id", "valueString": row["_id"]},
        {"name": "status", "valueCode": row["status"]},
        {"name": "deposited", "valueInstant": to_instant(row["at"])},
        {"name": "reason", "valueString": row["reason"]},
        {"name": "uniqueId", "valueUri": row["unique_id"]},
        {"name": "size", "valueInteger": row["size"]},
    ]
    if row.get("title"):
        parts.append({"name": "title", "valueString": row["title"]})
    if row.get("document"):
        parts.append({"name": "document", "valueReference": {"reference": f"DocumentReference/{row['document']}"}})
    if row.get("rejection"):
        parts.append({"name": "rejection", "valueString": row["rejection"]})
    if to_operator:
        parts.append({"name": "why", "valueString": row["why"]})
        parts += [{"name": "depositor", "valueString": each} for each in row["by"]]
    return parts
