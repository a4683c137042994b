"""`Patient/[id]/$feed-measures`: what connected devices measured, up to 1,000 Observations, known by device and time.

An entry that cannot be stored keeps none of the others out. Sent again, nothing is stored twice: the id of an
Observation is made of patient, sender, device, measure and time, so that the database itself holds one of each.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.access import Access, require
from fhirserver.errors import BadRequest, Conflict, FhirError, Gone, TooLarge, Unprocessable
from fhirserver.espace.profile.feeding import Fault, Measured, agree, measured
from fhirserver.outcome import outcome
from fhirserver.rest import conforming, writing
from fhirserver.rest.answer import Answer, of_value, version_headers
from fhirserver.rest.batch import Bounds, of_answer
from fhirserver.rest.entries import listed
from fhirserver.rest.read import unknown
from fhirserver.search import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction

TYPE: Final = "Observation"
MOST: Final = 1000
"""Entries of one Bundle."""
CHUNK: Final = 50
"""Observations of one transaction."""
_TYPES: Final = ("batch", "transaction", "collection")
_TURNS: Final = 3
_REASON: Final = "measures that were sent already"
_READ: Final = (f"patient/{TYPE}.rs", f"user/{TYPE}.rs", f"system/{TYPE}.rs")
_DIFFERS: Final = "{place} says another amount for this device and time: update that one, if it is wrong."
_DELETED: Final = "{place} was deleted here; it is not stored again."


class Sent(NamedTuple):
    """An entry that may be stored."""

    place: int
    resource: dict[str, Any]
    measured: Measured


def feed_measures(exchange: Exchange, type: str, id: str) -> Answer:
    """A Bundle of type batch-response: for each entry 201 (stored), 200 (here already), or why not."""
    exchange.refuse_parameters()
    who = exchange.access.requester
    require(who, TYPE, "c")
    if who.is_person and who.patient != id:
        raise unknown(type, id)
    entries = _entries(exchange.body())
    answers: dict[int, Answer] = {}
    waiting: list[Sent] = []
    for place, entry in enumerate(entries):
        try:
            waiting.append(_checked(exchange, place, entry, f"{type}/{id}"))
        except FhirError as error:
            answers[place] = _refusal(error)
    bounds = Bounds()
    for start in range(0, len(waiting), CHUNK):
        part = waiting[start : start + CHUNK]
        try:
            bounds.check()
            answers |= _stored(exchange, id, part)
        except FhirError as error:
            answers |= {each.place: _refusal(error) for each in part}
    told = [of_answer(answers[place]) for place in range(len(entries))]
    return of_value(200, {"resourceType": "Bundle", "type": "batch-response"} | ({"entry": told} if told else {}))


def _entries(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") not in _TYPES:
        raise BadRequest(f"A Bundle is needed, of type {', '.join(_TYPES)}.", expression="Bundle.type")
    entries = listed(bundle)
    if len(entries) > MOST:
        text = f"A Bundle holds {MOST} measures at most; this one {len(entries)}: send it in parts."
        raise TooLarge(text, code="too-costly", expression="Bundle.entry")
    return entries


def _checked(exchange: Exchange, place: int, entry: dict[str, Any], patient: str) -> Sent:
    """The Observation of an entry, held to the profile of its measure. Raises Unprocessable."""
    resource = entry.get("resource")
    request = entry.get("request", {"method": "POST", "url": TYPE})
    if not isinstance(resource, dict) or not isinstance(request, dict):
        raise Unprocessable("The entry holds no resource.", expression=f"Bundle.entry[{place}]")
    if (request.get("method"), request.get("url")) != ("POST", TYPE):
        raise Unprocessable(f"request, where it is given, is POST {TYPE}.", expression=f"Bundle.entry[{place}].request")
    found = measured(resource, patient, exchange.access.now)
    if isinstance(found, Fault):
        raise Unprocessable(found.text, expression=found.expression)
    issues = conforming.findings(exchange, resource, (found.measure.profile,))
    if any(each.is_error for each in issues):
        raise Unprocessable("The measure does not conform.", issues=[each for each in issues if each.is_error])
    return Sent(place, resource, found)


def _stored(exchange: Exchange, patient: str, part: Sequence[Sent]) -> dict[int, Answer]:
    """The answers by place: of all in one transaction, or each in its own where that cannot be."""
    try:
        return _together(exchange, patient, part)
    except FhirError as error:
        if len(part) > 1:
            return {place: each for one in part for place, each in _stored(exchange, patient, [one]).items()}
        if not isinstance(error, Conflict):
            return {part[0].place: _refusal(error)}
    try:
        return _together(exchange, patient, part)  # the other one is there now
    except FhirError as error:
        return {part[0].place: _refusal(error)}


def _together(exchange: Exchange, patient: str, part: Sequence[Sent]) -> dict[int, Answer]:
    answers: dict[int, Answer] = {}

    def work(tx: Transaction) -> list[Stored]:
        answers.clear()
        before = _before(exchange, tx, patient, part)
        made: dict[str, tuple[Sent, Stored]] = {}
        for each, (id_, there) in zip(part, before, strict=True):
            if there is None and id_ in made:
                first, stored = made[id_]
                answers[each.place] = _known(stored, first.resource, each)
            elif there is not None:
                known = {} if there.deleted else jsontext.parse_object(there.body)
                answers[each.place] = _known(there, known, each)
            else:
                stored = writing.create(exchange, tx, each.resource, id_)
                made[id_] = each, stored
                answers[each.place] = _told(exchange, stored, 201)
        return [stored for _, stored in made.values()]

    writing.commit(exchange, "operation", 200, work, subject=("Patient", patient))
    return answers


def _before(exchange: Exchange, tx: Transaction, patient: str, part: Sequence[Sent]) -> list[tuple[str, Stored | None]]:
    """Of each measure the id, and what is stored under it. Who claims an id first knows that nothing is."""
    ids = [each.measured.id(patient, exchange.access.requester.own) for each in part]
    fresh = {each.rpartition("|")[2] for each in tx.claim(f"{patient}|measure|{id_}" for id_ in ids)}
    claimed = sorted({*ids} - fresh)
    if not claimed:
        return [(id_, None) for id_ in ids]
    seen = tx.trusted(_unscoped(exchange)).still(TYPE, claimed)
    asked = [("_id", ",".join(seen or claimed[:1])), ("_count", str(CHUNK)), ("_total", "none")]
    query = parse(exchange.services.definitions, TYPE, asked)
    there = {each.id: each for each in tx.trusted(_trusted(exchange)).search(query).matches if each.id in seen}
    return [
        (id_, there.get(id_)) if id_ in fresh or id_ in there else _turned(exchange, tx, patient, each)
        for id_, each in zip(ids, part, strict=True)
    ]


def _turned(exchange: Exchange, tx: Transaction, patient: str, sent: Sent) -> tuple[str, Stored | None]:
    """As `_before`, of one that was sent before and is not seen now: deleted, or hidden from the sender since. What is
    hidden from him is not there for him."""
    for turn in range(_TURNS):
        id_ = sent.measured.id(patient, exchange.access.requester.own, turn)
        there = tx.trusted(_trusted(exchange)).read(TYPE, id_)
        if there is None or tx.trusted(_unscoped(exchange)).read(TYPE, id_) is not None:
            return id_, there
    return writing.new_id(), None


def _trusted(exchange: Exchange) -> Access:
    return Access.system(_REASON, exchange.access.now)


def _unscoped(exchange: Exchange) -> Access:
    """The sender with the right to read: a token that only lets write knows what it wrote."""
    return Access(replace(exchange.access.requester, scopes=_READ), exchange.access.now)


def _known(there: Stored, known: dict[str, Any], sent: Sent) -> Answer:
    """The answer to what was sent before."""
    place = f"{TYPE}/{there.id}"
    if there.deleted:
        return _refusal(Gone(_DELETED.format(place=place)))
    if not agree(known, sent.resource):
        return _refusal(Conflict(_DIFFERS.format(place=place), code="duplicate"))
    return Answer(200, None, version_headers(there))


def _told(exchange: Exchange, stored: Stored, status: int) -> Answer:
    headers = version_headers(stored)
    headers["Location"] = f"{exchange.services.base}/{TYPE}/{stored.id}/_history/{stored.version}"
    return Answer(status, None, headers)


def _refusal(error: FhirError) -> Answer:
    return Answer(error.status, jsontext.dump(outcome(error.issues)), error.headers)
