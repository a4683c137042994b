"""Ways around a rule that look like something else: granting oneself, writing in another's record, forging."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver import jsontext
from tests.application import applications, embedded_uri
from tests.leaks.world import ALICE, CLINIC, HOSPITAL
from tests.records import INS_NIR, care_team, consent, observation, patient, practitioner, reference
from tests.rest.jobs.bulk import BASE, exported, kicked_off

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Application

__all__ = ["applications", "embedded_uri"]


@pytest.fixture(scope="module")
def server(applications: Callable[..., Any]) -> Iterator[Application]:
    with applications() as application:
        application.operator().store(practitioner(ALICE, id="alice"))
        yield application


@pytest.fixture
def own(server: Application) -> str:
    """A minor with Alice in the care team, and one observation."""
    operator = server.operator()
    id = operator.create(patient(birthDate="2019-02-03"))
    operator.create(care_team(id, "Practitioner/alice"))
    operator.create(observation(id))
    return id


@pytest.fixture
def other(server: Application) -> str:
    return server.operator().create(patient(birthDate="1980-02-03"))


def test_a_representative_lets_in_others_but_not_himself(server: Application, own: str) -> None:
    """What he gave himself would outlast the minority."""
    parent = server.operator().create({"resourceType": "RelatedPerson", "patient": reference(f"Patient/{own}")})
    me = server.representative(own, parent)
    widening = consent(own, "permit", f"RelatedPerson/{parent}")
    assert me.post("Consent", widening).status == 403
    nested = consent(own, "deny", provision=[widening["provision"]])
    assert me.post("Consent", nested).status == 403
    made = me.create(consent(own, "permit", "Practitioner/alice"))
    assert me.put(f"Consent/{made}", {**widening, "id": made}).status == 403
    assert me.post("Consent", consent(own, "deny", f"RelatedPerson/{parent}")).status == 201


def test_a_persons_entry_enters_no_other_record(server: Application, own: str, other: str) -> None:
    me, someone = server.patient(other), [reference(f"Patient/{own}")]
    letter = {"resourceType": "Communication", "status": "completed", "subject": reference(f"Patient/{other}")}
    answers = [
        me.post("Observation", observation(other, performer=someone)),
        me.post("Observation", observation(other, performer=[reference("Patient/nobody")])),
        me.post("Communication", letter | {"recipient": someone}),
    ]
    assert [each.status for each in answers] == [403] * 3
    assert answers[0].told == answers[1].told
    made = me.create(observation(other))
    assert me.put(f"Observation/{made}", {**observation(other, performer=someone), "id": made}).status == 403
    assert me.create(observation(other, performer=[reference(f"Patient/{other}")]))
    assert server.patient(own).search("Observation").total == 1


def test_only_the_server_tells_of_accesses(server: Application, own: str) -> None:
    alice, me = server.practitioner(ALICE, organization=CLINIC), server.patient(own)
    assert alice.get(f"Patient/{own}").status == 200
    (entry,) = me.search("Communication", _tag="urn:fhirserver:notice|access").json["entry"]
    notice = entry["resource"]
    forged = {name: value for name, value in notice.items() if name != "id"} | {"meta": dict(notice["meta"])}
    assert alice.post("Communication", forged).status == 403
    tags = forged["meta"].pop("tag")
    made = alice.create(forged)
    added = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"tag": tags}}]}
    assert alice.post(f"Communication/{made}/$meta-add", added).status == 403
    assert me.search("Communication", _tag="urn:fhirserver:notice|access").total == 1
    del notice["meta"]["security"]
    assert me.put(f"Communication/{notice['id']}", notice).status == 200


def test_who_makes_a_record_does_not_choose_the_medecin_traitant(server: Application) -> None:
    chosen = patient(generalPractitioner=[reference("Practitioner/alice")])
    assert server.system(HOSPITAL).post("Patient", chosen).status == 403
    assert server.system(HOSPITAL).post("Patient", patient()).status == 201


def test_a_file_of_an_export_shows_what_may_be_seen_when_it_is_fetched(server: Application, own: str) -> None:
    alice = server.practitioner(ALICE, organization=CLINIC)
    kept = server.operator().create(patient(birthDate="1980-02-03"))
    server.operator().create(care_team(kept, "Practitioner/alice"))
    for _ in range(2):
        server.operator().create(observation(kept))
    (output,) = exported(server, alice, "Patient/$export?_type=Observation")["output"]
    url = output["url"].removeprefix(BASE)
    assert own in alice.get(url).content.decode()
    block = server.patient(own).create(consent(own, "deny", "Practitioner/alice"))
    answer = alice.get(url)
    rows = [jsontext.parse_object(line) for line in answer.content.splitlines()]
    told = {each["subject"]["reference"] for each in rows}
    assert (f"Patient/{own}" in told, f"Patient/{kept}" in told) == (False, True)
    assert answer.headers["content-length"] == str(len(answer.content))
    server.patient(own).delete(f"Consent/{block}")
    assert len(alice.get(url).content.splitlines()) == output["count"]


def test_what_came_of_a_request_put_off_is_withdrawn_when_it_may_not_be_seen(server: Application, own: str) -> None:
    alice = server.practitioner(ALICE, organization=CLINIC)
    paths = (f"Observation?patient={own}", f"Patient/{own}/$everything", f"Patient/{own}")
    found = [kicked_off(alice, path) for path in paths]
    server.work()
    assert [alice.get(each).status for each in found] == [200] * 3
    server.patient(own).create(consent(own, "deny", "Practitioner/alice"))
    answers = [alice.get(each) for each in found]
    assert [each.status for each in answers] == [410] * 3
    assert not any(own in each.content.decode() for each in answers)


def test_what_is_entered_stays_in_its_record_whatever_names_the_patient(
    server: Application, own: str, other: str
) -> None:
    alice = server.practitioner(ALICE, organization=CLINIC)
    mine, another = reference(f"Patient/{own}"), reference(f"Patient/{other}")
    meeting = {"resourceType": "Appointment", "status": "proposed"}
    before, after = (meeting | {"participant": [{"status": "accepted", "actor": who}]} for who in (mine, another))
    id = alice.create(before)
    assert alice.put(f"Appointment/{id}", {**after, "id": id}).status == 403
    assert alice.put(f"Appointment/{id}", {**before, "id": id}).status == 200


def test_a_person_masks_what_was_deposited_by_ins(server: Application) -> None:
    """And it stays in the record."""
    number = {"system": INS_NIR, "value": "180017504012312"}
    id = server.operator().create(patient(identifier=[number], birthDate="1980-02-03"))
    made = server.system(HOSPITAL).create(observation() | {"subject": {"identifier": number}})
    me = server.patient(id)
    masked = me.get(f"Observation/{made}").json | {"meta": {"security": [{"code": "MASQUE_PS"}]}}
    assert me.put(f"Observation/{made}", masked).status == 200
    assert me.search("Observation", _security="MASQUE_PS").ids == [made]
