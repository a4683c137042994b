"""Who represents a minor or a protected adult: each row of the table, its period, and a naive twin."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from fhirserver.access import Access, Policy, Requester, build, judge_write, predicate
from fhirserver.access.representation import OWN, Rights, measures, named, representative
from fhirserver.access.tables import rows
from fhirserver.access.zones import METROPOLE as PARIS
from fhirserver.access.zones import midnight, names, zone
from fhirserver.espace import delays
from fhirserver.predicate import matches
from tests.access import naive
from tests.access.test_rules import envelope
from tests.access.world import NOW

NOS = "https://mos.esante.gouv.fr/NOS/"
R216 = f"{NOS}TRE_R216-HL7RoleCode/FHIR/TRE-R216-HL7RoleCode"
R217 = f"{NOS}TRE_R217-ProtectionJuridique/FHIR/TRE-R217-ProtectionJuridique"
R260 = f"{NOS}TRE_R260-HL7RoleClass/FHIR/TRE-R260-HL7RoleClass"
FR = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-contact-relationship"
CODES = [
    (R216, "MTH"), (R216, "GRMTH"), (R217, "TUTEUR"), (R217, "CURATEUR"), (R217, "MSVG"), (R260, "GUARD"),
    (R260, "CAREGIVER"), (OWN, "habilitation-familiale"), (OWN, "mandat-de-protection-future"),
]  # fmt: skip
WHO = Requester("representative", "RelatedPerson/r", patient="p", scopes=("patient/*.cruds",), purpose="PATRQT")
ADULT, CHILD = "1980-05-01", "2020-05-01"
ALL, NONE = Rights(True, True, True, True), Rights()


def related(*codes: tuple[str, str], **more: Any) -> dict[str, Any]:
    told = [{"coding": [{"system": system, "code": code}]} for system, code in codes]
    return {"resourceType": "RelatedPerson", "id": "r", "patient": {"reference": "Patient/p"}, **more} | (
        {"relationship": told} if told else {}
    )


def policy(person: dict[str, Any] | None, birth: str, *, vouched: bool = True) -> Policy:
    known = {} if person is None else {"r": representative(person, vouched=vouched)}
    patient = {"resourceType": "Patient", "id": "p", "birthDate": birth}
    return Policy.of(build("p", patient, [], [], {}, related=known))


def reads(rules: Policy, now: datetime = NOW, *labels: str) -> bool:
    compiled = predicate(Access.of(WHO, now), "Observation", [rules], frozenset({"p"}))
    return matches(compiled, envelope("Observation", *labels))


def writes(rules: Policy, post: dict[str, Any], pre: dict[str, Any] | None = None) -> bool:
    interaction = "update" if pre else "create"
    return judge_write(Access.of(WHO, NOW), interaction, post["resourceType"], pre, post, rules, acl={}).allowed


@pytest.mark.parametrize("row", rows("representation.csv"), ids=lambda row: row["measure"])
def test_each_measure_gives_what_its_row_says_and_names_its_article(row: dict[str, str]) -> None:
    assert row["article"]
    found = next(each for each in measures() if each.name == row["measure"])
    for code in sorted(found.codes) or [""]:
        system, _, word = code.rpartition("|")
        rules = policy(related(*[(system, word)] if code else []), CHILD if row["of"] == "minor" else ADULT)
        assert reads(rules) == (row["read"] == "Y")
        observation = {"resourceType": "Observation", "subject": {"reference": "Patient/p"}}
        assert writes(rules, observation) == (row["act"] == "Y")
        patient = {"resourceType": "Patient", "id": "p"}
        assert writes(rules, {**patient, "active": False}, {**patient, "active": True}) == (row["close"] == "Y")


def test_a_tutor_represents_an_adult_and_a_curator_does_not() -> None:
    assert reads(policy(related((R217, "TUTEUR")), ADULT))
    for code in ((R217, "CURATEUR"), (R217, "MSVG"), (R260, "GUARD"), (R216, "MTH")):
        assert not reads(policy(related(code), ADULT))
    assert not reads(policy(related(), ADULT))
    assert not reads(policy(None, ADULT))


def test_the_measure_of_an_adult_counts_when_the_operator_declared_it() -> None:
    assert not reads(policy(related((R217, "TUTEUR")), ADULT, vouched=False))
    assert reads(policy(related((R216, "MTH")), CHILD, vouched=False))


def test_a_grandmother_does_not_represent_a_child_and_a_code_of_another_system_says_nothing() -> None:
    assert not reads(policy(related((R216, "GRMTH")), CHILD))
    assert not reads(policy(related(("urn:other", "TUTEUR")), ADULT))
    assert reads(policy(related((R216, "GRMTH"), (R260, "GUARD")), CHILD))


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        (
            {"start": "2026-03-01", "end": "2026-03-28"},
            datetime(2026, 3, 1, tzinfo=UTC),
            datetime(2026, 3, 29, tzinfo=UTC),
        ),
        ({"start": "2024-02", "end": "2024-02"}, datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)),
        (
            {"start": "2026-03-28T23:00:00-10:00", "end": "2026-10-25T02:59:59+02:00"},
            datetime(2026, 3, 29, 9, tzinfo=UTC),
            datetime(2026, 10, 25, 1, tzinfo=UTC),
        ),
    ],
)
def test_a_measure_lasts_for_its_period(period: dict[str, str], first: datetime, last: datetime) -> None:
    rules, instant = policy(related((R217, "TUTEUR"), period=period), ADULT), timedelta(milliseconds=1)
    assert [reads(rules, each) for each in (first - instant, first, last - instant, last)] == [False, True, True, False]


@pytest.mark.parametrize(
    "more", [{"active": False}, {"period": {"start": "soon"}}, {"period": {"start": "2027", "end": "2026"}}]
)
def test_what_is_over_or_cannot_be_read_represents_nobody(more: dict[str, Any]) -> None:
    assert not reads(policy(related((R217, "TUTEUR"), **more), ADULT))
    assert not reads(policy(related((R216, "MTH"), **more), CHILD))


@pytest.mark.parametrize("where", names())
def test_parents_authority_ends_at_midnight_of_majority_where_the_person_lives_and_a_tutelle_goes_on(
    where: str,
) -> None:
    for birth in ("2008-03-01", "2008-02-29"):
        day = midnight(date(2026, 3, 1), where)
        eve = day - timedelta(milliseconds=1)
        mother = replace(policy(related((R216, "MTH")), birth), zone=where)
        assert [reads(mother, each) for each in (eve, day)] == [True, False]
        tutor = replace(policy(related((R217, "TUTEUR")), birth), zone=where)
        assert [reads(tutor, each) for each in (eve, day)] == [True, True]
        assert delays.majority(birth, where) == day, "the space is taken over at that very moment"


def test_where_the_person_lives_is_kept_in_the_policy() -> None:
    patient = {"resourceType": "Patient", "id": "p", "birthDate": CHILD}
    overseas = {**patient, "address": [{"postalCode": "98800"}]}
    assert [Policy.of(build("p", each, [], [], {})).zone for each in (patient, overseas)] == [PARIS, "Pacific/Noumea"]
    assert zone({"address": "nowhere"}) == PARIS


def test_what_a_person_keeps_secret_is_secret_from_a_tutor_too() -> None:
    assert not reads(policy(related((R217, "TUTEUR")), ADULT), NOW, "INVISIBLE_REPRESENTANTS_LEGAUX")


def test_a_representative_chooses_consents_but_lets_himself_in_by_none() -> None:
    def permit(actor: str) -> dict[str, Any]:
        who = {"role": {"text": "x"}, "reference": {"reference": actor}}
        return {
            "resourceType": "Consent",
            "status": "active",
            "scope": {"coding": [{"code": "patient-privacy"}]},
            "patient": {"reference": "Patient/p"},
            "provision": {"type": "permit", "actor": [who]},
        }

    rules = policy(related((R217, "TUTEUR")), ADULT)
    assert writes(rules, permit("Practitioner/x"))
    assert not writes(rules, permit("RelatedPerson/r"))
    assert not writes(policy(related((R217, "CURATEUR")), ADULT), permit("Practitioner/x"))


def test_a_representation_is_kept_in_the_policy_as_it_was_read() -> None:
    person = representative(related((R217, "TUTEUR"), period={"end": "2030"}), vouched=True)
    assert (person.minor, person.adult) == (ALL, ALL)
    assert policy(related((R217, "TUTEUR"), period={"end": "2030"}), ADULT).represent == (("r", person),)
    assert [each.name for each in named(related((R217, "TUTEUR")))] == ["guardianship", "tutelle"]
    assert representative(related((R217, "MSVG")), vouched=True).adult == NONE


def test_the_rule_answers_as_the_naive_evaluator() -> None:
    chance, seen = random.Random(20261122), set()
    for _ in range(1500):
        codes = chance.sample(CODES, chance.choice([0, 1, 1, 2]))
        day = chance.choice(["2025-01-01", "2026-03-01", "2026-06-01"])
        periods: list[dict[str, Any]] = [{}, {"period": {"end": day}}, {"period": {"start": day}}]
        person = related(*codes, **chance.choice(periods), **chance.choice([{}, {"active": False}]))
        birth, vouched = chance.choice([ADULT, CHILD, "2008-03-01", "2008-03-02"]), chance.random() < 0.7
        known = chance.random() < 0.9
        rules = policy(person if known else None, birth, vouched=vouched)
        record = naive.Record({"id": "p", "birthDate": birth}, related=[(person, vouched)] if known else [])
        deposit = naive.Deposit({"resourceType": "Observation", "id": "1"}, set(), NOW)
        twin = naive.sees(naive.Person("representative", {"related|r"}, patient="p"), deposit, record, NOW)
        assert reads(rules) == twin, (person, birth, vouched, known)
        seen.add(twin)
    assert seen == {True, False}
