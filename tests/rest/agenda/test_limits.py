"""How many slots somebody books, over HTTP: counted where they are taken, even of several bookings at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.espace.agenda import limits
from tests.records import post, reference
from tests.rest.agenda.world import HALF, NOW, Agenda, slot

if TYPE_CHECKING:
    from tests.application import Answer

FEW = {
    ("appointment", "holder"): 2,
    ("appointment", "professional"): 3,
    ("schedule", "holder"): 3,
    ("all", "holder"): 4,
}


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table with smaller numbers."""
    monkeypatch.setattr(limits, "limits", lambda: FEW)


def many(answer: Answer, what: str) -> bool:
    return answer.status == 422 and what in answer.told


HERE, ALL = "coming slots of one agenda", "all agendas together"


def test_one_appointment_names_no_more_slots_than_the_table_has(agenda: Agenda) -> None:
    refused = agenda.holder.post("Appointment", agenda.appointment(0, 1, 2))
    assert many(refused, "names 2 slots at most"), refused.json
    assert agenda.doctor.post("Appointment", agenda.appointment(0, 1, 2)).status == 201
    assert many(agenda.doctor.post("Appointment", agenda.appointment(2, 3, 4, 5)), "names 3 slots at most")
    assert agenda.states(0, 1, 2, 3, 4, 5) == ["busy"] * 3 + ["free"] * 3


def test_a_person_books_no_more_of_one_agenda_than_the_table_has(agenda: Agenda) -> None:
    first = agenda.holder.create(agenda.appointment(0, 1))
    agenda.holder.create(agenda.appointment(2))
    refused = agenda.holder.post("Appointment", agenda.appointment(3))
    assert many(refused, HERE), refused.json
    assert many(agenda.holder.transact(post(agenda.appointment(3))), HERE)
    french = agenda.holder.post("Appointment", agenda.appointment(3), Accept_Language="fr")
    assert "demandez au professionnel" in french.told
    assert agenda.states(3) == ["free"]
    found = agenda.holder.get(f"Appointment/{first}").json
    assert agenda.holder.put(f"Appointment/{first}", found | {"comment": "À pied"}).status == 200
    assert agenda.holder.put(f"Appointment/{first}", found | agenda.appointment(3, 4)).status == 200, "moved"
    assert many(agenda.holder.post("Appointment", agenda.appointment(5)), HERE)
    found = agenda.holder.get(f"Appointment/{first}").json
    assert agenda.holder.put(f"Appointment/{first}", found | {"status": "cancelled"}).status == 200
    assert agenda.holder.post("Appointment", agenda.appointment(5)).status == 201


def test_one_bundle_books_no_more_than_the_table_has(agenda: Agenda) -> None:
    refused = agenda.holder.transact(*(post(agenda.appointment(each)) for each in range(4)))
    assert many(refused, HERE), refused.json
    assert set(agenda.states(*range(6))) == {"free"}
    assert agenda.holder.transact(*(post(agenda.appointment(each)) for each in range(3))).status == 200


def test_what_is_over_and_what_a_professional_booked_is_not_counted(agenda: Agenda) -> None:
    agenda.doctor.create(agenda.appointment(0, 1))
    agenda.holder.create(agenda.appointment(2, 3))
    agenda.holder.create(agenda.appointment(4))
    later = agenda._replace(server=agenda.server.at(NOW.replace(hour=10)))
    assert many(agenda.holder.post("Appointment", agenda.appointment(5)), HERE)
    assert later.holder.post("Appointment", agenda.appointment(5)).status == 201
    assert agenda.doctor.post("Appointment", agenda.appointment(5)).status == 409, "it is taken, not one too many"


def test_a_person_makes_what_a_professional_booked_no_longer(agenda: Agenda) -> None:
    given = agenda.doctor.create(agenda.appointment(0))
    found = agenda.holder.get(f"Appointment/{given}").json
    refused = agenda.holder.put(f"Appointment/{given}", found | agenda.appointment(1, 2))
    assert many(refused, "names 1 slots at most"), refused.json
    assert agenda.states(0, 1, 2) == ["busy", "free", "free"]
    assert agenda.holder.put(f"Appointment/{given}", found | agenda.appointment(1)).status == 200, "moved"
    found = agenda.doctor.get(f"Appointment/{given}").json
    assert agenda.doctor.put(f"Appointment/{given}", found | agenda.appointment(1, 2)).status == 200


def test_what_one_of_the_persons_side_makes_longer_counts_whoever_of_them_booked_it(
    agenda: Agenda, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "limits", lambda: {("schedule", "representative"): 2})
    operator, me = agenda.server.operator(), f"Patient/{agenda.patient}"
    operator.store(operator.get(me).json | {"birthDate": "2012-05-01"})
    parent = operator.create({"resourceType": "RelatedPerson", "active": True, "patient": reference(me)})
    mother = agenda.server.representative(agenda.patient, parent)
    mine = agenda.holder.create(agenda.appointment(0))
    found = mother.get(f"Appointment/{mine}").json
    assert many(mother.put(f"Appointment/{mine}", found | agenda.appointment(1, 2, 3)), HERE)
    assert mother.put(f"Appointment/{mine}", found | agenda.appointment(1, 2)).status == 200


def test_a_person_books_no_more_of_all_agendas_than_the_table_has(agenda: Agenda) -> None:
    schedule = {"resourceType": "Schedule", "active": True, "actor": [reference(f"Practitioner/{agenda.practitioner}")]}
    second = agenda.doctor.create(schedule)
    there = [agenda.doctor.create(slot(second, NOW.replace(hour=9) + HALF * each)) for each in range(2)]

    def elsewhere(number: int) -> dict[str, Any]:
        return agenda.appointment(number, slot=[reference(f"Slot/{there[number]}")])

    for each in range(3):
        agenda.holder.create(agenda.appointment(each))
    assert many(agenda.holder.post("Appointment", agenda.appointment(3)), HERE)
    agenda.holder.create(elsewhere(0))
    assert many(agenda.holder.post("Appointment", elsewhere(1)), ALL)


def test_of_bookings_at_once_no_more_pass_than_the_table_has(agenda: Agenda) -> None:
    holder = agenda.holder
    agenda.holder.create(agenda.appointment(0, 1))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda each: holder.post("Appointment", agenda.appointment(each)), range(2, 6)))
    assert sorted(each.status for each in found) == [201, 422, 422, 422], [each.told for each in found]
    assert sorted(agenda.states(2, 3, 4, 5)) == ["busy", "free", "free", "free"]
