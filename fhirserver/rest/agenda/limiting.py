"""How many slots somebody books: counted in the transaction that takes them, so that two at once do not both pass.

What counts is to come, and was entered by the person's own side: what a professional books for the person is his to
give, and takes nothing from what the person may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.access import Access, keys
from fhirserver.espace.agenda import limits, rules, slots
from fhirserver.espace.agenda.limits import Held
from fhirserver.search import parse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction

Resource = dict[str, Any]

OWN: Final = frozenset({"patient", "related"})
"""Kinds of actor keys of the person's own side, which nobody else's entries in the record bear."""
_MOST: Final = "1000"
_REASON: Final = "slots that a person holds"


def sized(who: str, pre: Mapping[str, Any] | None, post: Mapping[str, Any] | None, *, ours: bool) -> None:
    """Raises Refusal for an Appointment that names more slots than that requester gives it, or, of a person, than it
    was given by somebody else, for those are not counted; before any is read. `ours`: his side entered it."""
    if post is None or (named := slots.named(post)) == (before := slots.named(pre)):
        return
    limits.sized(who, len(named))
    if who in rules.PERSONS and not ours:
        limits.kept(len(named), max(len(before), 1))


def counted(exchange: Exchange, tx: Transaction, patient: str, who: str, pre: Resource | None, post: Resource) -> None:
    """Raises Refusal where the person, with what the Appointment takes anew, would hold too many slots to come."""
    wanted = slots.held(post)
    if not set(wanted) - set(slots.held(pre)):
        return
    tx.lock([f"agenda|{patient}"])
    others = [slots.held(each) for each in _coming(exchange, tx, patient) if each["id"] != (pre or {}).get("id")]
    schedules = _schedules(exchange, tx, {each for some in (wanted, *others) for each in some})
    asked, *rest = (Held(schedules.get(some[0], ""), len(some)) for some in (wanted, *filter(None, others)))
    limits.counted(who, asked, rest)


def entered_by_person(by: Collection[str]) -> bool:
    """Whether the person's own side entered what bears these actor keys (`acl.by`)."""
    return bool(by) and all(keys.kind(each) in OWN for each in by)


def _coming(exchange: Exchange, tx: Transaction, patient: str) -> Iterator[Resource]:
    now = exchange.access.now.isoformat(timespec="seconds")
    asked = (("patient", patient), ("date", f"gt{now}"), ("status", ",".join(sorted(rules.TAKING))))
    for each in _found(exchange, tx, "Appointment", *asked):
        if entered_by_person(each.acl.get("by", ())):
            yield jsontext.parse_object(each.body)


def _schedules(exchange: Exchange, tx: Transaction, ids: set[str]) -> dict[str, str]:
    """The literal reference of the Schedule of each Slot."""
    found = _found(exchange, tx, "Slot", ("_id", ",".join(sorted(ids))))
    return {each.id: str(jsontext.parse_object(each.body)["schedule"].get("reference")) for each in found}


def _found(exchange: Exchange, tx: Transaction, type_: str, *asked: tuple[str, str]) -> list[Stored]:
    query = parse(exchange.services.definitions, type_, [*asked, ("_count", _MOST), ("_total", "none")])
    return list(tx.trusted(Access.system(_REASON)).search(query).matches)
