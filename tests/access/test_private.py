"""What is between its participants: messages, their attachments, appointments."""

from __future__ import annotations

from typing import Any

import pytest

from fhirserver.access import Access, Policy, Requester, author_references, judge_write
from fhirserver.access.seers import seers
from tests.access import naive, world
from tests.access.test_acl import kept
from tests.access.test_rules import (
    ALICE_HERE,
    BOB_HERE,
    BOB_THERE,
    HOLDER,
    HOSPITAL,
    MOTHER,
    PERMIT,
    TRAITANT,
    envelope,
    policy,
    sees,
    with_purpose,
)
from tests.access.world import ALICE, BOB, HERE, NOW, NUMBERS, THERE

RPPS, FINESS = "https://rpps.esante.gouv.fr", "https://finess.esante.gouv.fr"
TAG = {"system": "urn:fhirserver:message", "code": "message"}
PATIENT = {"reference": "Patient/p"}
ASKING = {
    "resourceType": "Communication",
    "sender": {"identifier": {"system": RPPS, "value": BOB}},
    "recipient": [PATIENT],
}
OPERATOR = Requester("operator", "root", scopes=("system/*.cruds",))


def person(number: str) -> dict[str, Any]:
    return {"identifier": {"system": RPPS, "value": number}}


def message(*recipients: dict[str, Any], sender: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"sender": sender or person(BOB), "recipient": [PATIENT, *recipients]}
    return envelope("Communication", **said, **more) | _acl("Communication", said)


def _acl(kind: str, said: dict[str, Any], *, tagged: bool = True, by: tuple[str, ...] = ()) -> dict[str, Any]:
    meta = {"tag": [TAG, *said.pop("tags", ())]} if tagged else {}
    resource = {"resourceType": kind, "meta": meta, **said}
    return {"acl": kept(resource, previous={"by": list(by), "at": NOW}, identifiers=NUMBERS)}


def appointment(*actors: dict[str, Any], by: tuple[str, ...] = ()) -> dict[str, Any]:
    said = {"participant": [{"actor": each} for each in (PATIENT, *actors)]}
    return envelope("Appointment") | _acl("Appointment", said, tagged=False, by=by)


OPEN = policy(PERMIT, **TRAITANT, birthDate="2015-01-01")


@pytest.mark.parametrize(
    "row", [("Communication", message()), ("Appointment", appointment(person(BOB)))], ids=lambda row: row[0]
)
def test_what_is_between_participants_is_for_them_and_the_person(row: tuple[str, dict[str, Any]]) -> None:
    """Neither for the médecin traitant, nor the team, a Consent or an emergency."""
    kind, found = row
    for who in (BOB_HERE, BOB_THERE, HOLDER, MOTHER, OPERATOR):
        assert sees(who, found, OPEN, kind)
    for who in (
        ALICE_HERE,
        with_purpose(ALICE_HERE, "BTG"),
        HOSPITAL,
        Requester("practitioner", "x", scopes=("user/*.rs",)),
    ):
        assert not sees(who, found, OPEN, kind)
        assert not sees(who, found, None, kind)


def test_what_is_between_participants_names_a_relative_in_vain() -> None:
    provision = {
        "type": "permit",
        "actor": [{"role": {"coding": [{"code": "IRCP"}]}, "reference": {"reference": "Patient/r"}}],
    }
    relative = Requester("patient", "r", patient="r", scopes=("user/*.rs",), purpose="PATRQT")
    named = policy({**PERMIT, "provision": provision})
    assert sees(relative, envelope("Communication"), named, "Communication")
    assert not sees(relative, message({"reference": "Patient/r"}), named, "Communication")


def test_naming_a_professional_does_not_let_in_his_organisation() -> None:
    role = {"reference": "PractitionerRole/bob-there"}
    colleague = Requester(
        "practitioner", "a", rpps=ALICE, profession="G15_10", organization=THERE, scopes=("user/*.rs",)
    )
    assert sees(BOB_HERE, message(role, sender=PATIENT), OPEN, "Communication")
    assert not sees(colleague, message(role, sender=PATIENT), OPEN, "Communication")
    desk = {"identifier": {"system": FINESS, "value": THERE}}
    assert sees(colleague, message(desk, sender=PATIENT), OPEN, "Communication")
    assert not sees(ALICE_HERE, message(desk, sender=PATIENT), OPEN, "Communication")


def test_who_booked_an_appointment_sees_it_and_who_sent_a_message_in_a_hospital_alone_does() -> None:
    by = (f"finess|{HERE}", "client|his")
    assert sees(HOSPITAL, appointment(person(BOB), by=by), OPEN, "Appointment")
    sent = message() | _acl("Communication", {"sender": person(BOB), "recipient": [PATIENT]}, by=by)
    assert not sees(HOSPITAL, sent, OPEN, "Communication")


def test_an_appointment_that_does_not_say_who_takes_part_is_nobodys_but_the_persons() -> None:
    row = envelope("Appointment", by=(f"finess|{HERE}",))
    del row["acl"]["with"]
    assert [sees(each, row, OPEN, "Appointment") for each in (HOLDER, HOSPITAL, BOB_THERE, ALICE_HERE)] == [
        True, True, False, True,
    ]  # fmt: skip


def test_a_message_without_participants_is_private_all_the_same() -> None:
    row = envelope("Communication") | _acl("Communication", {})
    assert row["acl"]["with"] == ["-"]
    assert not sees(ALICE_HERE, row, OPEN, "Communication")


def test_a_communication_that_is_no_message_is_read_as_anything_else() -> None:
    row = envelope("Communication") | _acl(
        "Communication", {"sender": person(BOB), "recipient": [PATIENT]}, tagged=False
    )
    assert "with" not in row["acl"]
    assert sees(ALICE_HERE, row, OPEN, "Communication")


def test_an_attachment_is_for_whom_its_tags_name() -> None:
    tags = [{"system": "urn:fhirserver:participant", "code": f"rpps|{BOB}"}]
    row = envelope("Binary") | _acl("Binary", {"tags": tags})
    assert sees(BOB_HERE, row, OPEN, "Binary")
    assert sees(HOLDER, row, OPEN, "Binary")
    assert not sees(ALICE_HERE, row, OPEN, "Binary")


def test_a_block_and_a_closed_space_are_for_participants_too() -> None:
    deny = {"type": "deny", "actor": [{"role": {"coding": [{"code": "IRCP"}]}, "reference": person(BOB)}]}
    assert not sees(BOB_HERE, message(), policy({**PERMIT, "provision": deny}), "Communication")
    assert not sees(BOB_HERE, message(), policy(active=False), "Communication")


def test_what_a_minor_keeps_to_himself_the_representative_does_not_see() -> None:
    row = message()
    row["acl"]["labels"] = ["INVISIBLE_REPRESENTANTS_LEGAUX"]
    assert not sees(MOTHER, row, OPEN, "Communication")
    assert sees(HOLDER, row, OPEN, "Communication")


def test_participants_are_told_among_those_who_see() -> None:
    found = seers("Communication", message(), [OPEN], NOW)
    assert {(each.kind, each.person) for each in found} == {
        ("operator", None), ("holder", "patient|p"), ("representative", None), ("practitioner", f"rpps|{BOB}"),
    }  # fmt: skip


def test_local_participants_are_asked_for_their_numbers() -> None:
    booked = {"resourceType": "Appointment", "participant": [{"actor": {"reference": "PractitionerRole/bob-there"}}]}
    assert author_references(booked) == {"PractitionerRole/bob-there"}
    assert kept(booked, identifiers=NUMBERS)["with"] == [f"rpps|{BOB}"]


@pytest.mark.parametrize("system", ["urn:fhirserver:message", "urn:fhirserver:participant"])
def test_the_tag_of_messages_is_the_servers(system: str) -> None:
    plain = {"resourceType": "Communication", "subject": PATIENT}
    tagged = {**plain, "meta": {"tag": [{"system": system, "code": "x"}]}}
    access, rules = (
        Access.of(BOB_HERE, NOW),
        Policy.of({**world.document(naive.Record({"id": "p"})), "derived": []}),
    )
    own = {"by": sorted(BOB_HERE.own), "at": NOW}
    assert judge_write(access, "create", "Communication", None, plain, rules).allowed
    for pre, post in ((None, tagged), (plain, tagged), (tagged, plain)):
        said = judge_write(access, "update", "Communication", pre, post, rules, acl=own)
        assert said == (False, "message")
    assert judge_write(access, "update", "Communication", tagged, tagged, rules, acl=own).allowed
    assert judge_write(Access.of(OPERATOR, NOW), "create", "Communication", None, tagged, rules).allowed
