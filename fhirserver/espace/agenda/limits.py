"""How many slots one appointment names, and one person books to come: `limits.csv`, judged. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fhirserver.espace.agenda.rules import Refusal
from fhirserver.espace.agenda.tables import limits

if TYPE_CHECKING:
    from collections.abc import Sequence


class Held(NamedTuple):
    """Slots of one Schedule (`Schedule/x`) that an appointment takes."""

    schedule: str
    slots: int


def sized(who: str, slots: int) -> None:
    """Raises Refusal where one appointment of that requester (a word of `rules.csv`) names more slots than it may."""
    most = limits().get(("appointment", who))
    if most is not None:
        kept(slots, most)


def kept(slots: int, most: int) -> None:
    """Raises Refusal where an appointment names more slots than it may keep."""
    if slots > most:
        raise Refusal("many-slots", most=str(most))


def counted(who: str, asked: Held, others: Sequence[Held]) -> None:
    """Raises Refusal where somebody, with what is `asked` for besides the `others` to come, would hold too many."""
    here = asked.slots + sum(each.slots for each in others if each.schedule == asked.schedule)
    whole = asked.slots + sum(each.slots for each in others)
    for name, number, key in (("schedule", here, "many-here"), ("all", whole, "many")):
        most = limits().get((name, who))
        if most is not None and number > most:
            raise Refusal(key, most=str(most))
