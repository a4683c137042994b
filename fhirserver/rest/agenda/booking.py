"""Appointments: judged by the rules of the agenda, with the slots that they take and give back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.access import Access
from fhirserver.access.acl import HIDDEN_FROM_PATIENT, HIDDEN_FROM_REPRESENTATIVES, label_codes
from fhirserver.access.entered import tags
from fhirserver.access.keys import kind
from fhirserver.access.private import PARTICIPANT
from fhirserver.audit import news
from fhirserver.espace.agenda import persons, rules, slots
from fhirserver.espace.agenda.rules import Refusal
from fhirserver.espace.agenda.tables import news as texts
from fhirserver.espace.roles import ROLES
from fhirserver.rest.agenda import limiting
from fhirserver.search import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fhirserver.access import Requester
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction, View

Resource = dict[str, Any]

TYPE: Final = "Appointment"
_REASON: Final = "slots of an appointment"


class Change(NamedTuple):
    """An Appointment before and after (None: not there), the `acl` of before, and whose record it is in."""

    pre: Resource | None
    post: Resource | None
    acl: Mapping[str, Any]
    patient: str | None


def settled(exchange: Exchange, tx: Transaction, change: Change) -> Resource | None:
    """The Appointment as it is to be stored; its slots are taken, and those that it leaves given back.

    Raises Refusal. What an operator stores, of one patient, is as he sends it, and takes no slots; those that it leaves
    are given back.
    """
    requester = exchange.access.requester
    who = ROLES.get(requester.kind)
    pre, post = change.pre, change.post
    if post is not None:
        persons.alone(post)
    if who is not None:
        own = pre is None or _is_own(requester, set(change.acl.get("by", ())))
        rule = rules.judge(pre, post, who, exchange.access.now, own=own)
        ours = own or limiting.entered_by_person(change.acl.get("by", ()))
        limiting.sized(who, pre, post, ours=ours)
    keeper = _taken(exchange, tx, change, strict=who is not None)
    if who in rules.PERSONS and ours and post is not None and change.patient is not None:
        limiting.counted(exchange, tx, change.patient, who, pre, post)
    _given_back(exchange, tx, change)
    if who is not None and rule.told and who not in rules.PERSONS:
        _tell(exchange, tx, change, rule.told)
    if post is None or keeper is None:
        return post
    return tagged(post, [{"system": PARTICIPANT, "code": each} for each in keeper])


def tagged(appointment: Resource, wanted: list[Resource]) -> Resource:
    """The Appointment with these tags of who else takes part, and no other such."""
    meta = dict(appointment.get("meta") or {})
    kept = [each for each in tags(appointment) if each.get("system") != PARTICIPANT]
    meta.pop("tag", None)
    meta |= {"tag": [*kept, *wanted]} if kept or wanted else {}
    rest = {name: value for name, value in appointment.items() if name != "meta"}
    return rest | ({"meta": meta} if meta else {})


def _is_own(requester: Requester, by: set[str]) -> bool:
    """Whether he entered it; of a person also what a representative did, or he himself in a record that was merged."""
    if requester.own & by:
        return True
    return requester.kind == "patient" and limiting.entered_by_person(by)


def taken_by(exchange: Exchange, tx: Transaction, slot: str, besides: str = "") -> bool:
    """Whether an appointment takes a slot, but for the one of that id."""
    asked = [("slot", f"Slot/{slot}"), ("status", ",".join(sorted(rules.TAKING))), ("_total", "none")]
    found = _trusted(tx).search(parse(exchange.services.definitions, TYPE, asked)).matches
    return any(each.id != besides for each in found)


def _taken(exchange: Exchange, tx: Transaction, change: Change, *, strict: bool) -> list[str] | None:
    """Takes the slots of the Appointment: the keys of the organisations that keep them; None where it has none."""
    pre, post = change.pre, change.post or {}
    before, after = slots.held(pre), slots.held(change.post)
    fresh = [each for each in after if each not in before]
    named = {each: _seen(tx.view if strict and each in fresh else _trusted(tx), each) for each in after}
    known = {id: each for id, each in named.items() if each is not None}
    schedule = _schedule(tx, known.values())
    if strict and change.post is not None and _changes(pre, post):
        if any(each not in known for each in fresh):
            raise Refusal("slot-unknown")
        _judge(exchange, change, list(known.values()), None if schedule is None else _body(schedule))
    for id, slot in known.items() if strict else ():
        if id in fresh and slot.get("status") != slots.FREE:
            raise Refusal("slot-taken")
        _put(exchange, tx, slot, slots.carried(post))
    if schedule is None:
        return None
    return sorted(each for each in schedule.acl.get("by", ()) if kind(each) == "finess")


def _changes(pre: Resource | None, post: Resource) -> bool:
    """Whether slots, times or participants are others than before."""
    same = ("slot", "start", "end")
    return (
        pre is None or any(pre.get(each) != post.get(each) for each in same) or rules.actors(pre) != rules.actors(post)
    )


def _judge(exchange: Exchange, change: Change, known: list[Resource], schedule: Resource | None) -> None:
    post, person = change.post or {}, exchange.access.requester.is_person
    patient = f"Patient/{change.patient}" if change.patient else ""
    if known:
        slots.fitting(post, known, schedule, patient)
    if person and rules.status(post) in rules.OPEN:
        slots.familiar(post, schedule, patient)


def _given_back(exchange: Exchange, tx: Transaction, change: Change) -> None:
    """Frees the slots that the Appointment takes no longer."""
    id = str((change.pre or {}).get("id", ""))
    kept = set(slots.held(change.post))
    for each in slots.held(change.pre):
        slot = _seen(_trusted(tx), each) if each not in kept else None
        if slot is not None and slot.get("status") in slots.TAKEN and not taken_by(exchange, tx, each, besides=id):
            _put(exchange, tx, slot, slots.FREE)


def _put(exchange: Exchange, tx: Transaction, slot: Resource, status: str) -> None:
    if slot.get("status") != status:
        made = {**slot, "status": status}
        tx.besides.append(tx.update(made, index=exchange.services.indexer.index(made)))


def _trusted(tx: Transaction) -> View:
    return tx.trusted(Access.system(_REASON))


def _seen(view: View, slot: str) -> Resource | None:
    """A Slot as it is, for this transaction to write."""
    found = view.read("Slot", slot)
    return None if found is None or found.deleted else _body(found)


def _schedule(tx: Transaction, known: Iterable[Resource]) -> Stored | None:
    for slot in known:
        type_, _, id = str(slot["schedule"].get("reference", "")).partition("/")
        found = _trusted(tx).read("Schedule", id) if type_ == "Schedule" and id else None
        return None if found is None or found.deleted else found
    return None


def _body(stored: Stored) -> Resource:
    return jsontext.parse_object(stored.body)


def _tell(exchange: Exchange, tx: Transaction, change: Change, told: str) -> None:
    """Queues what the person is told of what the other side did; of what is hidden from him, nothing."""
    labels = label_codes(change.post or {})
    if change.patient is not None and HIDDEN_FROM_PATIENT not in labels:
        secret = HIDDEN_FROM_REPRESENTATIVES in labels
        tx.post([news.row("appointment", change.patient, exchange.access, secret=secret, text=texts()[told])])
