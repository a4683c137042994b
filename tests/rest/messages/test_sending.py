"""A message is sent by an ordinary create, within the rules of threads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Requester
from tests.application import BASE
from tests.records import consent
from tests.rest.messages.people import ALICE, BOB, CAROL, HIS, PDF, TAG, attachment, finess, professional, rpps

if TYPE_CHECKING:
    from tests.rest.messages.people import House


def test_a_professional_opens_a_thread_and_the_server_says_who_when_and_to_whom(house: House) -> None:
    answer = house.alice.post("Communication", house.message(sent="2001-01-01T00:00:00Z", received="2001-01-01"))
    assert answer.status == 201, answer.json
    told = answer.json
    assert told["sender"]["identifier"]["value"] == ALICE
    assert told["recipient"] == [house.person]
    assert told["sent"] > "2026"
    assert "received" not in told
    assert TAG in told["meta"]["tag"]


def test_only_who_takes_part_sees_a_thread(house: House) -> None:
    thread = house.opened()
    seen = {name: getattr(house, name).get(f"Communication/{thread}").status for name in
            ("alice", "claire", "parent", "operator", "bob", "carol", "desk")}  # fmt: skip
    assert seen == dict.fromkeys(("alice", "claire", "parent", "operator"), 200) | dict.fromkeys(
        ("bob", "carol", "desk"), 404
    )


@pytest.mark.parametrize("who", ["claire", "parent"])
def test_a_person_opens_no_thread_but_answers(house: House, who: str) -> None:
    caller, thread = getattr(house, who), house.opened()
    refused = caller.post("Communication", house.message(recipient=[rpps(ALICE)]))
    assert refused.status == 403
    assert "Only a professional" in refused.told
    answer = house.answered(thread, caller)
    assert answer.status == 201, answer.json
    assert [each["identifier"]["value"] for each in answer.json["recipient"]] == [ALICE]
    assert answer.json["topic"] == {"text": "Vos résultats"}
    assert house.alice.get(f"Communication/{answer.id}").status == 200
    assert house.answered(thread, house.alice).json["recipient"] == [house.person]


def test_an_organisation_writes_and_all_who_act_for_it_read(house: House) -> None:
    thread = house.opened(house.desk)
    assert house.desk.get(f"Communication/{thread}").json["sender"] == finess(HIS)
    assert house.bob.get(f"Communication/{thread}").status == 200
    assert house.carol.get(f"Communication/{thread}").status == 404
    assert house.answered(thread, house.bob, sender=finess(HIS), recipient=[house.person]).status == 201


def test_threads_are_found_by_search(house: House) -> None:
    thread = house.opened()
    answer = house.answered(thread, house.claire)
    found = house.claire.search("Communication", recipient=f"Patient/{house.patient}", sent="ge2026-01-01")
    assert thread in found.ids
    assert house.alice.search("Communication", **{"part-of": f"Communication/{thread}"}).ids == [answer.id]
    assert house.bob.search("Communication", **{"part-of": f"Communication/{thread}"}).ids == []
    assert (
        answer.id
        in house.alice.search("Communication", **{"recipient:identifier": f"https://rpps.esante.gouv.fr|{ALICE}"}).ids
    )


def test_what_is_attached_lies_beside_the_message_and_is_as_private(house: House) -> None:
    thread = house.opened(house.alice, {"contentString": "Voici."}, attachment())
    told = house.alice.get(f"Communication/{thread}").json["payload"][1]["contentAttachment"]
    assert told["contentType"] == "application/pdf"
    assert told["size"] == len(PDF)
    assert "data" not in told
    for who, status in (
        (house.claire, 200),
        (house.alice, 200),
        (house.parent, 200),
        (house.bob, 404),
        (house.desk, 404),
    ):
        answer = who.get(told["url"])
        assert answer.status == status
        assert status == 404 or answer.content == PDF


MINE, NUMBER = ({"identifier": rpps(each)["identifier"]} for each in (ALICE, BOB))
OTHER: dict[str, Any] = {"reference": "Patient/other"}
ELSEWHERE: dict[str, Any] = {"reference": f"{BASE}/Patient/other"}
REFUSED: list[tuple[str, dict[str, Any], int]] = [
    ("no content", {"payload": []}, 422),
    ("a text of control characters", {"payload": [{"contentString": "a\x01"}]}, 422),
    ("too long a text", {"payload": [{"contentString": "a" * 20_001}]}, 422),
    ("too long a topic", {"topic": {"text": "a" * 201}}, 422),
    ("a program attached", {"payload": [attachment(b"\x7fELF\x00")]}, 422),
    ("six attachments", {"payload": [attachment()] * 6}, 422),
    ("an attachment of elsewhere", {"payload": [{"contentAttachment": {"url": "http://example.org/x"}}]}, 422),
    ("not base64", {"payload": [{"contentAttachment": {"data": "!"}}]}, 422),
    ("a reference to nothing", {"payload": [{"contentReference": {"reference": "Appointment/none"}}]}, 422),
    ("somebody else's name", {"sender": rpps(BOB)}, 403),
    ("not to the person", {"recipient": [rpps(BOB)]}, 422),
    ("to a device", {"recipient": [{"reference": "Device/x"}]}, 422),
    ("to an unknown person", {"recipient": [{"reference": "Practitioner/unknown"}]}, 422),
    ("to another patient", {"recipient": [{"reference": "Patient/other"}]}, 422),
    ("to nobody known", {"recipient": [{"reference": "Patient/{patient}"}, {"display": "Bob"}]}, 422),
    ("also to another patient by number", {"recipient": [{"reference": "Patient/{patient}"}, OTHER | NUMBER]}, 422),
    ("also to another patient, by URL", {"recipient": [{"reference": "Patient/{patient}"}, ELSEWHERE]}, 422),
    ("as the person", {"sender": {"reference": "Patient/{patient}"} | MINE}, 403),
    ("as another patient", {"sender": OTHER | MINE}, 403),
    ("about nobody", {"subject": {"display": "?"}}, 403),
    ("about who is not here", {"subject": {"reference": "Patient/none"}}, 403),
    ("in no thread", {"partOf": [{"reference": "Communication/none"}]}, 422),
    ("in two threads", {"partOf": [{"reference": "Communication/a"}, {"reference": "Communication/b"}]}, 422),
    ("in a thread of elsewhere", {"partOf": [{"identifier": {"value": "x"}}]}, 422),
    ("tagged", {"meta": {"tag": [TAG]}}, 403),
    ("hidden from the person", {"meta": {"security": [{"code": "INVISIBLE_PATIENT"}]}}, 422),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "status"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_no_message_can_be_is_refused_and_not_stored(house: House, changes: dict[str, Any], status: int) -> None:
    before = house.application.counts()
    sent = json.loads(json.dumps(house.message() | changes).replace("{patient}", house.patient))
    answer = house.alice.post("Communication", sent)
    assert answer.status == status, answer.json
    assert answer.json["resourceType"] == "OperationOutcome"
    assert house.application.counts() == before


def test_a_transaction_sends_one_by_the_same_rules(house: House) -> None:
    entry = {"request": {"method": "POST", "url": "Communication"}}
    assert house.claire.transact({**entry, "resource": house.message(recipient=[rpps(ALICE)])}).status == 403
    answer = house.alice.transact({**entry, "resource": house.message(attachment())})
    assert answer.status == 200, answer.json
    place = answer.json["entry"][0]["response"]["location"].partition("/_history")[0]
    assert TAG in house.claire.get(place).json["meta"]["tag"]
    assert house.bob.get(place).status == 404
    before = house.alice.get(place).json
    before["payload"] = [{"contentString": "autre"}]
    changed = {"request": {"method": "PUT", "url": place}, "resource": before}
    assert house.alice.transact(changed).status == 403


def test_a_message_stays_as_it_was_sent(house: House) -> None:
    thread = house.opened(house.alice, attachment())
    sent = house.alice.get(f"Communication/{thread}").json
    other = {**sent, "payload": [{"contentString": "autre chose"}]}
    patch = [{"op": "replace", "path": "/payload", "value": other["payload"]}]
    for who in (house.alice, house.claire):
        assert who.put(f"Communication/{thread}", other).status == 403
        assert (
            who.call("PATCH", f"Communication/{thread}", patch, {"Content-Type": "application/json-patch+json"}).status
            == 403
        )
        assert who.delete(f"Communication/{thread}").status == 403
        assert who.delete(sent["payload"][0]["contentAttachment"]["url"]).status == 403
    assert house.alice.get(f"Communication/{thread}").json == sent


def test_nothing_that_is_here_becomes_a_message(house: House) -> None:
    plain = {"resourceType": "Communication", "status": "completed", "subject": house.person}
    id = house.alice.create(plain)
    assert house.alice.put(f"Communication/{id}", house.message() | {"id": id}).status == 403


def test_a_minor_keeps_a_thread_from_the_representatives_and_its_answers_stay_so(house: House) -> None:
    thread = house.opened(house.alice, attachment())
    sent = house.claire.get(f"Communication/{thread}").json
    visibility = "https://mos.esante.gouv.fr/NOS/TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument"
    label = {"system": visibility, "code": "INVISIBLE_REPRESENTANTS_LEGAUX"}
    sent["meta"]["security"] = [label]
    assert house.claire.put(f"Communication/{thread}", sent).status == 200
    answer = house.answered(thread, house.alice, attachment())
    assert answer.status == 201, answer.json
    held = answer.json["payload"][0]["contentAttachment"]["url"]
    for place in (f"Communication/{thread}", f"Communication/{answer.id}", held):
        assert house.claire.get(place).status == 200
        assert house.parent.get(place).status == 404
    assert house.answered(thread, house.parent).status == 422


def test_whom_the_person_blocked_writes_no_more_and_learns_no_more_than_of_nobody(house: House) -> None:
    thread = house.opened(house.carol)
    denied = consent(house.patient, "deny", "Practitioner/none")
    denied["provision"]["actor"][0]["reference"] = rpps(CAROL)
    made = house.claire.create(denied)
    refused = house.carol.post("Communication", house.message())
    nobody = house.carol.post("Communication", house.message(subject={"reference": "Patient/none"}))
    assert (refused.status, refused.told) == (nobody.status, nobody.told) == (403, nobody.told)
    assert house.answered(thread, house.carol).status == 422
    assert house.carol.get(f"Communication/{thread}").status == 404
    assert house.claire.delete(f"Consent/{made}").status == 204


def test_a_professional_named_by_an_entry_of_the_directory_finds_the_thread_by_his_number(house: House) -> None:
    entry = house.operator.create(professional("10000000081"))
    thread = house.opened(house.alice, recipient=[house.person, {"reference": f"Practitioner/{entry}"}])
    other = house.application.practitioner("10000000081")
    found = other.search("Communication", **{"recipient:identifier": "https://rpps.esante.gouv.fr|10000000081"})
    assert found.ids == [thread]


def test_what_is_attached_is_there_where_references_must_lead_somewhere(house: House) -> None:
    strict = house.application.under(referential_integrity=True).patient(house.patient)
    sent = house.answered(house.opened(), strict, attachment())
    assert sent.status == 201, sent.json


def test_an_app_that_was_launched_for_another_person_learns_of_nobody(house: House) -> None:
    """Whether there is a record, and whether its person wants messages of who asks."""
    launched = Requester(
        "practitioner", f"practitioner/{ALICE}", rpps=ALICE, profession="G15_10", organization=HIS,
        patient=house.patient, scopes=("patient/*.cruds",),
    )  # fmt: skip
    caller, here = house.application.caller(launched), house.operator.create({"resourceType": "Patient"})
    answers = [
        caller.post("Communication", house.message(topic={"text": "Bonjour"}, subject={"reference": f"Patient/{each}"}))
        for each in (here, "nobody")
    ]
    assert [(each.status, each.told) for each in answers] == [
        (403, "The token's scopes do not cover this Communication (c).")
    ] * 2
    assert caller.post("Communication", house.message(topic={"text": "Bonjour"})).status == 201
