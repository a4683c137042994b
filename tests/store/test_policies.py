"""Policies in a real database: rebuilt with what they depend on, found by key, in force at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access, Requester
from fhirserver.predicate import FALSE, matches
from fhirserver.search import Indexer, parse
from fhirserver.spec import Definitions
from fhirserver.store import Store
from fhirserver.store.policies import Policies

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fhirserver.store import Transaction

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RPPS = "https://rpps.esante.gouv.fr"
FINESS = "https://finess.esante.gouv.fr"
OPERATOR = Access.system("tests", NOW)
ALICE = "10000000001"
BOB = "10000000002"


def physician(rpps: str = ALICE, organization: str | None = "750000001", purpose: str = "TREAT") -> Requester:
    return Requester(
        "practitioner",
        rpps,
        rpps=rpps,
        profession="G15_10",
        organization=organization,
        scopes=("user/*.cruds",),
        purpose=purpose,
    )


def consent(id_: str, patient: str, type_: str, actor: str | None, **provision: Any) -> dict[str, Any]:
    if actor is not None:
        provision["actor"] = [{"role": {"coding": [{"code": "IRCP"}]}, "reference": {"reference": actor}}]
    return {
        "resourceType": "Consent",
        "id": id_,
        "status": "active",
        "scope": {"coding": [{"code": "patient-privacy"}]},
        "patient": {"reference": f"Patient/{patient}"},
        "provision": {"type": type_, **provision},
    }


class House:
    """A store with a practitioner, an organisation, patients and an observation each."""

    def __init__(self, store: Store, patients: Iterable[str] = ("p", "q")) -> None:
        self.store = store
        self.put({"resourceType": "Practitioner", "id": "alice", "identifier": [{"system": RPPS, "value": ALICE}]})
        self.put(
            {"resourceType": "Organization", "id": "hospital", "identifier": [{"system": FINESS, "value": "750000001"}]}
        )
        for patient in patients:
            self.put({"resourceType": "Patient", "id": patient, "active": True})
            self.put(
                {"resourceType": "Observation", "id": f"o-{patient}", "subject": {"reference": f"Patient/{patient}"}}
            )

    def put(self, resource: dict[str, Any]) -> None:
        type_, id_ = resource["resourceType"], resource["id"]
        view = self.store.view(OPERATOR)
        if (found := view.read(type_, id_)) is None or found.deleted:
            self.store.transact(OPERATOR, lambda tx: tx.create(resource, id_))
        else:
            self.store.transact(OPERATOR, lambda tx: tx.update(resource))

    def delete(self, type_: str, id_: str) -> None:
        self.store.transact(OPERATOR, lambda tx: tx.delete(type_, id_))

    def sees(self, requester: Requester, id_: str, now: datetime = NOW) -> bool:
        return self.store.view(Access.of(requester, now)).read("Observation", id_) is not None


@pytest.fixture
def house(embedded_uri: str, database_name: str) -> Iterator[House]:
    definitions = Definitions.core()
    store = Store(embedded_uri, database_name, definitions=definitions, index=Indexer(definitions).index)
    yield House(store)
    store.close()


def test_a_permit_gives_and_its_deletion_takes_on_the_very_next_request(house: House) -> None:
    assert not house.sees(physician(), "o-p")
    house.put(consent("c", "p", "permit", "Practitioner/alice"))
    assert house.sees(physician(), "o-p")
    assert not house.sees(physician(), "o-q")
    assert not house.sees(physician(BOB), "o-p")
    house.delete("Consent", "c")
    assert not house.sees(physician(), "o-p")


def test_a_deny_blocks_one_and_no_other(house: House) -> None:
    house.put(team("t", "p", "Practitioner/alice", "Organization/hospital"))
    assert house.sees(physician(), "o-p")
    assert house.sees(physician(BOB), "o-p")
    house.put(consent("c", "p", "deny", "Practitioner/alice"))
    assert not house.sees(physician(), "o-p")
    assert house.sees(physician(BOB), "o-p")


def test_an_expired_consent_ends_at_the_second_without_a_write(house: House) -> None:
    house.put(consent("c", "p", "permit", "Practitioner/alice", period={"end": "2026-03-01T12:00:09Z"}))
    assert house.sees(physician(), "o-p", NOW + timedelta(seconds=9))
    assert not house.sees(physician(), "o-p", NOW + timedelta(seconds=10))
    assert house.sees(physician(), "o-p", NOW)


def test_a_block_outlives_the_number_and_the_entry_of_whom_it_names(house: House) -> None:
    house.put(team("t", "p", None, "Organization/hospital"))
    house.put(consent("c", "p", "deny", "Practitioner/alice"))
    house.put({"resourceType": "Practitioner", "id": "alice", "identifier": [{"system": RPPS, "value": BOB}]})
    assert not house.sees(physician(), "o-p")
    assert not house.sees(physician(BOB), "o-p")
    house.delete("Practitioner", "alice")
    assert not house.sees(physician(), "o-p")


def test_a_number_that_becomes_known_makes_the_consent_work(house: House) -> None:
    house.put(consent("c", "p", "permit", "Practitioner/bob"))
    assert not house.sees(physician(BOB), "o-p")
    house.put({"resourceType": "Practitioner", "id": "bob", "identifier": [{"system": RPPS, "value": BOB}]})
    assert house.sees(physician(BOB), "o-p")


def test_a_role_is_known_by_its_person_and_organisation(house: House) -> None:
    role = {"practitioner": {"reference": "Practitioner/alice"}, "organization": {"reference": "Organization/hospital"}}
    house.put({"resourceType": "PractitionerRole", "id": "r", **role})
    house.put(consent("c", "p", "permit", "PractitionerRole/r"))
    assert house.sees(physician(), "o-p")
    assert not house.sees(physician(organization="750000009"), "o-p")
    house.put({"resourceType": "Practitioner", "id": "alice", "identifier": [{"system": RPPS, "value": BOB}]})
    assert not house.sees(physician(), "o-p")
    assert house.sees(physician(BOB), "o-p")


def test_a_closed_record_is_shut_and_reopens(house: House) -> None:
    house.put(consent("c", "p", "permit", "Practitioner/alice"))
    house.put({"resourceType": "Patient", "id": "p", "active": False})
    assert not house.sees(physician(), "o-p")
    house.put({"resourceType": "Patient", "id": "p", "active": True})
    assert house.sees(physician(), "o-p")


def test_across_patients_the_predicate_is_that_of_each_patient(
    house: House, embedded_uri: str, database_name: str
) -> None:
    house.put(consent("c", "p", "permit", "Practitioner/alice"))
    house.put(consent("d", "q", "permit", None, securityLabel=[{"code": "N"}]))
    policies = Policies(house.store._bound().database)
    access = Access.of(physician(), NOW)
    across = policies.predicate(access, "Observation", None)
    for row in house.store._bound().database["Observation"].find():
        alone = policies.predicate(access, "Observation", frozenset({row["pat"]}))
        assert matches(across, row) == matches(alone, row) is True
    assert policies.predicate(Access.of(Requester("practitioner", "x"), NOW), "Observation", None) == FALSE


def test_a_care_team_within_a_team_is_followed(house: House) -> None:
    house.put(
        {
            "resourceType": "CareTeam",
            "id": "inner",
            "status": "active",
            "subject": {"reference": "Patient/q"},
            "participant": [{"member": {"reference": "Practitioner/alice"}}],
        }
    )
    house.put(team("t", "p", "CareTeam/inner", None))
    assert house.sees(physician(), "o-p")
    house.put({"resourceType": "CareTeam", "id": "inner", "status": "inactive", "subject": {"reference": "Patient/q"}})
    assert not house.sees(physician(), "o-p")


def test_an_unchanged_policy_keeps_its_epoch(house: House) -> None:
    policies = house.store._bound().database["policy"]
    before = policies.find_one({"_id": "p"})
    house.put({"resourceType": "Patient", "id": "p", "active": True, "birthDate": "1950-01-01"})
    changed = policies.find_one({"_id": "p"})
    house.put({"resourceType": "Patient", "id": "p", "active": True, "birthDate": "1950-01-01", "gender": "male"})
    assert before is not None
    assert changed is not None
    assert changed["epoch"] == before["epoch"] + 1
    assert policies.find_one({"_id": "p"}) == changed


def test_a_break_glass_read_is_of_the_patient_named(house: House) -> None:
    assert house.sees(physician(purpose="BTG"), "o-p")
    house.put(consent("c", "p", "deny", None, purpose=[{"code": "BTG"}]))
    assert not house.sees(physician(purpose="BTG"), "o-p")
    assert house.sees(physician(purpose="BTG"), "o-q")


def test_a_representative_sees_the_minor(house: House) -> None:
    house.put({"resourceType": "Patient", "id": "p", "active": True, "birthDate": "2020-05-05"})
    mother = Requester("representative", "RelatedPerson/m", patient="p", scopes=("patient/*.cruds",))
    assert house.sees(mother, "o-p")
    assert not house.sees(mother, "o-q")
    assert not house.sees(mother, "o-p", datetime(2038, 5, 5, tzinfo=UTC))


def test_the_policy_of_a_new_patient_is_as_one_that_is_built_anew(house: House) -> None:
    """Patients made under new ids are taken together; one of them with Consent and team, written with it, is not."""
    database = house.store._bound().database
    patients: list[dict[str, Any]] = [
        {"active": True, "birthDate": "2020-05-05", "address": [{"postalCode": "97400"}]},
        {"active": False, "generalPractitioner": [{"reference": "Practitioner/alice"}]},
        {"deceasedBoolean": True},
        {"active": True},
    ]

    def made(tx: Transaction) -> list[str]:
        ids = [f"new-{n}" for n in range(len(patients))]
        for id_, told in zip(ids, patients, strict=True):
            tx.create({"resourceType": "Patient", **told}, id_, fresh=True)
        tx.space(ids[0], "announced", NOW)
        tx.create(consent("new-c", ids[3], "permit", "Practitioner/alice"), "new-c", fresh=True)
        return ids

    ids = house.store.transact(OPERATOR, made)
    rows = {row["_id"]: row for row in database["policy"].find({"_id": {"$in": ids}})}
    assert [len(rows[each]["rules"]) for each in ids] == [0, 0, 0, 1]
    assert rows[ids[1]]["traitant"] == [f"rpps|{ALICE}"]
    database["policy"].delete_many({"_id": {"$in": ids}})
    house.store.transact(OPERATOR, lambda tx: tx.rebuild(ids))
    again = {row["_id"]: row for row in database["policy"].find({"_id": {"$in": ids}})}
    for each in ids:
        assert {**rows[each], "stamp": None} == {**again[each], "stamp": None}


def team(id_: str, patient: str, *members: str | None) -> dict[str, Any]:
    return {
        "resourceType": "CareTeam",
        "id": id_,
        "status": "active",
        "subject": {"reference": f"Patient/{patient}"},
        "participant": [{"member": {"reference": member}} for member in members if member],
    }


def test_the_state_of_the_space_is_in_force_at_once_and_changes_at_its_moment(house: House) -> None:
    house.put(consent("c", "p", "permit", "Practitioner/alice"))
    holder = Requester("patient", "p", patient="p", scopes=("patient/*.cruds",))
    in_six_weeks = NOW + timedelta(weeks=6)

    def told(state: str, since: datetime | None = None) -> None:
        house.store.transact(OPERATOR, lambda tx: tx.space("p", state, since))

    assert house.sees(physician(), "o-p")
    told("announced")
    assert not house.sees(physician(), "o-p")
    assert not house.sees(holder, "o-p")
    told("open", in_six_weeks)
    assert [house.sees(physician(), "o-p", in_six_weeks + timedelta(seconds=each)) for each in (-1, 0)] == [False, True]
    assert [house.sees(holder, "o-p", in_six_weeks + timedelta(seconds=each)) for each in (-1, 0)] == [False, True]
    told("opposed")
    assert not house.sees(physician(), "o-p", in_six_weeks)
    assert house.sees(physician(), "o-q") is False
    told("open")
    assert house.sees(holder, "o-p")
    with pytest.raises(ValueError, match="expired"):
        told("expired")


def test_a_space_is_told_of_before_the_patient_is_here(house: House) -> None:
    house.store.transact(OPERATOR, lambda tx: tx.space("new", "suspended"))
    house.put({"resourceType": "Patient", "id": "new", "active": True})
    house.put({"resourceType": "Observation", "id": "o-new", "subject": {"reference": "Patient/new"}})
    assert not house.sees(Requester("patient", "new", patient="new", scopes=("patient/*.cruds",)), "o-new")


def test_a_read_in_the_transaction_of_a_consent_obeys_it(house: House) -> None:
    house.put(consent("c", "p", "permit", "Practitioner/alice"))

    def work(tx: Transaction) -> tuple[bool, bool]:
        view = tx.trusted(Access.of(physician(), NOW))
        before = view.read("Observation", "o-p") is not None
        tx.update(consent("c", "p", "deny", "Practitioner/alice"))
        tx.settle()
        return before, view.read("Observation", "o-p") is not None

    assert house.store.transact(OPERATOR, work) == (True, False)
    assert not house.sees(physician(), "o-p")


CLINIC, WARD, BED = "750000007", "750000008", "750000009"
OF_CLINIC = Requester("system", "clinic", organization=CLINIC, client="c", scopes=("system/*.cruds",))
OF_WARD = Requester("system", "ward", organization=WARD, client="w", scopes=("system/*.cruds",))
OF_BED = Requester("system", "bed", organization=BED, client="b", scopes=("system/*.cruds",))


def establishment(id_: str, number: str | None, part_of: str | None = None) -> dict[str, Any]:
    identifier = [{"system": FINESS, "value": number}] if number else []
    above = {"partOf": {"reference": f"Organization/{part_of}"}} if part_of else {}
    return {"resourceType": "Organization", "id": id_, "identifier": identifier, **above}


def test_departments_follow_their_establishment_for_permits_and_denies(house: House) -> None:
    house.put(establishment("clinic", CLINIC))
    house.put(consent("c", "p", "permit", "Organization/clinic"))
    people = [physician(BOB, number) for number in (CLINIC, WARD, BED)]

    def who() -> list[bool]:
        return [house.sees(each, "o-p") for each in people]

    assert who() == [True, False, False]
    house.put(establishment("pole", None, "clinic"))
    house.put(establishment("ward", WARD, "pole"))
    assert who() == [True, True, False]
    house.put(establishment("bed", BED, "ward"))
    assert who() == [True, True, True]
    house.put(establishment("ward", WARD, "bed"))
    assert who() == [True, False, False]
    house.put(establishment("ward", WARD, "clinic"))
    assert who() == [True, True, True]
    house.put(consent("d", "p", "deny", "Organization/clinic"))
    assert who() == [False, False, False]
    house.delete("Consent", "d")
    house.put(establishment("clinic", CLINIC, "bed"))
    assert who() == [True, True, True]
    house.delete("Organization", "ward")
    assert who() == [True, False, False]


def test_a_department_is_found_by_number_and_declared_by_number(house: House) -> None:
    named = consent("c", "p", "permit", None)
    identifier = {"identifier": {"system": FINESS, "value": CLINIC}}
    named["provision"]["actor"] = [{"role": {}, "reference": identifier}]
    house.put(named)
    assert not house.sees(physician(BOB, WARD), "o-p")
    house.put(establishment("clinic", CLINIC))
    ward = establishment("ward", WARD) | {"partOf": identifier}
    house.put(ward)
    assert house.sees(physician(BOB, WARD), "o-p")
    house.put(establishment("clinic", None))
    assert not house.sees(physician(BOB, WARD), "o-p")


def test_who_declares_himself_a_department_gains_nothing_by_it_and_is_blocked_with_it(house: House) -> None:
    house.put(establishment("clinic", CLINIC))
    house.put(consent("c", "p", "permit", "Organization/clinic"))
    house.put(team("t", "q", "Organization/hospital"))

    def declare(who: Requester, resource: dict[str, Any]) -> None:
        house.store.transact(Access.of(who, NOW), lambda tx: tx.create(resource, resource["id"]))

    declare(OF_WARD, establishment("ward", WARD, "clinic"))
    declare(OF_BED, establishment("forged", WARD, "hospital"))
    assert not house.sees(physician(BOB, WARD), "o-p")
    assert not house.sees(physician(BOB, WARD), "o-q")
    house.put(consent("d", "p", "permit", None))
    assert house.sees(physician(BOB, WARD), "o-p")
    house.put(consent("e", "p", "deny", "Organization/clinic"))
    assert not house.sees(physician(BOB, WARD), "o-p")
    declare(OF_CLINIC, establishment("bed", BED, "clinic"))
    house.delete("Consent", "e")
    house.delete("Consent", "d")
    assert [house.sees(physician(BOB, each), "o-p") for each in (CLINIC, WARD, BED)] == [True, False, True]


def test_a_birth_date_put_right_opens_the_record_to_the_representative_at_once(house: House) -> None:
    mother = Requester("representative", "RelatedPerson/m", patient="p", scopes=("user/*.cruds",))
    query = parse(Definitions.core(), "Observation", [("code:missing", "true")])

    def found() -> list[str]:
        return [each.id for each in house.store.view(Access.of(mother, NOW)).search(query).matches]

    house.put({"resourceType": "Patient", "id": "p", "active": True, "birthDate": "1990-05-05"})
    assert found() == []
    house.put({"resourceType": "Patient", "id": "p", "active": True, "birthDate": "2020-05-05"})
    assert found() == ["o-p"]
    house.store.transact(OPERATOR, lambda tx: tx.space("p", "suspended"))
    assert found() == []
