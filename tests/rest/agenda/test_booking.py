"""Appointments over HTTP: booked, moved, cancelled by either side, with the slots that they take."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.rest.tracing.keeping import Keeping
from tests.records import post, put, reference
from tests.rest.agenda.world import CLINIC, HALF, NOW, OTHER, Agenda, slot, told

if TYPE_CHECKING:
    from tests.application import Answer


def changed(agenda: Agenda, id: str, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = agenda.server.operator().get(f"Appointment/{id}").json
    return {name: value for name, value in (found | more).items() if value is not None}


def test_a_person_books_moves_and_cancels_and_the_slots_follow(agenda: Agenda) -> None:
    id = agenda.holder.create(agenda.appointment(0, 1))
    assert agenda.states(0, 1, 2) == ["busy", "busy", "free"]
    moved = agenda.appointment(1, 2)
    answer = agenda.holder.put(f"Appointment/{id}", changed(agenda, id, **moved))
    assert answer.status == 200, answer.json
    assert agenda.states(0, 1, 2) == ["free", "busy", "busy"]
    answer = agenda.holder.put(f"Appointment/{id}", changed(agenda, id, status="cancelled"))
    assert answer.status == 200, answer.json
    assert agenda.states(0, 1, 2) == ["free", "free", "free"]


def test_what_is_asked_for_is_confirmed_or_declined_by_the_other_side(agenda: Agenda) -> None:
    id = agenda.holder.create(agenda.appointment(0, status="pending"))
    assert agenda.states(0) == ["busy-tentative"]
    assert agenda.holder.put(f"Appointment/{id}", changed(agenda, id, status="booked")).status == 403
    assert agenda.doctor.put(f"Appointment/{id}", changed(agenda, id, status="booked")).status == 200
    assert agenda.states(0) == ["busy"]
    other = agenda.holder.create(agenda.appointment(1, status="proposed"))
    refused = agenda.doctor.put(f"Appointment/{other}", changed(agenda, other, status="cancelled"))
    assert (refused.status, "cancelationReason" in refused.told) == (422, True)
    why = {"cancelationReason": {"text": "Absence"}}
    assert agenda.doctor.put(f"Appointment/{other}", changed(agenda, other, status="cancelled", **why)).status == 200
    assert agenda.states(1) == ["free"]


def test_what_the_professional_proposes_the_person_confirms(agenda: Agenda) -> None:
    id = agenda.doctor.create(agenda.appointment(0, status="proposed"))
    assert agenda.holder.put(f"Appointment/{id}", changed(agenda, id, status="booked")).status == 200
    assert agenda.states(0) == ["busy"]


def test_of_those_who_book_one_slot_at_once_one_has_it(agenda: Agenda) -> None:
    callers = [agenda.holder for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda each: each.post("Appointment", agenda.appointment(3)), callers))
    assert sorted(each.status for each in found) == [201, 409, 409, 409, 409, 409]
    assert agenda.holder.search("Appointment", slot=f"Slot/{agenda.slots[3]}").total == 1


def test_a_slot_that_is_taken_is_refused_in_the_words_of_who_asks(agenda: Agenda) -> None:
    agenda.holder.create(agenda.appointment(0))
    assert "not free" in agenda.holder.post("Appointment", agenda.appointment(0)).told
    french = agenda.holder.post("Appointment", agenda.appointment(0), Accept_Language="fr")
    assert "Ce créneau vient d’être pris" in french.told


def test_two_of_one_bundle_do_not_have_the_same_slot(agenda: Agenda) -> None:
    assert agenda.holder.transact(post(agenda.appointment(0)), post(agenda.appointment(0))).status == 409
    assert agenda.states(0) == ["free"]
    assert agenda.holder.transact(post(agenda.appointment(0)), post(agenda.appointment(1))).status == 200
    assert agenda.states(0, 1) == ["busy", "busy"]


def test_a_bundle_swaps_an_appointment_for_another_on_the_same_slot(agenda: Agenda) -> None:
    id = agenda.holder.create(agenda.appointment(0))
    away = put(changed(agenda, id, **agenda.appointment(1)))
    assert agenda.holder.transact(away).status == 200
    assert agenda.states(0, 1) == ["free", "busy"]


def test_patches_and_conditional_writes_pass_the_same_rules(agenda: Agenda) -> None:
    id = agenda.doctor.create(agenda.appointment(0, identifier=[{"system": "urn:test", "value": agenda.patient}]))
    patch = [{"op": "replace", "path": "/status", "value": "arrived"}]
    json_patch = {"Content-Type": "application/json-patch+json"}
    refused = agenda.holder.call("PATCH", f"Appointment/{id}", patch, json_patch)
    assert refused.status == 403, refused.json
    where = f"Appointment?identifier=urn:test|{agenda.patient}"
    cancelled = changed(agenda, id, status="cancelled")
    assert agenda.doctor.put(where, cancelled).status == 422
    assert agenda.doctor.put(where, {**cancelled, "cancelationReason": {"text": "Grève"}}).status == 200
    assert agenda.states(0) == ["free"]


def refusals(agenda: Agenda) -> dict[str, tuple[dict[str, Any], int, str]]:
    book, half, me = agenda.appointment, timedelta(minutes=30), f"Patient/{agenda.patient}"
    stranger = agenda.server.operator().create({"resourceType": "Practitioner"})
    here = NOW.replace(hour=9)
    return {
        "no such slot": (book(0, slot=[reference("Slot/none")]), 422, "not known"),
        "not a slot": (book(0, slot=[reference("Basic/x")]), 422, ""),
        "a slot elsewhere": (book(0, slot=[reference("https://a.example/Slot/1")]), 422, "reference to a Slot"),
        "a slot twice": (book(0, slot=[reference(f"Slot/{agenda.slots[0]}")] * 2), 422, "each once"),
        "a gap": (book(0, 2, end=told(here + 3 * half)), 422, "without a gap"),
        "longer than the slot": (book(0, end=told(here + 2 * half)), 422, "within its slots"),
        "earlier than the slot": (book(1, start=told(here)), 422, "within its slots"),
        "no end": ({name: each for name, each in book(0).items() if name != "end"}, 422, "start and end"),
        "ends before it starts": (book(0, end=told(here - half)), 422, "ends after"),
        "nobody of the schedule": (
            book(0, participant=agenda.participants(me)[:1]),
            422,
            "actor",
        ),
        "somebody else": (
            book(0, participant=agenda.participants(me, f"Practitioner/{stranger}")),
            403,
            "names as participants",
        ),
        "somebody by number": (
            book(
                0,
                participant=[*agenda.participants(me), number("https://rpps.esante.gouv.fr")],
            ),
            403,
            "names as participants",
        ),
        "another patient's": (
            book(0, participant=agenda.participants(f"Patient/{agenda.stranger}")),
            403,
            "own record",
        ),
        "a professional without a slot": (
            book(status="booked", start=told(here), end=told(here + half)),
            403,
            "names as",
        ),
        "asked for without a slot": (
            agenda.appointment(status="proposed", participant=agenda.participants(me)[:1]),
            403,
            "Without a slot",
        ),
        "arrived at once": (book(0, status="arrived"), 409, "does not become arrived"),
        "the server's tag": (
            book(0, meta={"tag": [{"system": "urn:fhirserver:participant", "code": "rpps|10000000026"}]}),
            403,
            "",
        ),
    }


def number(system: str) -> dict[str, Any]:
    return {"actor": {"identifier": {"system": system, "value": OTHER}}, "status": "accepted"}


def test_what_a_person_may_not_book_stores_nothing(agenda: Agenda) -> None:
    for name, (body, status, text) in refusals(agenda).items():
        answer = agenda.holder.post("Appointment", body)
        assert (answer.status, text in answer.told) == (status, True), (name, answer.json)
    assert set(agenda.states(*range(6))) == {"free"}
    assert agenda.holder.search("Appointment").total == 0


def test_slots_of_two_schedules_or_of_one_that_is_shut_carry_nothing(agenda: Agenda) -> None:
    shut = agenda.doctor.get(f"Schedule/{agenda.schedule}").json | {"active": False}
    first = NOW.replace(hour=9)
    schedule = {**shut, "active": True}
    del schedule["id"], schedule["meta"]
    second = agenda.doctor.create(schedule)
    there = agenda.doctor.create(slot(second, first + HALF))
    both = [reference(f"Slot/{agenda.slots[0]}"), reference(f"Slot/{there}")]
    answer = agenda.holder.post("Appointment", agenda.appointment(0, slot=both))
    assert (answer.status, "one schedule" in answer.told) == (422, True)
    assert agenda.doctor.put(f"Schedule/{agenda.schedule}", shut).status == 200
    assert agenda.holder.post("Appointment", agenda.appointment(0)).status == 422


def test_time_decides_for_either_side(agenda: Agenda) -> None:
    id, start = agenda.holder.create(agenda.appointment(0)), NOW.replace(hour=9)
    cancelled = changed(agenda, id, status="cancelled", cancelationReason={"text": "Urgence"})
    for moment, mine, theirs in ((start, 409, None), (start + HALF, 409, 409), (start, 409, 200)):
        later = agenda._replace(server=agenda.server.at(moment))
        assert later.holder.put(f"Appointment/{id}", cancelled).status == mine
        assert later.holder.post("Appointment", agenda.appointment(0)).status == 409
        if theirs is not None:
            assert later.doctor.put(f"Appointment/{id}", cancelled).status == theirs


def test_a_note_of_ones_own_is_the_persons_to_change_and_delete(agenda: Agenda) -> None:
    me = [{"actor": reference(f"Patient/{agenda.patient}"), "status": "accepted"}]
    note = agenda.appointment(participant=me, start=told(NOW), end=told(NOW + HALF), description="Dentiste")
    id = agenda.holder.create(note)
    assert agenda.doctor.get(f"Appointment/{id}").status == 404
    assert agenda.holder.put(f"Appointment/{id}", changed(agenda, id, start=told(NOW - HALF))).status == 200
    assert agenda.holder.delete(f"Appointment/{id}").status == 204


def test_what_is_booked_is_not_deleted_but_cancelled(agenda: Agenda) -> None:
    id = agenda.doctor.create(agenda.appointment(0))
    assert agenda.doctor.delete(f"Appointment/{id}").status == 409
    assert agenda.holder.delete(f"Appointment/{id}").status == 403
    why = {"cancelationReason": {"text": "Erreur"}}
    assert agenda.doctor.put(f"Appointment/{id}", changed(agenda, id, status="cancelled", **why)).status == 200
    assert agenda.doctor.delete(f"Appointment/{id}").status == 204


def test_who_keeps_the_agenda_and_his_establishment_see_it_and_nobody_else(agenda: Agenda) -> None:
    id = agenda.holder.create(agenda.appointment(0))
    tags = agenda.holder.get(f"Appointment/{id}").json["meta"]["tag"]
    assert tags == [{"system": "urn:fhirserver:participant", "code": "finess|750000001"}]
    without = changed(agenda, id, comment="Je viens à pied")
    del without["meta"]
    assert agenda.holder.put(f"Appointment/{id}", without).status == 200
    seen: dict[str, Answer] = {
        "doctor": agenda.doctor.get(f"Appointment/{id}"),
        "hospital": agenda.hospital.get(f"Appointment/{id}"),
        "another": agenda.server.practitioner(OTHER, organization=CLINIC).get(f"Appointment/{id}"),
        "clinic": agenda.server.system(CLINIC).get(f"Appointment/{id}"),
        "stranger": agenda.server.patient(agenda.stranger).get(f"Appointment/{id}"),
    }
    assert [each.status for each in seen.values()] == [200, 200, 404, 404, 404]
    assert agenda.hospital.put(f"Appointment/{id}", changed(agenda, id, comment="Salle 4")).status == 200


@pytest.mark.parametrize("status", ["booked", "cancelled"])
def test_the_person_is_told_what_the_other_side_does(agenda: Agenda, status: str) -> None:
    id = agenda.doctor.create(agenda.appointment(0))
    if status == "cancelled":
        why = {"cancelationReason": {"text": "Absence"}}
        agenda.doctor.put(f"Appointment/{id}", changed(agenda, id, status=status, **why))
    else:
        agenda.holder.put(f"Appointment/{id}", changed(agenda, id, comment="Merci"))
    Keeping(agenda.server.services).deliver(datetime.now(UTC) + timedelta(minutes=1))
    texts = str(agenda.holder.search("Communication").json)
    assert texts.count("inscrit un rendez-vous") == 1
    assert texts.count("annulé un rendez-vous") == (status == "cancelled")


def test_searches_of_the_gap_profile(agenda: Agenda) -> None:
    agenda.holder.create(agenda.appointment(0))
    who, day = f"Practitioner/{agenda.practitioner}", "2026-03-02"
    own = ("schedule", f"Schedule/{agenda.schedule}")
    asked = (("schedule.actor", who), own, ("status", "free"), ("_include", "Slot:schedule"))
    for comparator, count in (("ge", 5), ("gt", 4), ("lt", 0), ("le", 1), ("eq", 1)):
        found = agenda.holder.search("Slot", *asked, ("start", f"{comparator}{day}T09:30:00Z"))
        matched = [each for each in found.json["entry"] if each["search"]["mode"] == "match"] if found.total else []
        assert len(matched) == count, (comparator, found.json)
    included = agenda.holder.search("Slot", *asked, ("start", f"ge{day}")).json["entry"]
    assert [each["resource"]["resourceType"] for each in included].count("Schedule") == 1
    mine = agenda.doctor.search("Appointment", actor=who, date=f"ge{day}", status="booked", patient=agenda.patient)
    assert mine.total == 1
    assert agenda.hospital.search("Appointment", slot=f"Slot/{agenda.slots[0]}").total == 1


def test_what_an_operator_stores_is_as_he_sends_it_and_gives_slots_back(agenda: Agenda) -> None:
    operator = agenda.server.operator()
    assert operator.create(agenda.appointment(0))
    assert agenda.states(0) == ["free"]
    ids = [agenda.holder.create(agenda.appointment(0)), operator.create(agenda.appointment(0))]
    states = []
    for each in ids:
        assert operator.delete(f"Appointment/{each}").status == 204
        states += agenda.states(0)
    assert states == ["busy", "busy"]
    last = operator.search("Appointment", slot=f"Slot/{agenda.slots[0]}").ids
    assert [operator.delete(f"Appointment/{each}").status for each in last] == [204]
    assert agenda.states(0) == ["free"]
    assert operator.create(agenda.appointment(1, slot=[reference("Slot/elsewhere")]))


def test_a_batch_books_entry_by_entry(agenda: Agenda) -> None:
    entries = [post(agenda.appointment(0)) for _ in range(2)]
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    found = agenda.holder.post("", bundle).json["entry"]
    assert sorted(each["response"]["status"][:3] for each in found) == ["201", "409"]


@pytest.mark.parametrize("start", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "9999-01-01T00:00:00Z"])
def test_what_lies_at_the_ends_of_the_calendar_is_refused(agenda: Agenda, start: str) -> None:
    before = agenda.server.counts()
    made = agenda.appointment() | {"start": start, "end": start}
    for who, participants in ((agenda.doctor, made["participant"]), (agenda.holder, made["participant"][:1])):
        assert who.post("Appointment", made | {"participant": participants}).status == 422
    slot = agenda.doctor.get(f"Slot/{agenda.slots[0]}").json
    assert agenda.doctor.put(f"Slot/{agenda.slots[0]}", slot | {"start": start, "end": start}).status == 422
    assert agenda.server.counts() == before


def test_the_holder_changes_and_deletes_what_a_representative_noted(agenda: Agenda) -> None:
    operator, who = agenda.server.operator(), f"Patient/{agenda.patient}"
    born = operator.get(who).json
    operator.store(born | {"birthDate": "2015-01-01"})
    related = operator.create({"resourceType": "RelatedPerson", "active": True, "patient": reference(who)})
    parent = agenda.server.representative(agenda.patient, related)
    note = agenda.appointment() | {"participant": agenda.participants(who)[:1], "description": "Dentiste"}
    times = {"start": told(NOW + HALF), "end": told(NOW + 2 * HALF)}
    made = parent.create(note | times)
    found = agenda.holder.get(f"Appointment/{made}").json
    assert agenda.holder.put(f"Appointment/{made}", found | {"description": "Orthodontiste"}).status == 200
    assert agenda.holder.delete(f"Appointment/{made}").status == 204
    mine = agenda.holder.create(note | times)
    assert parent.delete(f"Appointment/{mine}").status == 403
