"""Slicing by every kind of discriminator, and the rules of slicings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.validation.crafted import BASE, TYPES, element, sliced, structure, validator
from tests.validation.samples import NARRATIVE, errors

if TYPE_CHECKING:
    from pathlib import Path

    from fhirserver.validation import Validator

URL = BASE + "p"


def patient(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "text": NARRATIVE, **members}


def observation(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "text": NARRATIVE, "status": "final", "code": {"text": "x"}, **members}


def by_system(rules: str = "open", *, ordered: bool | None = None, **first: Any) -> dict[str, Any]:
    """Identifiers sliced into `a` and `b` by system."""
    return structure(
        "p",
        "Patient",
        element("Patient.identifier", slicing=sliced("value", "system", rules, ordered=ordered)),
        element("Patient.identifier:a", **{"min": 1, "max": "1", **first}),
        element("Patient.identifier:a.system", min=1, fixedUri="urn:a"),
        element("Patient.identifier:a.value", min=1, maxLength=3),
        element("Patient.identifier:b"),
        element("Patient.identifier:b.system", min=1, patternUri="urn:b"),
    )


def identifiers(*systems: str) -> list[dict[str, str]]:
    return [{"system": f"urn:{system}", "value": "1"} for system in systems]


@pytest.mark.parametrize(
    ("rules", "ordered", "systems", "expected"),
    [
        ("open", None, "a", []),
        ("open", None, "bac", []),
        ("open", None, "b", [("slice-min", "Patient.identifier")]),
        ("open", None, "aa", [("slice-max", "Patient.identifier")]),
        ("closed", None, "ab", []),
        ("closed", None, "abc", [("slice-closed", "Patient.identifier[2]")]),
        ("openAtEnd", None, "bac", []),
        ("openAtEnd", None, "bca", [("slice-end", "Patient.identifier[2]")]),
        ("open", True, "cacb", []),
        ("open", True, "ba", [("slice-order", "Patient.identifier[1]")]),
        ("open", True, "abb", []),
    ],
)
def test_the_rules_of_a_slicing(
    tmp_path: Path, rules: str, ordered: bool | None, systems: str, expected: list[tuple[str, str]]
) -> None:
    made = validator(tmp_path, by_system(rules, ordered=ordered))
    assert errors(made.check(patient(identifier=identifiers(*systems)), [URL])) == expected


def test_what_a_slice_asks_holds_for_its_items_only(tmp_path: Path) -> None:
    made = validator(tmp_path, by_system())
    resource = patient(identifier=[{"system": "urn:a", "value": "12345"}, {"system": "urn:b", "value": "12345"}])
    assert errors(made.check(resource, [URL])) == [("max-length", "Patient.identifier[0].value")]
    assert errors(made.check(patient(identifier=[{"system": "urn:a"}]), [URL])) == [
        ("min", "Patient.identifier[0].value")
    ]


def test_a_slicing_says_nothing_about_an_absent_element(tmp_path: Path) -> None:
    made = validator(tmp_path, by_system(min=0))
    assert errors(made.check(patient(), [URL])) == []


def test_slices_by_the_value_itself(tmp_path: Path) -> None:
    made = validator(
        tmp_path,
        structure(
            "p",
            "Patient",
            element("Patient.name.given", slicing=sliced("value", "$this")),
            element("Patient.name.given:anne", min=1, max="1", patternString="Anne"),
        ),
    )
    assert errors(made.check(patient(name=[{"given": ["Zoé", "Anne"]}]), [URL])) == []
    assert errors(made.check(patient(name=[{"given": ["Zoé"]}]), [URL])) == [("slice-min", "Patient.name[0].given")]


def test_slices_by_a_pattern_of_a_concept(tmp_path: Path) -> None:
    pattern = {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}
    made = validator(
        tmp_path,
        structure(
            "p",
            "Observation",
            element("Observation.component", slicing=sliced("pattern", "code")),
            element("Observation.component:systolic", min=1, max="1"),
            element("Observation.component:systolic.code", patternCodeableConcept=pattern),
            element("Observation.component:systolic.value[x]", min=1, type=[{"code": "Quantity"}]),
        ),
    )
    coded = {"coding": [{"system": "http://snomed.info/sct", "code": "1"}, *pattern["coding"]], "text": "s"}
    good = observation(component=[{"code": {"text": "other"}}, {"code": coded, "valueQuantity": {"value": 1}}])
    assert errors(made.check(good, [URL])) == []
    bad = observation(component=[{"code": coded, "valueString": "1"}])
    assert errors(made.check(bad, [URL])) == [("type", "Observation.component[0].value")]


def test_slices_by_a_nested_path(tmp_path: Path) -> None:
    made = validator(
        tmp_path,
        structure(
            "p",
            "Observation",
            element("Observation.component", slicing=sliced("value", "code.coding.code")),
            element("Observation.component:s", min=1),
            element("Observation.component:s.code"),
            element("Observation.component:s.code.coding"),
            element("Observation.component:s.code.coding.code", min=1, fixedCode="s"),
        ),
    )
    assert errors(made.check(observation(component=[{"code": {"coding": [{"code": "s"}]}}]), [URL])) == []
    found = made.check(observation(component=[{"code": {"coding": [{"code": "t"}]}}]), [URL])
    assert errors(found) == [("slice-min", "Observation.component")]


def test_slices_by_a_required_value_set(tmp_path: Path) -> None:
    binding = {"strength": "required", "valueSet": "http://hl7.org/fhir/ValueSet/contact-point-system"}
    made = validator(
        tmp_path,
        structure(
            "p",
            "Patient",
            element("Patient.communication", slicing=sliced("value", "language")),
            element("Patient.communication:odd", max="1"),
            element("Patient.communication:odd.language", binding=binding),
        ),
    )
    phone = {"language": {"coding": [{"system": "http://hl7.org/fhir/contact-point-system", "code": "phone"}]}}
    french = {"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "fr"}]}}
    assert errors(made.check(patient(communication=[phone, french, french]), [URL])) == []
    assert errors(made.check(patient(communication=[phone, phone]), [URL])) == [("slice-max", "Patient.communication")]


def test_slices_by_presence(tmp_path: Path) -> None:
    made = validator(
        tmp_path,
        structure(
            "p",
            "Patient",
            element("Patient.identifier", slicing=sliced("exists", "period")),
            element("Patient.identifier:timed", max="1"),
            element("Patient.identifier:timed.period", min=1),
            element("Patient.identifier:timeless"),
            element("Patient.identifier:timeless.period", max="0"),
            element("Patient.identifier:timeless.assigner", min=1),
        ),
    )
    timed = {"value": "1", "period": {"start": "2020"}}
    assert errors(made.check(patient(identifier=[timed]), [URL])) == []
    assert errors(made.check(patient(identifier=[timed, timed]), [URL])) == [("slice-max", "Patient.identifier")]
    found = made.check(patient(identifier=[{"value": "1"}]), [URL])
    assert errors(found) == [("min", "Patient.identifier[0].assigner")]


def test_slices_of_a_choice_by_type(tmp_path: Path) -> None:
    made = validator(
        tmp_path,
        structure(
            "p",
            "Observation",
            element("Observation.value[x]", slicing=sliced("type", "$this", "closed")),
            element("Observation.value[x]:valueQuantity", type=[{"code": "Quantity"}]),
            element("Observation.value[x]:valueQuantity.code", min=1),
            element("Observation.value[x]:valueString", type=[{"code": "string"}], maxLength=3),
        ),
    )
    assert errors(made.check(observation(valueString="abc"), [URL])) == []
    assert errors(made.check(observation(valueString="abcd"), [URL])) == [("max-length", "Observation.value")]
    quantity = {"value": 1, "system": "http://unitsofmeasure.org"}
    assert errors(made.check(observation(valueQuantity=quantity), [URL])) == [("min", "Observation.value.code")]
    assert errors(made.check(observation(valueBoolean=True), [URL])) == [("slice-closed", "Observation.value")]


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    entries = [
        {"fullUrl": f"http://a.org/fhir/{item['resourceType']}/{number}", "resource": {**item, "id": str(number)}}
        for number, item in enumerate(resources)
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def entries_by(kind: str, path: str, *more: dict[str, Any]) -> dict[str, Any]:
    return structure("p", "Bundle", element("Bundle.entry", slicing=sliced(kind, path)), *more)


def test_slices_of_entries_by_type(tmp_path: Path) -> None:
    made = validator(
        tmp_path,
        entries_by(
            "type",
            "resource",
            element("Bundle.entry:patient", min=1, max="1"),
            element("Bundle.entry:patient.resource", min=1, type=[{"code": "Patient", "profile": [BASE + "named"]}]),
        ),
        structure("named", "Patient", element("Patient.name", min=1)),
    )
    assert errors(made.check(bundle(patient(name=[{"family": "x"}]), observation()), [URL])) == []
    assert errors(made.check(bundle(observation()), [URL])) == [("slice-min", "Bundle.entry")]
    assert errors(made.check(bundle(patient()), [URL])) == [("min", "Bundle.entry[0].resource.name")]


def test_slices_of_entries_by_profile(tmp_path: Path) -> None:
    made = validator(
        tmp_path,
        entries_by(
            "profile",
            "resource",
            element("Bundle.entry:named", min=1, max="1"),
            element("Bundle.entry:named.resource", type=[{"code": "Patient", "profile": [BASE + "named"]}]),
        ),
        structure("named", "Patient", element("Patient.name", min=1)),
    )
    named = patient(name=[{"family": "x"}])
    assert errors(made.check(bundle(named, patient()), [URL])) == []
    assert errors(made.check(bundle(patient()), [URL])) == [("slice-min", "Bundle.entry")]
    assert errors(made.check(bundle(named, named), [URL])) == [("slice-max", "Bundle.entry")]


@pytest.fixture
def by_target(tmp_path: Path) -> Validator:
    return validator(
        tmp_path,
        structure(
            "p",
            "Observation",
            element("Observation.performer", slicing=sliced("type", "resolve()")),
            element(
                "Observation.performer:doctor",
                min=1,
                max="1",
                type=[{"code": "Reference", "targetProfile": [TYPES + "Practitioner"]}],
            ),
        ),
    )


@pytest.mark.parametrize("reference", ["Practitioner/1", "http://a.org/fhir/Practitioner/1", "#d"])
def test_slices_by_the_type_of_a_target(by_target: Validator, reference: str) -> None:
    contained = [{"resourceType": "Practitioner", "id": "d"}] if reference == "#d" else []
    resource = observation(performer=[{"reference": reference}, {"reference": "Patient/1"}])
    resource |= {"contained": contained} if contained else {}
    assert errors(by_target.check(resource, [URL])) == []
    resource["performer"].pop(0)
    assert ("slice-min", "Observation.performer") in errors(by_target.check(resource, [URL]))


def test_slices_by_what_a_target_says(tmp_path: Path) -> None:
    made = validator(
        tmp_path,
        structure(
            "p",
            "Observation",
            element("Observation.performer", slicing=sliced("value", "resolve().active")),
            element(
                "Observation.performer:active",
                min=1,
                type=[{"code": "Reference", "targetProfile": [BASE + "active"]}],
            ),
        ),
        structure("active", "Practitioner", element("Practitioner.active", min=1, fixedBoolean=True)),
    )

    def with_target(active: bool) -> dict[str, Any]:
        contained = {"resourceType": "Practitioner", "id": "d", "active": active}
        return observation(contained=[contained], performer=[{"reference": "#d"}])

    assert errors(made.check(with_target(True), [URL])) == []
    assert errors(made.check(with_target(False), [URL])) == [("slice-min", "Observation.performer")]


def test_slices_by_an_extension(tmp_path: Path) -> None:
    url = BASE + "kind"
    made = validator(
        tmp_path,
        structure(
            "kind",
            "Extension",
            element("Extension.url", fixedUri=url),
            element("Extension.value[x]", min=1, type=[{"code": "code"}]),
            context=[{"type": "element", "expression": "Patient.contact"}],
        ),
        structure(
            "p",
            "Patient",
            element("Patient.contact", slicing=sliced("value", f"extension('{url}').value")),
            element("Patient.contact:kin", min=1, max="1"),
            element("Patient.contact:kin.extension", slicing=sliced("value", "url")),
            element("Patient.contact:kin.extension:kind", min=1, type=[{"code": "Extension", "profile": [url]}]),
            element("Patient.contact:kin.extension:kind.value[x]", patternCode="kin"),
            element("Patient.contact:kin.gender", min=1),
        ),
    )

    def contact(code: str, **more: str) -> dict[str, Any]:
        return {"extension": [{"url": url, "valueCode": code}], "name": {"family": "x"}, **more}

    assert errors(made.check(patient(contact=[contact("kin", gender="male"), contact("friend")]), [URL])) == []
    assert errors(made.check(patient(contact=[contact("friend")]), [URL])) == [("slice-min", "Patient.contact")]
    assert errors(made.check(patient(contact=[contact("kin")]), [URL])) == [("min", "Patient.contact[0].gender")]


def test_slices_sliced_again(tmp_path: Path) -> None:
    made = validator(
        tmp_path,
        structure(
            "p",
            "Patient",
            element("Patient.identifier", slicing=sliced("value", "system")),
            element("Patient.identifier:a", slicing=sliced("value", "use", "closed")),
            element("Patient.identifier:a.system", min=1, fixedUri="urn:a"),
            element("Patient.identifier:a/old", max="1"),
            element("Patient.identifier:a/old.system", min=1, fixedUri="urn:a"),
            element("Patient.identifier:a/old.use", min=1, fixedCode="old"),
            element("Patient.identifier:a/old.period", min=1),
        ),
    )

    def identifier(use: str, system: str = "urn:a", /, **more: Any) -> dict[str, Any]:
        return {"system": system, "value": "1", "use": use, **more}

    period = {"period": {"end": "2020"}}
    assert (
        errors(made.check(patient(identifier=[identifier("old", **period), identifier("usual", "urn:b")]), [URL])) == []
    )
    found = errors(made.check(patient(identifier=[identifier("usual")]), [URL]))
    assert found == [("slice-closed", "Patient.identifier[0]")]
    found = errors(made.check(patient(identifier=[identifier("old", **period)] * 2), [URL]))
    assert found == [("slice-max", "Patient.identifier")]
    assert errors(made.check(patient(identifier=[identifier("old")]), [URL])) == [
        ("min", "Patient.identifier[0].period")
    ]


CODING = {"system": "http://loinc.org", "code": "41950-7"}


@pytest.mark.parametrize("rule", ["pattern", "fixed"])
def test_slices_by_parts_of_their_own_value(tmp_path: Path, rule: str) -> None:
    slicing = {"discriminator": [{"type": "value", "path": "code"}, {"type": "value", "path": "system"}]}
    made = validator(
        tmp_path,
        structure(
            "p",
            "Observation",
            element("Observation.code.coding", slicing=slicing | {"rules": "open"}),
            element("Observation.code.coding:steps", min=1, max="1", **{f"{rule}Coding": CODING}),
        ),
    )
    other = {"system": "http://loinc.org", "code": "718-7"}
    assert errors(made.check(observation(code={"coding": [other, CODING]}), [URL])) == []
    missing = [("slice-min", "Observation.code.coding")]
    assert errors(made.check(observation(code={"coding": [other]}), [URL])) == missing
    assert errors(made.check(observation(code={"coding": [CODING | {"system": "urn:x"}]}), [URL])) == missing
    assert errors(made.check(observation(code={"coding": [CODING, CODING]}), [URL])) == [
        ("slice-max", "Observation.code.coding")
    ]


def test_slices_by_a_part_of_a_pattern_further_up(tmp_path: Path) -> None:
    made = validator(
        tmp_path,
        structure(
            "p",
            "Observation",
            element("Observation.component", slicing=sliced("value", "code.coding.code")),
            element("Observation.component:s", min=1),
            element("Observation.component:s.code", patternCodeableConcept={"coding": [CODING, {"code": "local"}]}),
        ),
    )
    both = {"coding": [{"code": "local"}, CODING]}
    assert errors(made.check(observation(component=[{"code": both}]), [URL])) == []
    found = errors(made.check(observation(component=[{"code": {"coding": [CODING]}}]), [URL]))
    assert found == [("slice-min", "Observation.component")]


@pytest.mark.parametrize(
    "discriminators", [[], [{"type": "value", "path": "period"}], [{"type": "value", "path": "("}]]
)
def test_slices_that_nothing_tells_apart_need_items_that_meet_them(
    tmp_path: Path, discriminators: list[dict[str, str]]
) -> None:
    made = validator(
        tmp_path,
        structure(
            "p",
            "Patient",
            element("Patient.identifier", slicing={"discriminator": discriminators, "rules": "closed"}),
            element("Patient.identifier:long", min=1, max="1"),
            element("Patient.identifier:long.value", min=1),
            element("Patient.identifier:long.assigner", min=1),
        ),
    )
    good = {"value": "1", "assigner": {"display": "x"}}
    assert errors(made.check(patient(identifier=[{"value": "1"}, good]), [URL])) == []
    assert errors(made.check(patient(identifier=[good, good]), [URL])) == []
    for resource in (patient(identifier=[{"value": "1"}]), patient()):
        assert errors(made.check(resource, [URL])) == [("slice-min", "Patient.identifier")]
