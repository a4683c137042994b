"""Whatever it is given, the validator answers with issues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.validation.samples import SAMPLES
from tests.validation.test_french import FRC, ins_patient, nss
from tests.validation.test_profiles import blood_pressure

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from fhirserver.validation import Validator

pytestmark = pytest.mark.no_cover

RESOURCES = [*(make() for make in SAMPLES.values()), ins_patient(), blood_pressure()]
RESOURCES.append(ins_patient() | {"identifier": [nss()], "meta": {"profile": [FRC + "fr-core-patient"]}})

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["#", "#o1", "Patient/1", "urn:uuid:1", "urn:oid:", "2020-02-30", "\x00", "http://a b", "|", "a|b|c"]
    ),
)
NAMES = st.sampled_from(
    [
        *(
            "extension",
            "url",
            "id",
            "reference",
            "resourceType",
            "contained",
            "valueString",
            "_given",
            "given",
            "coding",
        ),
        *("div", "type", "resource", "entry", "system", "code", "value", "meta", "profile", "fullUrl", "valueQuantity"),
    ]
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=4), inner, max_size=3)
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All paths to a member or item."""
    found: list[tuple[Any, ...]] = []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        found += [(*path, key), *places(item, (*path, key))]
    return found


PLACES = [places(resource) for resource in RESOURCES]


def changed(value: Any, path: tuple[Any, ...], new: Any, *, added: str | None) -> Any:
    """A copy with `new` at the path, or beside it under the name `added`."""
    if not path:
        return new
    key, rest = path[0], path[1:]
    if isinstance(value, list):
        return [changed(item, rest, new, added=added) if index == key else item for index, item in enumerate(value)]
    if not rest and added is not None:
        return {**value, added: new}
    return {name: changed(item, rest, new, added=added) if name == key else item for name, item in value.items()}


@st.composite
def mutants(draw: DrawFn) -> Any:
    number = draw(st.integers(0, len(RESOURCES) - 1))
    resource: Any = RESOURCES[number]
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(PLACES[number]))
        try:
            resource = changed(resource, path, draw(JSON), added=draw(st.none() | NAMES))
        except (AttributeError, TypeError):
            break
    return resource


@given(mutants())
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_mutated_resource_yields_issues_and_nothing_else(french: Validator, resource: Any) -> None:
    outcome = french.validate(resource if isinstance(resource, dict) else {})
    assert all(issue.severity in ("error", "warning", "information", "fatal") for issue in outcome.issues)
    assert all(issue.rule and issue.expression and issue.expression[0] for issue in outcome.issues)
    outcome.as_fhir()


@given(JSON)
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_json_yields_issues_and_nothing_else(french: Validator, value: Any) -> None:
    assert not french.validate(value if isinstance(value, dict) else {"resourceType": value}).ok


@given(st.binary(max_size=64))
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_bytes_yield_issues_and_nothing_else(french: Validator, body: bytes) -> None:
    assert not french.validate(body).ok


def test_deep_nesting_is_an_issue(core: Validator) -> None:
    value: dict[str, Any] = {"url": "http://a.org/e", "valueString": "x"}
    for _ in range(5000):
        value = {"url": "http://a.org/e", "extension": [value]}
    issues = core.check({"resourceType": "Patient", "extension": [value]})
    assert "depth" in {issue.rule for issue in issues}


def test_long_values_are_judged_in_linear_time(core: Validator) -> None:
    resource = SAMPLES["Patient"]()
    resource["photo"][0]["data"] = "AAEC" * 2_000_000
    resource["name"][0]["family"] = "a " * 500_000 + "b"
    resource["identifier"][0]["system"] = "urn:oid:1" + ".1" * 300_000
    resource["meta"]["tag"][0]["code"] = "a " * 300_000 + "b"
    assert core.validate(resource).ok


def test_a_flood_of_faults_is_cut_but_never_the_error_in_it(core: Validator) -> None:
    listed: list[Any] = [{"url": f"http://example.org/{number}", "valueString": "x"} for number in range(5000)]
    issues = core.check({"resourceType": "Patient", "extension": listed, "birthDate": "never"})
    assert len(issues) == 1001
    assert [issue.rule for issue in issues if issue.is_error] == ["format"]
    issues = core.check({"resourceType": "Patient"} | {f"unknown{number}": 1 for number in range(5000)})
    assert len(issues) == 2000


def test_numbers_beyond_print_are_refused(core: Validator) -> None:
    issues = core.check({"resourceType": "Patient", "multipleBirthInteger": 10**5000})
    assert "range" in {issue.rule for issue in issues}
