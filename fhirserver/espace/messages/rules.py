"""Who may do what with messages: the table `rules.csv`, judged by facts. Pure.

A rule is for an `act` and whom it is for (`who`); it names facts that must hold, the first of which that does not is
the reason of a refusal (`reasons.csv`):

wanted     the person's space is open, and the person has not blocked the professional
writes     the person's space lets the person write
part       the requester takes part in the thread, or it is in the record that is his
open       the thread was not closed;  closed: it was;  closer: by the requester's side
addressed  the message was sent to the requester's side
sender     the requester sent it
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from fhirserver.tables import rows as rows_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

STATES: Final = frozenset({"open", "closed"})
"""Reasons that another moment changes."""


def refusal(act: str, who: str, facts: Collection[str]) -> str | None:
    """Why `who` may not, as a reason; None: he may."""
    needs = _rules().get((act, who))
    if needs is None:
        return "who"
    return next((each for each in needs if each not in facts), None)


@cache
def words() -> Mapping[str, str]:
    """What each reason says."""
    return {row["reason"]: row["words"] for row in _rows("reasons.csv")}


@cache
def _rules() -> Mapping[tuple[str, str], tuple[str, ...]]:
    return {(row["act"], who): tuple(row["needs"].split()) for row in _rows("rules.csv") for who in row["who"].split()}


def _rows(name: str) -> list[dict[str, str]]:
    return rows_of("fhirserver.espace.messages", name)
