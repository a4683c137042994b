"""Composition/[id]/$document (https://hl7.org/fhir/R4/composition-operation-document.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.records import document, observation, patient, practitioner, reference

if TYPE_CHECKING:
    from tests.application import Application, Caller


def composition(id: str, *entries: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Composition", "id": id, "status": "final", "date": "2024-01-01", "title": "Letter",
        "type": {"coding": [{"system": "http://loinc.org", "code": "11488-4"}]}, "subject": reference("Patient/p"),
        "author": [reference("Practitioner/d")],
        "section": [{"title": "x", "entry": [*map(reference, entries)]}], **more,
    }  # fmt: skip


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    operator = application.operator()
    for resource in (
        patient(id="p"),
        practitioner("10000000018", id="d"),
        observation("p", id="o"),
        document("p", id="later", labels=("INVISIBLE_PATIENT",)),
        composition("whole", "Observation/o", "Observation/o", "Patient/p"),
        composition("lacking", "Observation/none"),
        composition("hidden", "DocumentReference/later"),
    ):
        operator.store(resource)
    return operator


def test_a_document_is_the_composition_and_what_it_refers_to(application: Application, operator: Caller) -> None:
    answer = application.patient("p").get("Composition/whole/$document")
    assert answer.json["type"] == "document"
    places = ["/".join(each["fullUrl"].split("/")[-2:]) for each in answer.json["entry"]]
    assert places[0] == "Composition/whole"
    assert sorted(places[1:]) == ["Observation/o", "Patient/p", "Practitioner/d"]
    issues = application.services.validator.check(answer.json)
    assert [each for each in issues if each.is_error] == []


def test_a_document_is_whole_or_none(application: Application, operator: Caller) -> None:
    me = application.patient("p")
    lacking, hidden = me.get("Composition/lacking/$document"), me.get("Composition/hidden/$document")
    assert lacking.status == hidden.status == 422
    assert lacking.told.replace("Observation/none", "X") == hidden.told.replace("DocumentReference/later", "X")
    assert operator.get("Composition/hidden/$document").status == 200


def test_a_composition_that_is_hidden_is_as_none(application: Application, operator: Caller) -> None:
    stranger = application.practitioner("10000000026")
    answers = [stranger.get(f"Composition/{id}/$document") for id in ("whole", "never")]
    assert [each.status for each in answers] == [404, 404]
    assert answers[0].told.replace("whole", "never") == answers[1].told


def test_what_is_not_offered_is_named(operator: Caller) -> None:
    for query in ("persist=true", "graph=x", "x=1"):
        assert operator.get(f"Composition/whole/$document?{query}").status == 400


def test_what_was_deleted_by_itself_does_not_come_back(operator: Caller) -> None:
    operator.store(observation("p", id="wrong"))
    operator.store(composition("of-wrong", "Observation/wrong"))
    operator.delete("Observation/wrong")
    refused = operator.get("Composition/of-wrong/$document")
    assert (refused.status, refused.issue["code"]) == (422, "not-found")
