"""The person is told who looked: once, in the record, before the answer leaves; each emergency anew."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access, Requester
from fhirserver.auth import TokenVerifier
from tests.application import applications, embedded_uri, token
from tests.leaks.world import ABSENT, ALICE, BOB, CLINIC, HOSPITAL, NOW, World
from tests.records import ask, care_team, consent, document, observation, patient, reference
from tests.rest.jobs.bulk import exported, lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Caller

__all__ = ["applications", "embedded_uri"]


@pytest.fixture(scope="module")
def world(applications: Callable[..., Any]) -> Iterator[World]:
    with applications() as application:
        yield World(application)


@pytest.fixture
def own(world: World) -> str:
    """A minor with Alice in the care team, and one observation."""
    id = world.operator.create(patient(birthDate="2019-02-03", generalPractitioner=[reference("Practitioner/bob")]))
    world.operator.create(care_team(id, "Practitioner/alice"))
    world.operator.create(observation(id))
    return id


def told(who: Caller, patient: str) -> list[str]:
    answer = who.search("Communication", subject=f"Patient/{patient}", _sort="_lastUpdated")
    return [each["resource"]["payload"][0]["contentString"] for each in answer.json.get("entry", ())]


def test_the_time_is_that_of_the_persons_home(world: World) -> None:
    id = world.operator.create(patient(address=[{"use": "home", "postalCode": "97400"}]))
    world.operator.create(care_team(id, "Practitioner/alice"))
    world.alice.get(f"Patient/{id}")
    (text,) = told(world.application.patient(id), id)
    assert text.startswith("Le 01/03/2026 à 16 h 00, ")


def test_a_first_access_is_told_once_and_in_plain_french(world: World, own: str) -> None:
    me = world.application.patient(own)
    assert told(me, own) == []
    world.alice.search("Observation", patient=own)
    (text,) = told(me, own)
    assert text == (
        f"Le 01/03/2026 à 13 h 00, un professionnel de santé (Médecin, RPPS {ALICE}), pour l’établissement FINESS "
        f"{CLINIC}, a consulté votre dossier pour la première fois."
    )
    for path in (f"Patient/{own}", f"Patient/{own}/$everything", f"Observation?patient={own}"):
        assert world.alice.get(path).status == 200
        assert world.application.under().practitioner(ALICE, organization=CLINIC).get(path).status == 200
    assert told(me, own) == [text]
    assert world.application.practitioner(ALICE, organization=HOSPITAL).get(f"Patient/{own}").status == 200
    assert len(told(me, own)) == 2


def test_the_notice_conforms_and_is_for_the_person(world: World, own: str) -> None:
    world.alice.get(f"Patient/{own}")
    (entry,) = world.operator.search("Communication", subject=f"Patient/{own}").json["entry"]
    notice = entry["resource"]
    assert (notice["status"], notice["subject"]) == ("completed", {"reference": f"Patient/{own}"})
    assert [issue for issue in world.application.services.validator.check(notice) if issue.is_error] == []
    assert world.alice.search("Communication", subject=f"Patient/{own}").total == 0
    assert world.alice.get(f"Communication/{notice['id']}").status == 404
    assert told(world.application.representative(own), own) == told(world.application.patient(own), own) != []


WAYS = ["Observation?patient={}", "Patient/{}", "Patient/{}/$everything", "Patient/{}/_history",
        "Observation?_lastUpdated=gt2000-01-01&patient={}&_summary=true"]  # fmt: skip


@pytest.mark.parametrize("path", WAYS)
def test_any_way_of_reading_is_told(world: World, own: str, path: str) -> None:
    assert world.alice.get(path.format(own)).status == 200
    assert len(told(world.application.patient(own), own)) == 1


def test_reads_within_a_bundle_are_told(world: World, own: str) -> None:
    assert world.alice.transact(ask("GET", f"Patient/{own}")).status == 200
    assert len(told(world.application.patient(own), own)) == 1
    batch = {"resourceType": "Bundle", "type": "batch", "entry": [ask("GET", f"Patient/{own}")]}
    world.application.practitioner(ALICE, organization=HOSPITAL).post("", batch)
    assert len(told(world.application.patient(own), own)) == 2


def test_what_is_refused_or_ones_own_is_not_told(world: World, own: str) -> None:
    world.application.patient(own).get(f"Patient/{own}")
    world.application.representative(own).get(f"Patient/{own}")
    world.operator.get(f"Patient/{own}")
    stranger = world.application.practitioner("10000000009")
    for path in (f"Patient/{own}", f"Observation?patient={own}", f"Patient/{own}/$everything", f"Patient/{ABSENT}",
                 f"Observation?patient={ABSENT}"):  # fmt: skip
        stranger.get(path)
    world.alice.post("Observation", observation(own))
    assert told(world.operator, own) == []
    assert told(world.operator, ABSENT) == []


def test_an_organisation_that_reads_back_its_deposits_is_told_of(world: World, own: str) -> None:
    id = world.hospital.create(document(own))
    assert told(world.application.patient(own), own) == []
    assert world.hospital.get(f"DocumentReference/{id}").status == 200
    (text,) = told(world.application.patient(own), own)
    assert f"l’établissement FINESS {HOSPITAL} a consulté" in text


def test_of_several_workers_one_tells(world: World, own: str) -> None:
    callers = [world.application.under().practitioner(ALICE, organization=CLINIC) for _ in range(6)]
    barrier = threading.Barrier(len(callers))

    def read(who: Caller) -> None:
        barrier.wait()
        assert who.get(f"Patient/{own}").status == 200

    threads = [threading.Thread(target=read, args=(who,)) for who in callers]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(told(world.application.patient(own), own)) == 1


def test_a_minors_secret_is_kept_in_the_notice_too(world: World, own: str) -> None:
    secret = world.operator.create(document(own, labels=("INVISIBLE_REPRESENTANTS_LEGAUX",)))
    me, parent = world.application.patient(own), world.application.representative(own)
    assert world.alice.get(f"DocumentReference/{secret}").status == 200
    assert (len(told(me, own)), told(parent, own)) == (1, [])
    trace = list(world.application.services.store.traces(Access.system("test")))
    assert [own] in [each.get("secret") for each in trace if each["who"].get("rpps") == ALICE]
    assert world.alice.get(f"Patient/{own}").status == 200
    assert (len(told(me, own)), len(told(parent, own))) == (2, 1)
    assert world.alice.get(f"DocumentReference/{secret}").status == 200
    assert len(told(me, own)) == 2


def test_each_emergency_is_told_with_its_reason_to_the_person_and_the_medecin_traitant(world: World, own: str) -> None:
    stranger = Requester("practitioner", "practitioner/10000000009", rpps="10000000009", profession="G15_10",
                         purpose="BTG", reason="Malaise, patient inconscient", name="Dr Léa Petit")  # fmt: skip
    issued = int(time.time())
    for moment in (issued - 60, issued - 60, issued):
        assert world.application.caller(stranger, iat=moment).get(f"Patient/{own}").status == 200
    texts = told(world.application.patient(own), own)
    assert len(texts) == 2
    assert texts[0].endswith("Dr Léa Petit (Médecin, RPPS 10000000009) a consulté votre dossier en urgence, sans "
                             "autorisation préalable. Motif : Malaise, patient inconscient")  # fmt: skip
    traitant = world.application.practitioner(BOB, organization=CLINIC)
    found = traitant.search("Communication", ("recipient", "Practitioner/bob"), ("subject", f"Patient/{own}"))
    assert found.total == 2
    assert found.json["entry"][0]["resource"]["priority"] == "urgent"
    trace = world.application.services.store.traces(Access.system("test"))
    assert "Malaise, patient inconscient" in [each.get("reason") for each in trace]


def test_a_regulating_physician_is_told_of_likewise(world: World, own: str) -> None:
    samu = world.application.practitioner("10000000008", organization="750000009", purpose="ETREAT")
    assert samu.get(f"Patient/{own}").status == 200
    (text,) = told(world.application.patient(own), own)
    assert text.endswith("a consulté votre dossier pour la régulation médicale (SAMU-Centre 15).")


def test_the_glass_is_not_broken_without_a_reason(world: World, own: str) -> None:
    who = Requester("practitioner", "p", rpps="10000000009", profession="G15_10", purpose="BTG")
    for reason in (None, "", "  "):
        answer = world.application.nobody(token(who, purpose_of_use_reason=reason)).get(f"Patient/{own}")
        assert answer.status == 403
        assert "purpose_of_use_reason" in answer.told
    assert world.application.nobody(token(who, purpose_of_use_reason=3)).get(f"Patient/{own}").status == 401
    assert told(world.operator, own) == []


def test_an_emergency_ends(world: World, own: str) -> None:
    who = Requester("practitioner", "p", rpps="10000000009", profession="G15_10", purpose="BTG", reason="x")
    now = int(time.time())
    late = world.application.nobody(token(who, iat=now - 3700, exp=now + 3600)).get(f"Patient/{own}")
    assert late.status == 401
    assert "3600 seconds" in late.told
    assert world.application.nobody(token(who, iat=now - 3000, exp=now + 3600)).get(f"Patient/{own}").status == 200
    assert world.application.nobody(token(who, iat=None)).get(f"Patient/{own}").status == 401
    services = world.application.services
    shorter = TokenVerifier(services.keys, issuer=services.verifier.issuer, audience=services.verifier.issuer,
                            development=True, emergency=60)  # fmt: skip
    assert shorter.requester(f"Bearer {token(who, iat=now)}").issued == now


def test_who_opposed_emergencies_is_neither_read_nor_told(world: World, own: str) -> None:
    world.application.patient(own).create(consent(own, "deny", purpose=[{"code": "ETREAT"}]))
    doctor = world.application.practitioner("10000000009", purpose="BTG")
    assert doctor.get(f"Patient/{own}").status == 404
    assert told(world.operator, own) == []
    assert world.application.services.clock() == NOW


def test_whoever_feeds_consults_nothing_and_is_not_told_of(world: World) -> None:
    ins = {"system": "urn:oid:1.2.250.1.213.1.4.8", "value": "185056322012345"}
    id = world.operator.create(patient(identifier=[ins]))
    feeder = world.application.practitioner(ALICE, organization=CLINIC, purpose="RECORDMGT")
    assert feeder.search("Patient", identifier=f"{ins['system']}|{ins['value']}").total == 1
    assert told(world.operator, id) == []
    world.operator.delete(f"Patient/{id}")


def test_files_of_an_export_are_told_of_when_they_are_fetched(world: World, own: str) -> None:
    manifest = exported(world.application, world.alice)
    assert told(world.operator, own) == []
    assert lines(world.alice, manifest)
    assert len(told(world.operator, own)) == 1


COUNTS = ["Observation?patient={}&_summary=count", "Observation?patient={}&code=718-7&_count=0",
          "Patient?_id={}&_has:Observation:patient:code=718-7&_summary=count", "Patient/{}/*?_summary=count",
          "Observation?subject:Patient._id={}&_summary=count", "?_type=Observation&patient={}&_count=0"]  # fmt: skip


@pytest.mark.parametrize("path", COUNTS)
def test_what_is_only_counted_is_told_of(world: World, own: str, path: str) -> None:
    assert world.alice.get(f"Observation?patient={own}&code=718-8&_summary=count").total == 0
    assert told(world.application.patient(own), own) == []
    assert world.alice.get(path.format(own)).total > 0
    assert len(told(world.application.patient(own), own)) == 1


def test_an_emergency_that_only_counts_is_told(world: World, own: str) -> None:
    glass = world.application.practitioner("10000000007", purpose="BTG")
    assert glass.get(f"Observation?patient={own}&code=718-7&_summary=count").total == 1
    (text,) = told(world.application.patient(own), own)
    assert "Motif : unconscious" in text


def test_what_stands_on_another_page_is_told_of_where_it_is_counted(world: World, own: str) -> None:
    decoy = world.operator.create(patient(birthDate="1980-02-03"))
    world.operator.create(care_team(decoy, "Practitioner/alice"))
    world.operator.create(observation(decoy))
    assert world.alice.get(f"Observation?patient={own},{decoy}&_count=1").total == 2
    assert [len(told(world.application.patient(each), each)) for each in (own, decoy)] == [1, 1]


def test_a_count_of_what_a_minor_keeps_secret_is_not_told_to_the_representative(world: World, own: str) -> None:
    world.operator.create(document(own, labels=("INVISIBLE_REPRESENTANTS_LEGAUX",)))
    assert world.alice.get(f"DocumentReference?patient={own}&_summary=count").total == 1
    me, parent = world.application.patient(own), world.application.representative(own)
    assert (len(told(me, own)), len(told(parent, own))) == (1, 0)
