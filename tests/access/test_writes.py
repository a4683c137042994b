"""Nobody widens his own access, and nobody writes what is not his to write."""

from __future__ import annotations

from typing import Any

import pytest

from fhirserver.access import Access, Policy, Requester, judge_write
from fhirserver.access.writes import WORDS
from tests.access.test_rules import (
    ALICE_HERE,
    BOB_HERE,
    BOB_THERE,
    HOLDER,
    HOSPITAL,
    MOTHER,
    PERMIT,
    TRAITANT,
    USER,
    policy,
    with_purpose,
)
from tests.access.world import ALICE, BOB, HERE, NOW, NUMBERS, TEAM, coding

OPERATOR = Requester("operator", "root", scopes=("system/*.cruds",))
OTHER = Requester("patient", "q", patient="q", scopes=("patient/*.cruds",))
LAB = Requester("system", "lab", organization="750000002", client="lab", scopes=("system/*.cruds",))
OPEN = policy(birthDate="2020-01-01")
MINE = {"by": [f"rpps|{ALICE}", f"finess|{HERE}"], "author": []}
OF_HOLDER = {"by": ["patient|p"], "author": []}
OBSERVATION = {"resourceType": "Observation", "id": "1", "subject": {"reference": "Patient/p"}, "status": "final"}
DOCUMENT = {"resourceType": "DocumentReference", "id": "1", "subject": {"reference": "Patient/p"}}
PATIENT = {"resourceType": "Patient", "id": "p", "identifier": [{"value": "INS"}], "active": True}


def judged(
    who: Requester,
    pre: dict[str, Any] | None,
    post: dict[str, Any] | None,
    rules: Policy | None = OPEN,
    acl: dict[str, Any] | None = None,
) -> str:
    """The reason, with `no: ` before it when refused."""
    kind = (pre or post or {})["resourceType"]
    interaction = "create" if pre is None else "delete" if post is None else "update"
    found = judge_write(Access.of(who, NOW), interaction, kind, pre, post, rules, acl=acl, identifiers=NUMBERS)
    assert found.words == WORDS[found.reason]
    return found.reason if found.allowed else f"no: {found.reason}"


def labelled(resource: dict[str, Any], *codes: str) -> dict[str, Any]:
    return {**resource, "securityLabel": [{"coding": [coding(code)]} for code in codes]}


def test_the_operator_writes_all_and_nobody_changes_a_trace() -> None:
    event = {"resourceType": "AuditEvent", "id": "a"}
    assert judged(OPERATOR, None, event) == "operator"
    assert judged(OPERATOR, event, event) == "no: audit"
    assert judged(OPERATOR, PATIENT, None) == "operator"
    assert [judged(who, None, event) for who in (HOSPITAL, ALICE_HERE, HOLDER)] == ["audit", "no: audit", "no: audit"]


def test_scopes_and_purposes_come_first() -> None:
    reader = Requester("practitioner", "a", rpps=ALICE, profession="G15_10", scopes=("user/*.rs",))
    assert judged(reader, None, OBSERVATION) == "no: scope"
    assert judged(Requester("operator", "x"), None, OBSERVATION) == "no: scope"
    assert judged(with_purpose(ALICE_HERE, "HPAYMT"), None, OBSERVATION) == "no: prohibited"


@pytest.mark.parametrize("who", [ALICE_HERE, BOB_THERE, HOSPITAL, LAB])
def test_feeding_needs_no_right_to_read(who: Requester) -> None:
    assert judged(who, None, OBSERVATION, policy(teams=())) == "feed"
    assert judged(who, None, OBSERVATION, None) == "feed"
    assert judged(who, None, OBSERVATION, policy(active=False)) == "no: closed"


def test_feeding_may_be_opposed_and_blocking_is_not_opposing() -> None:
    actor = [{"role": {}, "reference": {"reference": "Practitioner/alice"}}]
    collect = {"type": "deny", "actor": actor, "action": [{"coding": [{"code": "collect"}]}]}
    blocked = policy({**PERMIT, "provision": {"type": "deny", "actor": actor}})
    opposed = policy({**PERMIT, "provision": collect})
    assert [judged(ALICE_HERE, None, OBSERVATION, each) for each in (blocked, opposed)] == ["feed", "no: opposed"]
    assert judged(BOB_HERE, None, OBSERVATION, opposed) == "feed"
    everyone = policy({**PERMIT, "provision": {**collect, "actor": []} | {"actor": [{"role": {}, "reference": {}}]}})
    assert judged(BOB_HERE, None, OBSERVATION, everyone) == "no: opposed"


def test_the_person_blocks_feeding_by_all_but_those_named_and_takes_it_back() -> None:
    collect = [{"coding": [{"code": "collect"}]}]
    bob = [{"role": {}, "reference": {"reference": "Practitioner/bob"}}]
    block = {**PERMIT, "provision": {"type": "deny", "action": collect}}
    but_bob = {**PERMIT, "id": "d", "provision": {"type": "permit", "action": collect, "actor": bob}}
    reason = {**PERMIT, "id": "e", "provision": {"type": "deny", "action": collect, "actor": bob}}
    everyone = (ALICE_HERE, BOB_HERE, HOSPITAL)

    def fed(*consents: dict[str, Any]) -> list[str]:
        return [judged(who, None, OBSERVATION, policy(*consents, **TRAITANT)) for who in everyone]

    assert fed() == ["feed", "feed", "feed"]
    assert fed(block) == ["no: opposed"] * 3
    assert fed(block, but_bob) == ["no: opposed", "feed", "no: opposed"]
    assert fed(block, but_bob, reason) == ["no: opposed"] * 3
    assert fed(reason) == ["feed", "no: opposed", "feed"]
    assert fed({**block, "status": "inactive"}) == ["feed", "feed", "feed"]


def test_who_deposited_or_wrote_changes_it_and_nobody_else() -> None:
    changed = {**OBSERVATION, "status": "amended"}
    assert [judged(who, OBSERVATION, changed, OPEN, MINE) for who in (ALICE_HERE, BOB_HERE, HOSPITAL)] == ["own"] * 3
    assert [judged(who, OBSERVATION, changed, OPEN, MINE) for who in (BOB_THERE, LAB, HOLDER)] == ["no: not-own"] * 3
    assert judged(BOB_THERE, OBSERVATION, changed, OPEN, {"by": [], "author": [f"rpps|{BOB}"]}) == "own"
    assert [judged(who, OBSERVATION, None, OPEN, MINE) for who in (ALICE_HERE, LAB, HOLDER)] == [
        "own",
        "no: not-own",
        "no: not-own",
    ]
    assert judged(ALICE_HERE, OBSERVATION, changed, policy(active=False), MINE) == "no: closed"


def test_a_resource_stays_about_whom_it_is_about() -> None:
    moved = {**OBSERVATION, "subject": {"reference": "Patient/q"}}
    assert judged(ALICE_HERE, OBSERVATION, moved, OPEN, MINE) == "no: subject"
    team = {**TEAM, "subject": {"reference": "Patient/q"}}
    assert judged(ALICE_HERE, TEAM, team, OPEN, MINE) == "no: subject"


def test_the_holder_writes_in_his_own_record_and_changes_his_own_entries() -> None:
    assert judged(HOLDER, None, OBSERVATION) == "holder"
    assert judged(OTHER, None, OBSERVATION) == "no: not-holder"
    assert judged(HOLDER, None, OBSERVATION, None) == "no: not-holder"
    assert judged(HOLDER, None, {"resourceType": "Binary", "id": "b"}, None) == "holder"
    changed = {**OBSERVATION, "status": "amended"}
    assert judged(HOLDER, OBSERVATION, changed, OPEN, OF_HOLDER) == "own"
    assert judged(HOLDER, OBSERVATION, None, OPEN, OF_HOLDER) == "own"


def test_a_representative_writes_until_majority() -> None:
    assert judged(MOTHER, None, OBSERVATION) == "holder"
    assert judged(MOTHER, None, OBSERVATION, policy(birthDate="2008-01-01")) == "no: not-holder"
    assert judged(MOTHER, None, PERMIT) == "holder"
    assert judged(MOTHER, None, PERMIT, policy(birthDate="2008-01-01")) == "no: grant"


# labels


def test_masking_is_the_holders_both_ways() -> None:
    plain, masked = labelled(DOCUMENT, "N"), labelled(DOCUMENT, "MASQUE_PS")
    assert [judged(HOLDER, *pair, OPEN, MINE) for pair in ((plain, masked), (masked, plain))] == ["holder", "holder"]
    assert judged(ALICE_HERE, plain, masked, OPEN, MINE) == "own"
    assert judged(ALICE_HERE, masked, plain, OPEN, MINE) == "no: label"
    assert judged(BOB_THERE, masked, plain, OPEN, MINE) == "no: not-own"
    more = {**masked, "description": "mine now"}
    assert judged(HOLDER, plain, more, OPEN, MINE) == "no: not-own"


def test_who_masks_changes_neither_the_narrative_nor_an_element_that_is_named_as_one_of_meta() -> None:
    div = '<div xmlns="http://www.w3.org/1999/xhtml">{}</div>'
    plain = {**DOCUMENT, "text": {"status": "additional", "div": div.format("allergic to penicillin")}}
    forged = {**labelled(plain, "MASQUE_PS"), "text": {"status": "additional", "div": div.format("no allergy")}}
    assert judged(HOLDER, plain, labelled(plain, "MASQUE_PS"), OPEN, MINE) == "holder"
    assert judged(HOLDER, plain, forged, OPEN, MINE) == "no: not-own"
    meta = {"source": "urn:lab", "versionId": "1"}
    answers = {"resourceType": "QuestionnaireResponse", "id": "1", "subject": {"reference": "Patient/p"}, "meta": meta}
    renamed = {**answers, "source": {"reference": "Patient/q"}}
    assert judged(HOLDER, answers, renamed, OPEN, MINE) == "no: not-own"
    extended = {**answers, "meta": {**meta, "extension": [{"url": "urn:x", "valueCode": "x"}]}}
    assert judged(HOLDER, answers, extended, OPEN, MINE) == "no: not-own"
    masked = {**answers, "meta": {**meta, "versionId": "2", "security": [coding("MASQUE_PS")]}}
    assert judged(HOLDER, answers, masked, OPEN, MINE) == "holder"


def test_announcing_is_the_professionals_and_the_minors_secret_the_minors() -> None:
    hidden, plain, secret = (
        labelled(DOCUMENT, "INVISIBLE_PATIENT"),
        DOCUMENT,
        labelled(DOCUMENT, "INVISIBLE_REPRESENTANTS_LEGAUX"),
    )
    assert judged(ALICE_HERE, hidden, plain, OPEN, MINE) == "own"
    assert judged(HOLDER, hidden, plain, OPEN, MINE) == "no: label"
    assert [judged(who, plain, secret, OPEN, MINE) for who in (HOLDER, MOTHER)] == ["holder", "no: label"]
    assert judged(ALICE_HERE, secret, plain, OPEN, MINE) == "no: label"
    restricted = labelled(DOCUMENT, "R")
    assert judged(HOLDER, restricted, plain, OPEN, MINE) == "no: label"
    assert judged(HOLDER, restricted, plain, OPEN, OF_HOLDER) == "own"


# Patient


FIELDS = dict[str, Any]


def test_hospitals_make_records_and_change_identities_but_neither_physician_nor_state() -> None:
    assert judged(HOSPITAL, None, PATIENT, None) == "feed"
    assert [judged(who, None, PATIENT, None) for who in (ALICE_HERE, HOLDER)] == ["no: record", "no: record"]
    renamed = {**PATIENT, "name": [{"family": "Durand"}]}
    assert judged(HOSPITAL, PATIENT, renamed, OPEN, MINE) == "own"
    assert judged(LAB, PATIENT, renamed, OPEN, MINE) == "no: not-own"
    more: FIELDS
    for more in ({"generalPractitioner": []}, {"active": False}):
        assert judged(HOSPITAL, PATIENT, {**PATIENT, **more}, OPEN, MINE) == "no: identity"
    assert judged(HOSPITAL, PATIENT, {**PATIENT, "meta": {"security": [coding("V")]}}, OPEN, MINE) == "no: label"
    assert judged(HOSPITAL, PATIENT, None, OPEN, MINE) == "no: record"


def test_the_holder_changes_his_physician_his_address_and_the_state_but_not_his_identity() -> None:
    more: FIELDS
    for more in ({**TRAITANT}, {"active": False}, {"telecom": []}):
        assert judged(HOLDER, PATIENT, {**PATIENT, **more}) == "holder"
    for more in ({"identifier": []}, {"birthDate": "2010-01-01"}, {"name": []}, {"link": []}):
        assert judged(HOLDER, PATIENT, {**PATIENT, **more}) == "no: identity"
    assert judged(OTHER, PATIENT, {**PATIENT, **TRAITANT}) == "no: not-holder"
    assert judged(ALICE_HERE, PATIENT, {**PATIENT, **TRAITANT}, OPEN, MINE) == "no: not-holder"


# granting


@pytest.mark.parametrize("who", [ALICE_HERE, HOSPITAL, OTHER])
def test_nobody_grants_himself(who: Requester) -> None:
    assert judged(who, None, PERMIT) == "no: grant"
    assert judged(who, PERMIT, {**PERMIT, "status": "inactive"}, OPEN, MINE) == "no: grant"
    assert judged(who, PERMIT, None, OPEN, MINE) == "no: grant"


def test_the_holder_grants_for_himself_only() -> None:
    assert judged(HOLDER, None, PERMIT) == "holder"
    assert judged(HOLDER, PERMIT, None) == "holder"
    elsewhere = {**PERMIT, "patient": {"reference": "Patient/q"}}
    assert judged(HOLDER, None, elsewhere) == "no: grant"
    assert judged(HOLDER, PERMIT, elsewhere) == "no: grant"
    assert judged(HOLDER, elsewhere, PERMIT) == "no: grant"


def test_a_care_team_is_declared_by_who_may_read_or_is_the_establishment() -> None:
    alone = policy(teams=())
    assert [judged(who, None, TEAM) for who in (HOLDER, ALICE_HERE, OTHER)] == ["holder", "care-team", "no: grant"]
    assert judged(ALICE_HERE, None, TEAM, alone) == "no: care-team"
    assert judged(ALICE_HERE, None, TEAM, None) == "no: care-team"
    assert judged(with_purpose(ALICE_HERE, "BTG"), None, TEAM, alone) == "no: care-team"
    assert judged(ALICE_HERE, None, TEAM, policy(active=False)) == "no: closed"
    actor = [{"role": {}, "reference": {"reference": "Practitioner/alice"}}]
    blocked = policy({**PERMIT, "provision": {"type": "deny", "actor": actor}})
    assert judged(ALICE_HERE, None, TEAM, blocked) == "no: care-team"


def test_an_establishment_declares_its_own_only() -> None:
    alone = policy(teams=())
    assert judged(HOSPITAL, None, TEAM, alone) == "care-team"
    own = {**TEAM, "participant": [{"member": {"reference": "Organization/here"}}]}
    assert judged(HOSPITAL, None, own, alone) == "care-team"
    for stranger in (
        {"participant": [{"member": {"reference": "Organization/there"}}]},
        {"participant": [{"member": {"reference": "PractitionerRole/bob-there"}}]},
        {
            "participant": [
                {"member": {"reference": "Practitioner/bob"}, "onBehalfOf": {"reference": "Organization/there"}}
            ]
        },
        {"managingOrganization": [{"reference": "Organization/there"}]},
    ):
        assert judged(HOSPITAL, None, {**TEAM, **stranger}, alone) == "no: care-team"
    assert judged(HOSPITAL, TEAM, None, alone, MINE) == "care-team"
    assert judged(LAB, TEAM, {**TEAM, "status": "inactive"}, alone, MINE) == "no: care-team"


# directory and definitions


def test_the_directory_is_fed_and_its_numbers_stay() -> None:
    entry = {
        "resourceType": "Practitioner",
        "id": "x",
        "identifier": [{"system": "https://rpps.esante.gouv.fr", "value": ALICE}],
    }
    assert judged(HOSPITAL, None, entry, None) == "feed"
    assert judged(HOLDER, None, entry, None) == "no: directory"
    renamed = {**entry, "name": [{"family": "Martin"}]}
    assert judged(HOSPITAL, entry, renamed, None, MINE) == "own"
    assert judged(LAB, entry, renamed, None, MINE) == "no: not-own"
    taken = {**entry, "identifier": [{"system": "https://rpps.esante.gouv.fr", "value": BOB}]}
    assert judged(HOSPITAL, entry, taken, None, MINE) == "no: directory"
    assert judged(HOSPITAL, {**entry, "identifier": []}, entry, None, MINE) == "no: directory"
    assert judged(HOSPITAL, None, {"resourceType": "ValueSet", "id": "v"}, None) == "no: definition"


def test_every_reason_is_said_in_words() -> None:
    assert all(WORDS.values())
    assert USER == ("user/*.cruds",)
