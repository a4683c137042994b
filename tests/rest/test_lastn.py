"""Observation/$lastn and $versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.records import observation, patient

if TYPE_CHECKING:
    from tests.application import Application, Caller


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    operator = application.operator()
    operator.store(patient(id="p"))
    operator.store(patient(id="q"))
    for day in range(1, 5):
        for kind, code in (("a", "1-8"), ("b", "2-6")):
            operator.store(observation("p", code, id=f"{kind}{day}", effectiveDateTime=f"2024-01-0{day}"))
    both = {"coding": [{"system": "http://loinc.org", "code": "2-6"}, {"system": "urn:own", "code": "b"}]}
    operator.store(observation("p", id="b5", effectiveDateTime="2024-01-05") | {"code": both})
    operator.store(observation("p", id="t1", effectiveDateTime="2023") | {"code": {"text": "Poids"}})
    operator.store(observation("p", id="t2", effectiveDateTime="2022") | {"code": {"text": "poids"}})
    operator.store(observation("q", "1-8", id="other", effectiveDateTime="2025"))
    return operator


def test_the_latest_of_each_kind(operator: Caller) -> None:
    assert operator.get("Observation/$lastn?patient=p").ids == ["b5", "a4", "t1"]
    assert operator.get("Observation/$lastn?subject=Patient/p&max=2").ids == ["b5", "b4", "a4", "a3", "t1", "t2"]
    assert operator.get("Observation/$lastn?patient=p&code=1-8").ids == ["a4"]
    assert operator.get("Observation/$lastn?patient=nobody").ids == []
    assert operator.get("Observation/$lastn?patient=p&max=2").link("self") == "Observation/$lastn?patient=p&max=2"


def test_parameters_come_by_post_too(operator: Caller) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert operator.call("POST", "Observation/$lastn", b"patient=p&max=2&code=1-8", form).ids == ["a4", "a3"]
    given = [{"name": "subject", "valueString": "Patient/p"}, {"name": "max", "valuePositiveInt": 2}]
    body = {"resourceType": "Parameters", "parameter": given}
    assert operator.post("Observation/$lastn", body).ids == ["b5", "b4", "a4", "a3", "t1", "t2"]
    assert operator.post("Observation/$lastn?patient=p", {"resourceType": "Parameters"}).ids == ["b5", "a4", "t1"]
    given.append({"name": "code", "valueCoding": {"code": "1-8"}})
    assert operator.post("Observation/$lastn", body).status == 400
    assert operator.post("Observation/$lastn", patient()).status == 400


def test_codes_that_one_observation_shares_are_of_one_kind(application: Application) -> None:
    operator = application.operator()
    operator.store(patient(id="k"))
    codings = [[("urn:a", "1")], [("urn:b", "2")], [("urn:a", "1"), ("urn:b", "2")], [("urn:c", "3")]]
    for day, coded in enumerate(codings, 1):
        code = {"coding": [{"system": system, "code": code} for system, code in coded]}
        operator.store(observation("k", id=f"k{day}", effectiveDateTime=f"2024-02-0{9 - day}") | {"code": code})
    assert operator.get("Observation/$lastn?patient=k").ids == ["k1", "k4"]
    assert operator.get("Observation/$lastn?patient=k&max=2").ids == ["k1", "k2", "k4"]


def test_only_of_what_may_be_seen(application: Application, operator: Caller) -> None:
    me = application.patient("p")
    assert me.get("Observation/$lastn?patient=p").ids == ["b5", "a4", "t1"]
    assert me.get("Observation/$lastn?patient=q").ids == []
    assert application.practitioner("10000000001").get("Observation/$lastn?patient=p").ids == []


@pytest.mark.parametrize(
    "query", ["", "code=x", "patient=p&max=0", "patient=p&max=x", "patient=p&max=1&max=2", "patient=p&_count=2",
     "patient=p&x=1"]
)  # fmt: skip
def test_what_is_not_offered_is_refused(operator: Caller, query: str) -> None:
    assert operator.get(f"Observation/$lastn?{query}").status == 400


def test_versions_need_no_token(application: Application) -> None:
    answer = application.nobody().get("$versions")
    assert answer.status == 200
    assert {each["name"]: each["valueCode"] for each in answer.json["parameter"]} == {
        "version": "4.0",
        "default": "4.0",
    }
