"""Documents come in alone (IHE ITI-105) and in transactions (ITI-65): hash, Binary, uniqueId, replacement."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.profiles import samples
from tests.records import document, patient, post

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.application import Application, Caller

HOSPITAL, CLINIC = "750000001", "750000002"
LETTER = b"%PDF-1.4 a letter"
LISTS = "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes"


def sha1(data: bytes) -> str:
    return base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def oid() -> dict[str, str]:
    return {"system": "urn:ietf:rfc:3986", "value": f"urn:oid:2.25.{uuid.uuid4().int}"}


def inline(to: str, data: bytes = LETTER, **more: Any) -> dict[str, Any]:
    attachment = {"contentType": "application/pdf", "data": encoded(data)}
    return document(to, content=[{"attachment": attachment}], **more)


def provide(to: str, data: bytes = LETTER, *, attachment: dict[str, Any] | None = None, **more: Any) -> list[Any]:
    """The entries of a provide Bundle: submission set, document, Binary, in this order."""
    binary, reference = f"urn:uuid:{uuid.uuid4()}", f"urn:uuid:{uuid.uuid4()}"
    said = {"contentType": "application/pdf", "url": binary, "hash": sha1(data), "size": len(data)}
    submission = {
        "resourceType": "List",
        "status": "current",
        "mode": "working",
        "code": {"coding": [{"system": LISTS, "code": "submissionset"}]},
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"set of {more.get('masterIdentifier')}"}],
        "subject": {"reference": f"Patient/{to}"},
        "entry": [{"item": {"reference": reference}}],
    }
    return [
        post(submission),
        post(document(to, content=[{"attachment": said | (attachment or {})}], **more), reference),
        post({"resourceType": "Binary", "contentType": "application/pdf", "data": encoded(data)}, binary),
    ]


def replaces(id: str) -> list[dict[str, Any]]:
    return [{"code": "replaces", "target": {"reference": f"DocumentReference/{id}"}}]


def locations(answer: Any) -> list[str]:
    assert answer.status == 200, answer
    return ["/".join(each["response"]["location"].split("/")[:2]) for each in answer.json["entry"]]


@pytest.fixture(scope="module")
def hospital(application: Application) -> Caller:
    return application.system(HOSPITAL)


@pytest.fixture
def record(application: Application) -> str:
    return application.operator().create(patient())


def test_bytes_sent_inside_a_document_become_its_binary(hospital: Caller, record: str) -> None:
    answer = hospital.post("DocumentReference", inline(record))
    assert answer.status == 201, answer
    attachment = answer.json["content"][0]["attachment"]
    assert "data" not in attachment
    assert (attachment["hash"], attachment["size"]) == (sha1(LETTER), len(LETTER))
    binary = hospital.get(attachment["url"], Accept="application/fhir+json").json
    assert (binary["contentType"], binary["data"]) == ("application/pdf", encoded(LETTER))
    assert binary["securityContext"] == {"reference": f"DocumentReference/{answer.id}"}


@pytest.mark.parametrize(("name", "value"), [("hash", sha1(b"other")), ("size", 3)])
def test_a_hash_or_size_that_is_not_that_of_the_bytes_is_refused_and_leaves_nothing(
    application: Application, hospital: Caller, record: str, name: str, value: Any
) -> None:
    before = application.counts()
    sent = inline(record)
    sent["content"][0]["attachment"][name] = value
    for answer in (
        hospital.post("DocumentReference", sent),
        hospital.transact(*provide(record, attachment={name: value})),
    ):
        assert (answer.status, name in answer.told) == (422, True)
    assert application.counts() == before


def test_a_provide_bundle_stores_set_document_and_binary_tied_together(hospital: Caller, record: str) -> None:
    answer = hospital.transact(*provide(record))
    kinds, document, binary = locations(answer)
    assert [each["response"]["status"] for each in answer.json["entry"]] == ["201 Created"] * 3
    assert hospital.get(document).json["content"][0]["attachment"]["url"] == binary
    assert hospital.get(kinds).json["entry"][0]["item"]["reference"] == document
    held = hospital.get(binary, Accept="application/fhir+json").json
    assert held["securityContext"]["reference"] == document


def test_an_attachment_that_leads_to_no_entry_is_refused(hospital: Caller, record: str) -> None:
    answer = hospital.transact(*provide(record)[:2])
    assert (answer.status, "leads to no entry" in answer.told) == (422, True)


def test_a_bundle_that_claims_to_provide_brings_one_submission_set(hospital: Caller, record: str) -> None:
    profile = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/IHE.MHD.Comprehensive.ProvideBundle"
    for entries, status in ((provide(record), 200), (provide(record)[1:], 422)):
        bundle = {"resourceType": "Bundle", "meta": {"profile": [profile]}, "type": "transaction", "entry": entries}
        assert hospital.post("", bundle).status == status


@pytest.mark.parametrize("way", ["alone", "transaction", "binary first", "document first"])
def test_who_sees_the_document_sees_its_binary_and_nobody_else(
    application: Application, hospital: Caller, record: str, way: str
) -> None:
    file = {"resourceType": "Binary", "contentType": "application/pdf", "data": encoded(LETTER)}
    if way == "alone":
        id = hospital.create(inline(record))
    elif way == "transaction":
        id = locations(hospital.transact(*provide(record)))[1].partition("/")[2]
    elif way == "binary first":
        url = f"Binary/{hospital.create(file)}"
        id = hospital.create(document(record, content=[{"attachment": {"url": url}}]))
    else:
        id = hospital.create(document(record, content=[{"attachment": {"url": "urn:oid:1.2.3"}}]))
        url = f"Binary/{hospital.create(file | {'securityContext': {'reference': f'DocumentReference/{id}'}})}"
    if way != "document first":
        url = hospital.get(f"DocumentReference/{id}").json["content"][0]["attachment"]["url"]
    me, clinic = application.patient(record), application.system(CLINIC, "other")
    assert (me.get(url).status, clinic.get(url).status) == (200, 404)
    label = [{"op": "add", "path": "/securityLabel", "value": [{"coding": [{"code": "INVISIBLE_PATIENT"}]}]}]
    changed = hospital.call("PATCH", f"DocumentReference/{id}", label, {"Content-Type": "application/json-patch+json"})
    assert changed.status == 200, changed
    assert (me.get(url).status, me.get(f"DocumentReference/{id}").status) == (404, 404)
    assert hospital.get(url).status == 200


def test_the_binary_of_a_document_is_neither_changed_nor_deleted_nor_given_away(hospital: Caller, record: str) -> None:
    url = hospital.get(f"DocumentReference/{hospital.create(inline(record))}").json["content"][0]["attachment"]["url"]
    held = hospital.get(url, Accept="application/fhir+json").json
    assert hospital.put(url, held | {"data": encoded(b"other")}).status == 405
    assert hospital.delete(url).status == 405
    assert hospital.post("DocumentReference", document(record, content=[{"attachment": {"url": url}}])).status == 422


def test_the_same_document_twice_is_one(application: Application, hospital: Caller, record: str) -> None:
    sent = inline(record, masterIdentifier=oid())
    first = hospital.post("DocumentReference", sent)
    before = application.counts()
    again = hospital.post("DocumentReference", sent)
    assert (first.status, again.status, again.id) == (201, 200, first.id)
    other = hospital.post("DocumentReference", sent | {"content": inline(record, b"other")["content"]})
    assert (other.status, other.issue["code"]) == (409, "duplicate")
    assert application.counts() == before


def test_the_same_bundle_twice_is_one(application: Application, hospital: Caller, record: str) -> None:
    known = oid()
    first = hospital.transact(*provide(record, masterIdentifier=known))
    before = application.counts()
    again = hospital.transact(*provide(record, masterIdentifier=known))
    assert locations(again) == locations(first)
    assert [each["response"]["status"] for each in again.json["entry"]] == ["200 OK"] * 3
    assert hospital.transact(*provide(record, b"other", masterIdentifier=known)).status == 409
    assert application.counts() == before


def test_a_document_that_is_hidden_from_the_sender_tells_nothing_of_itself(
    application: Application, hospital: Caller, record: str
) -> None:
    sent = inline(record, masterIdentifier=oid())
    assert hospital.post("DocumentReference", sent).status == 201
    assert application.system(CLINIC, "other").post("DocumentReference", sent).status == 201


def test_of_many_at_once_one_is_stored(application: Application, hospital: Caller, record: str) -> None:
    sent = inline(record, masterIdentifier=oid())
    hospital.create(inline(record))
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: application.system(HOSPITAL).post("DocumentReference", sent), range(12)))
    assert sorted(each.status for each in answers) == [200] * 11 + [201]
    assert len({each.id for each in answers}) == 1


def test_what_a_document_replaces_becomes_superseded(hospital: Caller, record: str) -> None:
    old = hospital.create(inline(record))
    new = hospital.post("DocumentReference", inline(record, b"new", relatesTo=replaces(old)))
    assert new.status == 201, new
    assert hospital.get(f"DocumentReference/{old}").json["status"] == "superseded"
    late = hospital.post("DocumentReference", inline(record, b"late", relatesTo=replaces(old)))
    assert late.status == 409


@pytest.mark.parametrize("way", ["alone", "in a Bundle"])
def test_what_takes_the_place_of_a_masked_document_is_masked(hospital: Caller, record: str, way: str) -> None:
    old = hospital.create(inline(record, securityLabel=[{"coding": [{"code": "MASQUE_PS"}]}]))
    if way == "alone":
        new = hospital.create(inline(record, b"new", relatesTo=replaces(old)))
    else:
        answer = hospital.transact(*provide(record, relatesTo=replaces(old)))
        places = [each["response"]["location"] for each in answer.json["entry"]]
        new = next(each for each in places if "DocumentReference/" in each).split("/_history")[0].rpartition("/")[2]
    labels = hospital.get(f"DocumentReference/{new}").json["securityLabel"]
    assert {"coding": [{"code": "MASQUE_PS"}]} in labels


@pytest.mark.parametrize("patches", [True, False])
def test_a_replacement_in_a_bundle_needs_no_patch_but_may_bring_it(
    hospital: Caller, record: str, patches: bool
) -> None:
    old = hospital.create(inline(record))
    parts = [
        {"name": "type", "valueCode": "replace"},
        {"name": "path", "valueString": "DocumentReference.status"},
        {"name": "value", "valueCode": "superseded"},
    ]
    patch = {
        "resource": {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]},
        "request": {"method": "PATCH", "url": f"DocumentReference/{old}"},
    }
    answer = hospital.transact(*provide(record, relatesTo=replaces(old)), *([patch] if patches else []))
    assert answer.status == 200, answer
    now = hospital.get(f"DocumentReference/{old}").json
    assert (now["status"], now["meta"]["versionId"]) == ("superseded", "2")


def test_who_may_not_change_a_document_does_not_replace_it(
    application: Application, hospital: Caller, record: str
) -> None:
    old = hospital.create(inline(record))
    me, clinic = application.patient(record), application.system(CLINIC, "other")
    never = clinic.post("DocumentReference", inline(record, b"mine", relatesTo=replaces("never")))
    hidden = clinic.post("DocumentReference", inline(record, b"mine", relatesTo=replaces(old)))
    assert (never.status, hidden.status, hidden.told) == (422, 422, never.told)
    assert me.post("DocumentReference", inline(record, b"mine", relatesTo=replaces(old))).status == 403
    assert hospital.get(f"DocumentReference/{old}").json["status"] == "current"


@pytest.mark.parametrize("made", [samples.simplified, samples.comprehensive])
def test_the_metadata_of_what_came_by_a_french_profile_change(
    applications: Callable[..., Any], made: Callable[[], dict[str, Any]]
) -> None:
    with applications("french") as french:
        caller = french.operator()
        answer = caller.post("DocumentReference", made())
        assert answer.status == 201, answer
        change = [{"op": "replace", "path": "/status", "value": "entered-in-error"}]
        headers = {"Content-Type": "application/json-patch+json"}
        changed = caller.call("PATCH", f"DocumentReference/{answer.id}", change, headers)
        assert (changed.status, changed.json["status"]) == (200, "entered-in-error")
        wrong = [{"op": "replace", "path": "/status", "value": "gone"}]
        assert caller.call("PATCH", f"DocumentReference/{answer.id}", wrong, headers).status == 422


@pytest.mark.parametrize("profiles", ["core", "french"])
def test_a_bundle_that_claims_to_provide_documents_is_held_to_that_profile(
    applications: Callable[..., Any], profiles: str
) -> None:
    with applications(profiles) as server:
        operator, sender = server.operator(), server.system("750000001")
        id = operator.create(patient(name=[{"family": "MARTIN", "given": ["Lou"], "use": "official"}]))
        whole = json.loads(json.dumps(samples.provide_bundle()).replace("Patient/1", f"Patient/{id}"))
        whole["entry"] = whole["entry"][:3]
        for each in whole["entry"][1]["resource"]["content"]:
            for name in ("hash", "size"):
                each["attachment"].pop(name, None)
        refused = sender.post("", whole)
        assert (refused.status, "hash" in str(refused.json)) == (422, True)
        data = base64.b64decode(whole["entry"][2]["resource"]["data"])
        said = {"hash": base64.b64encode(hashlib.sha1(data).digest()).decode(), "size": len(data)}
        whole["entry"][1]["resource"]["content"][0]["attachment"] |= said
        stored = sender.post("", whole)
        assert stored.status == 200, stored.json
        folder = whole["entry"][0] | {"fullUrl": "urn:uuid:7a1b2c3d-0000-4000-8000-000000000009"}
        refused = sender.post("", whole | {"entry": [*whole["entry"], folder]})
        assert refused.status == 422


def test_a_document_published_alone_gets_a_submission_set(application: Application, hospital: Caller) -> None:
    operator = application.operator()
    whose = operator.create(patient())
    sent = samples.simplified() | {"subject": {"reference": f"Patient/{whose}"}, "masterIdentifier": oid()}
    twice = [hospital.post("DocumentReference", sent) for _ in range(2)]
    assert [each.status for each in twice] == [201, 200]
    found = operator.search("List", patient=whose, code="submissionset")
    assert found.total == 1
    made = found.json["entry"][0]["resource"]
    assert made["entry"] == [{"item": {"reference": f"DocumentReference/{twice[0].id}"}}]
    assert [each for each in application.services.validator.check(made) if each.is_error] == []
    mask = [{"op": "replace", "path": "/securityLabel", "value": [{"coding": [{"code": "INVISIBLE_PATIENT"}]}]}]
    holder, path = application.patient(whose), f"List/{made['id']}"
    assert holder.get(path).status == 200
    media = {"Content-Type": "application/json-patch+json"}
    assert hospital.call("PATCH", f"DocumentReference/{twice[0].id}", mask, media).status == 200
    assert holder.get(path).status == 404
    aside = [{"op": "replace", "path": "/status", "value": "superseded"}]
    assert hospital.call("PATCH", f"DocumentReference/{twice[0].id}", aside, media).status == 200
    assert operator.get(path).status == 200
    operator.create(document(whose))
    assert operator.search("List", patient=whose, code="submissionset").total == 1
