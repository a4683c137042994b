from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.spec import Definitions, Package, SearchParameter
from fhirserver.spec.parameters import from_resource, narrow, root, union

if TYPE_CHECKING:
    from pathlib import Path

defs = Definitions.core()


@pytest.mark.parametrize(
    ("expression", "parts"),
    [
        ("Patient.name", ["Patient.name"]),
        ("A.b | (C.d as E)", ["A.b", "(C.d as E)"]),
        ("A.b|C.d  |  E", ["A.b", "C.d", "E"]),
        ("A.where(b = 'x|y' | c).d | E", ["A.where(b = 'x|y' | c).d", "E"]),
        ("A.b[0 | 1] | C", ["A.b[0 | 1]", "C"]),
        (r"A.where(b = 'it\'s | ok') | C", [r"A.where(b = 'it\'s | ok')", "C"]),
        ("A.`b|c` | D", ["A.`b|c`", "D"]),
        ("A.b.exists() and A.c | A.d", ["A.b.exists() and A.c | A.d"]),
        ("A.b = 1 | 2", ["A.b = 1 | 2"]),
    ],
)
def test_a_union_is_split_at_its_own_level_only(expression: str, parts: list[str]) -> None:
    assert union(expression) == parts


@pytest.mark.parametrize(
    ("expression", "name"),
    [("Patient.name", "Patient"), ("(Group.value as Quantity)", "Group"), ("( ( A.b ) )", "A"), ("'x'", "")],
)
def test_the_root_of_an_expression_is_its_first_name(expression: str, name: str) -> None:
    assert root(expression) == name


@pytest.mark.parametrize(
    ("expression", "kept"),
    [
        ("AllergyIntolerance.code | Observation.code", "Observation.code"),
        ("Resource.id | Observation.id", "Resource.id | Observation.id"),
        ("DomainResource.text", "DomainResource.text"),
        ("name | alias", "name | alias"),
        ("Patient.name", None),
    ],
)
def test_only_parts_rooted_at_the_type_concern_it(expression: str, kept: str | None) -> None:
    assert narrow(expression, "Observation") == kept


def test_a_shared_parameter_is_narrowed_to_the_type_asked_for() -> None:
    code = defs.search_parameters("MedicationRequest")["code"]
    assert code.expression == "(MedicationRequest.medication as CodeableConcept)"
    assert defs.search_parameters("Observation")["code"].expression == "Observation.code"
    allergy = defs.search_parameters("AllergyIntolerance")["code"].expression
    assert allergy == "AllergyIntolerance.code | AllergyIntolerance.reaction.substance"


def test_parameters_of_the_ancestors_are_there() -> None:
    patient = defs.search_parameters("Patient")
    assert {code for code in patient if code.startswith("_")} == {
        *("_content", "_filter", "_id", "_lastUpdated", "_profile", "_query", "_security", "_source", "_tag", "_text")
    }
    assert patient["_id"].expression == "Resource.id"
    assert patient["_content"].expression is None
    assert "_text" not in defs.search_parameters("Bundle")
    assert "_lastUpdated" in defs.search_parameters("Bundle")


def test_composites_name_their_components() -> None:
    parameter = defs.search_parameters("Observation")["code-value-quantity"]
    assert parameter.type == "composite"
    assert parameter.components == (
        ("http://hl7.org/fhir/SearchParameter/clinical-code", "code"),
        ("http://hl7.org/fhir/SearchParameter/Observation-value-quantity", "value.as(Quantity)"),
    )


def test_references_name_their_targets() -> None:
    patient = defs.search_parameters("Observation")["patient"]
    assert set(patient.targets) <= set(defs.resource_types)
    assert "Patient" in patient.targets
    assert patient.expression == "Observation.subject.where(resolve() is Patient)"


def test_examples_of_the_package_are_not_parameters() -> None:
    for name in defs.resource_types:
        for parameter in defs.search_parameters(name).values():
            assert "/example" not in parameter.url
    assert "part-agree" not in defs.search_parameters("Patient")


def test_every_type_has_parameters_and_an_unknown_type_none() -> None:
    assert all(defs.search_parameters(name) for name in defs.resource_types)
    assert dict(defs.search_parameters("Nobody")) == {}


def test_every_expression_concerns_its_type() -> None:
    for name in defs.resource_types:
        for parameter in defs.search_parameters(name).values():
            for part in union(parameter.expression or name):
                assert root(part) in (name, "Resource", "DomainResource") or root(part)[:1].islower()


def _parameter(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "SearchParameter",
        "url": "https://example.org/SearchParameter/colour",
        "code": "colour",
        "base": ["Patient", "Person"],
        "type": "token",
        "expression": "Patient.extension('https://example.org/colour').value | Person.extension.value",
        **more,
    }


def test_a_parameter_of_a_further_package_joins_in(tmp_path: Path) -> None:
    (tmp_path / "colour.json").write_text(json.dumps(_parameter()))
    joined = Definitions([Package.from_folder(tmp_path), Package.core()])
    assert joined.search_parameters("Person")["colour"].expression == "Person.extension.value"
    assert joined.search_parameters("Patient")["birthdate"] == defs.search_parameters("Patient")["birthdate"]
    assert "colour" not in joined.search_parameters("Observation")


def test_a_parameter_of_the_first_package_takes_the_place_of_a_later_one(tmp_path: Path) -> None:
    (tmp_path / "name.json").write_text(json.dumps(_parameter(code="name")))
    joined = Definitions([Package.from_folder(tmp_path), Package.core()])
    assert joined.search_parameters("Patient")["name"].type == "token"
    behind = Definitions([Package.core(), Package.from_folder(tmp_path)])
    assert behind.search_parameters("Patient")["name"].type == "string"


def test_a_resource_gives_one_parameter_a_base() -> None:
    listed = dict(from_resource(_parameter(target=["B", "A"])))
    assert list(listed) == ["Patient", "Person"]
    assert listed["Person"] == SearchParameter(
        "colour", "token", "Person.extension.value", "https://example.org/SearchParameter/colour", ("A", "B"), ()
    )
    assert list(from_resource({**_parameter(), "base": []})) == []
