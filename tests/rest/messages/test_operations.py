"""Read, closed, opened again, filed: what is done with a message that is here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.rest.tracing.keeping import Keeping
from tests.rest.messages.people import ALICE, PDF, attachment, professional

if TYPE_CHECKING:
    from tests.application import Caller
    from tests.rest.messages.people import House


def do(who: Caller, name: str, id: str, **parameters: Any) -> Any:
    listed = [{"name": each, **value} for each, value in parameters.items()]
    return who.post(
        f"Communication/{id}/${name}", {"resourceType": "Parameters", "parameter": listed} if listed else None
    )


def test_a_message_is_received_once_by_whom_it_was_sent_to(house: House) -> None:
    thread = house.opened()
    assert house.claire.search("Communication", _id=thread, **{"received:missing": "true"}).ids == [thread]
    assert do(house.alice, "received", thread).status == 403
    first = do(house.claire, "received", thread)
    assert first.status == 200, first.json
    assert first.json["received"]
    again = do(house.parent, "received", thread)
    assert again.json == first.json
    answer = house.answered(thread, house.parent).id
    assert do(house.claire, "received", answer).status == 403
    assert do(house.alice, "received", answer).json["received"]


@pytest.mark.parametrize(("closing", "other"), [("claire", "alice"), ("alice", "claire"), ("parent", "alice")])
def test_in_a_closed_thread_nobody_writes_until_the_side_that_closed_it_opens_it(
    house: House, closing: str, other: str
) -> None:
    who, opposite, thread = getattr(house, closing), getattr(house, other), house.opened()
    answer = house.answered(thread, house.claire).id
    assert do(who, "reopen", thread).status == 409
    assert do(who, "close", answer).json["status"] == "stopped"
    assert do(who, "close", thread).status == 409
    assert [house.answered(thread, each).status for each in (who, opposite)] == [409, 409]
    assert do(opposite, "reopen", thread).status == 403
    assert do(who, "reopen", thread).json["status"] == "completed"
    assert house.answered(thread, opposite).status == 201


def test_what_is_done_with_a_message_that_is_hidden_is_answered_as_of_none(house: House) -> None:
    thread = house.opened()
    plain = house.alice.create({"resourceType": "Communication", "status": "completed", "subject": house.person})
    for name in ("received", "close", "reopen", "file"):
        for id, who in ((thread, house.bob), (thread, house.desk), ("none", house.alice), (plain, house.alice)):
            answer, absent = do(who, name, id), do(who, name, "absent")
            assert answer.status == absent.status == 404
            assert answer.told.replace(id, "absent") == absent.told


def test_a_stale_version_changes_nothing(house: House) -> None:
    thread = house.opened()
    answer = house.claire.call("POST", f"Communication/{thread}/$close", None, {"If-Match": 'W/"7"'})
    assert answer.status == 409


def test_what_is_attached_is_filed_once_by_who_may(house: House) -> None:
    thread = house.opened(house.alice, {"contentString": "Voici."}, attachment(title="Bilan"), attachment(b"note"))
    assert house.bob.search("DocumentReference", patient=house.patient).ids == []
    filed = do(house.claire, "file", thread)
    assert filed.status == 201, filed.json
    document = filed.json
    assert document["author"][0]["identifier"]["value"] == ALICE
    assert document["content"][0]["attachment"]["title"] == "Bilan"
    assert house.alice.get(document["content"][0]["attachment"]["url"]).content == PDF
    again = do(house.alice, "file", thread, attachment={"valueInteger": 1}, title={"valueString": "Autre"})
    assert (again.status, again.id) == (200, filed.id)
    second = do(house.parent, "file", thread, attachment={"valueInteger": 2}, masked={"valueBoolean": True})
    assert second.status == 201, second.json
    assert "MASQUE_PS" in str(second.json["securityLabel"])


def test_who_only_received_what_a_professional_attached_files_it_not(house: House) -> None:
    thread = house.opened(house.desk, attachment())
    assert do(house.bob, "file", thread).status == 201  # he acts for the organisation that sent it
    answer = house.answered(thread, house.claire, attachment(b"mon relev\xc3\xa9"))
    assert do(house.bob, "file", answer.id).status == 403
    own = do(house.claire, "file", answer.id)
    assert own.status == 201, own.json
    assert own.json["type"]["coding"][0]["code"] == "DOCPAT01"


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"attachment": {"valueInteger": 2}}, 422),
        ({"attachment": {"valueInteger": -1}}, 422),
        ({"attachment": {"valueString": "1"}}, 400),
        ({"type": {"valueCode": "nonsense"}}, 400),
        ({"title": {"valueString": "a\nb"}}, 400),
        ({"title": {"valueString": "a" * 201}}, 400),
        ({"other": {"valueString": "x"}}, 400),
    ],
)
def test_what_cannot_be_filed_so_is_refused(house: House, parameters: dict[str, Any], status: int) -> None:
    thread = house.opened(house.alice, attachment())
    before = house.application.counts()
    assert do(house.claire, "file", thread, **parameters).status == status
    assert house.application.counts() == before


def test_the_person_is_told_of_a_message_and_no_professional_is(house: House) -> None:
    physician = house.operator.create(professional("10000000045"))
    patient = house.operator.get(f"Patient/{house.patient}").json
    patient["generalPractitioner"] = [{"reference": f"Practitioner/{physician}"}]
    assert house.operator.store(patient).status == 200
    house.opened()
    Keeping(house.application.services).deliver()
    told = [each["resource"] for each in house.claire.search("Communication", category="notification").json["entry"]]
    assert [each for each in told if "nouveau message" in each["payload"][0]["contentString"]]
    traitant = house.application.practitioner("10000000045")
    assert traitant.get(f"Patient/{house.patient}").status == 200
    seen = traitant.search("Communication", patient=house.patient).json.get("entry", [])
    assert "message" not in str(seen)


def test_in_a_space_that_is_closed_the_person_reads_threads_and_changes_none(house: House) -> None:
    thread, shut = house.opened(), house.opened()
    assert do(house.claire, "close", shut).status == 200
    operator = house.operator
    person = operator.get(f"Patient/{house.patient}").json
    operator.store(person | {"active": False})
    versions = [house.claire.get(f"Communication/{each}").json["meta"]["versionId"] for each in (thread, shut)]
    for who in (house.claire, house.parent):
        asked = (("received", thread), ("close", thread), ("reopen", shut))
        assert [do(who, name, id).status for name, id in asked] == [403, 403, 403]
    assert [house.claire.get(f"Communication/{each}").json["meta"]["versionId"] for each in (thread, shut)] == versions
    operator.store(person)
