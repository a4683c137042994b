"""The state machine of a space: pure, the moment given. Its table is `transitions.csv`.

What a space is, `Row`, as the store keeps it: `states` (`{state, since}`, of which the rules of access are made; those
ahead happen by themselves), `log` (what happened: `event, from, to, at, by, article`), `zone` and `born` of the person,
`objected` and `asked` (when the erasure was), `due`: when time will next bring something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.errors import Conflict, Forbidden
from fhirserver.espace import delays
from fhirserver.espace.tables import NONE, transitions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from fhirserver.espace.tables import Transition

Row = dict[str, Any]

TIME: Final = "time"
FOLLOWS: Final = {"announced": ("open", "opposition"), "suspended": ("lapse", "objection")}
"""What time does with a state, after which delay."""
KEPT: Final = frozenset({"closed", "archived", "deceased"})


def state(row: Mapping[str, Any] | None, now: datetime, *, applied: bool = False) -> str:
    """The state at a moment. `applied`: by what is in the log, which what time brought may not be yet."""
    if row is None:
        return NONE
    if applied and row.get("log"):
        return str(row["log"][-1]["to"])
    held = [each["state"] for each in row.get("states", ()) if each["since"] <= now]
    return held[-1] if held else NONE


def allowed(row: Mapping[str, Any] | None, event: str, who: str, now: datetime) -> Transition:
    """The transition. Raises Conflict where the state has none such, Forbidden for who may not have it happen."""
    here = state(row, now, applied=who == TIME)
    found = transitions().get((event, here))
    if found is None:
        events = possible(row, who, now)
        offered = f" Possible now: {', '.join(events)}." if events else ""
        raise Conflict(f"The space is {here}: {event} is not possible.{offered}")
    if who not in found.who:
        raise Forbidden(f"{event} is not for the {who} to do.")
    return found


def possible(row: Mapping[str, Any] | None, who: str, now: datetime) -> list[str]:
    """The events that somebody may have happen in the state of a moment."""
    here = state(row, now, applied=who == TIME)
    return sorted(name for (name, origin), each in transitions().items() if origin == here and who in each.who)


def after(row: Mapping[str, Any] | None, found: Transition, at: datetime, by: str, facts: Mapping[str, Any]) -> Row:
    """The row after a transition that happens at a moment. `facts`: `zone` and `born` as they are now."""
    before: Row = dict(row or {})
    step = {"event": found.event, "from": found.origin, "to": found.to, "at": at, "by": by, "article": found.article}
    made: Row = {**before, **facts, "log": [*before.get("log", ()), step]}
    made["states"] = [each for each in before.get("states", ()) if each["since"] < at]
    if not made["states"] or made["states"][-1]["state"] != found.to:
        made["states"].append({"state": found.to, "since": at})
    made["objected"] = found.event == "object" or (found.to == "suspended" and bool(before.get("objected")))
    made["asked"] = at if found.event == "request-erasure" else before.get("asked")
    if found.event == "reopen":
        made["asked"] = None
    if found.to in FOLLOWS and not made["objected"]:
        event, delay = FOLLOWS[found.to]
        state_ = transitions()[event, found.to].to
        made["states"].append({"state": state_, "since": delays.end(delay, at, made["zone"])})
    made["due"] = min((moment for moment, _ in deadlines(made)), default=None)
    return made


def deadlines(row: Mapping[str, Any]) -> list[tuple[datetime, str]]:
    """What time will bring, and when, the soonest first."""
    log, zone = row.get("log", ()), row["zone"]
    if not log:
        return []
    here, found = log[-1]["to"], list[tuple["datetime", str]]()
    if here in FOLLOWS and not row.get("objected"):
        event, name = FOLLOWS[here]
        found.append((delays.end(name, _entered(row, frozenset({here})), zone), event))
    if here in KEPT:
        kept = KEPT - {"deceased"} if here != "deceased" else frozenset({here})
        found.append((delays.end("archive", _entered(row, kept), zone), "expire"))
    if row.get("asked") is not None:
        found.append((delays.end("withdrawal", row["asked"], zone), "erase"))
    of_age = delays.majority(row.get("born"), zone)
    if here == "open" and of_age is not None and of_age > _entered(row, frozenset({here})):
        found += [(of_age, "come-of-age")] if all(each["event"] != "come-of-age" for each in log) else []
    return sorted(found)


def erased_by(row: Mapping[str, Any]) -> datetime | None:
    """Until when the data must be gone that the person asked to have erased (R.1111-36)."""
    return None if row.get("asked") is None else delays.end("erasure", row["asked"], row["zone"])


def _entered(row: Mapping[str, Any], states: frozenset[str]) -> datetime:
    """Since when the space is in one of these states without a break."""
    moment: datetime | None = None
    for each in reversed(row["log"]):
        if each["to"] not in states:
            break
        moment = each["at"]
    assert moment is not None  # noqa: S101 - the last one is
    return moment
