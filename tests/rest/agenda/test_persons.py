"""An appointment names one patient, whoever writes it and by whatever way; what answers it stays in that record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.application import BASE
from tests.records import patient, post, reference
from tests.rest.agenda.world import NOW, Agenda

if TYPE_CHECKING:
    from tests.application import Answer

INS = {"system": "urn:oid:1.2.250.1.213.1.4.11", "value": "284027505600134"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}


def second(agenda: Agenda) -> dict[str, dict[str, Any]]:
    """The ways to name another patient."""
    who = f"Patient/{agenda.stranger}"
    return {
        "by id": {"reference": who},
        "by version": {"reference": f"{who}/_history/1"},
        "by URL": {"reference": f"{BASE}/{who}"},
        "elsewhere": {"reference": "https://a.example/fhir/Patient/1"},
        "by type": {"type": "Patient", "display": "Mme AUTRE"},
        "by number": {"identifier": INS, "display": "Mme AUTRE"},
        "twice the same": {"reference": f"Patient/{agenda.patient}"},
    }


def refused(answer: Answer) -> bool:
    return answer.status == 422 and "make one Appointment for each" in answer.told


def test_another_patient_is_refused_in_whatever_form(agenda: Agenda) -> None:
    for name, other in second(agenda).items():
        named = {"actor": other, "status": "accepted"}
        both = agenda.appointment(0, participant=[*agenda.participants(f"Patient/{agenda.patient}"), named])
        assert refused(agenda.hospital.post("Appointment", both)), name
    assert agenda.states(0) == ["free"]


def test_nobody_stores_an_appointment_of_two_patients_by_any_way(agenda: Agenda) -> None:
    operator, stranger = agenda.server.operator(), reference(f"Patient/{agenda.stranger}")
    both = agenda.appointment(0)
    both["participant"] += [{"actor": stranger, "status": "accepted"}]
    alone = agenda.doctor.create(agenda.appointment(1))
    stored = agenda.doctor.get(f"Appointment/{alone}").json
    add = [{"op": "add", "path": "/participant/-", "value": {"actor": stranger, "status": "accepted"}}]
    for caller in (agenda.doctor, operator):
        assert refused(caller.post("Appointment", both))
        assert refused(caller.transact(post(both)))
        assert refused(caller.put(f"Appointment/{alone}", stored | {"participant": both["participant"]}))
        assert refused(caller.call("PATCH", f"Appointment/{alone}", add, JSON_PATCH))
        batch = caller.post("", {"resourceType": "Bundle", "type": "batch", "entry": [post(both)]}).json
        assert batch["entry"][0]["response"]["status"].startswith("422")
    assert refused(operator.put("Appointment/chosen", both | {"id": "chosen"}))
    assert operator.search("Appointment", slot=f"Slot/{agenda.slots[0]}").total == 0
    assert operator.get(f"Appointment/{alone}").json["meta"]["versionId"] == "1"


def test_one_who_stands_within_the_appointment_is_a_patient_too(agenda: Agenda) -> None:
    inner = patient(id="p")
    participants = agenda.participants(f"Patient/{agenda.patient}", "#p")
    answer = agenda.hospital.post("Appointment", agenda.appointment(0, participant=participants, contained=[inner]))
    assert refused(answer), answer.json
    assert agenda.hospital.post("Appointment", agenda.appointment(0)).status == 201


def test_one_whose_type_is_told_as_a_url_is_a_patient_too(agenda: Agenda) -> None:
    other = {"type": "http://hl7.org/fhir/StructureDefinition/Patient", "display": "Un autre"}
    actors = [*agenda.participants(f"Patient/{agenda.patient}"), {"actor": other, "status": "accepted"}]
    assert refused(agenda.hospital.post("Appointment", agenda.appointment(0, participant=actors)))


def test_the_refusal_is_in_the_words_of_who_asks(agenda: Agenda) -> None:
    both = agenda.participants(f"Patient/{agenda.patient}", f"Patient/{agenda.stranger}")
    answer = agenda.doctor.post("Appointment", agenda.appointment(0, participant=both), Accept_Language="fr")
    assert "faites-en un pour chacune" in answer.told


def test_relatives_and_whoever_is_no_patient_take_part_beside_one(agenda: Agenda) -> None:
    operator = agenda.server.operator()
    mine = {"resourceType": "RelatedPerson", "patient": reference(f"Patient/{agenda.patient}")}
    actors = agenda.participants(f"Patient/{agenda.patient}", f"RelatedPerson/{operator.create(mine)}")
    number = {"system": "https://rpps.esante.gouv.fr", "value": "10000000026", "type": {"text": "RPPS"}}
    others: list[dict[str, Any]] = [{"identifier": number}, {"display": "Salle 3"}]
    actors += [{"actor": each, "status": "accepted"} for each in others]
    assert agenda.doctor.post("Appointment", agenda.appointment(0, participant=actors)).status == 201


def test_an_answer_is_given_by_the_person_whose_appointment_it_is(agenda: Agenda) -> None:
    id = agenda.doctor.create(agenda.appointment(0))
    other = agenda.server.patient(agenda.stranger)
    made = {"resourceType": "AppointmentResponse", "participantStatus": "accepted"}

    def answer(who: str, to: str) -> dict[str, Any]:
        return made | {"appointment": reference(to), "actor": reference(f"Patient/{who}")}

    for to in (f"Appointment/{id}", f"{BASE}/Appointment/{id}"):
        assert refused(agenda.doctor.post("AppointmentResponse", answer(agenda.stranger, to)))
        assert agenda.doctor.post("AppointmentResponse", answer(agenda.patient, to)).status == 201
    unseen = [other.post("AppointmentResponse", answer(agenda.stranger, f"Appointment/{each}")) for each in (id, "x")]
    assert [each.status for each in unseen] == [201, 201], "what is hidden is as what is not there"


def test_a_slot_whose_number_has_a_type_is_stored(agenda: Agenda) -> None:
    typed = [{"system": "urn:test", "value": "1", "type": {"text": "Créneau"}}]
    found = agenda.doctor.get(f"Slot/{agenda.slots[0]}").json
    assert agenda.doctor.put(f"Slot/{agenda.slots[0]}", found | {"identifier": typed}).status == 200
    assert agenda.server.at(NOW).practitioner("10000000018").get(f"Slot/{agenda.slots[0]}").status == 200
