from __future__ import annotations

import pytest

from fhirserver.spec import Definitions, Property, TypeDef

defs = Definitions.core()


def test_r4_has_146_concrete_resource_types_in_order() -> None:
    assert len(defs.resource_types) == 146
    assert list(defs.resource_types) == sorted(defs.resource_types)
    assert {"Patient", "Bundle", "Binary", "Parameters"} <= set(defs.resource_types)
    assert not {"Resource", "DomainResource", "Quantity", "Observation.component"} & set(defs.resource_types)


def test_a_resource_lists_its_members_in_element_order() -> None:
    patient = defs.type("Patient")
    assert patient[:4] == ("Patient", "DomainResource", "resource", False)
    names = list(patient.properties)
    assert names[:3] == ["id", "meta", "implicitRules"]
    assert names[-2:] == ["managingOrganization", "link"]
    assert [item.order for item in patient.properties.values()] == list(range(len(names)))


def test_a_choice_becomes_a_member_for_each_type() -> None:
    members = defs.type("Observation").properties
    assert members["valueQuantity"] == Property(
        "valueQuantity", "value", "Quantity", False, True, 0, members["valueQuantity"].order, True, False, ()
    )
    assert [item.type for item in members.values() if item.element == "value"] == [
        *("Quantity", "CodeableConcept", "string", "boolean", "integer", "Range", "Ratio"),
        *("SampledData", "time", "dateTime", "Period"),
    ]
    assert "value" not in members
    assert "value[x]" not in members


def test_an_open_choice_offers_every_type_of_the_snapshot() -> None:
    values = [item for item in defs.type("Extension").properties.values() if item.element == "value"]
    assert len(values) == 50
    assert {"valueBase64Binary", "valueReference", "valueMeta", "valueDosage"} <= {item.name for item in values}


def test_the_id_of_a_resource_is_an_id_and_that_of_an_element_a_string() -> None:
    assert defs.type("Patient").properties["id"].type == "id"
    assert defs.type("Resource").properties["id"].type == "id"
    assert defs.type("HumanName").properties["id"].type == "string"
    assert defs.type("Patient.contact").properties["id"].type == "string"
    assert defs.type("xhtml").properties["id"].type == "string"


def test_the_url_of_an_extension_is_a_uri() -> None:
    assert defs.type("Extension").properties["url"].type == "uri"


def test_backbones_are_types_named_by_their_path() -> None:
    contact = defs.type("Patient.contact")
    assert (contact.base, contact.kind) == ("BackboneElement", "backbone")
    assert defs.type("Patient").properties["contact"].type == "Patient.contact"
    assert "modifierExtension" in contact.properties
    repeat = defs.type("Timing.repeat")
    assert (repeat.base, repeat.kind) == ("Element", "backbone")
    assert repeat.properties["boundsPeriod"].choice


@pytest.mark.parametrize(
    ("path", "member", "target"),
    [
        ("Questionnaire.item", "item", "Questionnaire.item"),
        ("Observation.component", "referenceRange", "Observation.referenceRange"),
        ("Bundle.entry", "link", "Bundle.link"),
    ],
)
def test_a_content_reference_leads_to_the_type_it_means(path: str, member: str, target: str) -> None:
    assert defs.type(path).properties[member].type == target
    assert defs.type(target).name == target


def test_arrays_targets_summary_and_modifiers_are_told() -> None:
    members = defs.type("Patient").properties
    assert members["name"].array
    assert not members["birthDate"].array
    assert members["generalPractitioner"].targets == ("Organization", "Practitioner", "PractitionerRole")
    assert members["contained"].type == "Resource"
    assert members["active"].modifier
    assert members["active"].summary
    assert not members["photo"].summary
    assert defs.type("Patient.link").properties["other"].min == 1


def test_a_reference_to_any_resource_has_no_targets() -> None:
    assert defs.type("Observation").properties["focus"].targets == ()
    assert defs.type("Provenance").properties["target"].targets == ()


def test_primitives_have_only_id_and_extension_below_them() -> None:
    for name in defs.primitives:
        assert list(defs.type(name).properties) == ["id", "extension"]
        assert defs.type(name).kind == "primitive-type"
    assert defs.type("code").base == "string"
    assert len(defs.primitives) == 20


def test_every_type_that_a_member_names_is_known() -> None:
    waiting = [defs.type(name) for name in defs.resource_types]
    seen: set[str] = set()
    while waiting:
        current = waiting.pop()
        for item in current.properties.values():
            if item.type not in seen:
                seen.add(item.type)
                waiting.append(defs.type(item.type))
    assert {"Quantity", "Dosage.doseAndRate", "xhtml", "ElementDefinition"} <= seen


@pytest.mark.parametrize("name", ["Nobody", "Patient.nothing", "", "Patient.name", "Observation.value"])
def test_an_unknown_type_is_a_key_error(name: str) -> None:
    with pytest.raises(KeyError):
        defs.type(name)


@pytest.mark.parametrize(
    ("name", "ancestor", "answer"),
    [
        ("Patient", "DomainResource", True),
        ("Patient", "Resource", True),
        ("Patient", "Patient", True),
        ("Bundle", "DomainResource", False),
        ("Bundle", "Resource", True),
        ("Age", "Quantity", True),
        ("code", "string", True),
        ("string", "code", False),
        ("Patient.contact", "BackboneElement", True),
        ("Patient.contact", "Element", True),
        ("Patient.nothing", "Element", False),
        ("Nobody", "Element", False),
    ],
)
def test_specialisation(name: str, ancestor: str, answer: bool) -> None:
    assert defs.is_a(name, ancestor) is answer


def test_primitive_formats_come_as_regular_expressions() -> None:
    assert defs.primitive_regex("id") == r"[A-Za-z0-9\-\.]{1,64}"
    assert defs.primitive_regex("code") == r"[^\s]+(\s[^\s]+)*"
    assert defs.primitive_regex("xhtml") is None
    assert defs.primitive_regex("Patient") is None


def test_properties_cannot_be_changed() -> None:
    properties = defs.type("Patient").properties
    with pytest.raises(TypeError):
        properties["x"] = properties["id"]  # type: ignore[index]


def test_a_type_is_compiled_once() -> None:
    first: TypeDef = defs.type("Patient")
    assert defs.type("Patient") is first
