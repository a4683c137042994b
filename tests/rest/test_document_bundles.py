"""FHIR documents: a Bundle of type document, stored whole, found by what is in it, and given back as it came."""

from __future__ import annotations

import copy
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver import jsontext
from tests import records
from tests.records import reference

if TYPE_CHECKING:
    from tests.application import Application, Caller

ALICE, BOB, CAROL = "10000000001", "10000000002", "10000000003"
LAB = "750000001"
INS = {"system": records.INS_NIR, "value": "279035121518989", "use": "official"}
TRAITS: dict[str, Any] = {
    "identifier": [INS],
    "name": [{"use": "official", "family": "RENARD", "given": ["ANNE"]}],
    "gender": "female",
    "birthDate": "1979-03-15",
}
PATCH = {"Content-Type": "application/json-patch+json"}


def urn() -> str:
    return f"urn:uuid:{uuid.uuid4()}"


def bundle(subject: dict[str, str], *more: tuple[str, dict[str, Any]], **changed: Any) -> dict[str, Any]:
    """A report with an Observation, its author and his laboratory; `changed` elements of the Composition."""
    author, result, laboratory = urn(), urn(), urn()
    composition = {
        "resourceType": "Composition", "status": "final", "title": "Biologie", "date": "2026-02-03T10:00:00+01:00",
        "type": {"coding": [{"system": "http://loinc.org", "code": "11502-2"}]}, "subject": subject,
        "author": [reference(author)], "custodian": reference(laboratory),
        "section": [{"title": "Hémoglobine", "entry": [reference(result)]}],
        **changed,
    }  # fmt: skip
    observation = records.observation(valueQuantity={"value": 13, "unit": "g/dL"}) | {"subject": subject}
    parts = [
        (urn(), composition),
        (author, records.practitioner(ALICE)),
        (laboratory, records.organization(LAB)),
        (result, observation | {"performer": [reference(author)]}),
        *more,
    ]
    return {
        "resourceType": "Bundle", "type": "document", "timestamp": "2026-02-03T10:00:00+01:00",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": urn()},
        "entry": [{"fullUrl": url, "resource": resource} for url, resource in parts],
    }  # fmt: skip


@pytest.fixture(scope="module")
def patient(application: Application) -> str:
    operator = application.operator()
    operator.store(records.practitioner(ALICE, id="alice"))
    id = operator.create(records.patient(**TRAITS))
    operator.store(records.practitioner(CAROL, id="carol"))
    operator.create(records.care_team(id, "Practitioner/alice", "Practitioner/carol"))
    return id


@pytest.fixture(scope="module")
def lab(application: Application) -> Caller:
    return application.system(LAB)


@pytest.fixture(scope="module")
def alice(application: Application, patient: str) -> Caller:
    return application.practitioner(ALICE)


def about(patient: str) -> dict[str, str]:
    return reference(f"Patient/{patient}")


def document_of(caller: Caller, sent: dict[str, Any]) -> dict[str, Any]:
    found = caller.search("DocumentReference", identifier=f"urn:ietf:rfc:3986|{sent['identifier']['value']}")
    assert found.total == 1, found.json
    resource: dict[str, Any] = found.json["entry"][0]["resource"]
    return resource


def test_a_document_is_stored_whole_and_given_back_as_it_is(alice: Caller, lab: Caller, patient: str) -> None:
    text = jsontext.dump(bundle(about(patient))).replace(b'"value":13,', b'"value":13.50,')
    stored = lab.post("Bundle", text)
    assert stored.status == 201, stored
    assert b"13.50" in stored.content
    read = alice.get(f"Bundle/{stored.id}")
    assert read.content == stored.content
    kept = {name: each for name, each in read.json.items() if name not in ("id", "meta")}
    assert list(kept) == list(jsontext.parse_object(text))
    assert jsontext.dump({"e": jsontext.parse_object(read.content)["entry"]}) in b'{"e":' + text[text.index(b"[") :]
    (composition,) = alice.search("Composition", patient=patient, _sort="-_lastUpdated", _count="1").ids[:1]
    assert alice.get(f"Composition/{composition}/$document").content == stored.content
    document = document_of(alice, stored.json)
    assert alice.get(f"DocumentReference/{document['id']}/$document").content == stored.content
    attachment = document["content"][0]["attachment"]
    assert attachment["url"] == f"Bundle/{stored.id}"
    from fhirserver.rest.documents.contents import Content

    assert Content(attachment["hash"], attachment["size"]) == Content.of(stored.content)


def test_a_document_is_found_by_what_is_in_it(alice: Caller, lab: Caller, patient: str) -> None:
    sent = bundle(about(patient), title="Trouvé")
    id = lab.create(sent)
    (composition,) = alice.search("Composition", title="Trouvé").ids
    (observation,) = [
        each["resource"] for each in alice.search("Observation", patient=patient, code="718-7").json["entry"]
        if each["resource"]["id"] in alice.get(f"Composition/{composition}").content.decode()
    ]  # fmt: skip
    assert observation["performer"] == [reference("Practitioner/alice")]
    for criteria in (
        {"identifier": sent["identifier"]["value"]},
        {"composition": f"Composition/{composition}"},
        {"composition.title": "Trouvé"},
        {"composition.patient": f"Patient/{patient}", "composition.title": "Trouvé"},
        {"timestamp": "2026-02-03", "composition.title": "Trouvé"},
        {"type": "document", "composition.author.identifier": f"{records.RPPS}|{ALICE}", "composition.title": "Trouvé"},
    ):
        assert alice.search("Bundle", *criteria.items()).ids == [id], criteria
    document = document_of(alice, sent)
    assert (document["subject"], document["status"], document["docStatus"]) == (about(patient), "current", "final")
    assert document["category"][0]["coding"][0]["code"] == "10"


def test_what_is_in_a_document_is_seen_where_the_document_is(
    application: Application, lab: Caller, patient: str
) -> None:
    alice = application.practitioner(CAROL)
    sent = bundle(about(patient), title="Masqué")
    id = lab.create(sent)
    (composition,) = alice.search("Composition", title="Masqué").ids
    (result,) = (each["reference"] for each in alice.get(f"Composition/{composition}").json["section"][0]["entry"])
    document = document_of(alice, sent)["id"]
    places = (f"Bundle/{id}", f"Composition/{composition}", result, f"DocumentReference/{document}")
    assert [alice.get(each).status for each in places] == [200] * 4
    mask = [{"op": "add", "path": "/securityLabel/-", "value": {"coding": [{"code": "MASQUE_PS"}]}}]
    assert lab.call("PATCH", f"DocumentReference/{document}", mask, PATCH).status == 200
    assert [alice.get(each).status for each in places] == [404] * 4
    assert alice.search("Bundle", identifier=sent["identifier"]["value"]).total == 0
    assert alice.get(f"Composition/{composition}/$document").status == 404
    assert [lab.get(each).status for each in places] == [200] * 4


def test_a_stranger_sees_nothing_of_it(application: Application, lab: Caller, patient: str) -> None:
    id = lab.create(bundle(about(patient)))
    assert application.practitioner(BOB).get(f"Bundle/{id}").status == 404
    assert application.patient(patient).get(f"Bundle/{id}").status == 200


def test_the_same_document_twice_is_one_and_another_of_its_name_is_refused(lab: Caller, patient: str) -> None:
    sent = bundle(about(patient))
    first = lab.post("Bundle", sent)
    assert (first.status, lab.post("Bundle", sent).status) == (201, 200)
    assert lab.post("Bundle", sent).id == first.id
    other = copy.deepcopy(sent)
    other["entry"][3]["resource"]["valueQuantity"]["value"] = 14
    refused = lab.post("Bundle", other)
    assert (refused.status, refused.issue["code"]) == (409, "duplicate")


def test_the_patient_of_the_document_is_the_one_whose_identity_agrees(lab: Caller, patient: str) -> None:
    url = urn()
    sent = bundle(reference(url), (url, records.patient(**TRAITS)))
    assert lab.post("Bundle", sent).status == 201
    assert document_of(lab, sent)["subject"] == about(patient)
    stranger = bundle(reference(url), (url, records.patient(**TRAITS | {"birthDate": "1980-03-15"})))
    unknown = bundle(reference(url), (url, records.patient()))
    by_number = bundle({"identifier": {"system": INS["system"], "value": INS["value"]}})  # type: ignore[dict-item]
    assert [lab.post("Bundle", each).status for each in (stranger, unknown, by_number)] == [422, 422, 201]
    assert "could not be established" in lab.post("Bundle", stranger).told


def test_a_document_about_two_is_refused_and_leaves_nothing(
    application: Application, lab: Caller, patient: str
) -> None:
    other = application.operator().create(records.patient())
    before = application.counts()
    sent = bundle(about(patient), (urn(), records.observation(other)))
    refused = lab.post("Bundle", sent)
    assert (refused.status, "another patient" in refused.told) == (422, True)
    lacking = bundle(about(patient))
    lacking["entry"] = lacking["entry"][1:]
    assert lab.post("Bundle", lacking).status == 422
    assert application.counts() == before


def test_what_carries_rules_stays_in_the_bundle(application: Application, lab: Caller, patient: str) -> None:
    before = application.counts()
    permit = records.consent(patient, "permit", "Practitioner/alice")
    assert lab.post("Bundle", bundle(about(patient), (urn(), permit))).status == 201
    after = application.counts()
    assert (after.get("Consent"), after["Bundle"]) == (before.get("Consent"), before["Bundle"] + 1)


def test_a_document_is_replaced_by_another_one(alice: Caller, lab: Caller, patient: str) -> None:
    name = {"system": "urn:ietf:rfc:3986", "value": urn()}
    first = bundle(about(patient), identifier=name, title="Premier")
    lab.create(first)
    before = document_of(alice, first)
    (composition,) = alice.search("Composition", title="Premier").ids
    (result,) = (each["reference"] for each in alice.get(f"Composition/{composition}").json["section"][0]["entry"])
    mask = [{"op": "add", "path": "/securityLabel/-", "value": {"coding": [{"code": "MASQUE_PS"}]}}]
    assert lab.call("PATCH", f"DocumentReference/{before['id']}", mask, PATCH).status == 200
    relation = {"code": "replaces", "targetIdentifier": name}
    second = bundle(about(patient), identifier=name, title="Second", relatesTo=[relation])
    assert lab.post("Bundle", second).status == 201
    assert alice.get(f"DocumentReference/{before['id']}").json["status"] == "superseded"
    assert alice.get(result).status == 410
    after = document_of(alice, second)
    assert after["relatesTo"][0]["code"] == "replaces"
    assert {"coding": [{"code": "MASQUE_PS"}]} in after["securityLabel"]
    whole = alice.get(f"Composition/{composition}/$document")
    assert (whole.status, whole.json["identifier"]) == (200, first["identifier"])


def test_a_document_never_changes(application: Application, lab: Caller, patient: str) -> None:
    id = lab.create(bundle(about(patient)))
    body = lab.get(f"Bundle/{id}").json
    assert lab.put(f"Bundle/{id}", body | {"language": "fr"}).status == 405
    assert application.operator().put(f"Bundle/{id}", body | {"language": "fr"}).status == 405
    assert application.operator().delete(f"Bundle/{id}").status == 405


def test_an_entry_of_this_server_is_not_stored_again(application: Application, lab: Caller, patient: str) -> None:
    id = lab.create(records.observation(patient))
    base = application.services.base
    sent = bundle(about(patient), (f"{base}/Observation/{id}", records.observation(patient) | {"id": id}))
    sent["entry"][0]["resource"]["section"].append({"title": "x", "entry": [reference(f"{base}/Observation/{id}")]})
    before = application.counts()["Observation"]
    assert lab.post("Bundle", sent).status == 201
    assert application.counts()["Observation"] == before + 1


def test_a_document_comes_in_a_transaction_too(lab: Caller, alice: Caller, patient: str) -> None:
    sent = bundle(about(patient))
    entry = {"request": {"method": "POST", "url": "Bundle"}, "resource": sent}
    done = [lab.transact(entry) for _ in range(2)]
    assert [each.json["entry"][0]["response"]["status"] for each in done] == ["201 Created", "200 OK"]
    assert document_of(alice, sent)["content"][0]["attachment"]["contentType"] == "application/fhir+json"


def test_a_person_deposits_a_document_in_his_own_record(application: Application, patient: str) -> None:
    holder = application.patient(patient)
    sent = bundle(about(patient))
    sent["entry"] = [each for each in sent["entry"] if each["resource"]["resourceType"] != "Organization"]
    sent["entry"][0]["resource"]["author"] = [about(patient)]
    sent["entry"] = [each for each in sent["entry"] if each["resource"]["resourceType"] != "Practitioner"]
    del sent["entry"][0]["resource"]["custodian"]
    del sent["entry"][1]["resource"]["performer"]
    assert holder.post("Bundle", sent).status == 201
    other = application.operator().create(records.patient())
    assert holder.post("Bundle", bundle(about(other))).status == 403


def test_indexed_anew_it_is_found_as_before(application: Application, alice: Caller, lab: Caller, patient: str) -> None:
    id = lab.create(bundle(about(patient), title="Encore"))
    operator = application.operator()
    types = {"resourceType": "Parameters", "parameter": [{"name": "type", "valueCode": "Bundle"}]}
    started = operator.post("$reindex", types, Prefer="respond-async")
    assert started.status == 202, started
    application.work()
    assert alice.search("Bundle", ("composition.title", "Encore")).ids == [id]
