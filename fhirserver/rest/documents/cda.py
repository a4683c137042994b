"""CDA documents in: `POST [base]/$cda`, and `POST [base]/Binary` with a CDA document as the body.

A document is read (`fhirserver.documents.cda`), then stored in one transaction: whose it is (`identity`), the actors
it names (`cda_actors`), the DocumentReference, and all that is derived from it. The same document twice is stored once;
what is refused leaves nothing behind.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from werkzeug.http import parse_options_header

from fhirserver.access import author_references
from fhirserver.documents.cda import PATIENT, Conversion, convert, is_cda
from fhirserver.errors import BadRequest, Forbidden, Unprocessable, UnsupportedMediaType
from fhirserver.outcome import Issue
from fhirserver.rest import conforming, writing
from fhirserver.rest.compartment import FEEDERS
from fhirserver.rest.documents import cda_actors, cda_unique, identity, quarantine

if TYPE_CHECKING:
    from fhirserver.access import Access
    from fhirserver.documents.cda import Entry
    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction

HL7V3: Final = "application/hl7-v3+xml"
MEDIA: Final = (HL7V3, "text/xml", "application/xml")
MODES: Final = ("strict", "lenient")


class Plan(NamedTuple):
    """What a document becomes, but for whose it is: checked, with the ids of all that is its own."""

    conversion: Conversion
    ids: dict[str, str]
    shared: list[Entry]
    own: list[Entry]
    findings: list[Issue]


def cda(exchange: Exchange) -> Answer:
    """`POST [base]/$cda`: the document as the body; `mode` strict or lenient, `quarantine` true or false."""
    media = parse_options_header(exchange.request.headers.get("Content-Type") or "")[0].lower()
    if media not in MEDIA:
        raise UnsupportedMediaType(f"Send the CDA document as Content-Type: {', '.join(MEDIA)}.")
    mode, hold = "lenient" if exchange.prefer.lenient else "strict", exchange.services.settings.quarantine
    for name, value in exchange.params:
        if name == "mode" and value in MODES:
            mode = value
        elif name == "quarantine" and value in ("true", "false"):
            hold = value == "true"
        else:
            raise BadRequest(
                f"{name}={value} is not offered here: mode=strict|lenient, quarantine=true|false.", code="not-supported"
            )
    return deposited(exchange, exchange.content(), mode, hold=hold)


def is_binary(exchange: Exchange) -> bool:
    """Whether the body of `POST [base]/Binary` is a CDA document, and not a Binary written as FHIR XML."""
    media = parse_options_header(exchange.request.headers.get("Content-Type") or "")[0].lower()
    if media not in MEDIA:
        return False
    return media == HL7V3 or is_cda(exchange.content())


def binary(exchange: Exchange) -> Answer:
    """`POST [base]/Binary` with a CDA document: as `$cda`, with the settings' own modes."""
    exchange.refuse_parameters()
    mode = "lenient" if exchange.prefer.lenient else "strict"
    return deposited(exchange, exchange.content(), mode, hold=exchange.services.settings.quarantine)


def deposited(exchange: Exchange, data: bytes, mode: str, *, hold: bool) -> Answer:
    """201 with the DocumentReference, 200 when this document is here already, 202 when it waits in quarantine.

    Raises InvalidXml, Unprocessable with all findings, Conflict, Forbidden.
    """
    _require_feeder(exchange)
    plan = planned(exchange, data, mode)
    try:
        stored, status = store(exchange, plan)
    except identity.Unidentified as error:
        if not hold:
            raise
        return quarantine.hold(exchange, data, mode, plan.conversion, error)
    return writing.answer(exchange, stored, status, plan.findings)


def planned(exchange: Exchange, data: bytes, mode: str) -> Plan:
    """What a document becomes. Raises Unprocessable with all that is wrong with it."""
    language = exchange.request.accept_languages.best_match(("en", "fr")) or "en"
    conversion = convert(data, mode=mode, language=language)
    findings = list(conversion.findings)
    if any(each.is_error for each in findings):
        raise Unprocessable("The document does not conform.", issues=findings)
    for left in conversion.left:
        templates = f" ({', '.join(left.template_ids)})" if left.template_ids else ""
        findings.append(
            Issue("information", "informational", f"Left: {left.why}{templates}", (left.xpath,), rule="left")
        )
    for entry in conversion.entries:
        conforming.validated(exchange, entry.resource)
    shared = [each for each in conversion.entries if cda_actors.is_shared(each)]
    order = sorted(
        (each for each in conversion.entries if not cda_actors.is_shared(each)),
        key=lambda each: each.role != "document",
    )
    ids = {each.full_url: f"{each.resource['resourceType']}/{writing.new_id()}" for each in order}
    return Plan(conversion, ids, shared, order, findings)


def store(
    exchange: Exchange, plan: Plan, *, patient: str | None = None, held: str | None = None, by: Access | None = None
) -> tuple[Stored, int]:
    """Stores a document, and the status that says whether it was here already.

    `patient`: whose it is, when identity vigilance has said so; `held`: the waiting document that it was; `by`: who had
    it stored in the depositor's place. Raises Unidentified, Conflict, Forbidden.
    """
    status = 201

    def work(tx: Transaction) -> list[Stored]:
        nonlocal status
        there = cda_unique.there(exchange, tx, plan.own[0].resource)
        status = 201 if there is None else 200
        done = [there] if there is not None else _written(exchange, tx, plan, patient)
        if held is not None:
            quarantine.require_waiting(tx, held)
            tx.quarantine.settle(held, "released", {"document": done[0].id, "changed": exchange.access.now})
        return done

    with exchange.services.store.large(each.resource["resourceType"] for each in plan.conversion.entries):
        done = writing.commit(exchange, "operation", lambda: status, work, by=by)
    return done[0], status


def _written(exchange: Exchange, tx: Transaction, plan: Plan, patient: str | None) -> list[Stored]:
    """The document first, then what it names and what is derived from it."""
    whose = patient or identity.established(exchange, tx, plan.conversion.document.patient)
    known = {PATIENT: f"Patient/{whose}", **plan.ids}
    added = cda_actors.settled(exchange, tx, plan.shared, known)
    first, *others = [(plan.ids[each.full_url], cda_actors.resolved(each.resource, known)) for each in plan.own]
    place, resource = first
    gone = cda_unique.replaced(exchange, tx, resource, whose)
    if cda_unique.is_replaced(exchange, tx, resource, whose):
        resource["status"] = "superseded"
        others = [each for each in others if cda_unique.remains(each[1])]
    tx.identifiers(chain.from_iterable(author_references(each) for _, each in (first, *others)))  # all at once
    stored = [writing.create(exchange, tx, resource, place.partition("/")[2])]
    for other, derived in others:
        stored.append(writing.create(exchange, tx, derived, other.partition("/")[2], document=place))
    return [*stored, *added, *gone]


def _require_feeder(exchange: Exchange) -> None:
    if exchange.access.requester.kind not in FEEDERS:
        raise Forbidden("A CDA document is deposited by a professional, by a hospital's or laboratory's system.")
