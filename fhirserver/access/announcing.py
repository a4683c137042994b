"""`INVISIBLE_PATIENT`: who is told what when (Code de la santé publique, R.1111-53).

A professional hides an entry until he has announced it. Two weeks after the deposit the person is told that the record
was updated and invited to consult, but not of what; a month after it the entry is visible without anybody's doing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.access.acl import HIDDEN_FROM_PATIENT, HIDDEN_FROM_REPRESENTATIVES
from fhirserver.access.moments import majority, month_after

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

UNTOLD: Final = timedelta(weeks=2)
"""After so long without an announcement the person is told that there is something new."""


class Telling(NamedTuple):
    """At a moment, to the `patient` or the `representative`: `updated`, the record was; `visible`, the entry is."""

    at: datetime
    whom: str
    what: str


def tellings(labels: Collection[str], deposited: datetime, birth: str | None) -> tuple[Telling, ...]:
    """Who is to be told of an entry that bears these labels (an envelope's `acl.labels`) as long as it bears them.

    Nobody, of one that is not hidden; a representative, of a minor's alone, and not of what the minor keeps secret.
    `birth` is the person's date of birth.
    """
    if HIDDEN_FROM_PATIENT not in labels:
        return ()
    of_age = majority(birth)
    found = []
    for at, what in ((deposited + UNTOLD, "updated"), (month_after(deposited), "visible")):
        found.append(Telling(at, "patient", what))
        if HIDDEN_FROM_REPRESENTATIVES not in labels and of_age is not None and at < of_age:
            found.append(Telling(at, "representative", what))
    return tuple(found)


def due(told: Collection[Telling], since: datetime, now: datetime) -> tuple[Telling, ...]:
    """Those whose moment came after `since`, up to now: what a round that ran last at `since` has to send."""
    return tuple(each for each in told if since < each.at <= now)
