"""Points of http.html 3.1.0 that no other module here is about, each tried as a client would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.records import observation, patient, reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Application, Caller

ANY = {"If-None-Match": "*"}
WISH = "return=OperationOutcome"


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    return application.operator()


@pytest.fixture
def fresh(applications: Callable[..., Any]) -> Iterator[Application]:
    with applications() as application:
        yield application


def ask(method: str, url: str, resource: Any = None, **more: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"request": {"method": method, "url": url, **more}}
    return entry | ({} if resource is None else {"resource": resource})


def test_a_first_version_only_is_stored_where_nothing_is(operator: Caller) -> None:
    assert operator.call("PUT", "Patient/first", patient(id="first"), ANY).status == 201
    again = operator.call("PUT", "Patient/first", patient(id="first", gender="male"), ANY)
    assert again.status == 412
    assert "is here already" in again.told
    assert operator.get("Patient/first").headers["etag"] == 'W/"1"'
    assert operator.delete("Patient/first").status == 204
    assert operator.call("PUT", "Patient/first", patient(id="first"), ANY).headers["etag"] == 'W/"3"'


def test_what_is_hidden_is_not_told_by_if_none_match(application: Application, operator: Caller) -> None:
    operator.store(patient(id="hidden-one"))
    stranger = application.patient("someone")
    answers = [stranger.call("PUT", f"Patient/{id}", patient(id=id), ANY) for id in ("hidden-one", "never-one")]
    assert [each.status for each in answers] == [405, 405]
    assert answers[0].told == answers[1].told


def test_criteria_with_if_none_match_create_but_never_update(operator: Caller) -> None:
    named = patient(identifier=[{"system": "urn:n", "value": "1"}])
    where = "Patient?identifier=urn:n%7C1"
    assert operator.call("PUT", where, named, ANY).status == 201
    assert operator.call("PUT", where, named, ANY).status == 412
    assert operator.search("Patient", ("identifier", "urn:n|1")).total == 1


def test_if_none_match_holds_in_transactions_and_batches(operator: Caller) -> None:
    operator.store(patient(id="t1"))
    entry = [ask("PUT", "Patient/t2", patient(id="t2"), ifNoneMatch="*"), ask("PUT", "Patient/t1", patient(id="t1"))]
    assert operator.transact(*entry).status == 200
    refused = operator.transact(*entry)
    assert refused.status == 412
    assert "Bundle.entry[0]" in refused.told
    assert operator.get("Patient/t1").headers["etag"] == 'W/"2"'
    assert operator.transact(ask("PUT", "Patient/t2", patient(id="t2"), ifNoneMatch='W/"1"')).status == 400
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": entry}
    assert [each["response"]["status"][:3] for each in operator.post("", bundle).json["entry"]] == ["412", "200"]


@pytest.mark.parametrize("text", ["Patient?identifier=urn:n%7C1", "http://127.0.0.1:8080/fhir/Patient?name=x"])
def test_a_conditional_reference_outside_a_transaction_is_refused(operator: Caller, text: str) -> None:
    wrong = observation(subject=reference(text))
    id = operator.create(observation())
    change = [{"op": "add", "path": "/subject", "value": reference(text)}]
    answers = [
        operator.post("Observation", wrong),
        operator.put(f"Observation/{id}", wrong | {"id": id}),
        operator.call("PATCH", f"Observation/{id}", change, {"Content-Type": "application/json-patch+json"}),
    ]
    assert [each.status for each in answers] == [422, 422, 422]
    assert all("in a transaction" in each.told for each in answers)
    assert operator.get(f"Observation/{id}").headers["etag"] == 'W/"1"'


def test_a_bundle_that_is_stored_may_hold_conditional_references(operator: Caller) -> None:
    entry = [ask("POST", "Observation", observation(subject=reference("Patient?identifier=1")))]
    assert operator.post("Bundle", {"resourceType": "Bundle", "type": "transaction", "entry": entry}).status == 201


def test_head_is_answered_where_get_is_without_a_body(operator: Caller) -> None:
    operator.store(patient(id="h"))
    paths = ["Patient/h", "Patient/h/_history/1", "Patient/h/_history", "Patient/_history", "_history", "Patient?_id=h"]
    paths += [
        "Patient/h/$everything",
        "Patient/h/$meta",
        "metadata",
        "$versions",
        "Patient/h/Observation",
        "Patient/no",
    ]
    for path in paths:
        get, head = operator.get(path), operator.call("HEAD", path)
        assert head.status == get.status, path
        assert head.content == b""
        assert head.headers.get("etag") == get.headers.get("etag")
        assert head.headers["content-type"] == get.headers["content-type"]


def test_head_in_a_transaction_says_what_there_is_without_showing_it(operator: Caller) -> None:
    operator.store(patient(id="h"))
    answer = operator.transact(ask("HEAD", "Patient/h"), ask("GET", "Patient/h"))
    head, get = answer.json["entry"]
    assert head["response"]["etag"] == get["response"]["etag"]
    assert "resource" in get
    assert "resource" not in head
    assert (
        operator.transact(ask("HEAD", "Patient/h", ifNoneMatch="*")).json["entry"][0]["response"]["status"][:3] == "304"
    )


def test_who_prefers_an_outcome_gets_one_for_every_write(operator: Caller) -> None:
    made = operator.post("Basic", {"resourceType": "Basic", "code": {"text": "x"}}, Prefer=WISH)
    assert made.status == 201
    id = made.headers["location"].split("/")[-3]
    patch = {"Content-Type": "application/json-patch+json", "Prefer": WISH}
    answers = [
        made,
        operator.put(f"Basic/{id}", {"resourceType": "Basic", "id": id, "code": {"text": "y"}}, Prefer=WISH),
        operator.call("PATCH", f"Basic/{id}", [{"op": "replace", "path": "/code/text", "value": "z"}], patch),
        operator.delete(f"Basic/{id}", Prefer=WISH),
    ]
    assert [each.status for each in answers] == [201, 200, 200, 200]
    assert {each.json["resourceType"] for each in answers} == {"OperationOutcome"}
    assert answers[-1].told == "Deleted."
    assert operator.delete(f"Basic/{id}", Prefer=WISH).told == "0 resources were deleted."
    assert operator.delete("Basic/never").status == 204


def test_metadata_takes_the_mode_that_it_has(application: Application) -> None:
    nobody = application.nobody()
    assert nobody.get("metadata?mode=full&_format=json").status == 200
    for path in ("metadata?mode=terminology", "metadata?x=1", "$versions?x=1"):
        refused = nobody.get(path)
        assert refused.status == 400
        assert path.partition("?")[2] in refused.told


@pytest.mark.parametrize("path", ["Patient/_history", "_history", "Patient/f1/_history", "Patient/f1/$everything"])
def test_the_form_that_was_asked_for_stays_over_pages(fresh: Application, path: str) -> None:
    operator = fresh.operator()
    for _ in range(2):
        operator.store(patient(id="f1"))
        operator.store(observation("f1", id="f2"))
    answer = operator.get(f"{path}?_count=1&_format=json&_pretty=true")
    link = answer.link("next")
    assert link is not None
    following = operator.get(link, Accept="application/fhir+xml")
    assert following.headers["content-type"].startswith("application/fhir+json")
    assert following.content.startswith(b"{\n")


def test_a_document_of_more_than_is_sensible_is_refused(application: Application, operator: Caller) -> None:
    author = reference("Practitioner/d")
    operator.store({"resourceType": "Practitioner", "id": "d"})
    entries = [reference(f"Observation/d{number}") for number in range(1001)]
    composition = {
        "resourceType": "Composition", "id": "much", "status": "final", "type": {"text": "x"}, "date": "2024",
        "title": "x", "author": [author], "section": [{"title": "x", "entry": entries}],
    }  # fmt: skip
    operator.store(composition)
    answer = operator.get("Composition/much/$document")
    assert answer.status == 400
    assert answer.issue["code"] == "too-costly"
