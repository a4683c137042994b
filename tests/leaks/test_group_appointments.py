"""An appointment that was stored with two patients, before one was all it may name: neither reads of the other."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from fhirserver.access import Access, Requester, author_references
from tests.application import application, applications, embedded_uri
from tests.portal.record.visiting import holder, logged_in, professional, representative
from tests.records import reference
from tests.rest.agenda.world import DOCTOR, HOSPITAL, NOW, Agenda, opened
from tests.rest.subscriptions.conftest import endpoint, working
from tests.rest.subscriptions.resources import subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fhirserver.rest.subscriptions.working import Working
    from tests.application import Application, Caller
    from tests.rest.subscriptions.endpoint import Endpoint

__all__ = ["application", "applications", "embedded_uri", "endpoint", "working"]

ABSENT = "00000000-0000-4000-8000-000000000000"
PATHS = (
    "Appointment/{id}",
    "Appointment/{id}/_history",
    "Appointment/{id}/_history/1",
    "Appointment/_history",
    "_history",
    "Appointment",
    "Appointment?_id={id}",
    "Appointment?patient={one}",
    "Appointment?patient={two}",
    "Appointment?actor=Patient/{two}",
    "Appointment?slot=Slot/{slot}",
    "Appointment?_include=*",
    "Appointment?_lastUpdated=gt2000-01-01&_include=Appointment:patient",
    "AppointmentResponse?_include=AppointmentResponse:appointment",
    "AppointmentResponse?appointment.patient={two}",
    "Slot?_revinclude=Appointment:slot&_include:iterate=Appointment:patient",
    "Slot?_has:Appointment:slot:patient={two}",
    "Patient?_has:Appointment:patient:_id={id}",
    "Patient?_revinclude=Appointment:patient",
    "Patient/{one}?_format=json",
    "Patient/{one}/$everything",
    "Patient/{one}/Appointment",
    "Patient/{one}/*",
    "Patient/{two}/Appointment",
)
"""Ways to what an appointment says, and to who takes part in it."""


class Group(NamedTuple):
    """`id`: an appointment of two patients, `one` and `two`, that the first entered; `mended`: another, that names
    `one` alone now; `parent`: represents `one`."""

    agenda: Agenda
    one: str
    two: str
    id: str
    mended: str
    parent: str

    def callers(self) -> dict[str, tuple[Caller, str]]:
        """Who is to see nothing, and whom of the other."""
        server = self.agenda.server
        return {
            "who entered it": (server.patient(self.one), self.two),
            "the other": (server.patient(self.two), self.one),
            "a representative": (server.representative(self.one, self.parent), self.two),
        }


def stored(agenda: Agenda, id: str, *slots: int) -> dict[str, Any]:
    """Stores an appointment of two patients, as no request does any more."""
    who = Requester("patient", "x", patient=agenda.patient, scopes=("patient/*.cruds",))
    actors = (f"Patient/{agenda.patient}", f"Patient/{agenda.stranger}")
    made = agenda.appointment(*slots, participant=agenda.participants(*actors), comment="Séance de groupe") | {"id": id}
    store = agenda.server.services.store
    names = author_references(made)
    store.transact(Access.of(who, NOW), lambda tx: tx.create(made, id, identifiers=tx.identifiers(names)))
    return made


@pytest.fixture(scope="module")
def group(applications: Callable[..., Any]) -> Iterator[Group]:
    with applications() as application_:
        yield made(application_)


def made(application: Application) -> Group:
    agenda = opened(application)
    operator, me = agenda.server.operator(), f"Patient/{agenda.patient}"
    operator.store(operator.get(me).json | {"birthDate": "2012-05-01"})
    related = {"resourceType": "RelatedPerson", "active": True, "patient": reference(me)}
    parent = operator.create(related)
    stored(agenda, "group", 0)
    before = stored(agenda, "mended", 1)
    alone = {"participant": agenda.participants(me), "comment": "Seule"}
    assert agenda.doctor.put("Appointment/mended", before | alone).status == 200
    for each in (agenda.patient, agenda.stranger):
        answer = {"resourceType": "AppointmentResponse", "participantStatus": "accepted"}
        of = {"appointment": reference("Appointment/group"), "actor": reference(f"Patient/{each}")}
        agenda.server.patient(each).create(answer | of)
    return Group(agenda, agenda.patient, agenda.stranger, "group", "mended", parent)


def test_neither_patient_reads_of_the_other_by_whatever_way(group: Group) -> None:
    for name, (caller, other) in group.callers().items():
        known = {"id": group.id, "slot": group.agenda.slots[0], "two": other}
        for path in PATHS:
            url = path.format(one=caller_of(group, other), **known)
            found = caller.get(url)
            said = found.content.decode().replace(url, "")
            assert found.status in (200, 403, 404), (name, url, found.content)
            assert f"Patient/{other}" not in said, (name, url, said)
            assert "Séance de groupe" not in said, (name, url, said)


def test_what_was_done_with_it_is_told_without_the_other(application: Application) -> None:
    group = made(application)
    for each in (group.agenda.doctor, group.agenda.hospital):
        each.get(f"Appointment/{group.id}")
    group.agenda.server.work()
    for caller, other in group.callers().values():
        for path in ("AuditEvent?_count=500", "Communication", "Provenance"):
            found = caller.get(path)
            assert found.status == 200
            assert other not in found.content.decode(), path


def caller_of(group: Group, other: str) -> str:
    return group.two if other == group.one else group.one


def asked(who: Caller, id: str, body: dict[str, Any]) -> list[tuple[int, str]]:
    """The ways to one appointment, and what they are answered but for its id."""
    answers = [
        who.get(f"Appointment/{id}"),
        who.get(f"Appointment/{id}/_history"),
        who.get(f"Appointment/{id}/_history/1"),
        who.search("Appointment", _id=id),
        who.put(f"Appointment/{id}", body | {"id": id}),
        who.call("PATCH", f"Appointment/{id}", [], {"Content-Type": "application/json-patch+json"}),
        who.delete(f"Appointment/{id}"),
    ]
    return [(each.status, each.content.decode().replace(id, "ID")) for each in answers]


def test_it_is_answered_as_one_that_never_was(group: Group) -> None:
    body = group.agenda.appointment(0)
    for name, (caller, _) in group.callers().items():
        assert asked(caller, group.id, body) == asked(caller, ABSENT, body), name


def test_of_one_that_was_mended_the_version_with_both_stays_hidden(group: Group) -> None:
    mine = group.agenda.server.patient(group.one)
    assert mine.get(f"Appointment/{group.mended}").status == 200
    assert mine.get(f"Appointment/{group.mended}/_history/1").status == 404
    assert group.two.encode() not in mine.get(f"Appointment/{group.mended}/_history").content
    assert group.agenda.server.patient(group.two).get(f"Appointment/{group.mended}").status == 404


def test_who_takes_part_as_a_professional_sees_it(group: Group) -> None:
    found = group.agenda.doctor.get(f"Appointment/{group.id}")
    assert found.status == 200
    assert all(each in found.content.decode() for each in (group.one, group.two))
    assert group.id in logged_in(group.agenda.server, professional(DOCTOR, HOSPITAL)).get("/mon-agenda").html


def test_pages_and_calendars_tell_neither_of_the_other(group: Group) -> None:
    for subject, other in (
        (holder(group.one), group.two),
        (holder(group.two), group.one),
        (representative(group.one, group.parent), group.two),
    ):
        browser = logged_in(group.agenda.server, subject)
        base = f"/dossier/{subject.patient}"
        for path in ("", "/agenda", "/agenda/passes", "/acces", "/actualites"):
            html = browser.get(f"{base}{path}").html
            assert group.id not in html.replace(group.agenda.server.services.base, ""), path
            assert other not in html, path
        told = [browser.get(f"{base}/agenda/rendez-vous/{each}") for each in (group.id, ABSENT)]
        assert [each.status for each in told] == [404, 404]
        assert told[0].html.replace(group.id, "") == told[1].html.replace(ABSENT, "")
        page = browser.send(browser.get(f"{base}/agenda"), f"{base}/agenda/lien", decision="faire", details="oui")
        link = next(each for each in page.html.split("<") if ".ics" in each).partition(":8080")[2]
        assert f"UID:{group.id}@" not in browser.get(link).html


def test_all_that_a_person_takes_along_holds_nothing_of_it(group: Group) -> None:
    for id, other in ((group.one, group.two), (group.two, group.one)):
        mine = group.agenda.server.patient(id)
        job = mine.post(f"Patient/{id}/$portability", None, Prefer="respond-async")
        group.agenda.server.work()
        done = mine.get(job.headers["content-location"].rpartition("/")[2]).json
        archive = zipfile.ZipFile(BytesIO(mine.get(done["output"][0]["url"].rpartition("/")[2]).content))
        texts = {name: archive.read(name).decode(errors="replace") for name in archive.namelist()}
        assert any(id in each for each in texts.values())
        assert not [name for name, each in texts.items() if other in each or "Appointment/group/" in each]


def test_subscribers_hear_nothing_of_it(application: Application, endpoint: Endpoint, working: Working) -> None:
    agenda = opened(application)
    for each in (agenda.patient, agenda.stranger):
        agenda.server.patient(each).create(subscription(endpoint, "Appointment?status=booked"))
    working.work()
    endpoint.take()
    stored(agenda, "heard", 0)
    working.work()
    assert endpoint.take() == []
    agenda.holder.create(agenda.appointment(1))
    working.work()
    assert len(endpoint.take()) == 1
    assert json.loads(agenda.doctor.get("Appointment/heard").content)["id"] == "heard"
