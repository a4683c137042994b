"""The agenda of the demo: the physician's slots of the next days, and what the family has booked, had and noted."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from fhirserver.access.keys import RPPS
from fhirserver.access.zones import METROPOLE
from fhirserver.cli.demo_bundle import entry
from fhirserver.espace.agenda.series import Series, spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Resource = dict[str, Any]

SCHEDULE: Final = "urn:uuid:00000000-0000-4000-8000-61676e646101"
_SLOT: Final = "urn:uuid:00000000-0000-4000-8000-6167{:08d}"
_NAMES: Final = {"claire": "Claire EXEMPLE", "lea": "Léa EXEMPLE"}
_DOCTOR: Final = "DR Dominique SOIGNANT"
_BOOKED: Final = {0: ("claire", "booked", "Renouvellement de traitement"), 5: ("lea", "booked", "Certificat de sport")}
_ASKED: Final = {7: ("claire", "pending", "Douleur au genou")}
"""By the number of the slot: whose, the status, and why."""


def entries(urls: Mapping[str, str], rpps: str, now: datetime | None = None) -> Iterator[Resource]:
    """Entries of the transaction. `urls`: the full URLs of the family and the physician, by name; `rpps`: his number.

    The transaction that stores him does not know yet whose number a reference to him means.
    """
    moment = now or datetime.now(UTC)
    schedule = {
        "resourceType": "Schedule",
        "active": True,
        "actor": [{"reference": urls["physician"], "display": _DOCTOR}],
        "comment": "Consultations de médecine générale",
    }
    yield entry(schedule, SCHEDULE)
    free = spans(_week(moment.date()), moment)
    for number, (start, end) in enumerate(free):
        whose = _BOOKED.get(number) or _ASKED.get(number)
        status = "free" if whose is None else "busy" if number in _BOOKED else "busy-tentative"
        slot = {"resourceType": "Slot", "schedule": {"reference": SCHEDULE}, "status": status, **_times(start, end)}
        yield entry(slot, _SLOT.format(number))
        if whose is not None:
            name, state, why = whose
            told = {"slot": [{"reference": _SLOT.format(number)}], "comment": why}
            yield entry(_appointment(urls, rpps, name, state, start, end) | told)
    for weeks, state in ((3, "fulfilled"), (9, "cancelled")):
        start = free[0][0] - timedelta(weeks=weeks)
        made = _appointment(urls, rpps, "claire", state, start, start + timedelta(minutes=30))
        yield entry(made | ({"cancelationReason": {"text": "Absence du médecin"}} if state == "cancelled" else {}))
    start = free[-1][0] + timedelta(weeks=1, hours=5)
    note = _appointment(urls, rpps, "claire", "booked", start, start + timedelta(minutes=30))
    yield entry(note | {"description": "Dentiste", "participant": note["participant"][:1]})


def _week(today: date) -> Series:
    """Mornings of a week of working days, from tomorrow on."""
    days = frozenset(range(5))
    return Series(today + timedelta(days=1), today + timedelta(days=7), days, time(9), time(11), 30, METROPOLE)


def _appointment(
    urls: Mapping[str, str], rpps: str, name: str, status: str, start: datetime, end: datetime
) -> Resource:
    doctor = {"reference": urls["physician"], "identifier": {"system": RPPS, "value": rpps}, "display": _DOCTOR}
    answered = status != "pending"
    return {
        "resourceType": "Appointment",
        "status": status,
        **_times(start, end),
        "participant": [
            {"actor": {"reference": urls[name], "display": _NAMES[name]}, "status": "accepted"},
            {"actor": doctor, "status": "accepted" if answered else "needs-action"},
        ],
    }


def _times(start: datetime, end: datetime) -> Resource:
    return {"start": start.isoformat(timespec="seconds"), "end": end.isoformat(timespec="seconds")}
