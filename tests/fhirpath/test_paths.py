from __future__ import annotations

import pytest

from fhirserver import fhirpath
from fhirserver.fhirpath import FhirPathError, Typed
from tests.fhirpath.answers import PATIENT, pairs, plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Patient.name.given", [("string", "Jeanne"), ("string", None)]),
        ("name.family", [("string", "Martin")]),
        ("gender", [("code", "female")]),
        ("active", [("boolean", True)]),
        ("id", [("id", "p1")]),
        ("meta.versionId", [("id", "3")]),
        ("multipleBirth", [("integer", 2)]),
        ("multipleBirth as integer", [("integer", 2)]),
        ("multipleBirth.ofType(boolean)", []),
        ("contact.telecom.rank", [("positiveInt", 2)]),
        ("contact.select(telecom.value)", [("string", "1")]),
        ("contained.name", [("string", "Centre"), ("HumanName", {"family": "Durand"})]),
        ("contained.name.family", [("string", "Durand")]),
        ("contained.ofType(Practitioner).name.family", [("string", "Durand")]),
        ("contained.where($this is Organization).name", [("string", "Centre")]),
        ("birthDate", [("date", None)]),
        ("birthDate.id", [("string", "b")]),
        ("birthDate.extension.value", [("code", "unknown")]),
        ("birthDate.extension.url", [("uri", "http://example.org/reason")]),
        ("name.given.extension('http://example.org/reason').value", [("code", "masked")]),
        ("Observation.value", []),
        ("name.nothing", []),
        ("gender.coding", []),
        ("`name`.`family`", [("string", "Martin")]),
        ("name[0].given[0]", [("string", "Jeanne")]),
        ("name[7]", []),
        ("name[{}]", []),
        ("1.children()", []),
        ("'x'.id", []),
    ],
)
def test_a_path_leads_to_typed_items(text: str, expected: list[object]) -> None:
    assert pairs(text) == expected


def test_a_backbone_bears_its_path_as_its_type() -> None:
    assert [kind for kind, _ in pairs("contact | link")] == ["Patient.contact", "Patient.link"]
    assert pairs("contact.is(BackboneElement) and contact.is(Element) and contact.is(Patient.contact)") == [
        ("boolean", True)
    ]


def test_an_item_carries_what_its_primitive_has_besides_a_value() -> None:
    assert fhirpath.compile("birthDate", "Patient").typed(PATIENT) == [Typed("date", None, PATIENT["_birthDate"])]
    assert fhirpath.compile("name.first().given", "Patient").typed(PATIENT)[1].extra == PATIENT["name"][0]["_given"][1]


def test_plain_results_leave_out_primitives_without_a_value() -> None:
    assert plain("Patient.name.given") == ["Jeanne"]
    assert plain("Patient.name.first().given") == ["Jeanne"]
    assert plain("birthDate") == []


@pytest.mark.parametrize("base", [None, "Resource", "DomainResource"])
def test_without_a_definite_base_the_resource_tells_its_type(base: str | None) -> None:
    assert pairs("Patient.name.family", base=base) == [("string", "Martin")]
    assert pairs("name.family", base=base) == [("string", "Martin")]
    assert pairs("Resource.id | DomainResource.gender", base=base) == [("id", "p1"), ("code", "female")]
    assert pairs("Observation.status", base=base) == []
    assert pairs("multipleBirth", base=base) == [("integer", 2)]


def test_a_resource_of_no_known_type_is_walked_by_its_json() -> None:
    node = {"resourceType": "Novelty", "part": [{"code": "a"}, {"code": "b"}]}
    assert plain("%own.part.code", env=fhirpath.Env(variables={"own": node})) == ["a", "b"]


def test_choice_elements_are_met_by_their_name_alone() -> None:
    node = {"resourceType": "Observation", "valueString": "x", "component": [{"valueQuantity": {"value": 1}}]}
    assert pairs("Observation.value", node, "Observation") == [("string", "x")]
    assert pairs("(Observation.value as string)", node, "Observation") == [("string", "x")]
    assert pairs("Observation.value as Quantity", node, "Observation") == []
    assert pairs("component.value.value", node, "Observation") == [("decimal", 1)]
    assert pairs("(component.value as Quantity).value", node, "Observation") == [("decimal", 1)]
    assert pairs("component.value.exists()", node, "Observation") == [("boolean", True)]
    assert pairs("valueString", node, "Observation") == []
    assert pairs("value.length()", node, "Observation") == [("integer", 1)]


def test_a_choice_that_has_only_extensions_is_there() -> None:
    node = {"resourceType": "Observation", "_valueString": {"extension": [{"url": "urn:x", "valueCode": "y"}]}}
    assert pairs("value", node, "Observation") == [("string", None)]
    assert pairs("value.exists() and value.hasValue().not()", node, "Observation") == [("boolean", True)]
    assert pairs("value.extension.value", node, "Observation") == [("code", "y")]
    assert pairs("value = 'x'", node, "Observation") == []
    assert pairs("value.count() = 1 and value.first().exists()", node, "Observation") == [("boolean", True)]


def test_a_base_may_be_any_type() -> None:
    assert pairs("family", {"family": "Petit"}, "HumanName") == [("string", "Petit")]
    assert pairs("telecom.exists()", PATIENT["contact"][0], "Patient.contact") == [("boolean", True)]
    assert pairs("$this.length()", "abc", "string") == [("integer", 3)]
    expression = fhirpath.compile("extension.value", "date")
    assert expression.typed(None, extra=PATIENT["_birthDate"]) == [Typed("code", "unknown")]


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("name.given1", "Patient"),
        ("Encounter.name", "Patient"),
        ("Observation.valueQuantity", "Observation"),
        ("(Observation.value as Period).unit", "Observation"),
        ("Patient.children().first()", "Patient"),
        ("Patient.descendants()[0]", "Patient"),
        ("name.as(Nothing)", "Patient"),
        ("name is FHIR.Nothing", "Patient"),
        ("name.ofType('Patient')", "Patient"),
    ],
)
def test_a_strict_expression_is_held_to_the_definitions(text: str, base: str) -> None:
    with pytest.raises(FhirPathError) as caught:
        fhirpath.compile(text, base, strict=True)
    assert caught.value.position is not None


def test_as_takes_a_collection_only_when_lenient() -> None:
    assert pairs("name.as(HumanName).family") == [("string", "Martin")]
    with pytest.raises(FhirPathError, match="one item"):
        fhirpath.compile("name.as(HumanName)", "Patient", lenient_as=False)(PATIENT)


def test_system_names_mean_primitives_only_when_lenient() -> None:
    assert plain("active is Boolean") == [True]
    assert plain("active is System.Boolean") == [False]
    assert fhirpath.compile("active is Boolean", "Patient", lenient_as=False)(PATIENT) == [False]


def test_is_takes_one_item() -> None:
    with pytest.raises(FhirPathError, match="one item"):
        plain("name is HumanName")


@pytest.mark.parametrize(
    "node",
    [
        {"resourceType": "Patient", "name": "x"},
        {"resourceType": "Patient", "name": ["x", 3, None, [], {}]},
        {"resourceType": "Patient", "name": {"given": {"a": 1}, "_given": "x"}},
        {
            "resourceType": "Patient",
            "name": [{"given": "x", "_given": [7]}],
            "_birthDate": [None],
            "contained": [1, {}],
        },
        {"resourceType": "Patient", "name": [], "birthDate": {"x": []}, "multipleBirthBoolean": [], "extension": "x"},
        {"resourceType": 7},
        [],
        "text",
        None,
    ],
)
def test_malformed_json_yields_nothing_worse_than_nothing(node: object) -> None:
    for text in (
        "Patient.name.given", "name.family.exists()", "name.where(use = 'x').given", "birthDate.extension('x')",
        "multipleBirth", "descendants()", "contained.id", "name.given.hasValue()", "name.period.start", "children()",
        "multipleBirth.exists()", "contact.name.family", "name[0].period.start",
    ):  # fmt: skip
        for base in ("Patient", None):
            fhirpath.compile(text, base).typed(node)
            fhirpath.compile(text, base)(node)


def test_children_and_descendants_are_typed_elements() -> None:
    node = {"resourceType": "Patient", "active": True, "name": [{"family": "M", "_given": [{"id": "g"}]}],
            "_gender": {"id": "x"}, "unknown": 1}  # fmt: skip
    assert pairs("children()", node) == [
        ("boolean", True),
        ("HumanName", {"family": "M", "_given": [{"id": "g"}]}),
        ("code", None),
    ]
    assert [kind for kind, _ in pairs("descendants()", node)] == [
        "boolean",
        "HumanName",
        "code",
        "string",
        "string",
        "string",
        "string",
    ]
    assert plain("name.given.children()", node) == ["g"]


def test_equal_texts_keep_their_own_descendants() -> None:
    name = {"given": ["x", "x"], "_given": [{"id": "a"}, {"id": "b"}]}
    node = {"resourceType": "Patient", "name": [name]}
    assert plain("name.given.select(descendants())", node) == ["a", "b"]


def test_repeat_climbs_down_and_ends() -> None:
    node = {"resourceType": "Questionnaire", "item": [{"linkId": "1", "item": [{"linkId": "1.1"}, {"linkId": "1.2"}]}]}
    assert plain("repeat(item).linkId", node, "Questionnaire") == ["1", "1.1", "1.2"]
    assert plain("repeat($this)", node, "Questionnaire") == [node]
    assert plain("item.repeat('x')", node, "Questionnaire") == ["x"]
