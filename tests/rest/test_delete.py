"""delete (https://hl7.org/fhir/R4/http.html#delete)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.records import observation, patient

if TYPE_CHECKING:
    from tests.application import Application, Caller


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    return application.operator()


def test_a_deleted_resource_is_gone_from_reads_and_searches(operator: Caller) -> None:
    id = operator.create(patient())
    answer = operator.delete(f"Patient/{id}")
    assert (answer.status, answer.content) == (204, b"")
    assert answer.headers["etag"] == 'W/"2"'
    assert operator.get(f"Patient/{id}").status == 410
    assert operator.search("Patient", _id=id).total == 0


def test_deleting_again_or_nothing_changes_nothing(operator: Caller) -> None:
    id = operator.create(patient())
    operator.delete(f"Patient/{id}")
    again, never = operator.delete(f"Patient/{id}"), operator.delete("Patient/never-was")
    assert again == never
    assert again.status == 204
    assert operator.get(f"Patient/{id}/_history").total == 2


def test_only_the_named_version_is_deleted(operator: Caller) -> None:
    id = operator.create(patient())
    assert operator.delete(f"Patient/{id}", If_Match='W/"2"').status == 412
    assert operator.get(f"Patient/{id}").status == 200
    assert operator.delete(f"Patient/{id}", If_Match='W/"1"').status == 204


@pytest.mark.parametrize("tag", ["1", "*", "x"])
def test_an_if_match_that_names_no_version_is_refused(operator: Caller, tag: str) -> None:
    id = operator.create(patient())
    assert operator.delete(f"Patient/{id}", If_Match=tag).status == 400
    assert operator.get(f"Patient/{id}").status == 200


def test_who_did_not_write_it_may_not_delete_it(application: Application, operator: Caller) -> None:
    me = operator.create(patient())
    id = application.system("750000001").create(observation(me))
    assert application.patient(me).delete(f"Observation/{id}").status == 403
    assert operator.get(f"Observation/{id}").status == 200


def test_its_depositor_deletes_it(application: Application, operator: Caller) -> None:
    hospital = application.system("750000001")
    id = hospital.create(observation(operator.create(patient())))
    assert hospital.delete(f"Observation/{id}").status == 204
    assert operator.get(f"Observation/{id}").status == 410


def test_a_whole_type_is_not_deleted(operator: Caller) -> None:
    operator.create(patient())
    before = operator.search("Patient", _summary="count").total
    assert operator.delete("Patient").status == 412
    assert operator.search("Patient", _summary="count").total == before
