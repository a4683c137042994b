"""An agenda: a physician of a hospital with slots, and a person who books."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.records import organization, patient, practitioner, reference

if TYPE_CHECKING:
    from tests.application import Application, Caller

Resource = dict[str, Any]

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
DOCTOR, OTHER = "10000000018", "10000000026"
HOSPITAL, CLINIC = "750000001", "750000002"
HALF = timedelta(minutes=30)


class Agenda(NamedTuple):
    """`server` at `NOW`; ids of who is there; `slots` of half an hour from nine o'clock (UTC) on."""

    server: Application
    practitioner: str
    role: str
    schedule: str
    slots: tuple[str, ...]
    patient: str
    stranger: str

    @property
    def holder(self) -> Caller:
        return self.server.patient(self.patient)

    @property
    def doctor(self) -> Caller:
        return self.server.practitioner(DOCTOR, organization=HOSPITAL)

    @property
    def hospital(self) -> Caller:
        return self.server.system(HOSPITAL)

    def appointment(self, *numbers: int, status: str = "booked", **more: Any) -> Resource:
        """On these slots, of the patient with the physician."""
        start = NOW.replace(hour=9) + HALF * min(numbers, default=0)
        times = {"start": told(start), "end": told(start + HALF * len(numbers))} if numbers else {}
        slots = {"slot": [reference(f"Slot/{self.slots[each]}") for each in numbers]} if numbers else {}
        made = {"resourceType": "Appointment", "status": status, **times, **slots}
        return made | {"participant": self.participants(f"Patient/{self.patient}")} | more

    def participants(self, *actors: str) -> list[Resource]:
        all_ = (*actors, f"Practitioner/{self.practitioner}")
        return [{"actor": reference(each), "status": "accepted"} for each in all_]

    def states(self, *numbers: int) -> list[str]:
        """The statuses of slots."""
        return [self.holder.get(f"Slot/{self.slots[each]}").json["status"] for each in numbers]


def told(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def slot(schedule: str, start: datetime, **more: Any) -> Resource:
    return {
        "resourceType": "Slot",
        "schedule": reference(f"Schedule/{schedule}"),
        "status": "free",
        "start": told(start),
        "end": told(start + HALF),
        **more,
    }


def opened(application: Application, slots: int = 6) -> Agenda:
    """A new person, and a new schedule of the physician, who made it himself."""
    server = application.at(NOW)
    operator = server.operator()
    known = operator.search("Practitioner", identifier=f"https://rpps.esante.gouv.fr|{DOCTOR}").ids
    who = known[0] if known else operator.create(practitioner(DOCTOR))
    where = operator.create(organization(HOSPITAL))
    role = {"resourceType": "PractitionerRole", "practitioner": reference(f"Practitioner/{who}")}
    role_id = operator.create({**role, "organization": reference(f"Organization/{where}")})
    doctor = server.practitioner(DOCTOR, organization=HOSPITAL)
    schedule = {"resourceType": "Schedule", "active": True, "actor": [reference(f"Practitioner/{who}")]}
    schedule_id = doctor.create(schedule)
    first = NOW.replace(hour=9)
    made = tuple(doctor.create(slot(schedule_id, first + HALF * each)) for each in range(slots))
    mine, theirs = (operator.create(patient()) for _ in range(2))
    return Agenda(server, who, role_id, schedule_id, made, mine, theirs)
