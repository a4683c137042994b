"""Schedules and slots: kept by who they are of, without a word of who booked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.application import BASE
from tests.records import reference
from tests.rest.agenda.world import CLINIC, DOCTOR, HALF, HOSPITAL, NOW, OTHER, Agenda, slot

if TYPE_CHECKING:
    from tests.application import Caller


def schedule(*actors: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Schedule", "active": True, "actor": [reference(each) for each in actors], **more}


def test_a_schedule_is_opened_by_its_actor_or_his_establishment(agenda: Agenda) -> None:
    operator = agenda.server.operator()
    place = {"resourceType": "Location", "managingOrganization": {"identifier": finess(HOSPITAL)}}
    service = {"resourceType": "HealthcareService", "providedBy": {"identifier": finess(CLINIC)}}
    location, unit = f"Location/{operator.create(place)}", f"HealthcareService/{operator.create(service)}"
    person, role = f"Practitioner/{agenda.practitioner}", f"PractitionerRole/{agenda.role}"
    other, clinic = agenda.server.practitioner(OTHER), agenda.server.system(CLINIC)
    table: list[tuple[Caller, tuple[str, ...], int]] = [
        (agenda.doctor, (person,), 201),
        (agenda.doctor, (role,), 201),
        (agenda.hospital, (role, location), 201),
        (agenda.hospital, (location,), 201),
        (clinic, (unit,), 201),
        (agenda.hospital, (person,), 403),
        (clinic, (role,), 403),
        (clinic, (location,), 403),
        (other, (person,), 403),
        (other, ("Practitioner/none",), 403),
        (agenda.holder, (person,), 403),
    ]
    for caller, actors, status in table:
        answer = caller.post("Schedule", schedule(*actors))
        assert answer.status == status, (actors, answer.json)


def test_nobody_opens_a_schedule_in_the_name_of_another(agenda: Agenda) -> None:
    thief = agenda.server.practitioner(OTHER, organization=CLINIC)
    mine = {"identifier": {"system": "https://rpps.esante.gouv.fr", "value": OTHER}}
    theirs = [f"Practitioner/{agenda.practitioner}", f"PractitionerRole/{agenda.role}"]
    theirs += [f"{BASE}/{each}" for each in theirs]
    before = agenda.server.counts()
    for each in theirs:
        for actors in ([reference(each), mine], [reference(each) | mine]):
            answer = thief.post("Schedule", schedule() | {"actor": actors})
            assert answer.status == 403, actors
    by_number = {"identifier": {"system": "https://rpps.esante.gouv.fr", "value": DOCTOR}}
    assert thief.post("Schedule", schedule() | {"actor": [mine, by_number]}).status == 403
    assert agenda.server.counts() == before


def test_slots_are_made_and_changed_by_who_keeps_the_schedule(agenda: Agenda) -> None:
    made = slot(agenda.schedule, NOW.replace(hour=20))
    other = agenda.server.practitioner(OTHER, organization=CLINIC)
    assert agenda.hospital.create(made)
    refused = other.post("Slot", made)
    assert (refused.status, "who keeps their schedule" in refused.told) == (403, True)
    mine = agenda.doctor.get(f"Slot/{agenda.slots[0]}").json
    assert other.put(f"Slot/{agenda.slots[0]}", {**mine, "status": "busy"}).status == 403
    assert other.delete(f"Slot/{agenda.slots[0]}").status == 403
    assert agenda.doctor.put(f"Slot/{agenda.slots[0]}", {**mine, "status": "busy-unavailable"}).status == 200
    assert agenda.holder.put(f"Slot/{agenda.slots[0]}", mine).status == 403


def test_a_slot_that_carries_an_appointment_stays_as_it_is(agenda: Agenda) -> None:
    agenda.holder.create(agenda.appointment(0))
    found = agenda.doctor.get(f"Slot/{agenda.slots[0]}").json
    later = slot(agenda.schedule, NOW.replace(hour=18))
    for change in ({"status": "free"}, {"start": later["start"], "end": later["end"]}):
        answer = agenda.doctor.put(f"Slot/{agenda.slots[0]}", {**found, **change})
        assert (answer.status, "carries an appointment" in answer.told) == (409, True)
    assert agenda.doctor.delete(f"Slot/{agenda.slots[0]}").status == 409
    assert agenda.doctor.put(f"Slot/{agenda.slots[0]}", {**found, "comment": "1er étage"}).status == 200
    assert agenda.doctor.delete(f"Slot/{agenda.slots[1]}").status == 204


def test_neither_slot_nor_schedule_names_a_person(agenda: Agenda) -> None:
    who, good = f"Patient/{agenda.patient}", slot(agenda.schedule, NOW)
    url = "https://a.example/who"
    ins = {"system": "urn:oid:1.2.250.1.213.1.4.11", "value": "284027505600134"}
    bad: list[dict[str, Any]] = [
        {"extension": [{"url": url, "valueReference": {"reference": who}}]},
        {"extension": [{"url": url, "valueReference": {"reference": f"https://a.example/fhir/{who}"}}]},
        {"extension": [{"url": url, "valueReference": {"type": "Patient", "display": "Claire"}}]},
        {"extension": [{"url": url, "valueIdentifier": ins}]},
        {"identifier": [ins]},
        {"extension": [{"url": url, "valueReference": {"reference": "RelatedPerson/x"}}]},
    ]
    for each in bad:
        for caller in (agenda.doctor, agenda.server.operator()):
            answer = caller.post("Slot", good | each)
            assert (answer.status, "names no patient" in answer.told) == (422, True), each
    assert agenda.doctor.post("Schedule", schedule(f"Practitioner/{agenda.practitioner}", who)).status == 422
    backwards = good | {"end": good["start"], "start": slot(agenda.schedule, NOW + HALF)["start"]}
    assert "ends after it starts" in agenda.doctor.post("Slot", backwards).told


def test_everybody_sees_that_a_slot_is_taken_and_nobody_by_whom(agenda: Agenda) -> None:
    agenda.holder.create(agenda.appointment(0, comment="Douleur au genou"))
    other = agenda.server.patient(agenda.stranger)
    said = [other.get(f"Slot/{agenda.slots[0]}"), other.get(f"Slot/{agenda.slots[0]}/_history")]
    said.append(agenda.server.practitioner(OTHER).search("Slot", schedule=f"Schedule/{agenda.schedule}"))
    for each in said:
        assert each.status == 200
        assert agenda.patient.encode() not in each.content
        assert b"genou" not in each.content
    assert other.search("Slot", ("_revinclude", "Appointment:slot"), schedule=f"Schedule/{agenda.schedule}").total == 6
    found = other.search("Slot", ("_has:Appointment:slot:status", "booked"))
    assert found.total == 0


def finess(number: str) -> dict[str, str]:
    return {"system": "https://finess.esante.gouv.fr", "value": number}


def test_who_represents_the_schedule_is_known_by_number(agenda: Agenda) -> None:
    by_number = {"identifier": {"system": "https://rpps.esante.gouv.fr", "value": DOCTOR}}
    made = {"resourceType": "Schedule", "actor": [by_number]}
    assert agenda.doctor.post("Schedule", made).status == 201
    assert agenda.server.practitioner(OTHER).post("Schedule", made).status == 403
