"""`Prefer: respond-async`: the same answer as at once, later, for the same requester only."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from fhirserver.access import Requester
from fhirserver.access.requester import Delegate
from fhirserver.rest.jobs import asking, deferred
from fhirserver.store.jobs import MOST_RUNS, document
from tests.records import ask, care_team, observation, patient, post, practitioner
from tests.rest.jobs.bulk import ASYNC, BASE, kicked_off

if TYPE_CHECKING:
    from tests.application import Answer, Application, Caller

ALICE = "10000000001"


@pytest.fixture(scope="module")
def alice(application: Application) -> Caller:
    operator = application.operator()
    operator.store(practitioner(ALICE, id="alice"))
    for each in ("p", "q"):
        operator.store(patient(id=each))
        operator.store(observation(each, id=f"o-{each}"))
    operator.create(care_team("p", "Practitioner/alice"))
    return application.practitioner(ALICE)


def _later(application: Application, caller: Caller, path: str, body: Any = None) -> dict[str, Any]:
    """The entry that holds the answer."""
    status = kicked_off(caller, path, body)
    assert caller.get(status).status == 202
    assert application.work() == 1
    answer = caller.get(status)
    assert answer.status == 200, answer
    assert answer.json["type"] == "batch-response"
    (entry,) = answer.json["entry"]
    found: dict[str, Any] = entry
    return found


@pytest.mark.parametrize(
    "path",
    ["Observation?code=718-7", "Observation/o-p", "Patient/p/_history", "Patient/p/$everything", "Patient/p/$meta"],
)
def test_a_read_is_answered_later_as_it_is_at_once(application: Application, alice: Caller, path: str) -> None:
    at_once = alice.get(path)
    assert at_once.status == 200
    entry = _later(application, alice, path)
    assert entry["response"]["status"] == "200 OK"
    assert entry["resource"] == at_once.json


def test_what_is_hidden_is_as_absent_later_as_at_once(application: Application, alice: Caller) -> None:
    hidden, absent = (_later(application, alice, f"Observation/{id}") for id in ("o-q", "xxx"))
    assert hidden["response"]["status"] == absent["response"]["status"] == "404 Not Found"
    assert str(hidden).replace("o-q", "xxx") == str(absent)


def test_what_the_requester_lost_meanwhile_is_not_told(application: Application, alice: Caller) -> None:
    operator = application.operator()
    operator.store(patient(id="r"))
    operator.store(observation("r", id="o-r"))
    team = operator.create(care_team("r", "Practitioner/alice"))
    assert alice.get("Observation/o-r").status == 200
    status = kicked_off(alice, "Observation/o-r")
    assert operator.delete(f"CareTeam/{team}").status == 204
    application.work()
    assert alice.get(status).json["entry"][0]["response"]["status"] == "404 Not Found"


@pytest.mark.parametrize("path", ["Observation/_search", "Patient/p/Observation/_search", "_search"])
def test_a_search_by_post(application: Application, alice: Caller, path: str) -> None:
    headers = {**ASYNC, "Content-Type": "application/x-www-form-urlencoded"}
    types = {"_type": "Observation"} if path == "_search" else {}
    body = urlencode({"code": "718-7", "_elements": "code", **types}).encode()
    answer = alice.call("POST", path, body, headers)
    assert answer.status == 202
    application.work()
    entry = alice.get(answer.headers["content-location"].removeprefix(BASE)).json["entry"][0]
    assert entry["resource"]["total"] == 1


def test_a_transaction_and_a_batch(application: Application, alice: Caller) -> None:
    operator = application.operator()
    for kind in ("transaction", "batch"):
        bundle = {
            "resourceType": "Bundle",
            "type": kind,
            "entry": [post(observation("p", code="1-8")), ask("GET", "Patient/p")],
        }
        entry = _later(application, operator, "", bundle)
        answered = entry["resource"]["entry"]
        assert [each["response"]["status"] for each in answered] == ["201 Created", "200 OK"]
        assert operator.get(answered[0]["response"]["location"].removeprefix(BASE)).status == 200
    assert operator.search("Observation", code="1-8").total == 2


def test_a_bundle_is_not_carried_out_twice(application: Application) -> None:
    operator = application.operator()
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [post(observation("p", code="2-6"))]}
    status = kicked_off(operator, "", bundle)
    lease = application.services.store.jobs.claim()
    assert lease is not None
    lease.save({"begun": True}, "at work")  # and its worker ends
    lease.release()
    application.work()
    entry = operator.get(status).json["entry"][0]
    assert entry["response"]["status"].startswith("500")
    assert "look before you repeat" in str(entry["response"]["outcome"])
    assert operator.search("Observation", code="2-6").total == 0


def test_a_request_that_ends_workers_again_and_again_is_given_up(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended(BaseException):
        """What no worker survives."""

    def answered(services: object, job: object) -> None:
        raise Ended

    operator = application.operator()
    status = kicked_off(operator, "Observation?code=2-6")
    monkeypatch.setattr(deferred, "_answered", answered)
    for hours in range(MOST_RUNS + 1):
        with pytest.raises(Ended):
            application.work(minutes=60 * (hours + 1))
    assert application.work(minutes=600) == 1
    answer = operator.get(status)
    assert answer.status == 500
    assert "given up" in answer.told


@pytest.mark.parametrize(
    "requester",
    [
        Requester("operator", "o", scopes=("system/*.cruds",)),
        Requester("patient", "patient/p", patient="p", purpose="PATRQT", name="P"),
        Requester(
            "practitioner", "practitioner/1", rpps=ALICE, profession="G15_10", organization="750000001", client="app",
            purpose="BTG", reason="unconscious", issued=1_700_000_000, delegate=Delegate("secretary", None, "S"),
        ),
    ],
)  # fmt: skip
def test_a_job_knows_its_requester_as_he_was(application: Application, requester: Requester) -> None:
    jobs = application.services.store.jobs
    job = jobs.start(document("none", requester.described(), {}, datetime.now(UTC)))
    found = jobs.find(job.id)
    assert found is not None
    assert asking.requester_of(found) == requester
    assert hash(asking.requester_of(found)) == hash(requester)
    assert jobs.open_for(requester.described()) == 1
    assert {each.name for each in fields(Requester)} == set(requester.described())
    jobs.cancel(job.id)


def test_a_refusal_is_told_later_too(application: Application, alice: Caller) -> None:
    entry = _later(application, alice, "Observation?colour=red")
    assert entry["response"]["status"] == "400 Bad Request"
    assert "colour" in str(entry["response"]["outcome"])


def test_only_its_requester_asks_about_it(application: Application, alice: Caller) -> None:
    status = kicked_off(alice, "Observation/o-p")
    application.work()
    for caller in (application.patient("p"), application.operator(), application.practitioner(ALICE, purpose="BTG")):
        assert caller.get(status).status == 404
        assert caller.delete(status).status == 404
    assert alice.get(status).status == 200
    assert alice.delete(status).status == 202
    assert alice.get(status).status == 404
    application.purge()
    assert application.services.store.files.owned(status.partition("=")[2]) == []


@pytest.mark.parametrize(
    ("method", "path"), [("HEAD", "Observation/o-p"), ("GET", "metadata"), ("POST", "Observation")]
)
def test_other_interactions_pass_over_the_preference(application: Application, method: str, path: str) -> None:
    body = observation("p") if method == "POST" else None
    answer: Answer = application.operator().call(method, path, body, headers=ASYNC)
    assert answer.status in (200, 201)


def test_the_other_preferences_hold(application: Application, alice: Caller) -> None:
    answer = alice.call("GET", "Observation?colour=red", headers={"Prefer": "handling=lenient, respond-async"})
    assert answer.headers["preference-applied"] == "respond-async"
    application.work()
    entry = alice.get(answer.headers["content-location"].removeprefix(BASE)).json["entry"][0]
    assert entry["response"]["status"] == "200 OK"
