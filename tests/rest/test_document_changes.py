"""What a DocumentReference may become (PDSm, flows 03 and 04): its status, its labels, whether it is archived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access
from tests.profiles.samples import simplified
from tests.records import document, observation, patient

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.application import Answer, Application, Caller

ARCHIVED = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-is-archived"
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
HOSPITAL, CLINIC = "750000001", "750000002"


@pytest.fixture(scope="module")
def hospital(application: Application) -> Caller:
    return application.system(HOSPITAL)


@pytest.fixture
def letter(application: Application, hospital: Caller) -> str:
    identifier = {"system": "urn:x", "value": application.operator().create(patient())}
    return hospital.create(document(identifier["value"], identifier=[identifier]))


def patched(caller: Caller, place: str, *operations: dict[str, Any]) -> Answer:
    return caller.call("PATCH", place, list(operations), JSON_PATCH)


def replaced(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}


@pytest.mark.parametrize("place", ["DocumentReference/{}", "DocumentReference?_id={}", "DocumentReference/never"])
def test_a_document_is_deleted_by_nobody(application: Application, hospital: Caller, letter: str, place: str) -> None:
    for caller in (hospital, application.operator()):
        answer = caller.delete(place.format(letter))
        assert (answer.status, answer.issue["code"]) == (405, "not-supported")
        entry = {"request": {"method": "DELETE", "url": place.format(letter)}}
        assert caller.transact(entry).status == 405
        batch = caller.post("", {"resourceType": "Bundle", "type": "batch", "entry": [entry]})
        assert batch.json["entry"][0]["response"]["status"].startswith("405")
    assert hospital.get(f"DocumentReference/{letter}").status == 200


def test_its_status_labels_and_archiving_change(hospital: Caller, letter: str) -> None:
    label = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]}
    archived = {"url": ARCHIVED, "valueBoolean": True}
    answer = patched(
        hospital,
        f"DocumentReference/{letter}",
        replaced("/status", "superseded"),
        {"op": "add", "path": "/securityLabel", "value": [label]},
        {"op": "add", "path": "/extension", "value": [archived]},
    )
    assert answer.status == 200, answer
    assert (answer.json["status"], answer.json["extension"]) == ("superseded", [archived])
    assert answer.headers["etag"] == 'W/"2"'


def test_a_document_is_found_for_a_change_by_its_identifier(hospital: Caller, letter: str) -> None:
    known = hospital.get(f"DocumentReference/{letter}").json["identifier"][0]
    place = f"DocumentReference?identifier={known['system']}|{known['value']}"
    assert patched(hospital, place, replaced("/status", "superseded")).json["status"] == "superseded"


@pytest.mark.parametrize(
    ("element", "change"),
    [
        ("description", {"op": "add", "path": "/description", "value": "x"}),
        ("type", replaced("/type/coding/0/code", "34112-3")),
        ("content", replaced("/content/0/attachment/contentType", "text/html")),
        ("extension", {"op": "add", "path": "/extension", "value": [{"url": "urn:x", "valueBoolean": True}]}),
        ("meta", {"op": "add", "path": "/meta/tag", "value": [{"system": "urn:x", "code": "y"}]}),
    ],
)
def test_any_other_element_is_refused_by_name(
    application: Application, hospital: Caller, letter: str, element: str, change: dict[str, Any]
) -> None:
    for caller in (hospital, application.operator()):
        answer = patched(caller, f"DocumentReference/{letter}", replaced("/status", "superseded"), change)
        assert (answer.status, answer.issue["expression"]) == (405, [f"DocumentReference.{element}"])
    assert hospital.get(f"DocumentReference/{letter}").json["meta"]["versionId"] == "1"


def test_an_update_changes_no_more_than_a_patch(hospital: Caller, letter: str) -> None:
    now = hospital.get(f"DocumentReference/{letter}").json
    assert hospital.put(f"DocumentReference/{letter}", now | {"description": "x"}).status == 405
    assert hospital.put(f"DocumentReference/{letter}", now | {"status": "superseded"}).status == 200


def test_only_who_deposited_it_sets_it_aside_as_an_error(
    application: Application, hospital: Caller, letter: str
) -> None:
    change = replaced("/status", "entered-in-error")
    me = hospital.get(f"DocumentReference/{letter}").json["subject"]["reference"].removeprefix("Patient/")
    assert patched(application.patient(me), f"DocumentReference/{letter}", change).status == 403
    assert patched(application.system(CLINIC, "lab"), f"DocumentReference/{letter}", change).status == 404
    assert patched(hospital, f"DocumentReference/{letter}", change).json["status"] == "entered-in-error"


def test_labels_are_put_on_by_operation_too(hospital: Caller, letter: str) -> None:
    label = {"name": "meta", "valueMeta": {"security": [{"code": "R"}]}}
    body = {"resourceType": "Parameters", "parameter": [label]}
    assert hospital.post(f"DocumentReference/{letter}/$meta-add", body).status == 200


def test_other_types_are_deleted_and_patched_as_ever(application: Application, hospital: Caller) -> None:
    id = hospital.create(observation(application.operator().create(patient())))
    change = {"op": "add", "path": "/issued", "value": "2026-01-01T00:00:00Z"}
    assert patched(hospital, f"Observation/{id}", change).status == 200
    assert hospital.delete(f"Observation/{id}").status == 204


def test_metadata_says_so(application: Application) -> None:
    resources = application.nobody().get("metadata").json["rest"][0]["resource"]
    (documents,) = (each for each in resources if each["type"] == "DocumentReference")
    assert {"code": "delete"} not in documents["interaction"]
    assert documents["conditionalDelete"] == "not-supported"


def test_a_put_of_the_metadata_is_as_good_as_a_patch(applications: Callable[..., Any]) -> None:
    """A document was held to its profile in the form in which it came, with its bytes inside."""
    with applications("french") as server:
        operator, sender = server.operator(), server.system(HOSPITAL)
        whose = operator.create(patient(name=[{"family": "MARTIN", "given": ["Lou"], "use": "official"}]))
        id = sender.create({**simplified(), "subject": {"reference": f"Patient/{whose}"}})
        stored = sender.get(f"DocumentReference/{id}").json
        assert sender.put(f"DocumentReference/{id}", stored | {"status": "superseded"}).status == 200
        entry = {"request": {"method": "PUT", "url": f"DocumentReference/{id}"}, "resource": stored}
        assert sender.transact(entry).status == 200
        changed = stored | {"status": "entered-in-error"}
        assert sender.put(f"DocumentReference?_id={id}", changed).status == 200
        assert sender.put(f"DocumentReference/{id}", stored | {"description": "x"}).status == 405
        assert sender.put(f"DocumentReference/{id}", stored | {"status": "no"}).status == 422


def test_the_trace_names_what_was_withdrawn_with_a_document(application: Application, hospital: Caller) -> None:
    whose, made = application.operator().create(patient()), "made-of-it"
    letter = hospital.create(document(whose))
    store, server = application.services.store, Access.system("test")
    whole = observation(whose)
    store.transact(server, lambda tx: tx.create(whole, made, document=f"DocumentReference/{letter}"))
    assert patched(hospital, f"DocumentReference/{letter}", replaced("/status", "superseded")).status == 200
    assert hospital.get(f"Observation/{made}").status in (404, 410)
    (last,) = [each for each in store.traces(server) if made in str(each.get("entities")) and each["what"] == "patch"]
    assert letter in str(last["entities"])
