"""Days and times as a page tells them: in words of its language, in the zone of the record that it shows.

The zone of a record is that of the person's home: the local time overseas, Europe/Paris elsewhere; Europe/Paris too on
pages of no record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from flask import g, has_app_context

from fhirserver.access.zones import METROPOLE
from fhirserver.access.zones import zone as zone_of
from fhirserver.espace import tables
from fhirserver.portal.language import ENGLISH, N_, _, current, of_number
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from jinja2 import Environment

_MONTHS: Final = (
    N_("janvier"), N_("février"), N_("mars"), N_("avril"), N_("mai"), N_("juin"), N_("juillet"), N_("août"),
    N_("septembre"), N_("octobre"), N_("novembre"), N_("décembre"),
)  # fmt: skip
_PLACES: Final = {
    "America/Guadeloupe": N_("Guadeloupe"),
    "America/Martinique": N_("Martinique"),
    "America/Cayenne": N_("Guyane"),
    "America/Miquelon": N_("Saint-Pierre-et-Miquelon"),
    "America/St_Barthelemy": N_("Saint-Barthélemy"),
    "America/Marigot": N_("Saint-Martin"),
    "Indian/Reunion": N_("La Réunion"),
    "Indian/Mayotte": N_("Mayotte"),
    "Pacific/Wallis": N_("Wallis-et-Futuna"),
    "Pacific/Tahiti": N_("Polynésie française"),
    "Pacific/Noumea": N_("Nouvelle-Calédonie"),
}


def install(environment: Environment) -> None:
    """The filters of templates: `{{ at|day }}`, `{{ at|moment }}`, `{{ "code"|delay }}`."""
    environment.filters |= {"day": day, "moment": moment, "delay": delay}


def of_record(patient: Mapping[str, Any]) -> None:
    """From now on, times of the page being answered are those of this person's home."""
    g.zone = ZoneInfo(zone_of(patient))


def zone() -> ZoneInfo:
    """The zone that the page tells times in."""
    found: ZoneInfo | None = g.get("zone") if has_app_context() else None
    return found or ZoneInfo(METROPOLE)


def place() -> str:
    """Whose time the page tells, where that is not the time of Paris."""
    return place_of(zone().key)


def place_of(name: str) -> str:
    """What a zone overseas is called; empty of others."""
    return _(_PLACES.get(name, ""))


def day(at: datetime) -> str:
    """The day of a moment: 1er mars 2026."""
    local = at.astimezone(zone())
    return calendar_day(local.year, local.month, local.day)


def moment(at: datetime) -> str:
    """A moment, to the minute: 1er mars 2026 à 9 h 05."""
    local = at.astimezone(zone())
    return _("%(day)s à %(time)s", day=day(at), time=clock_time(local.hour, local.minute))


def delay(name: str) -> str:
    """How long a legal delay lasts that begins today: 6 semaines."""
    found = tables.delay(name, services().clock().astimezone(zone()).date())
    told = {
        "days": of_number("%(count)s jour", "%(count)s jours", found.number),
        "weeks": of_number("%(count)s semaine", "%(count)s semaines", found.number),
        "months": of_number("%(count)s mois", "%(count)s mois", found.number),
        "years": of_number("%(count)s an", "%(count)s ans", found.number),
    }[found.unit]
    return told % {"count": found.number}


def clock_time(hour: int, minute: int) -> str:
    """A time of the day, which stays on one line: 9 h 05, or 09:05 in English."""
    return f"{hour:02}:{minute:02}" if current() == ENGLISH else f"{hour}\u00a0h\u00a0{minute:02}"


def calendar_day(year: int, month: int = 0, day: int = 0) -> str:
    """A date as exact as it is; 0 for what is not known."""
    first = day == 1 and current() != ENGLISH
    told = ["1er" if first else str(day or ""), _(_MONTHS[month - 1]) if month else "", str(year)]
    return " ".join(filter(None, told))
