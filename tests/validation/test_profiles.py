"""What a profile adds to its type, element by element."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.validation import Validator
from tests.validation.crafted import BASE, TYPES, element, sliced, structure, validator
from tests.validation.samples import NARRATIVE, errors

if TYPE_CHECKING:
    from pathlib import Path

URL = BASE + "p"
BP = TYPES + "bp"
NAMED = structure("named", "Patient", element("Patient.name", min=1))


def patient(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "text": NARRATIVE, **members}


def observation(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "text": NARRATIVE, "status": "final", "code": {"text": "x"}, **members}


def blood_pressure() -> dict[str, Any]:
    def component(code: str, value: int) -> dict[str, Any]:
        quantity = {"value": value, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}
        more = {"system": "http://example.org/local", "code": "bp"}
        return {"code": {"coding": [more, {"system": "http://loinc.org", "code": code}]}, "valueQuantity": quantity}

    category = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}
    return observation(
        meta={"profile": [BP]},
        category=[{"coding": [category]}],
        code={"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
        subject={"reference": "Patient/1"},
        effectiveDateTime="2012-09-17",
        component=[component("8480-6", 107), component("8462-4", 60)],
    )


def test_the_blood_pressure_profile_accepts_a_blood_pressure(core: Validator) -> None:
    assert errors(core.check(blood_pressure())) == []


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (lambda bp: bp["component"].pop(), ["min-count", "slice-min"]),
        (lambda bp: bp["component"][1]["valueQuantity"].update(code="cm"), ["fixed"]),
        (lambda bp: bp["component"][1]["valueQuantity"].update(code="mmHg"), ["code", "fixed"]),
        (lambda bp: bp["component"][0].pop("valueQuantity"), ["vs-3"]),
        (lambda bp: bp["category"][0]["coding"][0].update(code="laboratory"), ["slice-min"]),
        (lambda bp: bp["code"]["coding"][0].update(code="8867-4"), ["slice-min"]),
        (lambda bp: bp.update(valueQuantity={"value": 1}), ["slice-max"]),
        (lambda bp: bp.update(valueString="1"), ["type", "slice-closed"]),
        (lambda bp: bp.pop("subject"), ["min"]),
        (lambda bp: bp.update(subject={"reference": "Group/1"}), ["reference-target"]),
        (lambda bp: bp.update(effectiveDateTime="2012-09"), ["vs-1"]),
        (lambda bp: bp.pop("effectiveDateTime"), ["min"]),
    ],
)
def test_the_blood_pressure_profile_refuses_what_is_none(core: Validator, fault: Any, expected: list[str]) -> None:
    resource = blood_pressure()
    fault(resource)
    assert [rule for rule, _ in errors(core.check(resource))] == expected


@pytest.mark.parametrize(
    ("facts", "good", "bad", "rule"),
    [
        ({"fixedCode": "male"}, {"gender": "male"}, {"gender": "female"}, "fixed"),
        ({"patternCode": "male"}, {"gender": "male"}, {"gender": "female"}, "pattern"),
        ({"min": 1}, {"gender": "male"}, {}, "min"),
        ({"max": "0"}, {}, {"gender": "male"}, "max"),
        (
            {"min": 1},
            {"_gender": {"extension": [{"url": TYPES + "data-absent-reason", "valueCode": "masked"}]}},
            {},
            "min",
        ),
        (
            {"binding": {"strength": "required", "valueSet": "http://hl7.org/fhir/ValueSet/link-type"}},
            {},
            {"gender": "male"},
            "code",
        ),
        (
            {"constraint": [{"key": "x-1", "severity": "error", "human": "h", "expression": "$this != 'other'"}]},
            {"gender": "male"},
            {"gender": "other"},
            "x-1",
        ),
    ],
)
def test_facts_of_an_element(
    tmp_path: Path, facts: dict[str, Any], good: dict[str, Any], bad: dict[str, Any], rule: str
) -> None:
    made = validator(tmp_path, structure("p", "Patient", element("Patient.gender", **facts)))
    assert errors(made.check(patient(**good), [URL])) == []
    assert errors(made.check(patient(**bad), [URL])) == [(rule, "Patient.gender")]


@pytest.mark.parametrize(
    ("facts", "good", "bad", "rule"),
    [
        ({"minValueInteger": 2}, {"valueInteger": 2}, {"valueInteger": 1}, "min-value"),
        ({"maxValueInteger": 2}, {"valueInteger": 2}, {"valueInteger": 3}, "max-value"),
        (
            {"minValueDateTime": "2020-06"},
            {"valueDateTime": "2020-06-01"},
            {"valueDateTime": "2020-05-31"},
            "min-value",
        ),
        ({"maxValueDateTime": "2020"}, {"valueDateTime": "2020-12"}, {"valueDateTime": "2021"}, "max-value"),
        (
            {"maxValueQuantity": {"value": 5, "code": "g", "system": "http://unitsofmeasure.org"}},
            {"valueQuantity": {"value": Decimal("5.0"), "code": "g", "system": "http://unitsofmeasure.org"}},
            {"valueQuantity": {"value": Decimal("5.1"), "code": "g", "system": "http://unitsofmeasure.org"}},
            "max-value",
        ),
        ({"maxLength": 3}, {"valueString": "abc"}, {"valueString": "abcd"}, "max-length"),
        (
            {"fixedQuantity": {"value": 5.0, "unit": "g"}},
            {"valueQuantity": {"value": Decimal("5.00"), "unit": "g"}},
            {"valueQuantity": {"value": 5, "unit": "g", "system": "http://a.org"}},
            "fixed",
        ),
        (
            {"patternCodeableConcept": {"coding": [{"code": "b"}]}},
            {"valueCodeableConcept": {"coding": [{"code": "a"}, {"code": "b", "display": "B"}]}},
            {"valueCodeableConcept": {"text": "b"}},
            "pattern",
        ),
        ({"type": [{"code": "string"}]}, {"valueString": "x"}, {"valueInteger": 1}, "type"),
    ],
)
def test_facts_of_values(
    tmp_path: Path, facts: dict[str, Any], good: dict[str, Any], bad: dict[str, Any], rule: str
) -> None:
    made = validator(tmp_path, structure("p", "Observation", element("Observation.value[x]", **facts)))
    assert errors(made.check(observation(**good), [URL])) == []
    assert errors(made.check(observation(**bad), [URL])) == [(rule, "Observation.value")]


def test_counts_of_an_array(tmp_path: Path) -> None:
    made = validator(tmp_path, structure("p", "Patient", element("Patient.name", min=2, max="3")))
    name = {"family": "x"}
    assert errors(made.check(patient(name=[name] * 2), [URL])) == []
    assert errors(made.check(patient(name=[name]), [URL])) == [("min-count", "Patient.name")]
    assert errors(made.check(patient(name=[name] * 4), [URL])) == [("max", "Patient.name")]


def test_the_profile_of_a_data_type(tmp_path: Path) -> None:
    short = structure("short", "HumanName", element("HumanName.family", min=1, maxLength=3))
    typed = element("Patient.name", type=[{"code": "HumanName", "profile": [BASE + "short"]}])
    made = validator(tmp_path, short, structure("p", "Patient", typed))
    assert errors(made.check(patient(name=[{"family": "abc"}]), [URL])) == []
    found = [issue for issue in made.check(patient(name=[{"family": "abcd"}, {"text": "x"}]), [URL]) if issue.is_error]
    assert [(issue.rule, issue.expression[0], issue.profile) for issue in found] == [
        ("max-length", "Patient.name[0].family", BASE + "short"),
        ("min", "Patient.name[1].family", BASE + "short"),
    ]


def test_one_of_several_profiles_of_a_data_type(tmp_path: Path) -> None:
    short = structure("short", "HumanName", element("HumanName.family", min=1))
    said = structure("said", "HumanName", element("HumanName.text", min=1))
    profiles = [BASE + "short", BASE + "said"]
    typed = element("Patient.name", type=[{"code": "HumanName", "profile": profiles}])
    made = validator(tmp_path, short, said, structure("p", "Patient", typed))
    assert errors(made.check(patient(name=[{"family": "a"}, {"text": "b"}]), [URL])) == []
    assert errors(made.check(patient(name=[{"given": ["a"]}]), [URL])) == [("type-profile", "Patient.name[0]")]


def test_an_unknown_profile_of_a_data_type_is_told(tmp_path: Path) -> None:
    typed = element("Patient.name", type=[{"code": "HumanName", "profile": [BASE + "missing"]}])
    made = validator(tmp_path, structure("p", "Patient", typed))
    issues = made.check(patient(name=[{"family": "a"}]), [URL])
    assert ("warning", "profile-unknown") in {(issue.severity, issue.rule) for issue in issues}


@pytest.fixture
def targeted(tmp_path: Path) -> Validator:
    typed = element("Observation.subject", type=[{"code": "Reference", "targetProfile": [BASE + "named"]}])
    return validator(tmp_path, NAMED, structure("p", "Observation", typed))


def test_the_profile_of_a_contained_target(targeted: Validator) -> None:
    contained = {"resourceType": "Patient", "id": "x", "name": [{"family": "x"}]}
    resource = observation(contained=[contained], subject={"reference": "#x"})
    assert errors(targeted.check(resource, [URL])) == []
    del contained["name"]
    assert errors(targeted.check(resource, [URL])) == [("reference-profile", "Observation.subject.reference")]


def test_the_type_of_a_target_elsewhere(targeted: Validator) -> None:
    assert errors(targeted.check(observation(subject={"reference": "Patient/1"}), [URL])) == []
    found = errors(targeted.check(observation(subject={"reference": "Group/1"}), [URL]))
    assert found == [("reference-target", "Observation.subject.reference")]


def test_the_profile_of_a_target_in_the_same_bundle(targeted: Validator) -> None:
    claimed = observation(id="o", meta={"profile": [URL]}, subject={"reference": "Patient/p"})
    target = patient(id="p", name=[{"family": "x"}])
    resource = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": "http://a.org/fhir/Observation/o", "resource": claimed},
            {"fullUrl": "http://a.org/fhir/Patient/p", "resource": target},
        ],
    }
    assert errors(targeted.check(resource)) == []
    del target["name"]
    where = "Bundle.entry[0].resource.subject.reference"
    assert errors(targeted.check(resource)) == [("reference-profile", where)]


def test_profiles_that_refer_to_each_other_come_to_an_end(tmp_path: Path) -> None:
    link = element("Patient.link.other", type=[{"code": "Reference", "targetProfile": [URL]}])
    made = validator(tmp_path, structure("p", "Patient", element("Patient.name", min=1), link))
    entry = [
        {
            "fullUrl": f"http://a.org/fhir/Patient/{number}",
            "resource": patient(
                id=str(number),
                name=[{"family": "x"}],
                meta={"profile": [URL]},
                link=[{"type": "refer", "other": {"reference": f"Patient/{1 - number}"}}],
            ),
        }
        for number in (0, 1)
    ]
    assert errors(made.check({"resourceType": "Bundle", "type": "collection", "entry": entry})) == []


def test_what_a_profile_asks_of_a_recursive_element_holds_at_every_depth(tmp_path: Path) -> None:
    made = validator(tmp_path, structure("p", "Questionnaire", element("Questionnaire.item.text", min=1)))

    def item(number: str, *items: dict[str, Any], **more: str) -> dict[str, Any]:
        return {
            "linkId": number,
            "type": "group" if items else "string",
            **({"item": list(items)} if items else {}),
            **more,
        }

    resource = {
        "resourceType": "Questionnaire",
        "text": NARRATIVE,
        "status": "draft",
        "item": [item("1", item("2", item("3"), text="b"), text="a")],
    }
    assert errors(made.check(resource, [URL])) == [("min", "Questionnaire.item[0].item[0].item[0].text")]


@pytest.mark.parametrize(
    ("strength", "system", "code", "expected"),
    [
        ("required", "http://hl7.org/fhir/link-type", "refer", None),
        ("required", "http://hl7.org/fhir/link-type", "nope", ("error", "code")),
        ("required", "http://other.org", "refer", ("error", "code")),
        ("extensible", "http://hl7.org/fhir/link-type", "refer", None),
        ("extensible", "http://hl7.org/fhir/link-type", "nope", ("warning", "code-extensible")),
        ("extensible", "http://other.org", "nope", ("information", "code-other")),
        ("preferred", "http://other.org", "nope", None),
    ],
)
def test_bindings_by_strength(
    tmp_path: Path, strength: str, system: str, code: str, expected: tuple[str, str] | None
) -> None:
    binding = {"strength": strength, "valueSet": "http://hl7.org/fhir/ValueSet/link-type"}
    made = validator(tmp_path, structure("p", "Observation", element("Observation.method", binding=binding)))
    issues = made.check(observation(method={"coding": [{"system": system, "code": code}]}), [URL])
    found = [(issue.severity, issue.rule) for issue in issues if issue.profile == URL]
    assert found == ([expected] if expected else [])


@pytest.mark.parametrize(("strength", "severity"), [("required", "warning"), ("extensible", "information")])
def test_a_code_system_that_is_not_here_is_told_and_never_an_error(
    tmp_path: Path, strength: str, severity: str
) -> None:
    value_set = {
        "resourceType": "ValueSet",
        "url": "http://example.org/vs",
        "status": "active",
        "compose": {"include": [{"system": "http://snomed.info/sct"}]},
    }
    binding = {"strength": strength, "valueSet": "http://example.org/vs"}
    made = validator(tmp_path, structure("p", "Observation", element("Observation.method", binding=binding)), value_set)
    (issue,) = made.check(observation(method={"coding": [{"system": "http://snomed.info/sct", "code": "1"}]}), [URL])
    assert (issue.severity, issue.code, issue.expression) == (severity, "not-found", ("Observation.method",))
    assert "not here" in issue.text


def test_a_bare_code_of_a_system_that_is_not_here_is_told(tmp_path: Path) -> None:
    binding = {"strength": "required", "valueSet": "http://example.org/none"}
    made = validator(tmp_path, structure("p", "Patient", element("Patient.gender", binding=binding)))
    (issue,) = made.check(patient(gender="male"), [URL])
    assert (issue.severity, issue.rule, issue.expression) == ("warning", "code-unchecked", ("Patient.gender",))


def test_a_required_binding_wants_a_code(tmp_path: Path) -> None:
    binding = {"strength": "required", "valueSet": "http://hl7.org/fhir/ValueSet/link-type"}
    made = validator(tmp_path, structure("p", "Observation", element("Observation.method", binding=binding)))
    assert errors(made.check(observation(method={"text": "by hand"}), [URL])) == [("code-absent", "Observation.method")]


def test_an_invariant_has_the_severity_that_its_profile_gives(tmp_path: Path) -> None:
    rules = [
        {"key": "w-1", "severity": "warning", "human": "h", "expression": "gender.exists()"},
        {"key": "e-1", "severity": "error", "human": "h", "expression": "birthDate.exists()"},
    ]
    made = validator(tmp_path, structure("p", "Patient", {"id": "Patient", "path": "Patient", "constraint": rules}))
    found = made.check(patient(), [URL])
    assert [(issue.severity, issue.rule, issue.profile) for issue in found] == [
        ("warning", "w-1", URL),
        ("error", "e-1", URL),
    ]


def test_an_invariant_that_cannot_be_evaluated_is_a_warning(tmp_path: Path) -> None:
    rule = {"key": "x-1", "severity": "error", "human": "h", "expression": "name.given.single().nothing((("}
    made = validator(tmp_path, structure("p", "Patient", {"id": "Patient", "path": "Patient", "constraint": [rule]}))
    assert [(issue.severity, issue.rule) for issue in made.check(patient(), [URL])] == [("warning", "x-1")]


@pytest.mark.parametrize("canonical", [URL, URL + "|1.0.0", URL + "|2.0.0"])
def test_a_claimed_profile_is_held_to_with_or_without_its_version(tmp_path: Path, canonical: str) -> None:
    made = validator(tmp_path, structure("p", "Patient", element("Patient.name", min=1)))
    assert errors(made.check(patient(meta={"profile": [canonical]}))) == [("min", "Patient.name")]


def test_a_profile_and_one_that_derives_from_it_are_judged_once(tmp_path: Path) -> None:
    derived = structure("q", "Patient", element("Patient.gender", min=1), base=URL)
    made = validator(tmp_path, structure("p", "Patient", element("Patient.name", min=1)), derived)
    found = [issue for issue in made.check(patient(meta={"profile": [URL, BASE + "q"]})) if issue.is_error]
    assert {(issue.rule, issue.expression[0], issue.profile) for issue in found} == {
        ("min", "Patient.name", BASE + "q"),
        ("min", "Patient.gender", BASE + "q"),
    }


@pytest.mark.parametrize("severity", ["error", "warning", "information"])
def test_an_unknown_profile_weighs_what_the_setting_says(tmp_path: Path, severity: str) -> None:
    made = validator(tmp_path, NAMED, unknown_profile=severity)
    (issue,) = made.check(patient(meta={"profile": ["http://example.org/none"]}))
    assert (issue.severity, issue.rule) == (severity, "profile-unknown")
    assert issue.expression == ("Patient.meta.profile",)


def test_a_profile_for_another_type_is_refused(core: Validator) -> None:
    assert errors(core.check(patient(meta={"profile": [BP]}))) == [("profile-type", "Patient")]
    assert errors(core.check(patient(meta={"profile": [TYPES + "Observation"]}))) == [("profile-type", "Patient")]
    assert errors(core.check(patient(meta={"profile": [TYPES + "Patient"]}))) == []


def test_a_contained_resource_is_held_to_the_profile_that_it_claims(tmp_path: Path) -> None:
    made = validator(tmp_path, NAMED)
    contained = {"resourceType": "Patient", "id": "x", "meta": {"profile": [BASE + "named"]}}
    resource = observation(contained=[contained], subject={"reference": "#x"})
    assert errors(made.check(resource)) == [("min", "Observation.contained[0].name")]


def test_an_extension_is_held_to_its_definition_and_its_place(tmp_path: Path) -> None:
    url = BASE + "colour"
    definition = structure(
        "colour",
        "Extension",
        element("Extension.url", fixedUri=url),
        element("Extension.value[x]", min=1, type=[{"code": "string"}], maxLength=5),
        context=[{"type": "element", "expression": "Patient.name"}, {"type": "element", "expression": "Address"}],
    )
    made = validator(tmp_path, definition)

    def extension(**value: Any) -> list[dict[str, Any]]:
        return [{"url": url, **value}]

    assert errors(made.check(patient(name=[{"extension": extension(valueString="red")}]))) == []
    assert errors(made.check(patient(address=[{"extension": extension(valueString="red")}]))) == []
    where = "Patient.name[0].extension[0]"
    assert errors(made.check(patient(name=[{"extension": extension(valueString="purple")}]))) == [
        ("max-length", where + ".value")
    ]
    assert errors(made.check(patient(name=[{"extension": extension(valueCode="red")}]))) == [("type", where + ".value")]
    assert errors(made.check(patient(extension=extension(valueString="red")))) == [
        ("extension-context", "Patient.extension[0]")
    ]
    assert errors(made.check(patient(name=[{"_family": {"extension": extension(valueString="red")}}]))) == [
        ("extension-context", "Patient.name[0].family.extension[0]")
    ]


def test_a_modifier_extension_stands_where_it_says(tmp_path: Path) -> None:
    url = BASE + "not"
    definition = structure(
        "not",
        "Extension",
        element("Extension.url", fixedUri=url),
        element("Extension.value[x]", min=1, type=[{"code": "boolean"}]),
        context=[{"type": "element", "expression": "Patient"}],
    )
    definition["differential"]["element"][0] |= {"isModifier": True, "isModifierReason": "it negates"}
    made = validator(tmp_path, definition)
    listed = [{"url": url, "valueBoolean": True}]
    assert errors(made.check(patient(modifierExtension=listed))) == []
    assert errors(made.check(patient(extension=listed))) == [("extension-modifier", "Patient.extension[0]")]


def test_extensions_sliced_by_url(tmp_path: Path) -> None:
    url = TYPES + "patient-birthPlace"
    made = validator(
        tmp_path,
        structure(
            "p",
            "Patient",
            element("Patient.extension", slicing=sliced("value", "url"), min=1),
            element("Patient.extension:place", min=1, max="1", type=[{"code": "Extension", "profile": [url]}]),
        ),
    )
    place = {"url": url, "valueAddress": {"city": "Lyon"}}
    assert errors(made.check(patient(extension=[place]), [URL])) == []
    assert errors(made.check(patient(), [URL])) == [("min", "Patient.extension")]
    assert errors(made.check(patient(extension=[place, place]), [URL])) == [("slice-max", "Patient.extension")]
    other = {"url": "http://example.org/other", "valueString": "x"}
    assert errors(made.check(patient(extension=[other]), [URL])) == [("slice-min", "Patient.extension")]


def test_extensions_of_a_primitive_are_sliced(tmp_path: Path) -> None:
    url = TYPES + "patient-birthTime"
    made = validator(
        tmp_path,
        structure(
            "p",
            "Patient",
            element("Patient.birthDate", min=1),
            element("Patient.birthDate.extension", slicing=sliced("value", "url")),
            element("Patient.birthDate.extension:time", min=1, type=[{"code": "Extension", "profile": [url]}]),
        ),
    )
    timed = {"extension": [{"url": url, "valueDateTime": "1980-01-01T10:00:00Z"}]}
    assert errors(made.check(patient(birthDate="1980-01-01", _birthDate=timed), [URL])) == []
    assert errors(made.check(patient(_birthDate=timed), [URL])) == []
    found = errors(made.check(patient(birthDate="1980-01-01"), [URL]))
    assert found == [("slice-min", "Patient.birthDate.extension")]


def test_the_defaults_of_the_french_set_are_known(french: Validator) -> None:
    from fhirserver.validation import defaults

    rows = [row for rows in defaults.table("french").values() for row in rows]
    assert [row.canonical for row in rows if french.definitions.structure(row.canonical) is None] == []
    with pytest.raises(ValueError, match="no profile set"):
        Validator(profile_set="german")
    with pytest.raises(ValueError, match="unknown_profile"):
        Validator(unknown_profile="fatal")


def test_a_draft_profile_only_warns(french: Validator) -> None:
    resource = {
        "resourceType": "AllergyIntolerance",
        "text": NARRATIVE,
        "clinicalStatus": {
            "coding": [
                {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}
            ]
        },
        "patient": {"reference": "Patient/1"},
    }
    issues = french.check(resource)
    assert errors(issues) == []
    assert ("warning", "min", ("AllergyIntolerance.code",)) in {
        (issue.severity, issue.rule, issue.expression) for issue in issues
    }


@pytest.mark.parametrize(("attachment", "profile"), [("data", "simplified-publish"), ("url", "comprehensive")])
def test_a_document_reference_is_held_to_the_profile_of_its_kind(
    french: Validator, attachment: str, profile: str
) -> None:
    content = {"contentType": "text/plain", attachment: "AAEC" if attachment == "data" else "Binary/1"}
    resource = {
        "resourceType": "DocumentReference",
        "text": NARRATIVE,
        "status": "current",
        "content": [{"attachment": content}],
    }
    told = {issue.profile for issue in french.check(resource) if issue.is_error}
    assert any(profile in str(url) for url in told)


@pytest.mark.parametrize(
    ("ways", "refused"),
    [
        (["contained"], {"bundled", "referenced"}),
        (["referenced"], {"contained"}),
        (["bundled"], {"contained", "referenced"}),
        (["contained", "bundled"], {"referenced"}),
        (["contained", "referenced", "bundled"], set()),
    ],
)
def test_a_reference_leads_where_its_aggregation_says(tmp_path: Path, ways: list[str], refused: set[str]) -> None:
    kind = [{"code": "Reference", "targetProfile": [TYPES + "Patient"], "aggregation": ways}]
    made = validator(tmp_path, structure("p", "Observation", element("Observation.subject", type=kind)))
    contained = [{"resourceType": "Patient", "id": "x"}]
    found = set()
    for way, reference in (("contained", "#x"), ("bundled", "Patient/1"), ("referenced", "Patient/2")):
        resource = observation(subject={"reference": reference}, meta={"profile": [URL]})
        resource |= {"contained": contained} if way == "contained" else {}
        entries = [
            {"fullUrl": "http://a.org/Observation/1", "resource": resource},
            {"fullUrl": "http://a.org/Patient/1", "resource": patient(id="1")},
        ]
        if errors(made.check({"resourceType": "Bundle", "type": "collection", "entry": entries})) == [
            ("aggregation", "Bundle.entry[0].resource.subject.reference")
        ]:
            found.add(way)
    assert found == refused
    assert errors(made.check(observation(subject={"display": "who"}), [URL])) == []
