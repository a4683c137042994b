"""Where a person lives, as far as days go: the time zone of the home (`zones.csv`)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from fhirserver.access import tables

if TYPE_CHECKING:
    from collections.abc import Mapping

METROPOLE: Final = "Europe/Paris"


def zone(patient: Mapping[str, Any]) -> str:
    """The time zone of a person: that of the postal code of the home, overseas; `METROPOLE` elsewhere. Never raises.

    The longest prefix counts: Saint-Barthélemy and Saint-Martin have codes of Guadeloupe.
    """
    addresses = patient.get("address")
    listed = addresses if isinstance(addresses, list) else []
    told = [each for each in listed if isinstance(each, dict) and each.get("use") != "old"]
    for address in sorted(told, key=lambda each: each.get("use") != "home"):
        code = str(address.get("postalCode") or "").replace(" ", "")
        found = [row for row in _zones() if code.startswith(row[0])]
        if code:
            return max(found, key=lambda row: len(row[0]))[1] if found else METROPOLE
    return METROPOLE


def midnight(day: date, where: str) -> datetime:
    """The first moment of a day somewhere, in UTC."""
    return datetime.combine(day, time(), ZoneInfo(where)).astimezone(UTC)


@cache
def names() -> tuple[str, ...]:
    """All zones that there are."""
    return (METROPOLE, *sorted({zone for _, zone in _zones()}))


@cache
def _zones() -> tuple[tuple[str, str], ...]:
    return tuple((row["prefix"], row["zone"]) for row in tables.rows("zones.csv"))
