"""Times: TS, IVL_TS, PIVL_TS, EIVL_TS (HL7 v3 data types, R1) to date, dateTime, instant, Period and Timing.

What cannot be told in FHIR is not marked as read, so that the account of the document names it.
"""

from __future__ import annotations

import calendar
import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from fhirserver.documents.cda.values.quantities import number
from fhirserver.spec.systems import UCUM

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fhirserver.documents.cda.node import Node

ZONE: Final = ZoneInfo("Europe/Paris")
"""French documents must say their zone beyond the precision of a day; one that does not is taken at legal time."""

UNITS: Final = {"s": "s", "min": "min", "h": "h", "d": "d", "wk": "wk", "mo": "mo", "a": "a"}
_FIXED: Final = {"s": 1, "min": 60, "h": 3600, "d": 86400, "wk": 604800}
"""Seconds of the units that have always as many."""
EVENTS: Final = frozenset(("HS", "WAKE", "C", "CM", "CD", "CV", "AC", "ACM", "ACD", "ACV", "PC", "PCM", "PCD", "PCV"))
MEALS: Final = frozenset(("C", "CM", "CD", "CV"))
"""Events from which nothing is counted (tim-9)."""
EVENT_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/v3-TimingEvent"

_LONGEST: Final = 32
"""Characters of a TS literal, nanoseconds and zone included."""

_stamp = re.compile(
    r"(?P<year>(?!0000)[0-9]{4})(?:(?P<month>0[1-9]|1[0-2])(?:(?P<day>0[1-9]|[12][0-9]|3[01])"
    r"(?:(?P<hour>[01][0-9]|2[0-3])(?:(?P<minute>[0-5][0-9])(?:(?P<second>[0-5][0-9])(?P<fraction>\.[0-9]{1,9})?)?)?"
    r"(?P<zone>Z|[+-](?:0[0-9]|1[0-3])(?:[0-5][0-9])?|[+-]14(?:00)?)?)?)?)?"
).fullmatch


def read(text: str | None) -> str | None:
    """The dateTime of a TS literal (`20240131103000+0100`), its precision kept; None when it is none.

    FHIR has no precision between day and second: minutes and seconds that are not said are zero.
    """
    return _read(text) if text and len(text) <= _LONGEST else None


@lru_cache(4096)
def _read(text: str) -> str | None:
    found = _stamp(text)
    if found is None:
        return None
    year, month, day, hour = found["year"], found["month"], found["day"], found["hour"]
    if day is not None and int(day) > calendar.monthrange(int(year), int(month))[1]:
        return None
    date = "-".join(part for part in (year, month, day) if part)
    if hour is None:
        return date
    clock = f"{hour}:{found['minute'] or '00'}:{found['second'] or '00'}"
    zone = found["zone"]
    if zone is None:
        zone = _legal(f"{date}T{clock}")
    elif zone != "Z":
        zone = f"{zone[:3]}:{zone[3:] or '00'}"
    return f"{date}T{clock}{found['fraction'] or ''}{zone}"


def date_time(node: Node | None) -> str | None:
    """A TS as dateTime: of an interval, its value, else its low bound when the high one does not differ."""
    return _taken(node)


def date(node: Node | None) -> str | None:
    """A TS as date; what it says beyond the day is left out."""
    text = _taken(node)
    return text and text[:10]


def instant(node: Node | None) -> str | None:
    """A TS as instant: hours that are not said are zero, at legal time."""
    text = _taken(node)
    return text and as_instant(text)


def as_instant(text: str) -> str:
    """The instant of a dateTime."""
    if len(text) > 10:
        return text
    day = text + {4: "-01-01", 7: "-01"}.get(len(text), "")
    return f"{day}T00:00:00{_legal(f'{day}T00:00:00')}"


def _legal(local: str) -> str:
    """The offset of French legal time, in whole minutes."""
    offset = datetime.fromisoformat(local).replace(tzinfo=ZONE).utcoffset() or timedelta()
    return "{:+03}:{:02}".format(*divmod(int(offset.total_seconds()) // 60, 60))


def period(node: Node | None) -> dict[str, Any] | None:
    """An IVL_TS as Period: low and high, or low and width; a lone value is both ends."""
    if node is None:
        return None
    found: dict[str, Any] = {}
    only = _taken(node)
    if only is not None:
        return {"start": only, "end": only}
    for name, end in (("low", "start"), ("high", "end")):
        bound = node.one(name)
        if name == "high" and _is_before(bound, found.get("start")):
            continue
        text = _taken(bound)
        if bound is not None and text is not None:
            found[end] = text
            if bound.attributes.get("inclusive") == "true":
                bound.get("inclusive")
    width = node.one("width")
    if width is not None and len(found) == 1:
        _measure(found, width)
    return found or None


def _is_before(high: Node | None, start: str | None) -> bool:
    """Whether a high bound lies before the low one, as far as both are precise: no Period then (per-1)."""
    end = read(high.attributes.get("value")) if high is not None else None
    if start is None or end is None:
        return False
    least = min(len(start), len(end))
    if least <= 10:
        return end[:least] < start[:least]
    return as_instant_key(end) < as_instant_key(start)


def when(node: Node | None, name: str = "effective") -> dict[str, Any]:
    """A TS or IVL_TS as `effectiveDateTime` or `effectivePeriod`; nothing when it says nothing."""
    if node is None:
        return {}
    text = _taken(node)
    if text is not None:
        return {f"{name}DateTime": text}
    found = period(node)
    if found is None:
        return {}
    if found.get("start") == found.get("end"):
        return {f"{name}DateTime": found["start"]}
    return {f"{name}Period": found}


def timing(nodes: Sequence[Node]) -> dict[str, Any] | None:
    """The `effectiveTime`s of a substance administration as one Timing: bounds, period, events, moments."""
    found: dict[str, Any] = {}
    repeat: dict[str, Any] = {}
    for node in nodes:
        kind = node.type or ""
        if kind.startswith("PIVL"):
            _recurring(repeat, node)
        elif kind.startswith("EIVL"):
            _eventful(repeat, found, node)
        else:
            _bounds(repeat, found, node)
    if repeat:
        found["repeat"] = repeat
    return found or None


def _bounds(repeat: dict[str, Any], found: dict[str, Any], node: Node) -> None:
    moment = _taken(node)
    if moment is not None:
        found.setdefault("event", []).append(moment)
        return
    width = node.one("width")
    if width is not None and node.one("low") is None and node.one("high") is None:
        length = duration(width)
        if length is not None and not _has_bounds(repeat):
            repeat["boundsDuration"] = length
        return
    if not _has_bounds(repeat):
        bounds = period(node)
        if bounds:
            repeat["boundsPeriod"] = bounds


def _has_bounds(repeat: dict[str, Any]) -> bool:
    return "boundsPeriod" in repeat or "boundsDuration" in repeat


def _recurring(repeat: dict[str, Any], node: Node) -> None:
    """Every so many hours; `institutionSpecified` means so many times a day, at hours that the institution chooses."""
    length = node.one("period")
    if length is None or "period" in repeat:
        return
    value, unit = _amount(length)
    if value is None or value < 0 or unit not in UNITS:
        return
    length.get("value")
    length.get("unit")
    node.get("operator")
    whole = 24 / float(value) if unit == "h" and float(value) else 0
    if node.get("institutionSpecified") == "true" and whole >= 1 and whole == int(whole):
        repeat.update(frequency=int(whole), period=1, periodUnit="d")
    else:
        repeat.update(frequency=1, period=value, periodUnit=unit)
    phase = node.one("phase")
    if phase is not None and not _has_bounds(repeat):
        bounds = period(phase)
        if bounds:
            repeat["boundsPeriod"] = bounds


def _eventful(repeat: dict[str, Any], found: dict[str, Any], node: Node) -> None:
    """At an event of the day, such as before breakfast, with an offset in minutes."""
    event = node.one("event")
    code = event.attributes.get("code") if event is not None else None
    if event is None or not code or (code in MEALS and "offset" in repeat):
        return
    node.get("operator")
    event.get("code")
    event.get("codeSystem")
    if code not in EVENTS:
        found["code"] = {"coding": [{"system": EVENT_SYSTEM, "code": code}]}
        return
    repeat.setdefault("when", []).append(code)
    if not MEALS.isdisjoint(repeat["when"]):
        return
    low = node.at("offset/low") or node.one("offset")
    value, unit = _amount(low) if low is not None else (None, "")
    if low is not None and value is not None and unit in _FIXED:
        minutes = float(value) * _FIXED[unit] / 60
        if minutes >= 0 and minutes == int(minutes):
            low.get("value")
            low.get("unit")
            if minutes:
                repeat["offset"] = int(minutes)


def duration(node: Node | None) -> dict[str, Any] | None:
    """A PQ of time as Duration."""
    if node is None:
        return None
    value, unit = _amount(node)
    if value is None or unit not in UNITS:
        return None
    node.get("value")
    node.get("unit")
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def write(text: str) -> str:
    """The TS literal of a dateTime or instant."""
    day, _, clock = text.partition("T")
    if not clock:
        return day.replace("-", "")
    hours, zone = (clock[:-1], "+0000") if clock.endswith("Z") else (clock[:-6], clock[-6:].replace(":", ""))
    return day.replace("-", "") + hours.replace(":", "") + zone


def _amount(node: Node) -> tuple[Any, str]:
    return number(node.attributes.get("value")), node.attributes.get("unit") or ""


def _measure(found: dict[str, Any], width: Node) -> None:
    """The other end of a period of which one end and the length are known."""
    value, unit = _amount(width)
    start, end = found.get("start"), found.get("end")
    known = start or end
    if value is None or unit not in _FIXED or known is None or len(known) < 10:
        return
    width.get("value")
    width.get("unit")
    length = timedelta(seconds=float(value) * _FIXED[unit])
    moment = datetime.fromisoformat(known.replace("Z", "+00:00"))
    try:
        other = moment + length if start else moment - length
    except OverflowError:
        return
    text = other.date().isoformat() if len(known) == 10 else other.isoformat()
    found["end" if start else "start"] = text


def _taken(node: Node | None) -> str | None:
    """The dateTime in `@value`, marked as read when it is one."""
    if node is None:
        return None
    text = read(node.attributes.get("value"))
    if text is not None:
        node.get("value")
    return text


def earliest(texts: Iterable[str]) -> str | None:
    """The first of some dateTimes in time, as far as their precision tells."""
    return min(texts, key=as_instant_key, default=None)


def latest(texts: Iterable[str]) -> str | None:
    """The last of some dateTimes in time."""
    return max(texts, key=as_instant_key, default=None)


def as_instant_key(text: str) -> datetime:
    return datetime.fromisoformat(as_instant(text).replace("Z", "+00:00"))
