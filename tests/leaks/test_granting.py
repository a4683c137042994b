"""Who may open a record: those whose it is, in time, and nobody to himself."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.leaks.world import ABSENT, HOSPITAL, NOW, alike
from tests.records import care_team, consent, document, observation, organization, patient, practitioner, reference

if TYPE_CHECKING:
    from tests.application import Answer, Caller
    from tests.leaks.world import World


@pytest.fixture
def own(world: World) -> str:
    """A new patient with one observation that only its person and the operator see."""
    id = world.operator.create(patient(birthDate="1980-02-03"))
    world.operator.create(observation(id))
    return id


def sees(who: Caller, patient: str) -> bool:
    """Whether the search and the read say the same, and what."""
    found, read = who.search("Observation", patient=patient), who.get(f"Patient/{patient}")
    assert (found.total > 0) == (read.status == 200)
    return found.total > 0


def test_a_consent_opens_at_once_and_its_withdrawal_closes_at_once(world: World, own: str) -> None:
    me = world.application.patient(own)
    assert not sees(world.alice, own)
    made = me.post("Consent", consent(own, "permit", "Practitioner/alice"))
    assert made.status == 201
    assert sees(world.alice, own)
    assert not sees(world.bob, own)
    assert me.put(f"Consent/{made.id}", made.json | {"status": "inactive"}).status == 200
    assert not sees(world.alice, own)
    assert me.put(f"Consent/{made.id}", made.json).status == 200
    assert sees(world.alice, own)
    assert me.delete(f"Consent/{made.id}").status == 204
    assert not sees(world.alice, own)


def test_the_same_holds_for_another_worker_whose_caches_are_warm(world: World, own: str) -> None:
    other = world.application.under().practitioner("10000000001", organization="750000002")
    assert not sees(other, own)
    id = world.application.patient(own).create(consent(own, "permit", "Practitioner/alice"))
    assert sees(other, own)
    world.application.patient(own).delete(f"Consent/{id}")
    assert not sees(other, own)


def test_a_blocked_professional_finds_nothing_and_his_colleague_still_does(world: World, own: str) -> None:
    world.operator.create(care_team(own, "Practitioner/alice", "Practitioner/bob"))
    assert sees(world.alice, own)
    world.application.patient(own).create(consent(own, "deny", "Practitioner/alice"))
    assert not sees(world.alice, own)
    assert sees(world.bob, own)
    alike(world.alice.get(f"Patient/{own}"), world.alice.get(f"Patient/{'0' * 36}"), own, "0" * 36)


def test_a_blocked_professional_is_not_let_in_by_an_emergency_or_another_organisation(world: World, own: str) -> None:
    world.application.patient(own).create(consent(own, "deny", "Practitioner/alice"))
    for caller in (
        world.application.practitioner("10000000001", purpose="BTG"),
        world.application.practitioner("10000000001", organization="750000003", purpose="ETREAT"),
        world.application.practitioner("10000000001", profession="G15_10/SM26"),
    ):
        assert not sees(caller, own)


def test_a_period_is_judged_at_the_time_of_the_request(world: World, own: str) -> None:
    period = {"start": "2026-03-02", "end": "2026-03-03T12:00:00Z"}
    world.application.patient(own).create(consent(own, "permit", "Practitioner/alice", period=period))

    def at(**delta: int) -> bool:
        server = world.application.at(NOW + timedelta(**delta))
        return sees(server.practitioner("10000000001", organization="750000002"), own)

    assert [at(), at(hours=11), at(hours=12), at(days=2), at(days=2, seconds=1)] == [False, False, True, True, False]


@pytest.mark.parametrize(
    "change",
    [{"status": "draft"}, {"status": "rejected"}, {"status": "entered-in-error"}, {"status": "proposed"},
     {"scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "research"}]}}],
)  # fmt: skip
def test_a_consent_that_is_not_in_force_opens_nothing(world: World, own: str, change: dict[str, Any]) -> None:
    world.operator.create(consent(own, "permit", "Practitioner/alice") | change)
    assert not sees(world.alice, own)


def test_nobody_but_the_person_or_the_operator_writes_a_consent(world: World, own: str) -> None:
    granting = consent(own, "permit", "Practitioner/alice")
    writers = [world.alice, world.hospital, world.patient("r"), world.representative("m"), world.representative("a")]
    for who in writers:
        assert who.post("Consent", granting).status == 403
        assert who.post("Consent", granting | {"performer": [reference("Practitioner/alice")]}).status == 403
    for letter, who in (("a", world.representative("a")), ("r", world.representative("m"))):
        assert who.post("Consent", consent(f"patient-{letter}", "permit", "Practitioner/alice")).status == 403
    assert not sees(world.alice, own)
    assert world.representative("m").post("Consent", consent("patient-m", "permit", "Practitioner/bob")).status == 201
    assert world.bob.get("Patient/patient-m").status == 200


def test_a_consent_stays_about_whom_it_is_about(world: World, own: str) -> None:
    me = world.patient("r")
    made = me.post("Consent", consent("patient-r", "permit", "Practitioner/alice", period={"end": "2020"}))
    moved = made.json | {"patient": reference(f"Patient/{own}")}
    assert me.put(f"Consent/{made.id}", moved).status == 403
    assert me.delete(f"Consent/{made.id}").status == 204
    assert not sees(world.alice, own)


def test_nobody_makes_himself_a_member_of_a_care_team(world: World, own: str) -> None:
    team = care_team(own, "Practitioner/alice")
    hers = world.operator.create(care_team("patient-s", "Practitioner/alice"))
    moved = care_team(own, "Practitioner/alice", id=hers)
    attempts = [
        world.alice.post("CareTeam", team),
        world.alice.put(f"CareTeam/{hers}", moved),
        world.alice.transact({"resource": team, "request": {"method": "POST", "url": "CareTeam"}}),
        world.patient("r").post("CareTeam", team),
    ]
    assert all(each.status == 403 for each in attempts)
    assert not sees(world.alice, own)


def test_nobody_takes_over_the_identity_that_a_consent_names(world: World, own: str) -> None:
    world.application.patient(own).create(consent(own, "permit", "Practitioner/bob"))
    assert world.alice.put("Practitioner/bob", practitioner("10000000001", id="bob")).status == 403
    assert world.alice.delete("Practitioner/bob").status == 403
    mine = world.alice.create(practitioner("10000000002"))
    assert world.alice.put(f"Practitioner/{mine}", practitioner("10000000001", id=mine)).status == 403
    assert not sees(world.alice, own)
    assert sees(world.bob, own)


def test_nobody_joins_an_organisation_that_a_consent_names(world: World, own: str) -> None:
    clinic = world.operator.create(organization("750000005"))
    world.application.patient(own).create(consent(own, "permit", f"Organization/{clinic}"))
    assert not sees(world.alice, own)
    assert world.alice.put(f"Organization/{clinic}", organization("750000002", id=clinic)).status == 403
    assert not sees(world.alice, own)
    assert sees(world.application.practitioner("10000000009", organization="750000005"), own)


def test_labels_are_not_taken_off_by_whom_they_bind(world: World, own: str) -> None:
    world.operator.create(care_team(own, "Practitioner/alice"))
    author = [{"identifier": {"system": "https://rpps.esante.gouv.fr", "value": "10000000001"}}]
    made = world.alice.post("DocumentReference", document(own, author=author))
    kept = {"author": author, "id": made.id, "content": made.json["content"]}
    masked = document(own, labels=("MASQUE_PS",), **kept)
    assert world.application.patient(own).put(f"DocumentReference/{made.id}", masked).status == 200
    assert world.alice.put(f"DocumentReference/{made.id}", document(own, **kept)).status == 403
    hidden = document(own, labels=("MASQUE_PS", "INVISIBLE_PATIENT"), **kept)
    assert world.alice.put(f"DocumentReference/{made.id}", hidden).status == 200
    assert world.application.patient(own).get(f"DocumentReference/{made.id}").status == 404
    assert world.application.patient(own).put(f"DocumentReference/{made.id}", masked).status == 405


def test_a_resource_is_not_moved_into_or_out_of_a_record(world: World, own: str) -> None:
    world.operator.create(care_team(own, "Practitioner/alice"))
    id = world.alice.create(observation(own))
    for subject in ({"subject": reference("Patient/patient-r")}, {"subject": {"display": "x"}}):
        assert world.alice.put(f"Observation/{id}", observation(own, id=id) | subject).status == 403
    assert world.patient("r").search("Observation", _id=id).total == 0


def test_an_allow_list_of_nobody_is_for_nobody(world: World, own: str) -> None:
    """An actor who cannot be told is refused, or means nobody: never everybody."""
    me = world.application.patient(own)
    for actor in ("Device/x", "Practitioner/nowhere", "https://elsewhere.example/fhir/Practitioner/1"):
        answer = me.post("Consent", consent(own, "permit", actor))
        assert answer.status in (201, 422)
        assert not sees(world.alice, own)
    empty = consent(own, "permit")
    empty["provision"]["actor"] = []
    assert me.post("Consent", empty).status == 422
    assert not sees(world.alice, own)


def test_a_document_masked_today_was_not_masked_yesterday_and_is_hidden_all_the_same(world: World, own: str) -> None:
    world.operator.create(care_team(own, "Practitioner/alice"))
    id = world.hospital.create(document(own))
    assert world.alice.get(f"DocumentReference/{id}/_history/1").status == 200
    content = world.hospital.get(f"DocumentReference/{id}").json["content"]
    masked = document(own, labels=("MASQUE_PS",), id=id, content=content)
    assert world.application.patient(own).put(f"DocumentReference/{id}", masked).status == 200
    never = "0" * 36
    for path in ("", "/_history", "/_history/1", "/_history/2"):
        alike(
            world.alice.get(f"DocumentReference/{id}{path}"),
            world.alice.get(f"DocumentReference/{never}{path}"),
            id,
            never,
        )


def test_a_binary_is_reached_by_whom_its_document_is_for_and_by_no_guess(world: World, own: str) -> None:
    def binary(of: str) -> dict[str, Any]:
        return {"resourceType": "Binary", "contentType": "text/plain", "data": "QQ==", "securityContext": reference(of)}

    seen, masked = world.hospital.create(document(own)), world.hospital.create(document(own, labels=("MASQUE_PS",)))
    ids = [world.hospital.create(binary(f"DocumentReference/{each}")) for each in (seen, masked)]
    loose = world.hospital.create({"resourceType": "Binary", "contentType": "text/plain", "data": "QQ=="})
    world.operator.create(care_team(own, "Practitioner/alice"))
    never = "0" * 36
    for id in (ids[1], loose):
        alike(world.alice.get(f"Binary/{id}"), world.alice.get(f"Binary/{never}"), id, never)
    alike(world.bob.get(f"Binary/{ids[0]}"), world.bob.get(f"Binary/{never}"), ids[0], never)


def test_a_closed_record_is_shut_to_all_who_care(world: World, own: str) -> None:
    world.operator.create(care_team(own, "Practitioner/alice"))
    assert sees(world.alice, own)
    world.operator.store(patient(id=own, active=False))
    assert not sees(world.alice, own)
    alike(world.alice.get(f"Patient/{own}"), world.alice.get(f"Patient/{'0' * 36}"), own, "0" * 36)


def test_error_texts_repeat_only_what_was_asked(world: World) -> None:
    def errors(who: Caller) -> list[Answer]:
        return [
            who.put("Observation/hidden-r1", observation("patient-r", id="hidden-r1")),
            who.transact({"request": {"method": "GET", "url": "Observation/hidden-r1"}}),
            who.get("Observation/hidden-r1"),
            who.get("Observation/hidden-r1/_history/3"),
        ]

    for answer in errors(world.alice):
        for secret in ("2160-0", "patient-r", "Mercier", "rpps", HOSPITAL, "version 1,"):
            assert secret not in answer.content.decode()


def test_an_unknown_patient_and_a_hidden_one_are_the_same_to_an_emergency_search(world: World) -> None:
    alice = world.application.practitioner("10000000001", purpose="BTG")  # whom q denies by name
    alike(
        alice.search("Observation", patient="patient-q"),
        alice.search("Observation", patient=ABSENT),
        "patient-q",
        ABSENT,
    )


def test_nobody_feeds_a_closed_record_or_one_that_opposes_it_by_naming_another_patient_first(world: World) -> None:
    first, opposed, closed = (world.operator.create(patient(birthDate="1980-02-03")) for _ in range(3))
    world.operator.put(f"Patient/{closed}", patient(id=closed, birthDate="1980-02-03", active=False))
    action = [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": "collect"}]}]
    world.application.patient(opposed).create(consent(opposed, "deny", action=action))
    for other in (opposed, closed):
        about_two = observation(first) | {"performer": [reference(f"Patient/{other}")]}
        assert world.alice.post("Observation", observation(other)).status == 403
        assert world.alice.post("Observation", about_two).status == 403
        assert world.hospital.post("Observation", about_two).status == 403
        made = world.alice.post("Observation", observation(first))
        moved = made.json | {"performer": about_two["performer"]}
        assert world.alice.put(f"Observation/{made.id}", moved).status == 403
    assert world.application.patient(opposed).search("Observation").total == 0
    twice = observation(first) | {"performer": [reference("Patient/patient-r")]}
    assert world.alice.post("Observation", twice).status == 201
