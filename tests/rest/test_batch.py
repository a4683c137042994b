"""batch, and reads within batches and transactions (https://hl7.org/fhir/R4/http.html#transaction)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access
from fhirserver.rest import batch as batches
from tests.records import ask, observation, patient, post, put

if TYPE_CHECKING:
    from tests.application import Answer, Application, Caller


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    return application.operator()


def batch(caller: Caller, *entries: dict[str, Any], **headers: str) -> list[dict[str, Any]]:
    answer = caller.post("", {"resourceType": "Bundle", "type": "batch", "entry": list(entries)}, **headers)
    assert answer.status == 200, answer
    assert answer.json["type"] == "batch-response"
    found: list[dict[str, Any]] = answer.json["entry"]
    return found


def same(entry: dict[str, Any], single: Answer) -> None:
    """Holds that an entry says what the single request was answered."""
    assert entry["response"]["status"].partition(" ")[0] == str(single.status)
    assert entry["response"].get("location") == single.headers.get("location")
    assert entry["response"].get("etag") == single.headers.get("etag")
    told = entry["response"]["outcome"] if single.status >= 400 else entry.get("resource")
    assert told == (single.json if single.content else None)


def test_each_entry_is_on_its_own(application: Application, operator: Caller) -> None:
    id = operator.create(patient())
    entries = batch(
        operator,
        post(patient(gender="m")),
        post(observation(id)),
        ask("GET", "Patient/never-was"),
        put(patient(id=id, gender="other"), 'W/"9"'),
        put(patient(id=id, gender="other"), 'W/"1"'),
        ask("GET", f"Patient/{id}"),
        ask("DELETE", f"Patient/{id}"),
        ask("GET", f"Patient/{id}"),
    )
    statuses = [each["response"]["status"][:3] for each in entries]
    assert statuses == ["422", "201", "404", "412", "200", "200", "204", "410"]
    assert entries[0]["response"]["outcome"]["issue"][0]["severity"] == "error"
    assert entries[5]["resource"]["gender"] == "other"
    assert entries[1]["response"]["location"].endswith("/_history/1")


@pytest.mark.parametrize(
    "url",
    [
        "Patient/never-was", "Nothing/x", "Patient/a_b", "Patient?nam=x", "Patient/x/$nothing", "nothing", "metadata",
        "Patient?name=nobody", "/Patient?name=nobody", "Patient/%2e%2e/x", "../metadata", "http://elsewhere/Patient",
        "ValueSet/$expand?url=urn:nothing", "Patient/x/_history", "Patient?name=%C3%89lo%C3%AFse", "Patient?_page=x",
    ],
)  # fmt: skip
def test_a_read_is_answered_as_by_itself(operator: Caller, url: str) -> None:
    (entry,) = batch(operator, ask("GET", url))
    if "elsewhere" not in url and ".." not in url and not url.startswith("/"):
        same(entry, operator.get(url))
    else:
        assert entry["response"]["status"][:3] in ("200", "400", "404", "405")


def test_what_is_hidden_is_answered_as_by_itself(application: Application, operator: Caller) -> None:
    mine, other = operator.create(patient()), operator.create(patient())
    seen, hidden = operator.create(observation(mine)), operator.create(observation(other))
    me = application.patient(mine)
    paths = [f"Observation/{seen}", f"Observation/{hidden}", "Observation", f"Observation/{hidden}/_history", "Patient"]
    entries = batch(me, *(ask("GET", path) for path in paths))
    for entry, path in zip(entries, paths, strict=True):
        same(entry, me.get(path))
    assert hidden not in str(entries[2])
    writes = [ask("DELETE", f"Observation/{hidden}"), put(observation(mine, id=hidden)), post(observation(other))]
    statuses = [each["response"]["status"][:3] for each in batch(me, *writes)]
    assert statuses == ["204", "405", "403"]
    assert operator.get(f"Observation/{hidden}").headers["etag"] == 'W/"1"'


def test_conditions_stand_in_the_entries(operator: Caller) -> None:
    id = operator.create(patient())
    resource = patient(identifier=[{"system": "urn:oid:1.2", "value": "batch"}])
    entry = post(resource)
    entry["request"]["ifNoneExist"] = "identifier=urn:oid:1.2|batch"
    entries = batch(
        operator,
        ask("GET", f"Patient/{id}", ifNoneMatch='W/"1"'),
        ask("GET", f"Patient/{id}", ifModifiedSince="2999-01-01T00:00:00Z"),
        entry,
        entry,
        {"resource": resource, "request": {"method": "PUT", "url": "Patient?identifier=urn:oid:1.2|batch"}},
        ask("DELETE", "Patient?identifier=urn:oid:1.2|batch"),
    )
    assert [each["response"]["status"][:3] for each in entries] == ["304", "304", "201", "200", "200", "204"]


def test_searches_work_within_batches_and_transactions(application: Application, operator: Caller) -> None:
    id = operator.create(patient())
    url = f"Observation?patient={id}"
    (searched,) = batch(operator, ask("GET", url))
    assert searched["resource"]["total"] == 0
    answer = operator.transact(ask("GET", url), post(observation(id)), ask("GET", f"Patient/{id}/_history"))
    entries = answer.json["entry"]
    assert entries[0]["response"]["status"] == "200 OK"
    assert entries[0]["resource"]["total"] == 1  # reads come last, and see what the transaction wrote
    assert entries[2]["resource"]["type"] == "history"


def test_a_read_that_fails_undoes_the_transaction(application: Application, operator: Caller) -> None:
    before = application.counts()
    answer = operator.transact(post(patient()), ask("GET", "Patient?nam=x"))
    assert answer.status == 400
    assert "Bundle.entry[1]" in answer.told
    assert application.counts() == before


def test_reads_within_bundles_are_traced(application: Application, operator: Caller) -> None:
    id = operator.create(patient())
    before = len(list(application.services.store.traces(Access.system("test"))))
    batch(
        operator, ask("GET", f"Patient/{id}"), ask("GET", f"Observation?patient={id}"), ask("GET", "Patient/never-was")
    )
    operator.transact(ask("GET", f"Patient/{id}"), ask("GET", f"Observation?patient={id}"))
    traces = list(application.services.store.traces(Access.system("test")))
    assert len(traces) == before + 4
    about = [each for each in traces if id in each.get("pats", ()) and each["what"] != "create"]
    assert sorted(each["what"] for each in about) == ["read", "search-type", "transaction"]
    (whole,) = (each for each in about if each["what"] == "transaction")
    assert whole["query"] == f"Observation?patient={id}"
    assert {"r": f"Patient/{id}", "v": 1, "p": id} in whole["entities"]


def test_a_bundle_within_a_bundle_is_refused(operator: Caller) -> None:
    inner = {"resourceType": "Bundle", "type": "batch", "entry": [post(patient())]}
    (entry,) = batch(operator, {"resource": inner, "request": {"method": "POST", "url": "/"}})
    assert entry["response"]["status"] == "400 Bad Request"


def test_operations_are_entries_too(operator: Caller) -> None:
    (entry,) = batch(
        operator, {"resource": patient(gender="m"), "request": {"method": "POST", "url": "Patient/$validate"}}
    )
    assert entry["response"]["status"] == "200 OK"
    assert entry["resource"]["issue"][0]["severity"] == "error"


def test_preferences_hold_for_each_entry(operator: Caller) -> None:
    (silent,) = batch(operator, post(patient()), Prefer="return=minimal")
    assert "resource" not in silent
    (told,) = batch(operator, post(patient()), Prefer="return=OperationOutcome")
    assert told["resource"]["resourceType"] == "OperationOutcome"


def test_head_answers_no_resource(operator: Caller) -> None:
    id = operator.create(patient())
    (entry,) = batch(operator, ask("HEAD", f"Patient/{id}"))
    assert entry["response"]["etag"] == 'W/"1"'
    assert "resource" not in entry


def test_a_misspelt_batch_is_refused_as_a_whole(application: Application, operator: Caller) -> None:
    before = application.counts()
    for entry in ({"resource": patient()}, post(patient()) | {"x": 1}, {"request": {"method": "FETCH", "url": "x"}}):
        answer = operator.post("", {"resourceType": "Bundle", "type": "batch", "entry": [post(patient()), entry]})
        assert answer.status in (400, 422)
    assert application.counts() == before


def test_an_empty_batch_is_answered(operator: Caller) -> None:
    answer = operator.post("", {"resourceType": "Bundle", "type": "batch"})
    assert answer.json == {"resourceType": "Bundle", "type": "batch-response"}


def test_a_bundle_ends_when_its_answer_grows_too_large(operator: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST_BYTES", 100)
    id = operator.create(patient())
    entries = batch(operator, ask("GET", f"Patient/{id}"), ask("GET", f"Patient/{id}"), ask("DELETE", f"Patient/{id}"))
    assert [each["response"]["status"][:3] for each in entries] == ["200", "413", "413"]
    reads = [ask("GET", f"Patient/{id}")] * 2
    assert operator.transact(*reads, put(patient(id=id, gender="other"))).status == 413
    assert operator.get(f"Patient/{id}").headers["etag"] == 'W/"1"'


def test_a_bundle_ends_when_it_takes_too_long(operator: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "SECONDS", -1.0)
    (entry,) = batch(operator, post(patient()))
    assert entry["response"]["status"] == "503 Service Unavailable"
    assert entry["response"]["outcome"]["issue"][0]["code"] == "throttled"
    assert operator.transact(post(patient())).status == 503
