"""Who does what with an appointment, and when: `rules.csv`, judged. Pure: the moment is given.

An *act* is told from the states before and after: `book`, `move`, `confirm`, `decline`, `cancel`, `arrive`, `no-show`,
`fulfil`, `withdraw` (entered in error), `amend` (all else), `delete`, and `reopen`, which no rule allows.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from fhirserver.clock import moment
from fhirserver.espace.agenda.tables import EVERY, NONE, rules, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from fhirserver.espace.agenda.tables import Rule

Resource = dict[str, Any]

ASKED: Final = frozenset({"proposed", "pending", "waitlist"})
"""Statuses of what waits for an answer."""
TAKING: Final = ASKED | {"booked", "arrived", "checked-in", "fulfilled", "noshow"}
"""Statuses in which an appointment keeps its slots."""
OPEN: Final = ASKED | {"booked"}
"""Statuses of what is yet to come."""
PERSONS: Final = frozenset({"holder", "representative"})
_BY_STATUS: Final = {
    "cancelled": "cancel",
    "arrived": "arrive",
    "checked-in": "arrive",
    "noshow": "no-show",
    "fulfilled": "fulfil",
    "entered-in-error": "withdraw",
}
_BESIDE: Final = frozenset({"id", "meta", "resourceType"})


class Refusal(Exception):
    """Why not: `key` of `words.csv`; `status` as HTTP has it, and the words in both languages."""

    def __init__(self, key: str, **values: str) -> None:
        super().__init__(key)
        self.key, found = key, words()[key]
        self.status, self.en, self.fr = found.status, found.en.format(**values), found.fr.format(**values)


def judge(before: Resource | None, after: Resource | None, who: str, now: datetime, *, own: bool) -> Rule:
    """The rule that lets an Appointment turn from one state into another; None: it is not there.

    `who`: a word of `rules.csv`. `own`: whether who asks entered it. Raises Refusal.
    """
    if any(moment(after[each]) is None for each in ("start", "end") if after is not None and each in after):
        raise Refusal("times")
    name = act(before, after)
    found = [each for each in rules() if each.act == name and who in each.who]
    if name == "reopen" or not any(each.act == name for each in rules()):
        raise _state(before, after)
    found = _left(found, Refusal("act"))
    fits = [each for each in found if status(before) in each.origins and status(after) in each.to]
    fits = _left(fits, _state(before, after))
    slotted = "yes" if (after if after is not None else before or {}).get("slot") else "no"
    fits = _left([each for each in fits if each.slots in (slotted, "any")], Refusal("slots"))
    fits = _left([each for each in fits if each.made in ("own" if own else "other", "any")], Refusal("own"))
    refused: Refusal | None = None
    for each in fits:
        try:
            _within(each, before, after, now)
        except Refusal as refusal:
            refused = refused or refusal
        else:
            return each
    raise refused or Refusal("act")


def act(before: Resource | None, after: Resource | None) -> str:
    """What is done with an appointment."""
    if before is None or after is None:
        return "book" if before is None else "delete"
    was, becomes = status(before), status(after)
    moved = any(before.get(name) != after.get(name) for name in ("slot", "start", "end"))
    if moved and becomes in OPEN and was in OPEN:
        return "move"
    if was == becomes:
        return "amend"
    if becomes == "booked" and was in ASKED:
        return "confirm"
    if becomes == "cancelled" and was in ASKED:
        return "decline"
    return _BY_STATUS.get(becomes, "reopen")


def status(appointment: Mapping[str, Any] | None) -> str:
    return NONE if appointment is None else str(appointment.get("status"))


def span(appointment: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    """When it begins and ends; None of one without a time. Without an end, by its minutes."""
    start, end = moment(appointment.get("start")), moment(appointment.get("end"))
    if start is None:
        return None
    minutes = appointment.get("minutesDuration")
    return start, end or start + timedelta(minutes=minutes if isinstance(minutes, int) else 0)


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[str]:
    """The elements that differ, the narrative too; but not `meta`, whose labels the rules of access judge."""
    return frozenset(name for name in {*before, *after} - _BESIDE if before.get(name) != after.get(name))


def actors(appointment: Mapping[str, Any]) -> list[Any]:
    """Who takes part: the references."""
    listed = appointment.get("participant")
    return [each["actor"] for each in listed or () if isinstance(each, dict) and "actor" in each]


def _within(rule: Rule, before: Resource | None, after: Resource | None, now: datetime) -> None:
    """Raises Refusal outside the rule's time, for other elements than it names, and for want of a reason."""
    for each in (before, after):
        times = span(each) if each is not None else None
        if times is None:
            continue
        if rule.opens is not None and now < rule.opens.of(*times):
            raise Refusal("early")
        if rule.closes is not None and now >= rule.closes.of(*times):
            raise Refusal("late")
    if before is None or after is None:
        return
    if EVERY not in rule.fields:
        beyond = changed(before, after) - rule.fields
        others = rule.act != "move" and actors(before) != actors(after)
        if beyond or others:
            raise Refusal("fields", fields=", ".join(sorted(rule.fields)))
    if not {status(before), status(after)} & OPEN and before.get("slot") != after.get("slot"):
        raise Refusal("kept")
    if rule.reason and not after.get("cancelationReason"):
        raise Refusal("reason")


def _state(before: Resource | None, after: Resource | None) -> Refusal:
    return Refusal("state", origin=status(before), to=status(after))


def _left(found: Iterable[Rule], otherwise: Refusal) -> list[Rule]:
    rest = list(found)
    if not rest:
        raise otherwise
    return rest
