from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from fhirserver import fhirpath
from fhirserver.fhirpath import Env, FhirPathError, Typed
from fhirserver.spec import Definitions
from tests.fhirpath.answers import PATIENT, plain


def test_a_contained_resource_is_resolved_within_its_container() -> None:
    assert plain("managingOrganization.resolve().name") == ["Centre"]
    assert plain("generalPractitioner.resolve().ofType(Practitioner).name.family") == ["Durand"]
    contained = {
        "resourceType": "Organization",
        "id": "o2",
        "partOf": {"reference": "#o1"},
        "endpoint": [{"reference": "#"}],
    }
    expression = fhirpath.compile("partOf.resolve().name | endpoint.resolve().id", "Organization")
    assert [item.value for item in expression.typed(contained, root=PATIENT)] == ["Centre", "p1"]


def test_a_reference_out_of_reach_resolves_to_nothing() -> None:
    assert plain("link.other.resolve()") == []
    assert plain("'#none'.resolve() | 7.resolve() | name.resolve()") == []


def test_the_environment_resolves_the_rest() -> None:
    asked: list[str] = []

    def resolve(reference: str) -> dict[str, Any] | None:
        asked.append(reference)
        return {"resourceType": "Patient", "id": "2", "gender": "male"}

    assert plain("link.other.resolve().gender", env=Env(resolve=resolve)) == ["male"]
    assert asked == ["Patient/2"]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ({"reference": "Patient/1"}, [True]),
        ({"reference": "Patient/1/_history/2"}, [True]),
        ({"reference": "https://fhir.example.org/base/Patient/1"}, [True]),
        ({"reference": "Group/1"}, [False]),
        ({"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "type": "Patient"}, [True]),
        ({"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"}, []),
        ({"identifier": {"value": "x"}, "type": "Patient"}, [True]),
        ({"reference": "#p"}, [True]),
        ({"reference": "#x"}, []),
        ({"reference": "Nonsense/1"}, []),
        ({"display": "x"}, []),
    ],
)
def test_the_type_of_a_target_is_known_from_its_reference(reference: dict[str, Any], expected: list[bool]) -> None:
    node = {"resourceType": "Observation", "contained": [{"resourceType": "Patient", "id": "p"}], "subject": reference}
    assert plain("subject.resolve() is Patient", node, "Observation") == expected
    assert plain("subject.resolve().is(Patient)", node, "Observation") == expected
    found = plain("Observation.subject.where(resolve() is Patient)", node, "Observation")
    assert found == ([reference] if expected == [True] else [])


def test_now_is_one_moment_of_the_environment() -> None:
    moment = datetime(2024, 2, 29, 23, 30, 5, 7000, timezone(timedelta(hours=-1)))
    env = Env(now=moment)
    assert plain("now() | today() | timeOfDay()", env=env) == [
        "2024-02-29T23:30:05.007-01:00", "2024-02-29", "23:30:05.007",
    ]  # fmt: skip
    assert plain("now() = now()") == [True]


def test_variables_are_values_elements_or_lists_of_them() -> None:
    node = {"a": [{"b": 7}]}
    env = Env(variables={"one": 1, "list": ["a", "b"], "node": node, "item": Typed("code", "x"), "bad": 1.5})
    assert plain("%one + 1 | %list | %node.a.b | %item", env=env) == [2, "a", "b", 7, "x"]
    with pytest.raises(FhirPathError, match="no FHIRPath value"):
        plain("%bad", env=env)


def test_terminology_and_profiles_are_asked_of_the_environment() -> None:
    env = Env(
        member_of=lambda value_set, value: value == "female" if value_set == "urn:vs" else None,
        conforms_to=lambda profile, _node: True if profile == "urn:profile" else None,
    )
    assert plain("gender.memberOf('urn:vs')", env=env) == [True]
    assert plain("gender.memberOf('urn:other')", env=env) == []
    assert plain("birthDate.memberOf({}) | photo.memberOf('urn:vs')", env=env) == []
    assert plain("'female'.memberOf('urn:vs')", env=env) == [True]
    assert plain("conformsTo('urn:profile')", env=env) == [True]
    assert plain("conformsTo('urn:other')", env=env) == []
    assert plain("conformsTo('http://hl7.org/fhir/StructureDefinition/DomainResource')") == [True]
    assert plain("{}.conformsTo('urn:profile') | 1.conformsTo('urn:profile')", env=env) == []
    with pytest.raises(FhirPathError):
        fhirpath.compile("conformsTo('urn:other')", "Patient", strict=True)(PATIENT, env=env)


def test_trace_shows_what_passes() -> None:
    seen: list[tuple[str, list[Any]]] = []
    env = Env(trace=lambda name, items: seen.append((name, items)))
    assert plain("name.trace('n', family).use", env=env) == ["official", "usual"]
    assert plain("gender.trace('g')", env=env) == ["female"]
    assert seen == [("n", ["Martin"]), ("g", ["female"])]


def test_a_caller_may_bring_functions() -> None:
    def shout(items: list[Typed], mark: list[Typed]) -> list[Any]:
        return [str(item.value) + str(mark[0].value) for item in items]

    expression = fhirpath.compile("gender.shout('!')", "Patient", functions={"shout": shout})
    assert expression(PATIENT) == ["female!"]
    with pytest.raises(FhirPathError):
        fhirpath.compile("gender.shout('!')", "Patient")


def test_an_invariant_is_true_false_or_silent() -> None:
    assert fhirpath.compile("family.exists()", "HumanName").test({"family": "x"}) is True
    assert fhirpath.compile("family.exists()", "HumanName").test({}) is False
    assert fhirpath.compile("family.matches('[A-Z].*')", "HumanName").test({}) is None
    rule = fhirpath.compile("%resource.gender = 'female' and use = 'usual'", "HumanName")
    assert rule.test(PATIENT["name"][1], resource=PATIENT) is True


def test_compiled_expressions_are_kept() -> None:
    assert fhirpath.compile("name", "Patient") is fhirpath.compile("name", "Patient", Definitions.core())
    assert fhirpath.compile("name", "Patient") is not fhirpath.compile("name", "Practitioner")
    assert fhirpath.compile("name", "Patient") is not fhirpath.compile("name", "Patient", lenient_as=False)
    assert "name" in repr(fhirpath.compile("name", "Patient"))
