from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.spec import Definitions
from tests.spec.conformance import BASE, code_system, definitions, value_set

if TYPE_CHECKING:
    from pathlib import Path

CS = f"{BASE}/CodeSystem/colours"
VS = f"{BASE}/ValueSet"
COLOURS = code_system(
    "colours",
    {
        "code": "warm",
        "concept": [
            {"code": "red", "property": [{"code": "primary", "valueBoolean": True}], "concept": [{"code": "scarlet"}]},
            {"code": "orange", "property": [{"code": "mix", "valueCoding": {"code": "red"}}]},
        ],
    },
    {"code": "cold", "property": [{"code": "child", "valueCode": "blue"}]},
    {"code": "blue", "property": [{"code": "primary", "valueBoolean": True}, {"code": "note", "valueString": "sky"}]},
    {"code": "cyan", "property": [{"code": "parent", "valueCode": "blue"}, {"code": "empty"}]},
)
ALL = {"warm", "red", "scarlet", "orange", "cold", "blue", "cyan"}


def _filter(name: str, operator: str, value: str) -> dict[str, Any]:
    return {"system": CS, "filter": [{"property": name, "op": operator, "value": value}]}


def _plain(defs: Definitions, canonical: str) -> dict[str, set[str]] | None:
    found = defs.codes(canonical)
    return None if found is None else {system: set(codes) for system, codes in found.items()}


def _codes(tmp_path: Path, *include: dict[str, Any], **more: Any) -> set[str] | None:
    found = _plain(definitions(tmp_path, COLOURS, value_set("x", *include, **more)), f"{VS}/x")
    return None if found is None else found.get(CS, set())


def test_a_required_binding_of_r4_is_enumerated() -> None:
    found = _plain(Definitions.core(), "http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1")
    assert found == {"http://hl7.org/fhir/administrative-gender": {"male", "female", "other", "unknown"}}


def test_a_filter_on_a_hierarchy_of_r4_is_enumerated() -> None:
    found = Definitions.core().codes("http://terminology.hl7.org/ValueSet/v3-ActEncounterCode")
    assert found is not None
    assert {"AMB", "EMER", "IMP"} <= found["http://terminology.hl7.org/CodeSystem/v3-ActCode"]


@pytest.mark.parametrize("name", ["mimetypes", "ucum-units", "currencies", "nothing-of-the-kind"])
def test_what_rests_on_a_system_that_is_not_here_is_not_enumerated(name: str) -> None:
    assert Definitions.core().codes(f"http://hl7.org/fhir/ValueSet/{name}") is None


def test_a_whole_system_is_enumerated_with_its_hierarchy(tmp_path: Path) -> None:
    assert _codes(tmp_path, {"system": CS}) == ALL


@pytest.mark.parametrize("content", ["fragment", "example", "not-present"])
def test_a_system_that_is_not_complete_is_not_enumerated(tmp_path: Path, content: str) -> None:
    defs = definitions(tmp_path, {**COLOURS, "content": content}, value_set("x", {"system": CS}))
    assert defs.codes(f"{VS}/x") is None


def test_listed_concepts_need_no_code_system(tmp_path: Path) -> None:
    defs = definitions(tmp_path, value_set("x", {"system": "urn:x", "concept": [{"code": "a"}]}))
    assert _plain(defs, f"{VS}/x") == {"urn:x": {"a"}}


@pytest.mark.parametrize(
    ("name", "operator", "value", "codes"),
    [
        ("concept", "is-a", "warm", {"warm", "red", "scarlet", "orange"}),
        ("concept", "descendent-of", "warm", {"red", "scarlet", "orange"}),
        ("concept", "is-not-a", "warm", {"cold", "blue", "cyan"}),
        ("code", "is-a", "cold", {"cold", "blue", "cyan"}),
        ("concept", "=", "red", {"red"}),
        ("code", "in", "red, cyan,pink", {"red", "cyan"}),
        ("parent", "=", "warm", {"red", "orange"}),
        ("primary", "=", "true", {"red", "blue"}),
        ("mix", "=", "red", {"orange"}),
        ("note", "in", "sea,sky", {"blue"}),
        ("empty", "=", "", {"cyan"}),
        ("concept", "is-a", "pink", None),
        ("code", "regex", "r.*", None),
    ],
)
def test_filters(tmp_path: Path, name: str, operator: str, value: str, codes: set[str] | None) -> None:
    assert _codes(tmp_path, _filter(name, operator, value)) == codes


def test_several_filters_hold_together(tmp_path: Path) -> None:
    both = _filter("concept", "is-a", "warm")
    both["filter"].append({"property": "primary", "op": "=", "value": "true"})
    assert _codes(tmp_path, both) == {"red"}


def test_exclusions_are_taken_off(tmp_path: Path) -> None:
    assert _codes(tmp_path, {"system": CS}, exclude=[_filter("concept", "is-a", "warm")]) == {"cold", "blue", "cyan"}


def test_value_sets_are_included_and_intersected(tmp_path: Path) -> None:
    warm = value_set("warm", _filter("concept", "is-a", "warm"))
    primary = value_set("primary", _filter("primary", "=", "true"))
    defs = definitions(
        tmp_path,
        *(COLOURS, warm, primary),
        value_set("either", {"valueSet": [f"{VS}/warm"]}, {"valueSet": [f"{VS}/primary"]}),
        value_set("both", {"valueSet": [f"{VS}/warm", f"{VS}/primary"]}),
        value_set("with-system", {"system": CS, "valueSet": [f"{VS}/primary"]}),
        value_set("neither", {"system": "urn:x", "concept": [{"code": "red"}], "valueSet": [f"{VS}/primary"]}),
    )
    assert _plain(defs, f"{VS}/either") == {CS: {"warm", "red", "scarlet", "orange", "blue"}}
    assert _plain(defs, f"{VS}/both") == {CS: {"red"}}
    assert _plain(defs, f"{VS}/with-system") == {CS: {"red", "blue"}}
    assert _plain(defs, f"{VS}/neither") == {}


def test_value_sets_that_include_each_other_are_not_enumerated(tmp_path: Path) -> None:
    defs = definitions(tmp_path, value_set("a", {"valueSet": [f"{VS}/b"]}), value_set("b", {"valueSet": [f"{VS}/a"]}))
    assert defs.codes(f"{VS}/a") is None


def test_an_include_of_nothing_is_not_enumerated(tmp_path: Path) -> None:
    assert _codes(tmp_path, {}) is None


def test_an_expansion_serves_where_the_composition_cannot(tmp_path: Path) -> None:
    contains = [
        {"system": CS, "abstract": True, "code": "group", "contains": [{"system": CS, "code": "red"}]},
        {"display": "a heading", "contains": [{"system": CS, "code": "blue"}]},
    ]
    unknown = {"system": "urn:not-here"}
    assert _codes(tmp_path, unknown, expansion={"contains": contains}) == {"red", "blue"}
    assert _codes(tmp_path / "whole", unknown, expansion={"total": 4, "contains": contains}) == {"red", "blue"}
    assert _codes(tmp_path / "part", unknown, expansion={"total": 900, "contains": contains}) is None


def test_a_value_set_may_be_an_expansion_alone(tmp_path: Path) -> None:
    listed = value_set("x", expansion={"contains": [{"system": CS, "code": "red"}]})
    del listed["compose"]
    assert _plain(definitions(tmp_path, listed), f"{VS}/x") == {CS: {"red"}}


def test_the_version_of_a_system_is_honoured(tmp_path: Path) -> None:
    old = code_system("colours", {"code": "grey"}, version="1")
    new = code_system("colours", {"code": "pink"}, version="2")
    asked = value_set("x", {"system": CS, "version": "1"})
    assert _plain(definitions(tmp_path, old, new, asked), f"{VS}/x") == {CS: {"grey"}}


def test_case_sensitivity_is_told_where_it_is_known(tmp_path: Path) -> None:
    defs = definitions(tmp_path, code_system("a", caseSensitive=False), code_system("b", caseSensitive=True), COLOURS)
    assert defs.case_sensitive(f"{BASE}/CodeSystem/a") is False
    assert defs.case_sensitive(f"{BASE}/CodeSystem/b") is True
    assert defs.case_sensitive(CS) is None
    assert defs.case_sensitive("urn:nobody") is None


def test_codes_are_enumerated_once() -> None:
    canonical = "http://hl7.org/fhir/ValueSet/observation-status"
    assert Definitions.core().codes(canonical) is Definitions.core().codes(canonical)
