"""Appointments are between who takes part in them: to everyone else, API and pages answer as if there were none."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from fhirserver.access import Access, Requester
from fhirserver.espace.space import Actor
from tests.portal.record.visiting import holder, logged_in, professional, representative
from tests.records import care_team, consent, practitioner, reference
from tests.rest.agenda.world import CLINIC, DOCTOR, HOSPITAL, NOW, Agenda, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Answer, Application, Caller
    from tests.portal.browser import Browser

ABSENT = "00000000-0000-4000-8000-000000000000"
SECRET = {"meta": {"security": [{"code": "INVISIBLE_REPRESENTANTS_LEGAUX"}]}}
TEAM, TRAITANT, BLOCKED = "10000000101", "10000000102", "10000000103"


class House(NamedTuple):
    """An agenda whose person is a minor, with care team, médecin traitant and parent; `open` and `secret`: ids."""

    agenda: Agenda
    parent: str
    open: str
    secret: str

    def others(self) -> dict[str, Caller]:
        server = self.agenda.server
        narrow = Requester("patient", "x", patient=self.agenda.patient, scopes=("patient/Observation.rs",))
        return {
            "care team": server.practitioner(TEAM, organization=CLINIC),
            "médecin traitant": server.practitioner(TRAITANT),
            "emergency": server.practitioner("10000000104", purpose="BTG"),
            "blocked": server.practitioner(BLOCKED),
            "another patient": server.patient(self.agenda.stranger),
            "another establishment": server.system(CLINIC),
            "an app for other things": server.caller(narrow),
        }


@pytest.fixture(scope="module")
def house(applications: Callable[..., Any]) -> Iterator[House]:
    with applications() as application:
        yield made(application)


def made(application: Application) -> House:
    agenda = opened(application)
    operator, who = agenda.server.operator(), agenda.patient
    team, traitant, blocked = (operator.create(practitioner(each)) for each in (TEAM, TRAITANT, BLOCKED))
    minor = operator.get(f"Patient/{who}").json | {"birthDate": "2012-05-01"}
    operator.store(minor | {"generalPractitioner": [reference(f"Practitioner/{traitant}")]})
    operator.create(care_team(who, f"Practitioner/{team}"))
    operator.create(consent(who, "deny", f"Practitioner/{blocked}"))
    related = {"resourceType": "RelatedPerson", "active": True, "patient": reference(f"Patient/{who}")}
    parent = operator.create(related)
    first = agenda.holder.create(agenda.appointment(0, comment="Genou"))
    secret = agenda.holder.create(agenda.appointment(1, comment="Secret") | SECRET)
    with_blocked = agenda.participants(f"Patient/{who}", f"Practitioner/{blocked}")
    operator.create(agenda.appointment(2, participant=with_blocked))
    return House(agenda, parent, first, secret)


def bare(answer: Answer, id: str) -> tuple[Any, ...]:
    headers = {name: each for name, each in answer.headers.items() if name not in ("x-request-id", "date")}
    text = answer.content.decode().replace(id, "ID").replace(str(headers.get("location")), "")
    return answer.status, headers | {"location": ""}, text


def asked(caller: Caller, id: str, body: dict[str, Any]) -> list[Answer]:
    """The ways to one appointment."""
    return [
        caller.get(f"Appointment/{id}"),
        caller.get(f"Appointment/{id}/_history/1"),
        caller.get(f"Appointment/{id}/_history"),
        caller.search("Appointment", _id=id),
        caller.put(f"Appointment/{id}", body | {"id": id}),
        caller.call("PATCH", f"Appointment/{id}", [], {"Content-Type": "application/json-patch+json"}),
        caller.delete(f"Appointment/{id}"),
        caller.get(f"Appointment/{id}", Accept="application/fhir+xml"),
    ]


def test_who_takes_no_part_is_answered_as_if_there_were_none(house: House) -> None:
    body = house.agenda.appointment(0)
    for name, caller in house.others().items():
        for id in (house.open, house.secret):
            for one, two in zip(asked(caller, id, body), asked(caller, ABSENT, body), strict=True):
                assert bare(one, id) == bare(two, ABSENT), name
        for path in (f"Appointment?patient={house.agenda.patient}", f"Appointment?slot=Slot/{house.agenda.slots[0]}"):
            found = caller.get(path)
            assert found.status == 403 or found.total == 0, name
        for path in ("Slot?_revinclude=Appointment:slot", "Slot?_has:Appointment:slot:status=booked"):
            found = caller.get(path)
            assert found.status == 403 or b"Appointment/" not in found.content.replace(b"Appointment:slot", b""), name
    assert house.agenda.states(0, 1) == ["busy", "busy"]


def test_a_representative_sees_all_but_what_is_secret(house: House) -> None:
    parent = house.agenda.server.representative(house.agenda.patient, house.parent)
    body = house.agenda.appointment(1)
    assert parent.get(f"Appointment/{house.open}").status == 200
    for one, two in zip(asked(parent, house.secret, body), asked(parent, ABSENT, body), strict=True):
        assert bare(one, house.secret) == bare(two, ABSENT)
    browser = logged_in(house.agenda.server, representative(house.agenda.patient, house.parent))
    base = f"/dossier/{house.agenda.patient}/agenda"
    assert house.open in browser.get(base).html
    assert house.secret not in browser.get(base).html
    told = [browser.get(f"{base}/rendez-vous/{each}").html.replace(each, "") for each in (house.secret, ABSENT)]
    assert told[0] == told[1]


def test_the_pages_of_others_answer_as_if_there_were_no_record(house: House) -> None:
    server, patient = house.agenda.server, house.agenda.patient
    nobody: dict[str, Browser] = {
        "care team": logged_in(server, professional(TEAM, CLINIC)),
        "blocked": logged_in(server, professional(BLOCKED)),
        "another patient": logged_in(server, holder(house.agenda.stranger)),
    }
    paths = ("", "/passes", "/noter", "/prendre", f"/rendez-vous/{house.open}", f"/creneau/{house.agenda.slots[3]}")
    for name, browser in nobody.items():
        for path in paths:
            for each in (patient, ABSENT):
                assert browser.get(f"/dossier/{each}/agenda{path}").status == 404, (name, path)
        assert house.open not in browser.get("/mon-agenda").html
    doctor = logged_in(server, professional(DOCTOR, HOSPITAL))
    page = doctor.get("/mon-agenda")
    token = page.form("/deconnexion").fields["csrf"]
    assert house.open in page.html
    wrong = {"csrf": token, "decision": "arrive", "version": "1"}
    team = nobody["care team"]
    mine = {**wrong, "csrf": team.get("/mon-agenda").form("/deconnexion").fields["csrf"]}
    told = [team.post(f"/mon-agenda/rendez-vous/{each}", mine) for each in (house.open, ABSENT)]
    assert [each.status for each in told] == [404, 404]
    assert told[0].html.replace(house.open, "") == told[1].html.replace(ABSENT, "")


def test_a_participant_who_is_blocked_sees_nothing_any_more(house: House) -> None:
    blocked = house.agenda.server.practitioner(BLOCKED)
    assert blocked.search("Appointment").total == 0


def test_an_app_without_a_scope_for_slots_books_none_whether_or_not_it_is_there(house: House) -> None:
    scopes = ("patient/Appointment.cruds", "patient/Patient.r")
    app = house.agenda.server.caller(Requester("patient", "x", patient=house.agenda.patient, scopes=scopes))
    for slot in (house.agenda.slots[4], house.agenda.slots[0], ABSENT):
        answer = app.post("Appointment", house.agenda.appointment(4, slot=[reference(f"Slot/{slot}")]))
        assert (answer.status, "not known here" in answer.told) == (422, True)
    assert house.agenda.states(4) == ["free"]


def test_in_a_space_that_is_closed_nobody_else_sees_or_changes_an_appointment(house: House) -> None:
    actor = Actor("holder", Access.system("test", NOW))
    spaces = house.agenda.server.services.spaces
    spaces.happen(actor, house.agenda.patient, "close", NOW - timedelta(hours=1))
    body = house.agenda.appointment(0)
    for caller in (house.agenda.doctor, house.agenda.hospital):
        for one, two in zip(asked(caller, house.open, body), asked(caller, ABSENT, body), strict=True):
            assert bare(one, house.open) == bare(two, ABSENT)
        assert caller.post("Appointment", house.agenda.appointment(5)).status == 403
    assert house.agenda.holder.get(f"Appointment/{house.open}").status == 200
    assert house.agenda.holder.post("Appointment", house.agenda.appointment(5)).status == 403
    assert house.agenda.states(0, 5) == ["busy", "free"]
    spaces.happen(actor, house.agenda.patient, "reopen")
    assert house.agenda.doctor.get(f"Appointment/{house.open}").status == 200
