"""Patient/[id]/$reminders and $reminders-answer: what prevention proposes at an age, and what the person says of it.

For the person's own side alone: it is made of what the requester sees, so that to a professional it would speak of a
vaccination that was masked as of one that is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.access import require
from fhirserver.access.acl import MASKED
from fhirserver.access.entered import ANSWER
from fhirserver.audit import Entity, Event
from fhirserver.documents.authored import VISIBILITY
from fhirserver.errors import BadRequest, Unprocessable
from fhirserver.espace.ages import today
from fhirserver.espace.reminders import engine, reading
from fhirserver.rest import writing
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.operations.stored import instance
from fhirserver.rest.parameters import received_as
from fhirserver.rest.read import unknown
from fhirserver.search import parse

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from fhirserver.espace.reminders.engine import Reminder
    from fhirserver.espace.reminders.reading import Known
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction

ANSWERED: Final = (
    {"name": "reminder", "use": "in", "min": 0, "max": "1", "type": "code"},
    {"name": "answer", "use": "in", "min": 1, "max": "1", "type": "code"},
)
AGAIN: Final = "again"
"""Takes an answer back."""
_DATES: Final = ("opens", "due", "late", "ends", "last")


def reminders(exchange: Exchange, type: str, id: str) -> Answer:
    """`GET Patient/[id]/$reminders`: Parameters with each `reminder` and `answer`, and whether notices are `silent`."""
    received_as(exchange, ())
    patient = _patient(exchange, type, id)
    event = Event("operation", 200, (Entity.of(patient),), query=f"{type}/$reminders")
    return of_value(200, _told(exchange, patient), event)


def answer(exchange: Exchange, type: str, id: str) -> Answer:
    """`POST Patient/[id]/$reminders-answer`: `elsewhere`, `later`, `not-concerned`, or `again`, of one `reminder`;
    without one, `silent` and `again` of all notices. Kept, and traced, as one Basic of each rule.

    Answers what `$reminders` says afterwards.
    """
    inputs = received_as(exchange, ANSWERED)
    patient = _patient(exchange, type, id)
    said, key = inputs.need("answer"), inputs.get("reminder") or reading.ALL
    known = _known(exchange, patient)
    _require(known, _day(exchange, known), key, said)

    def work(tx: Transaction) -> list[Stored]:
        tx.lock([f"reminder|{id}|{key}"])
        params = [("patient", f"Patient/{id}"), ("identifier", f"{reading.SYSTEM}|{key}"), ("_sort", "-_lastUpdated")]
        there = tx.view.search(parse(exchange.services.definitions, reading.BASIC, params)).matches
        if said == AGAIN:
            return [gone for each in there for gone in writing.delete(exchange, tx, reading.BASIC, each.id, None)]
        made = _basic(exchange, id, key, said, _day(exchange, known))
        if there:
            return [writing.update(exchange, tx, {**made, "id": there[0].id}, there[0].id, None)]
        return [writing.create(exchange, tx, made, writing.new_id())]

    interaction = "delete" if said == AGAIN else "update" if key in known.basics else "create"
    writing.commit(exchange, interaction, 200, work, subject=(type, id))
    return of_value(200, _told(exchange, patient))


def _patient(exchange: Exchange, type: str, id: str) -> Stored:
    """The Patient, for the person's own side and the operator. Raises NotFound, Gone, Forbidden."""
    who = exchange.access.requester
    if who.kind not in ("patient", "representative", "operator") or (who.kind != "operator" and who.patient != id):
        raise unknown(type, id)
    require(who, type, "r")
    patient = instance(exchange, type, id)
    for each in reading.TYPES[1:]:
        require(who, each, "s")
    return patient


def _known(exchange: Exchange, patient: Stored) -> Known:
    return reading.known(exchange.view, exchange.services.definitions, patient, exchange.access.now)


def _day(exchange: Exchange, known: Known) -> date:
    return today(exchange.access.now, known.person.zone)


def _require(known: Known, day: date, key: str, said: str) -> None:
    """Raises BadRequest for an answer that there is not, Unprocessable for a rule that is not proposed."""
    possible = (reading.SILENT, AGAIN) if key == reading.ALL else (*engine.ANSWERS, AGAIN)
    if said not in possible:
        raise BadRequest(f"answer={said!r} is none of {', '.join(possible)}.", code="code-invalid")
    if key == reading.ALL or key in known.basics:
        return
    found = engine.reminders(known.person, known.acts, known.answers, day)
    open_ = sorted(each.key for each in found if each.state != engine.AHEAD)
    if key not in open_ or said == AGAIN:
        told = f"Proposed now: {', '.join(open_)}." if open_ else "Nothing is proposed now."
        text = (
            f"There is no answer of {key!r} to take back." if said == AGAIN else f"{key[:64]!r} is not proposed. {told}"
        )
        raise Unprocessable(text, code="business-rule")


def _basic(exchange: Exchange, patient: str, key: str, said: str, day: date) -> dict[str, Any]:
    who = exchange.access.requester
    author = {"patient": f"Patient/{patient}", "representative": who.id}.get(who.kind)
    return {
        "resourceType": reading.BASIC,
        "meta": {"security": [{"system": VISIBILITY, "code": MASKED[0]}]},
        "identifier": [{"system": reading.SYSTEM, "value": key}],
        "code": {"coding": [{"system": ANSWER, "code": said}]},
        "subject": {"reference": f"Patient/{patient}"},
        "created": day.isoformat(),
        **({"author": {"reference": author}} if author else {}),
    }


def _told(exchange: Exchange, patient: Stored) -> dict[str, Any]:
    known = _known(exchange, patient)
    day = _day(exchange, known)
    found = engine.reminders(known.person, known.acts, known.answers, day)
    told: list[dict[str, Any]] = [{"name": "reminder", "part": _parts(each)} for each in _near(found, day)]
    told += [
        {"name": "answer", "part": [_code("key", each.key), _code("answer", each.answer), _date("at", each.day)]}
        for each in sorted(known.answers, key=lambda each: (each.day, each.key), reverse=True)
    ]
    told.append({"name": "silent", "valueBoolean": known.silent})
    return {"resourceType": "Parameters", "parameter": told}


def _near(found: Iterable[Reminder], day: date) -> list[Reminder]:
    until = reading.AHEAD.on(day)
    return [each for each in found if each.state != engine.AHEAD or (each.opens is not None and each.opens <= until)]


def _parts(each: Reminder) -> list[dict[str, Any]]:
    rule = each.rule
    parts = [_code("key", each.key), _code("kind", rule.kind), _code("state", each.state)]
    parts.append({"name": "title", "valueString": rule.title})
    parts += [_date(name, value) for name in _DATES if (value := getattr(each, name)) is not None]
    parts.append({"name": "obligatory", "valueBoolean": rule.duty})
    source = (("source", rule.source.name), ("version", rule.source.version), ("text", rule.source.text))
    return parts + [{"name": name, "valueString": value} for name, value in source]


def _code(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "valueCode": value}


def _date(name: str, value: date) -> dict[str, Any]:
    return {"name": name, "valueDate": value.isoformat()}
