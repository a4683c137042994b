"""What Consents say, one scenario a test: those of IHE PCF, and the combination rules."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from fhirserver.access import Access, Policy, Requester, acl, build, predicate
from fhirserver.access.answer import answer, question
from fhirserver.predicate import TRUE, matches
from tests.access.consents import TPO, actors, consent, observation, physician, purposes, sees
from tests.access.world import ACT, ALICE, BOB, CONF, HERE, NOW, NUMBERS, TEAM, THERE


def test_permit_for_treatment() -> None:
    permit = consent({"type": "permit", "purpose": TPO})
    assert sees(physician(), observation(), permit)
    assert sees(physician(purpose="COC"), observation(), permit)
    assert not sees(physician(purpose="HRESCH"), observation(), permit)


def test_payment_is_never_a_purpose_even_with_consent() -> None:
    assert not sees(physician(purpose="HPAYMT"), observation(), consent({"type": "permit", "purpose": TPO}))
    named = consent({"type": "permit", "actor": actors("Practitioner/alice")})
    assert not sees(physician(purpose="HPAYMT"), observation(), named, by=(f"rpps|{ALICE}",))


def test_rejection_shuts_out_the_care_team_and_emergencies() -> None:
    assert sees(physician(), observation(), teams=(TEAM,))
    assert not sees(physician(), observation(), consent({"type": "deny"}), teams=(TEAM,))
    assert not sees(physician(purpose="BTG"), observation(), consent({"type": "deny"}))


def test_rejection_leaves_the_medecin_traitant() -> None:
    patient = {"resourceType": "Patient", "id": "p", "generalPractitioner": [{"reference": "Practitioner/alice"}]}
    assert sees(physician(), observation(), consent({"type": "deny"}), patient=patient)
    blocked = consent({"type": "deny", "actor": actors("Practitioner/alice")})
    assert not sees(physician(), observation(), blocked, patient=patient)


def test_dissent_but_for_break_glass() -> None:
    said = consent({"type": "deny", "provision": [{"type": "permit", "purpose": purposes("BTG")}]})
    assert sees(physician(purpose="BTG"), observation(), said)
    assert not sees(physician(), observation(), said, teams=(TEAM,))


@pytest.mark.parametrize(
    ("moment", "visible"),
    [
        (datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 3, 1, tzinfo=UTC), True),
        (datetime(2026, 3, 31, 23, 59, 59, 999_000, tzinfo=UTC), True),
        (datetime(2026, 4, 1, tzinfo=UTC), False),
    ],
)
def test_a_period_holds_to_the_end_of_its_last_day(moment: datetime, visible: bool) -> None:
    said = consent({"type": "permit", "period": {"start": "2026-03-01", "end": "2026-03-31"}})
    assert sees(physician(), observation(), said, now=moment) is visible


def test_purpose_in_a_nested_provision() -> None:
    said = consent({"type": "permit", "provision": [{"type": "deny", "purpose": purposes("HRESCH")}]})
    assert sees(physician(), observation(), said)
    assert not sees(physician(purpose="HRESCH"), observation(), said)


def test_timeframe_of_the_data() -> None:
    said = consent({"type": "permit", "dataPeriod": {"start": "2020-01-01", "end": "2020-12-31"}})
    assert sees(physician(), observation(effectiveDateTime="2020-12-31T23:59:59Z"), said)
    assert not sees(physician(), observation(effectiveDateTime="2021-01-01"), said)
    assert not sees(physician(), observation(), said)


def test_all_but_a_timeframe() -> None:
    said = consent({"type": "permit", "provision": [{"type": "deny", "dataPeriod": {"start": "2020", "end": "2020"}}]})
    assert sees(physician(), observation(effectiveDateTime="2021-01-01"), said)
    assert not sees(physician(), observation(effectivePeriod={"start": "2019-05-01", "end": "2021-05-01"}), said)
    assert not sees(physician(), observation(), said)


@pytest.mark.parametrize("meaning", ["related", "dependents"])
def test_one_encounter_and_all_but_one_encounter(meaning: str) -> None:
    data = [{"meaning": meaning, "reference": {"reference": "Encounter/1"}}]
    inside, outside = (
        observation(encounter={"reference": "Encounter/1"}),
        observation(encounter={"reference": "Encounter/2"}),
    )
    itself = {"resourceType": "Encounter", "id": "1", "subject": {"reference": "Patient/p"}}
    only, but = (
        consent({"type": "permit", "data": data}),
        consent({"type": "permit", "provision": [{"type": "deny", "data": data}]}),
    )
    assert [sees(physician(), each, only) for each in (inside, outside, itself)] == [True, False, True]
    assert [sees(physician(), each, but) for each in (inside, outside, itself)] == [False, True, False]


def test_one_instance_and_all_but_one_instance() -> None:
    data = [{"meaning": "instance", "reference": {"reference": "Observation/1"}}]
    only, but = (
        consent({"type": "permit", "data": data}),
        consent({"type": "permit", "provision": [{"type": "deny", "data": data}]}),
    )
    assert [sees(physician(), observation(id_), only) for id_ in "12"] == [True, False]
    assert [sees(physician(), observation(id_), but) for id_ in "12"] == [False, True]


def test_an_instance_is_held_back_in_its_history_too() -> None:
    data = [{"meaning": "instance", "reference": {"reference": "Observation/1"}}]
    document = build(
        "p", {"id": "p"}, [consent({"type": "permit", "provision": [{"type": "deny", "data": data}]})], [], NUMBERS
    )
    compiled = predicate(Access.of(physician(), NOW), "Observation", [Policy.of(document)], frozenset({"p"}))
    row = {"_id": "1|1", "id": "1", "pat": "p", "acl": acl(observation(), physician(BOB), NOW, {"by": [], "at": NOW})}
    assert not matches(compiled, row)
    assert matches(compiled, {**row, "_id": "2|1", "id": "2"})


def test_authored_by_and_not_authored_by() -> None:
    data = [{"meaning": "authoredby", "reference": {"reference": "Practitioner/bob"}}]
    by_bob = observation(performer=[{"identifier": {"system": "https://rpps.esante.gouv.fr", "value": BOB}}])
    only, but = (
        consent({"type": "permit", "data": data}),
        consent({"type": "permit", "provision": [{"type": "deny", "data": data}]}),
    )
    assert [sees(physician(), each, only) for each in (by_bob, observation())] == [True, False]
    assert [sees(physician(), each, but) for each in (by_bob, observation())] == [False, True]
    assert not sees(physician(), observation(), but, by=(f"rpps|{BOB}",))


def test_class_and_code() -> None:
    types = [{"system": "http://hl7.org/fhir/resource-types", "code": "Observation"}]
    hidden = consent({"type": "permit", "provision": [{"type": "deny", "class": types}]})
    assert not sees(physician(), observation(), hidden)
    assert sees(physician(), {"resourceType": "Condition", "id": "1"}, hidden)
    code = {"coding": [{"system": "http://loinc.org", "code": "718-7"}]}
    coded = consent({"type": "permit", "provision": [{"type": "deny", "code": [code]}]})
    assert not sees(physician(), observation(code=code), coded)
    assert sees(physician(), observation(code={"coding": [{"system": "http://loinc.org", "code": "2160-0"}]}), coded)
    only = consent({"type": "permit", "code": [code]})
    assert sees(physician(), observation(code=code), only)
    assert not sees(physician(), observation(code={"coding": [{"system": "urn:other", "code": "718-7"}]}), only)


def test_document_types() -> None:
    psychology = {"system": "http://loinc.org", "code": "83901-9"}
    said = consent({"type": "permit", "provision": [{"type": "deny", "class": [psychology]}]})
    document = {"resourceType": "DocumentReference", "id": "1", "type": {"coding": [psychology]}}
    assert not sees(physician(), document, said)
    assert sees(
        physician(), {**document, "type": {"coding": [{"system": "http://loinc.org", "code": "11488-4"}]}}, said
    )
    assert not sees(
        physician(), {"resourceType": "Binary", "id": "1", "securityContext": {"reference": "Patient/p"}}, said
    )


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["N"], {"": True, "L": True, "N": True, "R": False, "V": False}),
        (["N", "R"], {"": True, "N": True, "R": True, "V": False}),
        (["L"], {"": False, "L": True, "U": True, "N": False}),
        (["V"], {"": True, "R": True, "V": True}),
    ],
)
def test_a_permit_covers_its_label_and_what_is_lower(labels: list[str], expected: dict[str, bool]) -> None:
    said = consent({"type": "permit", "securityLabel": [{"system": CONF, "code": each} for each in labels]})
    assert {each: sees(physician(), observation("1", *each), said) for each in expected} == expected


def test_a_deny_covers_its_label_and_what_is_higher() -> None:
    label = [{"system": CONF, "code": "R"}]
    said = consent(
        {
            "type": "permit",
            "securityLabel": [{"system": CONF, "code": "V"}],
            "provision": [{"type": "deny", "securityLabel": label}],
        }
    )
    assert [sees(physician(), observation("1", *each), said) for each in ("", "N", "R", "V")] == [
        True,
        True,
        False,
        False,
    ]
    normal = consent(
        {"type": "deny", "securityLabel": [{"system": CONF, "code": "N"}], "actor": actors("Practitioner/alice")}
    )
    assert [sees(physician(), observation("1", *each), normal, teams=(TEAM,)) for each in ("", "N", "L")] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("kind", "label", "ladder", "tags"),
    [
        ("permit", "R", {"L", "N", "R"}, {"R"}),
        ("permit", "N", {"L", "N"}, {"N"}),
        ("deny", "R", {"R", "V"}, {"R"}),
        ("deny", "N", {"N", "R", "V"}, {"N"}),
    ],
)
def test_labels_are_steps_of_a_ladder_or_by_the_setting_plain_tags(
    kind: str, label: str, ladder: set[str], tags: set[str]
) -> None:
    said = consent(
        {"type": kind, "actor": actors("Practitioner/alice"), "securityLabel": [{"system": CONF, "code": label}]}
    )
    for plain, covered in ((False, ladder), (True, tags)):
        document = build("p", {"resourceType": "Patient", "id": "p"}, [said], [], NUMBERS, plain=plain)
        compiled = answer(Policy.of(document).roots, question(Access.of(physician(), NOW), "Observation"))
        told = compiled.permit_named if kind == "permit" else compiled.deny_named
        rows = {each: {"acl": acl(observation("1", each), physician(), NOW)} for each in ("L", "N", "R", "V")}
        assert {each for each, row in rows.items() if matches(told, row)} == covered


def test_restricted_for_a_focused_recipient() -> None:
    everyone = consent({"type": "permit", "securityLabel": [{"system": CONF, "code": "N"}]}, "a")
    focused = consent(
        {"type": "permit", "actor": actors("Practitioner/alice"), "securityLabel": [{"system": CONF, "code": "R"}]}, "b"
    )
    assert [sees(physician(who), observation("1", "R"), everyone, focused) for who in (ALICE, BOB)] == [True, False]
    assert [sees(physician(who), observation("1", "N"), everyone, focused) for who in (ALICE, BOB)] == [True, True]


def test_break_glass_for_restricted() -> None:
    said = consent({"type": "permit", "purpose": purposes("BTG"), "securityLabel": [{"system": CONF, "code": "V"}]})
    assert sees(physician(purpose="BTG"), observation("1", "V"), said)
    assert not sees(physician(), observation("1", "V"), said, teams=(TEAM,))


def test_a_general_sensitivity_covers_the_particular() -> None:
    said = consent(
        {"type": "permit", "provision": [{"type": "deny", "securityLabel": [{"system": ACT, "code": "SUD"}]}]}
    )
    assert [sees(physician(), observation("1", each), said) for each in ("OPIOIDUD", "HIV")] == [False, True]


# Several Consents

ALL = consent({"type": "permit"}, "all")
NONE = consent({"type": "deny"}, "none")


@pytest.mark.parametrize(
    ("consents", "alice"),
    [
        ([ALL, NONE], False),
        ([NONE, consent({"type": "permit", "actor": actors("Practitioner/alice")})], True),
        ([ALL, consent({"type": "deny", "actor": actors("Practitioner/alice")})], False),
        ([ALL, consent({"type": "deny", "actor": actors("Organization/here")})], False),
        ([NONE, consent({"type": "permit", "actor": actors("Organization/here")})], True),
        (
            [
                consent({"type": "permit", "actor": actors("Practitioner/alice")}, "x"),
                consent({"type": "deny", "actor": actors("Organization/here")}),
            ],
            False,
        ),
        (
            [
                consent({"type": "permit", "actor": actors("Practitioner/alice")}, "x"),
                consent({"type": "deny", "actor": actors("Practitioner/alice")}),
            ],
            False,
        ),
        (
            [
                consent(
                    {
                        "type": "deny",
                        "actor": actors("Organization/here"),
                        "provision": [{"type": "permit", "actor": actors("Practitioner/alice")}],
                    }
                )
            ],
            True,
        ),
    ],
)
def test_combination(consents: list[dict[str, Any]], alice: bool) -> None:
    assert sees(physician(), observation(), *consents) is alice
    assert sees(physician(), observation(), *reversed(consents)) is alice


def test_only_active_privacy_consents_of_this_patient_count() -> None:
    permit = {"type": "permit", "actor": actors("Practitioner/alice")}
    for more in (
        {"status": "draft"},
        {"status": "entered-in-error"},
        {"scope": {"coding": [{"code": "research"}]}},
        {"patient": {"reference": "Patient/q"}},
        {"patient": {"identifier": {"value": "1"}}},
        {"scope": None},
    ):
        assert not sees(physician(), observation(), consent(permit, **more))


def test_the_base_alone_is_held_to_the_stricter_reading() -> None:
    """OPTIN and OPTOUT neither widen nor narrow what provisions say; alone, they shut."""
    for code in ("OPTIN", "OPTOUT"):
        rule: dict[str, Any] = {"policyRule": {"coding": [{"code": code}]}}
        assert not sees(physician(), observation(), consent(None, **rule), teams=(TEAM,))
        block = consent({"type": "deny", "actor": actors("Practitioner/alice")}, **rule)
        assert [sees(physician(who), observation(), block, teams=(TEAM,)) for who in (ALICE, BOB)] == [False, True]
        nested = consent({"provision": [{"type": "permit", "actor": actors("Practitioner/alice")}]}, **rule)
        assert [sees(physician(who), observation(), nested) for who in (ALICE, BOB)] == [True, False]
    assert sees(physician(), observation(), consent(None), teams=(TEAM,))


def test_a_root_without_type_or_exceptions_denies_whom_it_names() -> None:
    said = consent({"actor": actors("Practitioner/alice")})
    assert [sees(physician(who), observation(), said, teams=(TEAM,)) for who in (ALICE, BOB)] == [False, True]


def test_actors_by_identifier_role_team_and_contained() -> None:
    rpps = {"identifier": {"system": "urn:oid:1.2.250.1.71.4.2.1", "value": f"8{ALICE}"}}
    by_identifier = consent({"type": "permit", "actor": [{"role": {}, "reference": rpps}]})
    assert sees(physician(), observation(), by_identifier)
    role = consent({"type": "permit", "actor": actors("PractitionerRole/bob-there")})
    nurse = Requester("practitioner", BOB, rpps=BOB, profession="G15_60", organization=THERE, scopes=("user/*.rs",))
    elsewhere = Requester("practitioner", BOB, rpps=BOB, profession="G15_60", organization=HERE, scopes=("user/*.rs",))
    assert [sees(each, observation(), role) for each in (nurse, elsewhere)] == [True, False]
    denied = consent({"type": "deny", "actor": actors("PractitionerRole/bob-there")})
    assert [sees(each, observation(), ALL, denied) for each in (nurse, elsewhere)] == [False, False]
    team = consent({"type": "permit", "actor": actors("CareTeam/t")})
    assert sees(physician(), observation(), team, teams=({**TEAM, "subject": {"reference": "Patient/x"}},))
    inner = {
        "resourceType": "Practitioner",
        "id": "a",
        "identifier": [{"system": "https://rpps.esante.gouv.fr", "value": ALICE}],
    }
    contained = consent({"type": "permit", "actor": actors("#a")}, contained=[inner])
    assert [sees(physician(who), observation(), contained) for who in (ALICE, BOB)] == [True, False]


def test_a_relative_named_sees_and_one_not_named_does_not() -> None:
    said = consent({"type": "permit", "actor": actors("RelatedPerson/aunt", "Patient/cousin")})
    aunt = Requester("representative", "RelatedPerson/aunt", patient="nobody", scopes=("user/*.rs",))
    cousin = Requester("patient", "Patient/cousin", patient="cousin", scopes=("user/*.rs",))
    other = Requester("patient", "Patient/other", patient="other", scopes=("user/*.rs",))
    assert [sees(each, observation(), said) for each in (aunt, cousin, other)] == [True, True, False]
    assert not sees(other, observation(), ALL)
    assert not sees(cousin, observation("1", "R"), said)


@pytest.mark.parametrize("who", ["system", "practitioner"])
def test_a_block_of_the_organisation_hides_its_own_deposits(who: str) -> None:
    requester = (
        Requester("system", "his", organization=HERE, scopes=("system/*.rs",)) if who == "system" else physician()
    )
    said = consent({"type": "deny", "actor": actors("Organization/here")})
    assert sees(requester, observation(), by=(f"finess|{HERE}",))
    assert not sees(requester, observation(), said, by=(f"finess|{HERE}",))


def test_a_purpose_of_ones_own_is_matched_as_it_stands() -> None:
    said = consent(
        {"type": "permit", "purpose": [{"system": "urn:acme", "code": "FooBar"}], "actor": actors("Organization/here")}
    )
    assert sees(physician(purpose="FooBar"), observation(), said)
    assert not sees(physician(), observation(), said)


def test_the_example_of_the_french_draft_is_an_action_not_a_code() -> None:
    access = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": "access"}]}
    assert sees(physician(), observation(), consent({"type": "permit", "code": [access]}))


def test_what_is_compiled_says_until_when_it_holds() -> None:
    from fhirserver.access import compiled

    said = consent({"type": "permit", "period": {"end": "2026-03-31"}})
    document = build("p", {"id": "p"}, [said], [{**TEAM, "period": {"end": "2026-03-10"}}], NUMBERS)
    found = compiled(Access.of(physician(), NOW), "Observation", [Policy.of(document)], frozenset({"p"}))
    assert found.until == datetime(2026, 3, 11, tzinfo=UTC)
    operator = compiled(Access.system("test", NOW), "Observation", [])
    assert operator == (TRUE, None)
