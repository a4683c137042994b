"""create (https://hl7.org/fhir/R4/http.html#create)."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest

from tests.application import BASE
from tests.records import FINESS, INS_NIR, document, observation, organization, patient, reference

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tests.application import Application


def test_a_created_resource_is_answered_with_its_place_and_version(application: Application) -> None:
    made = application.operator().post("Patient", patient(birthDate="1985-05-14"))
    assert made.status == 201
    assert made.headers["etag"] == 'W/"1"'
    assert made.headers["location"] == f"{BASE}/Patient/{made.id}/_history/1"
    assert made.json["meta"]["versionId"] == "1"
    updated = made.json["meta"]["lastUpdated"].replace("Z", "+00:00")
    assert parsedate_to_datetime(made.headers["last-modified"]).isoformat()[:19] == updated[:19]
    assert made.json | patient(birthDate="1985-05-14") == made.json


def test_the_server_gives_the_id_whatever_the_body_says(application: Application) -> None:
    operator = application.operator()
    assert operator.post("Patient", patient(id="mine")).id != "mine"
    assert operator.get("Patient/mine").status == 404


def test_the_clients_version_and_date_are_not_kept_and_the_rest_of_meta_is(application: Application) -> None:
    tag = {"system": "urn:oid:1.2.3", "code": "x"}
    meta = {"versionId": "7", "lastUpdated": "1999-01-01T00:00:00Z", "tag": [tag]}
    kept = application.operator().post("Patient", patient(meta=meta)).json["meta"]
    assert kept["versionId"] == "1"
    assert not kept["lastUpdated"].startswith("1999")
    assert kept["tag"] == [tag]


def test_decimals_keep_their_digits(application: Application) -> None:
    operator = application.operator()
    body = b'{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.50e0}}'
    made = operator.post("Observation", body)
    assert made.status == 201, made
    assert b'"value":1.50e0}' in operator.get(f"Observation/{made.id}").content


def test_two_creates_of_the_same_are_two_resources(application: Application) -> None:
    operator = application.operator()
    assert operator.create(patient()) != operator.create(patient())


def test_what_does_not_conform_is_refused_with_every_finding_and_not_stored(application: Application) -> None:
    before = application.counts()
    answer = application.operator().post("Patient", patient(gender="m", birthDate="14/05/1985", nom="x"))
    assert answer.status == 422
    found = {place for issue in answer.json["issue"] for place in issue["expression"]}
    assert {"Patient.gender", "Patient.birthDate", "Patient.nom"} <= found
    assert application.counts() == before


def test_findings_are_told_in_french_to_who_asks_in_french(application: Application) -> None:
    operator = application.operator()
    french = operator.post("Patient", patient(gender="m"), Accept_Language="fr-FR,fr;q=0.9")
    assert french.told != operator.post("Patient", patient(gender="m")).told


def test_french_defaults_hold_what_claims_no_profile(
    application: Application, applications: Callable[..., Any]
) -> None:
    assert application.operator().post("DocumentReference", document("p")).status == 201
    with applications("french") as french:
        answer = french.operator().post("DocumentReference", document("p"))
        assert answer.status == 422
        assert "pdsm-simplified-publish" in answer.content.decode()
        assert french.counts() == {}


def test_a_trace_is_stored_with_the_resource(application: Application) -> None:
    made = application.operator().post("Patient", patient())
    about = f"Patient/{made.id}"
    traces = [each for each in traces_of(application) if about in [one["r"] for one in each.get("entities", ())]]
    assert [(each["what"], each["status"]) for each in traces] == [("create", 201)]


def test_a_refused_create_is_traced_too(application: Application) -> None:
    before = len(traces_of(application))
    assert application.patient("nobody").post("Patient", patient()).status == 403
    traces = traces_of(application)
    assert len(traces) == before + 1


@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
def test_a_condition_that_is_not_carried_out_is_refused(application: Application, header: str) -> None:
    before = application.counts()
    answer = application.operator().call("POST", "Patient", patient(), {header: "identifier=x"})
    assert answer.status == 400
    assert header in answer.told
    assert application.counts() == before


def test_a_parameter_that_is_not_offered_is_named(application: Application) -> None:
    answer = application.operator().post("Patient?async=true", patient())
    assert answer.status == 400
    assert "'async'" in answer.told


def test_a_deposit_by_ins_enters_the_record_that_its_depositor_cannot_read(application: Application) -> None:
    identifier = {"system": INS_NIR, "value": "185056322012345"}
    id = application.operator().create(patient(identifier=[identifier]))
    lab = application.system("750000009")
    made = lab.post("Observation", observation(subject={"identifier": identifier}))
    assert made.status == 201
    assert lab.get(f"Patient/{id}").status == 404
    assert application.patient(id).search("Observation").ids == [made.id]


def test_a_deposit_by_an_unknown_ins_is_refused(application: Application) -> None:
    unknown = {"identifier": {"system": INS_NIR, "value": "285056322012345"}}
    answer = application.system("750000009").post("Observation", observation(subject=unknown))
    assert answer.status == 422
    assert answer.issue["code"] == "not-found"


def test_a_deposit_by_an_ins_enters_the_record_that_bears_it_now(application: Application) -> None:
    operator, identifier = application.operator(), {"system": INS_NIR, "value": "185056322054321"}
    operator.create(patient(identifier=[identifier | {"use": "old"}]))
    depositor = application.system("750000009")
    deposit = observation(subject={"identifier": identifier})
    assert depositor.post("Observation", deposit).status == 422
    operator.create(patient(identifier=[identifier]))
    assert depositor.post("Observation", deposit).status == 201


def test_with_referential_integrity_a_dangling_reference_is_refused(application: Application) -> None:
    strict = application.under(referential_integrity=True).operator()
    answer = strict.post("Observation", observation("nobody-here"))
    assert answer.status == 422
    assert "Patient/nobody-here" in answer.told
    id = strict.create(patient())
    assert strict.post("Observation", observation(id)).status == 201
    assert strict.post("Observation", observation(subject=reference(f"{BASE}/Patient/{id}"))).status == 201
    strict.delete(f"Patient/{id}")
    assert strict.post("Observation", observation(id)).status == 422


def test_elsewhere_is_no_dangling_reference(application: Application) -> None:
    strict = application.under(referential_integrity=True).operator()
    elsewhere = reference("https://elsewhere.example/fhir/Patient/1")
    assert strict.post("Observation", observation(subject=elsewhere)).status == 201
    inner = observation(contained=[organization("750000001", id="o")], performer=[reference("#o")])
    assert strict.post("Observation", inner).status == 201
    logical = {"identifier": {"system": FINESS, "value": "750000001"}}
    assert strict.post("Observation", observation(performer=[logical])).status == 201


def traces_of(application: Application) -> list[dict[str, Any]]:
    from fhirserver.access import Access

    return list(application.services.store.traces(Access.system("tests")))


def test_what_forbids_stands_before_what_is_only_advised(application: Application) -> None:
    answer = application.operator().post(
        "Observation", {"resourceType": "Observation", "status": "nonsense", "code": {"text": "x"}}
    )
    found = [each["severity"] for each in answer.json["issue"]]
    assert answer.status == 422
    assert found == sorted(found, key=["fatal", "error", "warning", "information"].index)
    assert found[0] == "error"
