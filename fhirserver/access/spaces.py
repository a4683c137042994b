"""The states of a person's space, dated, and what each lets happen (`spaces.csv`, Code de la santé publique).

A policy keeps them as `[[state, since], …]`, oldest first, `since` None from ever. They come from the record that the
store keeps of the space (`Transaction.space`), of which the Patient can only take away: `active` false closes, a death
closes for good. Without that record a Patient that is not closed counts as open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.access import moments, tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    State = tuple[str, datetime | None]

OPEN: Final = "open"
DEFAULT: Final = "announced"
"""Before the first state that a record tells."""
STATES: Final = frozenset(tables.spaces()) - {"expired"}
"""What may be recorded."""
KEPT: Final = frozenset({"closed", "archived", "deceased"})
YEARS: Final = 10
"""For so long what was closed is kept."""


def timeline(patient: Mapping[str, Any] | None, space: Mapping[str, Any] | None) -> list[list[Any]]:
    """The states, by the Patient and by the record of the space (`states`: `{state, since}`). Never raises."""
    told = sorted((space or {}).get("states", ()), key=lambda each: each["since"])
    found: list[State] = [(each["state"], each["since"]) for each in told] or [(OPEN, None)]
    if patient is None or patient.get("active") is False:
        found = [("closed" if state == OPEN else state, since) for state, since in found]
    death = _death(patient or {})
    if death is not None:
        found = [each for each in found if death.start is not None and (each[1] is None or each[1] < death.start)]
        found.append(("deceased", death.start))
    return [list(each) for each in found]


def state(states: Sequence[State], now: datetime) -> str:
    """The state at a moment; `expired` ten years after the person's space was closed."""
    held = [(each, since) for each, since in states if since is None or since <= now]
    if not held:
        return DEFAULT
    name, since = held[-1]
    if name in KEPT and (until := _expiry(since)) is not None and until <= now:
        return "expired"
    return name if name in tables.spaces() else "suspended"


def change(states: Sequence[State], now: datetime) -> datetime | None:
    """When it may be another, nothing having been written."""
    expiries = (_expiry(since) for name, since in states if name in KEPT)
    ahead = (each for each in (*(since for _, since in states), *expiries) if each is not None and each > now)
    return moments.soonest(ahead)


def united(one: Iterable[Mapping[str, Any]], other: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What a record of both spaces says (`{state, since}`): at each moment the state that lets less happen."""
    both = [sorted(each, key=lambda step: step["since"]) for each in (one, other)]
    if not all(both):
        return [dict(step) for each in both for step in each]
    found: list[dict[str, Any]] = []
    for moment in sorted({step["since"] for each in both for step in each}):
        held = [_held(each, moment) for each in both]
        name = min(held, key=lambda each: sum(tables.spaces()[each]))
        if not found or found[-1]["state"] != name:
            found.append({"state": name, "since": moment})
    return found


def _held(steps: Iterable[Mapping[str, Any]], moment: datetime) -> str:
    last = DEFAULT
    for each in steps:
        last = each["state"] if each["since"] <= moment else last
    return last


def open_for_good(states: Sequence[State], space: Mapping[str, Any] | None) -> bool:
    """Whether professionals may consult from now on: always, or since an opening that is recorded (`log`: `to`, `at`)
    as one that happened."""
    name, since = states[-1]
    if name != OPEN:
        return False
    last: Mapping[str, Any] = next(reversed((space or {}).get("log", ())), {})
    return since is None or (last.get("to") == OPEN and last["at"] >= since)


def _expiry(since: datetime | None) -> datetime | None:
    return None if since is None else moments.years_after(since, YEARS)


def _death(patient: Mapping[str, Any]) -> moments.Span | None:
    """From the first moment of the death as it is written; from ever where that cannot be read."""
    if patient.get("deceasedBoolean") is True:
        return moments.ALWAYS
    if "deceasedDateTime" not in patient:
        return None
    found = moments.span({"start": patient["deceasedDateTime"]})
    return found if found.sure else moments.ALWAYS
