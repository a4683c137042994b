"""What a hostile expression or resource may cost."""

from __future__ import annotations

import contextlib
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhirserver import fhirpath
from fhirserver.fhirpath import Env, FhirPathError, patterns
from tests.fhirpath.answers import PATIENT, plain

pytestmark = pytest.mark.no_cover

WIDE: dict[str, Any] = {
    "resourceType": "Questionnaire",
    "item": [
        {"linkId": f"{i}", "item": [{"linkId": f"{i}.{j}", "text": "a" * 40} for j in range(20)]} for i in range(20)
    ],
}


def deep(levels: int) -> dict[str, Any]:
    node: dict[str, Any] = {"linkId": "x"}
    for _ in range(levels):
        node = {"linkId": "x", "item": [node]}
    return {"resourceType": "Questionnaire", "item": [node]}


@pytest.mark.parametrize(
    "text",
    [
        "%resource.descendants().where(" * 4 + "true" + ")" * 4,
        "descendants().select(%resource.descendants()).select(%resource.descendants())",
        "descendants().select(%resource.item.item.where(text.matches('b')).empty()).select(%resource.descendants())",
        "repeat(descendants().combine(descendants())).select(%resource.descendants()).count()",
        "descendants().aggregate($total.combine($total).combine($this))",
        "descendants().aggregate(iif($total.empty(), 'aaaaaaaa', $total + $total))",
        "descendants().aggregate(iif($total.empty(), 'aaaaaaaa', $total.replace('a', $total)))",
        "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'.matches('(a+)+\\\\1')",
        "descendants().select('" + "a" * 4000 + "'.replace('a', '" + "b" * 4000 + "'))",
        "descendants().aggregate(iif($total.empty(), 'abcd', $total.toChars().join($total)))",
        "descendants().aggregate(iif($total.empty(), 'abcd', $total & $total).substring(0))",
        "'" + "a" * 9000 + "'.replaceMatches('a', '" + "b" * 9000 + "')",
        "'" + "a" * 9000 + "'.replaceMatches('(.*)', '" + "$1" * 9000 + "')",
        "'a'" + ".encode('hex')" * 60,
        "item.item.text.combine(item.item.text).where(matches('(?=a)(a|a)*b'))",
    ],
)
def test_a_costly_expression_is_stopped(text: str) -> None:
    start = time.process_time()
    with pytest.raises(FhirPathError):
        fhirpath.compile(text, "Questionnaire").typed(WIDE, env=Env(seconds=1))
    assert time.process_time() - start < 60


def test_time_runs_out() -> None:
    with pytest.raises(FhirPathError, match="too long"):
        plain("descendants().select(%resource.descendants())", WIDE, "Questionnaire", env=Env(seconds=-1))
    with pytest.raises(FhirPathError, match="too many"):
        plain("descendants().select(linkId)", WIDE, "Questionnaire", env=Env(steps=100))


def test_deep_resources_are_no_trouble() -> None:
    node = deep(45)
    for text in (
        "descendants().linkId.count()",
        "repeat(item).count()",
        "descendants().distinct().count()",
        "item = item",
        "item ~ item",
        "(item | item.item).count()",
    ):
        assert plain(text, node, "Questionnaire")


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|a)*$", "(a|aa)+$", "a*a*a*a*a*a*b", "(.*)*x", "(?:a?){30}a{30}"],
)
def test_patterns_take_linear_time(pattern: str) -> None:
    start = time.process_time()
    patterns.found(pattern, "a" * 5000 + "!")
    assert time.process_time() - start < 20


@pytest.mark.parametrize("pattern", ["(?=a)(a+)+$", "(a)\\1*(b|c)+", "(?=x)a?a?a?a?", "(", "(?<n", "a" * 5000])
def test_patterns_that_might_not_are_refused(pattern: str) -> None:
    with pytest.raises(FhirPathError):
        patterns.found(pattern, "aaaa")


def test_long_texts_meet_only_linear_patterns() -> None:
    assert patterns.found("a(?!b)", "ac")
    with pytest.raises(FhirPathError):
        patterns.found("a(?!b)", "a" * 300)
    with pytest.raises(FhirPathError):
        patterns.found("a", "a" * 1_000_001)


NUMBERS = [Decimal("1E+999999"), Decimal("1E-999999"), Decimal("-9E+999999"), 10**4000, Decimal("NaN")]


@pytest.mark.parametrize(
    "text",
    """
    value.value + 1; value.value * value.value; value.value.round(2); value.value.toString(); value.value / 3
    value.value.power(9); value.value.exp(); value.value.lowBoundary(); value.value ~ 1; value * value; value + 1 'g'
    value ~ 1 'g'; value.value | 1; -value.value; value.value.abs(); value.value.floor(); value.value div 3
    value.value mod 3; value.value.toInteger(); value.value.precision(); @2020 + 99999999999999999999 years
    value.value.sqrt(); value.value.log(value.value); value < 1 'kg'; value = 1 'kg'; (value | 1 'g').count()
    """.strip()
    .replace("\n", ";")
    .split(";"),
)
@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_beyond_measure_are_refused_or_empty(text: str, number: Any) -> None:
    quantity = {"value": number, "code": "g", "system": "http://unitsofmeasure.org"}
    start = time.process_time()
    with contextlib.suppress(FhirPathError):
        plain(text, {"resourceType": "Observation", "valueQuantity": quantity}, "Observation")
    assert time.process_time() - start < 20


EXPRESSIONS = (
    "name.given", "name.where(use = 'official').family.first().length()", "multipleBirth", "descendants().count()",
    "contact.all(name.exists() or telecom.rank > 1)", "birthDate < today()", "managingOrganization.resolve().name",
    "generalPractitioner.where(resolve() is Organization)", "name.period.start <= name.period.end", "gender & 'x'",
    "name = name", "name ~ name", "(name | contact | link).isDistinct()", "birthDate.extension('x').value is Quantity",
    "link.other.reference.startsWith('Patient/')", "active and true", "iif(active, name, contact)",
    "text.`div`.htmlChecks()",
)  # fmt: skip

MEMBERS = st.sampled_from(["value", "use", "extension", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from([*PATIENT, "birthDate", "_gender", "text"]), JSON, max_size=5))
def test_no_resource_raises_anything_but_the_engines_own_error(changes: dict[str, Any]) -> None:
    node = {**PATIENT, **changes}
    for text in EXPRESSIONS:
        for base in ("Patient", None):
            try:
                fhirpath.compile(text, base).typed(node)
                fhirpath.compile(text, base).test(node)
            except FhirPathError:
                continue
