"""update (https://hl7.org/fhir/R4/http.html#update)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.application import BASE
from tests.records import document, observation, patient

if TYPE_CHECKING:
    from typing import Any

    from tests.application import Application, Caller


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    return application.operator()


def test_an_update_makes_the_next_version(operator: Caller) -> None:
    id = operator.create(patient(gender="male"))
    made = operator.put(f"Patient/{id}", patient(id=id, gender="female"))
    assert made.status == 200
    assert made.headers["etag"] == 'W/"2"'
    assert made.headers["location"] == f"{BASE}/Patient/{id}/_history/2"
    assert operator.get(f"Patient/{id}").content == made.content
    assert operator.get(f"Patient/{id}/_history/1").json["gender"] == "male"


def test_if_match_lets_only_the_named_version_be_replaced(operator: Caller) -> None:
    id = operator.create(patient())
    assert operator.put(f"Patient/{id}", patient(id=id), If_Match='W/"2"').status == 412
    assert operator.put(f"Patient/{id}", patient(id=id), If_Match='W/"1"').status == 200
    assert operator.put(f"Patient/{id}", patient(id=id), If_Match='"2"').status == 200
    refused = operator.put(f"Patient/{id}", patient(id=id), If_Match='W/"2"')
    assert refused.status == 412
    assert refused.issue["code"] == "conflict"
    assert operator.get(f"Patient/{id}").headers["etag"] == 'W/"3"'


@pytest.mark.parametrize("tag", ["1", "*", "W/1", 'W/"x"', 'W/"1", W/"2"', 'W/"-1"', 'W/"' + "9" * 40 + '"', ""])
def test_an_if_match_that_names_no_version_is_refused(operator: Caller, tag: str) -> None:
    id = operator.create(patient())
    answer = operator.call("PUT", f"Patient/{id}", patient(id=id), {"If-Match": tag or " "})
    assert answer.status == 400
    assert operator.get(f"Patient/{id}").headers["etag"] == 'W/"1"'


def test_of_two_concurrent_updates_of_one_version_exactly_one_is_stored(application: Application) -> None:
    operator = application.operator()
    for _ in range(5):
        id = operator.create(patient())

        def write(gender: str, id: str = id) -> int:
            return application.operator().put(f"Patient/{id}", patient(id=id, gender=gender), If_Match='W/"1"').status

        with ThreadPoolExecutor(4) as pool:
            statuses = sorted(pool.map(write, ("male", "female", "other", "unknown")))
        assert statuses == [200, 412, 412, 412]
        assert operator.get(f"Patient/{id}/_history").total == 2


def test_concurrent_updates_without_a_condition_are_all_stored_one_after_the_other(application: Application) -> None:
    operator = application.operator()
    id = operator.create(patient())

    def write(gender: str) -> str:
        return application.operator().put(f"Patient/{id}", patient(id=id, gender=gender)).headers["etag"]

    with ThreadPoolExecutor(4) as pool:
        tags = sorted(pool.map(write, ("male", "female", "other", "unknown")))
    assert tags == ['W/"2"', 'W/"3"', 'W/"4"', 'W/"5"']


def test_an_operator_chooses_an_id(operator: Caller) -> None:
    made = operator.put("Patient/chosen", patient(id="chosen"))
    assert made.status == 201
    assert made.headers["location"] == f"{BASE}/Patient/chosen/_history/1"
    assert operator.put("Patient/chosen", patient(id="chosen", gender="other")).status == 200


def test_an_operator_brings_a_deleted_resource_back_at_its_next_version(operator: Caller) -> None:
    id = operator.create(patient())
    operator.delete(f"Patient/{id}")
    made = operator.put(f"Patient/{id}", patient(id=id, gender="other"))
    assert made.headers["etag"] == 'W/"3"'
    assert operator.get(f"Patient/{id}").status == 200
    assert operator.get(f"Patient/{id}/_history").total == 3


def test_nobody_else_chooses_an_id_and_all_ids_are_refused_alike(application: Application, operator: Caller) -> None:
    me, other = operator.create(patient()), operator.create(patient())
    hospital = application.system("750000001")
    deleted = hospital.create(observation(me))
    assert hospital.delete(f"Observation/{deleted}").status == 204
    ids = {"free": "free-id", "hidden": operator.create(observation(other)), "deleted": deleted}
    forgotten = operator.create(observation(other))
    operator.delete(f"Observation/{forgotten}")
    ids["hidden and deleted"] = forgotten
    for caller in (hospital, application.patient(me), application.practitioner("10000000018")):
        for conditions in ({}, {"If_Match": 'W/"1"'}, {"If_Match": 'W/"2"'}):
            answers = {
                name: caller.put(f"Observation/{id}", observation(me, id=id), **conditions) for name, id in ids.items()
            }
            seen = {(each.status, str(each.headers), each.content.replace(ids[name].encode(), b"ID"))
                    for name, each in answers.items()}  # fmt: skip
            assert len(seen) == 1, answers
            assert answers["free"].status == 405


def test_the_body_bears_the_id_and_type_of_the_url(operator: Caller) -> None:
    id = operator.create(patient())
    wrong: list[dict[str, Any]] = [patient(), patient(id="other"), patient(id=5), observation(id=id), {"id": id}]
    for body in wrong:
        assert operator.put(f"Patient/{id}", body).status == 400
    assert operator.get(f"Patient/{id}").headers["etag"] == 'W/"1"'


@pytest.mark.parametrize(
    "headers",
    [{"If-None-Match": 'W/"1"'}, {"If-Unmodified-Since": "*"}, {"If-None-Match": "*", "If-Match": 'W/"1"'}],
)
def test_a_condition_that_is_not_carried_out_is_refused(operator: Caller, headers: dict[str, str]) -> None:
    answer = operator.call("PUT", "Patient/free-id", patient(id="free-id"), headers)
    assert answer.status == 400
    assert operator.get("Patient/free-id").status == 404


def test_who_sees_a_resource_but_did_not_write_it_may_not_change_it(application: Application, operator: Caller) -> None:
    me = operator.create(patient())
    id = application.system("750000001").create(observation(me))
    answer = application.patient(me).put(f"Observation/{id}", observation(me, id=id, code="2160-0"))
    assert answer.status == 403
    assert answer.issue["code"] == "forbidden"


def test_the_patient_masks_a_document_and_its_professional_reader_loses_it(application: Application) -> None:
    me = application.operator().create(patient())
    made = application.system("750000001").post("DocumentReference", document(me))
    id, content = made.id, made.json["content"]
    masked = document(me, labels=("MASQUE_PS",), id=id, content=content)
    assert application.patient(me).put(f"DocumentReference/{id}", masked).status == 200


def test_an_update_that_does_not_conform_leaves_the_version_that_is_there(operator: Caller) -> None:
    id = operator.create(patient())
    assert operator.put(f"Patient/{id}", patient(id=id, gender="m")).status == 422
    assert operator.get(f"Patient/{id}").headers["etag"] == 'W/"1"'
