"""$meta, $meta-add and $meta-delete (https://hl7.org/fhir/R4/resource-operations.html)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.records import document, patient

if TYPE_CHECKING:
    from tests.application import Answer, Application, Caller

TAG = {"system": "urn:t", "code": "x"}
MASK = {"system": "https://mos.esante.gouv.fr/NOS/TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument",
        "code": "MASQUE_PS"}  # fmt: skip


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    return application.operator()


def given(**meta: Any) -> dict[str, Any]:
    return {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]}


def returned(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer
    (parameter,) = answer.json["parameter"]
    assert parameter["name"] == "return"
    meta: dict[str, Any] = parameter["valueMeta"]
    return meta


def test_meta_is_that_of_the_resource(operator: Caller) -> None:
    made = operator.post("Patient", patient(meta={"tag": [TAG]}))
    assert returned(operator.get(f"Patient/{made.id}/$meta")) == made.json["meta"]


def test_what_is_added_once_is_there_once_and_searched(operator: Caller) -> None:
    id = operator.create(patient())
    other = {"system": "urn:t", "code": "y"}
    for _ in range(2):
        meta = returned(operator.post(f"Patient/{id}/$meta-add", given(tag=[TAG, other])))
    assert meta["tag"] == [TAG, other]
    assert operator.search("Patient", _id=id, _tag="urn:t|x").total == 1
    meta = returned(operator.post(f"Patient/{id}/$meta-delete", given(tag=[{**TAG, "display": "whatever"}])))
    assert meta["tag"] == [other]
    assert "tag" not in returned(operator.post(f"Patient/{id}/$meta-delete", given(tag=[other, TAG])))
    assert operator.get(f"Patient/{id}/_history").total == 5


def test_labels_are_judged_as_by_an_update(application: Application, operator: Caller) -> None:
    me = operator.create(patient())
    letter = operator.create(document(me))
    stranger, mine = application.system("750000002"), application.patient(me)
    refused = stranger.post(f"DocumentReference/{letter}/$meta-add", given(security=[MASK]))
    absent = stranger.post(f"DocumentReference/{'0' * len(letter)}/$meta-add", given(security=[MASK]))
    assert refused.status == absent.status == 404
    assert refused.told.replace(letter, "0" * len(letter)) == absent.told
    assert returned(mine.post(f"DocumentReference/{letter}/$meta-add", given(security=[MASK])))["security"] == [MASK]
    assert mine.post(f"DocumentReference/{letter}/$meta-add", given(tag=[TAG])).status == 403


def test_if_match_holds(operator: Caller) -> None:
    id = operator.create(patient())
    assert operator.post(f"Patient/{id}/$meta-add", given(tag=[TAG]), If_Match='W/"2"').status == 412
    assert operator.post(f"Patient/{id}/$meta-add", given(tag=[TAG]), If_Match='W/"1"').status == 200


@pytest.mark.parametrize(
    "body", [given(versionId="7"), given(tag="x"), given(source="urn:x"), {"resourceType": "Parameters"}]
)
def test_what_is_not_to_be_changed_so_is_refused(operator: Caller, body: dict[str, Any]) -> None:
    id = operator.create(patient())
    assert operator.post(f"Patient/{id}/$meta-add", body).status == 400
    assert operator.get(f"Patient/{id}").headers["etag"] == 'W/"1"'


def test_many_tags_are_added_in_time_that_grows_as_they_do(operator: Caller) -> None:
    id = operator.create(patient())
    many = [{"system": "urn:t", "code": str(number)} for number in range(5000)]
    before = time.process_time()
    assert len(returned(operator.post(f"Patient/{id}/$meta-add", given(tag=[*many, *many])))["tag"]) == 5000
    assert returned(operator.post(f"Patient/{id}/$meta-delete", given(tag=many[1:])))["tag"] == many[:1]
    assert time.process_time() - before < 50


def test_a_tag_that_is_none_is_refused(operator: Caller) -> None:
    id = operator.create(patient())
    assert operator.post(f"Patient/{id}/$meta-add", given(tag=[5])).status == 422
