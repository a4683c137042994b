"""One test a rule of the law, in the order in which they decide."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fhirserver.access import Access, Delegate, Departments, Policy, Requester, acl, build, permits, predicate, require
from fhirserver.access.explain import concluded, explain
from fhirserver.access.scopes import parse
from fhirserver.errors import Forbidden
from fhirserver.predicate import FALSE, TRUE, Predicate, matches
from tests.access.world import ALICE, BOB, CAROL, HERE, NOW, NUMBERS, TEAM, THERE, coding

USER = ("user/*.cruds",)
ALICE_HERE = Requester("practitioner", "a", rpps=ALICE, profession="G15_10", organization=HERE, scopes=USER)
BOB_HERE = Requester("practitioner", "b", rpps=BOB, profession="G15_60", organization=HERE, scopes=USER)
BOB_THERE = Requester("practitioner", "b", rpps=BOB, profession="G15_10", organization=THERE, scopes=USER)
HOSPITAL = Requester("system", "his", organization=HERE, client="his", scopes=("system/*.cruds",))
HOLDER = Requester("patient", "p", patient="p", scopes=("patient/*.cruds",))
MOTHER = Requester("representative", "RelatedPerson/m", patient="p", scopes=("patient/*.cruds",))
PERMIT = {
    "resourceType": "Consent",
    "id": "c",
    "status": "active",
    "scope": {"coding": [{"code": "patient-privacy"}]},
    "patient": {"reference": "Patient/p"},
    "provision": {"type": "permit"},
}
TRAITANT: dict[str, Any] = {"generalPractitioner": [{"reference": "Practitioner/alice"}]}
MONTH_AGO = datetime(2026, 2, 1, 12, tzinfo=UTC)


def policy(*consents: dict[str, Any], teams: tuple[dict[str, Any], ...] = (TEAM,), **patient: Any) -> Policy:
    derived = patient.pop("derived", ())
    built = build("p", {"resourceType": "Patient", "id": "p", **patient}, consents, teams, NUMBERS)
    return Policy.of({**built, "derived": derived})


def envelope(
    kind: str = "Observation", *labels: str, at: datetime = NOW, by: tuple[str, ...] = (), **more: Any
) -> dict[str, Any]:
    pat = more.pop("pat", "p")
    patx = more.pop("patx", None)
    resource = {"resourceType": kind, "id": "1", "meta": {"security": [coding(each) for each in labels]}, **more}
    made = {"_id": "1", "acl": acl(resource, HOSPITAL, NOW, {"by": list(by), "at": at}), "t": [], "d": {}}
    return made | ({"pat": pat} if pat else {}) | ({"patx": patx} if patx else {})


def compiled(who: Requester, kind: str, rules: Policy | None, *, named: bool = True, now: datetime = NOW) -> Predicate:
    return predicate(Access.of(who, now), kind, [rules] if rules else [], frozenset({"p"}) if named else None)


def sees(
    who: Requester, row: dict[str, Any], rules: Policy | None, kind: str = "Observation", now: datetime = NOW
) -> bool:
    found = matches(compiled(who, kind, rules, now=now), row)
    told = explain(Access.of(who, now), kind, row, [rules] if rules else [])
    assert told.visible == found == concluded(told.parts), told
    return found


def with_purpose(who: Requester, purpose: str) -> Requester:
    return Requester(**{**{name: getattr(who, name) for name in who.__dataclass_fields__}, "purpose": purpose})


# scope


@pytest.mark.parametrize(
    ("scope", "letters"),
    [
        ("user/Observation.rs", "rs"),
        ("user/*.cruds", "cruds"),
        ("patient/Observation.read", "rs"),
        ("user/Observation.write", "cud"),
        ("user/*.*", "cruds"),
        ("system/*.cruds", ""),
        ("user/Condition.rs", ""),
        ("user/Observation.rs?category=laboratory", "rs"),
        ("openid", ""),
        ("user/Observation.", ""),
        ("user/Observation.sr", ""),
    ],
)
def test_scopes_grant_letters(scope: str, letters: str) -> None:
    who = Requester("practitioner", "a", rpps=ALICE, patient="p", scopes=(scope,))
    assert "".join(letter for letter in "cruds" if permits(who, "Observation", letter)) == letters


def test_a_scope_with_a_search_part_grants_nothing_to_who_knows_no_searches() -> None:
    who = Requester("practitioner", "a", rpps=ALICE, scopes=("user/Observation.rs?category=laboratory",))
    assert compiled(who, "Observation", policy(PERMIT)) == FALSE
    with pytest.raises(Forbidden, match="do not cover Condition"):
        require(who, "Condition", "r")
    require(ALICE_HERE, "Condition", "r")
    assert parse("launch/patient") is None


def test_patient_scopes_of_a_professional_narrow_to_the_patient_launched() -> None:
    row = envelope()
    narrowed = Requester("practitioner", "a", rpps=ALICE, profession="G15_10", patient="q", scopes=("patient/*.rs",))
    here = Requester("practitioner", "a", rpps=ALICE, profession="G15_10", patient="p", scopes=("patient/*.rs",))
    nowhere = Requester("practitioner", "a", rpps=ALICE, profession="G15_10", scopes=("patient/*.rs",))
    assert [sees(each, row, policy()) for each in (narrowed, here, nowhere)] == [False, True, False]


def test_the_operator_and_the_servers_own_work_see_everything_with_scopes_only() -> None:
    assert predicate(Access.system("reindex"), "Observation", []) == TRUE
    assert predicate(Access.of(Requester("operator", "x"), NOW), "Observation", []) == FALSE
    assert Access.system("reindex").reason == "reindex"


def test_a_requester_is_of_a_known_kind() -> None:
    with pytest.raises(ValueError, match="insurer"):
        Requester("insurer", "x")


# state of the space


def test_a_closed_record_is_its_holders_alone() -> None:
    closed = policy(PERMIT, active=False, **TRAITANT)
    mine = envelope(by=(f"rpps|{ALICE}",))
    assert [sees(who, mine, closed) for who in (ALICE_HERE, HOSPITAL, HOLDER)] == [False, False, True]
    gone = Policy.of(build("p", None, [PERMIT], [TEAM], NUMBERS))
    assert not sees(ALICE_HERE, mine, gone)


def test_a_record_without_active_counts_as_open() -> None:
    assert sees(ALICE_HERE, envelope(), policy())


# prohibited actors


@pytest.mark.parametrize("purpose", ["HPAYMT", "COVERAGE", "ELIGDTRM", "CLMATTCH", "HMARKT"])
def test_insurers_never_read_not_even_what_they_deposited(purpose: str) -> None:
    who = with_purpose(ALICE_HERE, purpose)
    assert not sees(who, envelope(by=(f"rpps|{ALICE}",)), policy(PERMIT, **TRAITANT))
    assert compiled(who, "Practitioner", None) == TRUE


# holder and representatives


def test_the_holder_sees_his_record_and_what_he_is_one_of_several_in() -> None:
    other = Requester("patient", "q", patient="q", scopes=("patient/*.cruds",))
    assert sees(HOLDER, envelope("Observation", "V", "MASQUE_PS"), policy())
    assert not sees(other, envelope(), policy())
    assert sees(other, envelope("Coverage", patx=["q"]), policy(), "Coverage")
    assert not sees(other, envelope("Patient", patx=["q"]), policy(), "Patient")
    assert not sees(Requester("patient", "x", scopes=("patient/*.rs",)), envelope(), None)


@pytest.mark.parametrize("kind", ["Appointment", "AppointmentResponse", "Group"])
def test_of_what_lists_several_patients_none_reads_of_the_others_not_even_who_stored_it(kind: str) -> None:
    other = Requester("patient", "q", patient="q", scopes=("patient/*.cruds",))
    for by in ((), ("patient|p", "patient|q")):
        row = envelope(kind, patx=["q"], by=by)
        assert [sees(each, row, policy(), kind) for each in (HOLDER, other)] == [False, False]
    assert sees(HOLDER, envelope(kind), policy(), kind)


def test_what_awaits_its_announcement_is_hidden_from_the_holder_for_a_month_at_most() -> None:
    assert not sees(HOLDER, envelope("Observation", "INVISIBLE_PATIENT"), policy())
    assert sees(HOLDER, envelope("Observation", "INVISIBLE_PATIENT", at=MONTH_AGO), policy())
    just_less = datetime(2026, 2, 1, 12, 0, 0, 1000, tzinfo=UTC)
    assert not sees(HOLDER, envelope("Observation", "INVISIBLE_PATIENT", at=just_less), policy())
    assert sees(ALICE_HERE, envelope("Observation", "INVISIBLE_PATIENT"), policy())
    end_of_may = datetime(2026, 3, 31, tzinfo=UTC)
    assert sees(
        HOLDER,
        envelope("Observation", "INVISIBLE_PATIENT", at=datetime(2026, 2, 28, tzinfo=UTC)),
        policy(),
        now=end_of_may,
    )


def test_a_representative_sees_until_majority_and_without_the_minors_secret() -> None:
    minor, adult = policy(birthDate="2008-03-02"), policy(birthDate="2008-03-01")
    assert [sees(MOTHER, envelope(), each) for each in (minor, adult, policy(), None)] == [True, False, False, False]
    assert not sees(MOTHER, envelope("Observation", "INVISIBLE_REPRESENTANTS_LEGAUX"), minor)
    assert sees(HOLDER, envelope("Observation", "INVISIBLE_REPRESENTANTS_LEGAUX"), minor)
    leap = policy(birthDate="2008-02-29")
    assert sees(MOTHER, envelope(), leap, now=datetime(2026, 2, 28, tzinfo=UTC))
    assert not sees(MOTHER, envelope(), leap, now=datetime(2026, 3, 1, tzinfo=UTC))
    assert not sees(MOTHER, envelope(), policy(birthDate="2008"))
    assert not sees(MOTHER, envelope(), policy(birthDate="soon"))


# author, depositor


def test_author_and_depositing_organisation_keep_seeing_what_is_masked_or_very_restricted() -> None:
    row = envelope("Observation", "MASQUE_PS", "V", by=(f"rpps|{BOB}", f"finess|{HERE}"))
    assert [sees(who, row, policy(teams=())) for who in (ALICE_HERE, BOB_THERE, HOSPITAL)] == [True, True, True]
    elsewhere = Requester("system", "lab", organization=THERE, scopes=("system/*.rs",))
    assert not sees(elsewhere, row, policy(PERMIT))
    written = envelope(performer=[{"identifier": {"system": "https://rpps.esante.gouv.fr", "value": BOB}}])
    assert sees(BOB_THERE, written, policy(teams=()))


def test_own_deposits_without_a_patient_or_a_policy_are_seen() -> None:
    task = envelope("Task", pat=None, by=("client|his",))
    assert sees(HOSPITAL, task, None, "Task")
    assert not sees(ALICE_HERE, envelope("Task", pat=None), None, "Task")
    assert sees(HOLDER, envelope("Binary", pat=None, by=("patient|p",)), policy(), "Binary")


def test_an_audit_event_is_the_holders_and_of_whom_it_is_an_act() -> None:
    by_another, by_her = envelope("AuditEvent", by=("finess|750000001",)), envelope("AuditEvent", by=(f"rpps|{ALICE}",))
    rights = policy(PERMIT, **TRAITANT)
    assert [sees(who, by_another, rights, "AuditEvent") for who in (ALICE_HERE, HOLDER)] == [False, True]
    assert [sees(who, by_her, rights, "AuditEvent") for who in (ALICE_HERE, HOLDER)] == [True, True]


def test_whom_a_person_blocked_is_nobodys_business() -> None:
    assert not sees(ALICE_HERE, envelope("Consent"), policy(PERMIT, **TRAITANT), "Consent")
    assert sees(HOLDER, envelope("Consent"), policy(), "Consent")


# médecin traitant, care team


def test_the_medecin_traitant_sees_what_is_masked() -> None:
    masked = envelope("Observation", "MASQUE_PS", "V")
    assert sees(ALICE_HERE, masked, policy(teams=(), **TRAITANT))
    assert not sees(BOB_HERE, masked, policy(**TRAITANT))
    assert not sees(with_purpose(ALICE_HERE, "HRESCH"), masked, policy(teams=(), **TRAITANT))
    of_organisation = policy(teams=(), generalPractitioner=[{"reference": "Organization/here"}])
    assert not sees(ALICE_HERE, envelope(), of_organisation)


def test_the_care_team_sees_for_care_only_up_to_restricted() -> None:
    assert sees(ALICE_HERE, envelope("Observation", "R"), policy())
    assert not sees(ALICE_HERE, envelope("Observation", "V"), policy())
    assert not sees(ALICE_HERE, envelope("Observation", "MASQUE_PS"), policy())
    assert not sees(with_purpose(ALICE_HERE, "HRESCH"), envelope(), policy())
    assert not sees(ALICE_HERE, envelope(), policy(teams=()))


@pytest.mark.parametrize(
    "change",
    [
        {"status": "proposed"},
        {"period": {"end": "2026-02-28"}},
        {"subject": {"reference": "Patient/q"}},
        {"participant": [{"member": {"reference": "Practitioner/alice"}, "period": {"start": "2026-03-02"}}]},
        {"participant": ["nonsense", {"member": 3}]},
        {"period": "today"},
    ],
)
def test_a_team_that_is_not_in_force_gives_nothing(change: dict[str, Any]) -> None:
    assert not sees(ALICE_HERE, envelope(), policy(teams=({**TEAM, **change},)))


def test_a_care_team_of_an_organisation_is_its_professionals_not_its_systems() -> None:
    team = {**TEAM, "participant": [{"member": {"reference": "Organization/here"}}]}
    assert [sees(who, envelope(), policy(teams=(team,))) for who in (ALICE_HERE, BOB_HERE, BOB_THERE, HOSPITAL)] == [
        True,
        True,
        False,
        False,
    ]


def test_a_care_team_of_an_establishment_is_that_of_its_declared_departments_too() -> None:
    team = {**TEAM, "participant": [{"member": {"reference": "Organization/here"}}]}
    there = {f"finess|{HERE}": [f"finess|{THERE}"]}
    for departments, visible in ((Departments(there, {}), True), (Departments({}, there), False)):
        built = build("p", {"resourceType": "Patient", "id": "p"}, [], [team], NUMBERS, departments=departments)
        assert sees(BOB_THERE, envelope(), Policy.of(built)) is visible
        assert sees(ALICE_HERE, envelope(), Policy.of(built))


def test_physicians_of_an_institution_have_no_right_by_their_function() -> None:
    """Of an EHPAD (L.1111-16: with the person's agreement), of a PMI, of the fire brigade: as any physician."""
    named = {**PERMIT, "provision": {"type": "permit", "actor": [actor("Practitioner/alice")]}}
    assert [sees(ALICE_HERE, envelope(), policy(*each, teams=())) for each in ((), (named,))] == [False, True]


def test_what_is_about_several_patients_is_for_none_of_their_professionals() -> None:
    assert not sees(ALICE_HERE, envelope("Appointment", patx=["q"]), policy(), "Appointment")
    assert sees(ALICE_HERE, envelope("Patient", patx=["q"]), policy(), "Patient")


@pytest.mark.parametrize("kind", ["Group", "Coverage", "Observation"])
def test_what_is_about_several_patients_is_not_for_a_relative_whom_one_of_them_named(kind: str) -> None:
    named = {**PERMIT, "provision": {"type": "permit", "actor": [actor("Patient/cousin")]}}
    cousin = Requester("patient", "Patient/cousin", patient="cousin", scopes=("user/*.rs",))
    assert sees(cousin, envelope(kind), policy(named), kind)
    assert not sees(cousin, envelope(kind, patx=["q"]), policy(named), kind)


# express consent, emergency


def test_an_occupational_physician_needs_to_be_named() -> None:
    doctor = Requester("practitioner", "c", rpps=CAROL, profession="G15_10/SM25", organization=HERE, scopes=USER)
    team = {**TEAM, "participant": [{"member": {"reference": "Practitioner/carol"}}]}
    assert not sees(
        doctor, envelope(), policy(PERMIT, teams=(team,), generalPractitioner=[{"reference": "Practitioner/carol"}])
    )
    actor = [{"role": {}, "reference": {"reference": "Practitioner/carol"}}]
    assert sees(doctor, envelope(), policy({**PERMIT, "provision": {"type": "permit", "actor": actor}}, teams=()))


def test_an_emergency_opens_the_record_of_the_patient_named_unless_opposed() -> None:
    urgent, calm = with_purpose(BOB_HERE, "BTG"), policy(teams=())
    assert sees(urgent, envelope(), calm)
    assert not matches(compiled(urgent, "Observation", calm, named=False), envelope())
    assert not sees(urgent, envelope("Observation", "MASQUE_PS"), calm)
    assert not sees(urgent, envelope("Observation", "V"), calm)
    opposed = {**PERMIT, "provision": {"type": "deny", "purpose": [{"code": "BTG"}]}}
    assert not sees(urgent, envelope(), policy(opposed, teams=()))
    lay = Requester("practitioner", "l", rpps=BOB, profession="R94_200", organization=HERE, scopes=USER, purpose="BTG")
    assert not sees(lay, envelope(), calm)


def test_the_regulating_physician_reads_unless_opposed() -> None:
    regulator = with_purpose(ALICE_HERE, "ETREAT")
    assert sees(regulator, envelope(), policy(teams=()))
    assert not sees(with_purpose(BOB_HERE, "ETREAT"), envelope(), policy(teams=()))
    against_glass = {**PERMIT, "provision": {"type": "deny", "purpose": [{"code": "BTG"}]}}
    assert sees(regulator, envelope(), policy(against_glass, teams=()))
    opposed = {**PERMIT, "provision": {"type": "deny", "purpose": [{"code": "ETREAT"}]}}
    assert not sees(regulator, envelope(), policy(opposed, teams=()))
    assert not sees(with_purpose(ALICE_HERE, "BTG"), envelope(), policy(opposed, teams=()))


# purpose labels


def test_what_is_labelled_for_a_purpose_is_for_that_and_what_it_generalises() -> None:
    treatment, glass = envelope("Observation", "TREAT"), envelope("Observation", "BTG")
    urgent = with_purpose(ALICE_HERE, "BTG")
    assert [sees(ALICE_HERE, row, policy(**TRAITANT)) for row in (treatment, glass)] == [True, False]
    assert [sees(urgent, row, policy(**TRAITANT)) for row in (treatment, glass)] == [True, True]
    both = envelope("Observation", "BTG", "COC", by=(f"rpps|{BOB}",))
    assert [sees(who, both, policy()) for who in (ALICE_HERE, with_purpose(ALICE_HERE, "COC"))] == [False, True]
    assert sees(BOB_HERE, both, policy())
    assert sees(HOLDER, glass, policy())


# staff


def test_staff_see_what_the_professional_sees_and_what_he_may_not_they_may_not() -> None:
    rows = [envelope(), envelope("Observation", "MASQUE_PS"), envelope("Observation", "V", by=(f"rpps|{ALICE}",))]
    bob = Delegate("b", BOB)
    permit_bob = {**PERMIT, "provision": {"type": "permit", "actor": [actor("Practitioner/bob")]}}
    for rules in (policy(), policy(teams=()), policy(permit_bob, teams=()), policy(**TRAITANT)):
        for who in (ALICE_HERE, with_purpose(ALICE_HERE, "BTG")):
            staff = [replace(who, delegate=each) for each in (Delegate("secretary"), bob)]
            assert [[sees(each, row, rules) for row in rows] for each in staff] == [
                [sees(who, row, rules) for row in rows]
            ] * 2


def test_whom_the_person_blocked_sees_nothing_in_anothers_place_either() -> None:
    staff = replace(ALICE_HERE, delegate=Delegate("b", BOB))
    blocked = policy({**PERMIT, "provision": {"type": "deny", "actor": [actor("Practitioner/bob")]}}, **TRAITANT)
    assert [sees(who, envelope(), blocked) for who in (ALICE_HERE, staff)] == [True, False]
    assert not matches(compiled(staff, "Observation", blocked, named=False), envelope())
    assert blocked.actors & staff.named
    with pytest.raises(ValueError, match="practitioner"):
        Requester("system", "lab", delegate=Delegate("x"))


def actor(reference: str) -> dict[str, Any]:
    return {"role": {}, "reference": {"reference": reference}}


# habilitation matrix


@pytest.mark.parametrize(
    ("profession", "code", "visible"),
    [
        ("G15_10", "11488-4", True),
        ("G15_10", "ATTEST-RESID", False),
        ("G15_10", None, True),
        ("G15_10/SM26", "new", True),
        ("G15_40", "11488-4", True),
        ("G15_40", "68599-0", False),
        ("G15_40", "new", False),
        ("G15_40", None, False),
        ("G15_80", "60591-5", True),
        ("G15_99", "11488-4", False),
        (None, "11488-4", False),
    ],
)
def test_the_matrix_opens_document_types_to_professions(
    profession: str | None, code: str | None, visible: bool
) -> None:
    who = Requester("practitioner", "a", rpps=ALICE, profession=profession, organization=HERE, scopes=USER)
    typed: dict[str, Any] = {"type": {"coding": [{"system": "http://loinc.org", "code": code}]}} if code else {}
    assert sees(who, envelope("DocumentReference", **typed), policy(PERMIT), "DocumentReference") is visible


def test_the_matrix_opens_resource_types_to_professions() -> None:
    assert sees(BOB_HERE, envelope("Condition"), policy(), "Condition")
    assert not sees(BOB_HERE, envelope("Claim"), policy(), "Claim")
    assert sees(ALICE_HERE, envelope("Claim"), policy(), "Claim")


# masking


@pytest.mark.parametrize("label", ["MASQUE_PS", "MASQUE_PSOCIAL", "MASQUE_PT"])
def test_what_is_masked_is_hidden_from_professionals_whatever_consent_says(label: str) -> None:
    actor = [{"role": {}, "reference": {"reference": "Practitioner/bob"}}]
    assert not sees(
        BOB_HERE, envelope("Observation", label), policy({**PERMIT, "provision": {"type": "permit", "actor": actor}})
    )


def test_a_binary_of_a_document_is_judged_by_its_labels_or_not_at_all() -> None:
    of_document: dict[str, Any] = {"securityContext": {"reference": "DocumentReference/d"}}
    row = envelope("Binary", **of_document)
    rules = policy(PERMIT, **TRAITANT)
    assert [sees(who, row, rules, "Binary") for who in (BOB_THERE, HOLDER, ALICE_HERE)] == [False, False, True]
    document = envelope("DocumentReference", "R", type={"coding": [{"code": "11488-4"}]})
    bound = {**row, "doc": document}
    rules = policy(PERMIT, teams=(), derived=("Binary",))
    assert not sees(BOB_HERE, bound, rules, "Binary")
    rules = policy(derived=("Binary",))
    assert [sees(who, bound, rules, "Binary") for who in (BOB_THERE, HOLDER, ALICE_HERE)] == [True, True, True]
    assert not sees(HOSPITAL, {**bound, "pat": "p"}, rules, "Binary")


# directory


def test_the_directory_is_everyones_and_a_patients_schedule_is_not() -> None:
    for who in (ALICE_HERE, HOSPITAL, HOLDER):
        assert compiled(who, "Practitioner", None) == TRUE
        assert sees(who, envelope("Schedule", pat=None), policy(teams=()), "Schedule")
    assert not sees(BOB_THERE, envelope("Schedule"), policy(teams=()), "Schedule")
    assert compiled(Requester("patient", "p", patient="p"), "Practitioner", None) == FALSE


# across patients


def test_across_patients_those_of_whom_the_same_is_said_share_a_branch() -> None:
    many = [Policy(**{**vars(policy()), "patient": f"p{i}"}) for i in range(50)]
    one = Policy(**{**vars(policy(active=False)), "patient": "p50"})
    found = predicate(Access.of(ALICE_HERE, NOW), "Observation", [*many, one])
    assert str(found).count("'p7'") == 1
    assert [matches(found, envelope(pat=f"p{i}")) for i in (0, 49, 50, 51)] == [True, True, False, False]
    mine = (f"rpps|{ALICE}",)
    assert [matches(found, envelope(pat=f"p{i}", by=mine)) for i in (0, 50, 51)] == [True, False, True]


def test_explanations_name_the_rules_that_took_part() -> None:
    told = explain(Access.of(BOB_HERE, NOW), "Observation", envelope("Observation", "MASQUE_PS"), [policy()])
    assert not told.visible
    parts = {part.rule: part for part in told.parts}
    assert parts["team"].holds
    assert not parts["unmasked"].holds
    assert parts["unmasked"].of == ("team",)
    assert "nothing" not in parts
    none = Requester("practitioner", "a", rpps=ALICE)
    assert explain(Access.of(none, NOW), "Observation", envelope()).parts[0].rule == "scope"
    for kind, row, rule in (
        ("Practitioner", envelope("Practitioner", pat=None), "shared"),
        ("Observation", envelope(), "own"),
    ):
        assert explain(Access.of(BOB_THERE, NOW), kind, row).parts[0].rule == rule
    assert explain(Access.system("x", NOW), "Observation", envelope()).parts[0].rule == "operator"
