"""The invariants carried out in Python decide as their published expressions do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhirserver.spec import Definitions
from fhirserver.validation import natives
from fhirserver.validation.context import Context
from tests.validation.test_corpora import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import DrawFn

    from fhirserver.validation import Validator

pytestmark = pytest.mark.no_cover


CORE = Definitions.core()
SIMPLE = "http://hl7.org/fhir/StructureDefinition/SimpleQuantity"
CONDITION = "http://terminology.hl7.org/CodeSystem/condition-"
CODINGS = st.fixed_dictionaries(
    {},
    optional={
        "system": st.sampled_from([CONDITION + "clinical", CONDITION + "ver-status"]),
        "code": st.sampled_from(["resolved", "active", "entered-in-error"]),
    },
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "code": st.sampled_from(["home", "work"]),
    "string": st.sampled_from(["x", "y", "aName", "X", ".", " :/\v", "a.b", "é"]),
    "boolean": st.booleans(),
    "decimal": st.integers(-1, 1),
    "positiveInt": st.just(1),
    "unsignedInt": st.just(1),
    "integer": st.integers(-1, 1),
    "CodeableConcept": st.fixed_dictionaries({"coding": st.lists(CODINGS, min_size=1, max_size=2)}),
    "dateTime": st.just("2020"),
    "time": st.just("10:00:00"),
    "uri": st.just("urn:a"),
    "url": st.just("http://a.org"),
    "base64Binary": st.just("AAEC"),
    "Narrative": st.fixed_dictionaries({"status": st.just("empty")}, optional={"div": st.just("<div/>")}),
    "Reference": st.sampled_from([{"reference": "#a"}, {"reference": "Patient/a"}]),
    "Resource": st.fixed_dictionaries(
        {"resourceType": st.just("Basic"), "id": st.sampled_from(["a", "b"])},
        optional={
            "meta": st.sampled_from([{"versionId": "1"}, {"security": [{"code": "R"}]}, {"source": "urn:a"}]),
            "contained": st.just([{"resourceType": "Basic"}]),
            "subject": st.just({"reference": "#"}),
        },
    ),
    "Observation.component": st.fixed_dictionaries(
        {"code": st.fixed_dictionaries({"coding": st.lists(CODINGS, min_size=1, max_size=1)})}
    ),
}


@pytest.mark.corpus("examples-r4")
def test_native_invariants_decide_as_their_expressions_do() -> None:
    """On every object of every example, whole and with a member left out."""
    judged = 0
    for name, resource in examples():
        if len(json.dumps(resource, default=str)) > 40_000:
            continue
        for kind, value in _objects(resource["resourceType"], resource):
            for expression in PLACES.get(kind, ()):
                for each in (value, *_without_one(value)):
                    judged += 1
                    assert _native(expression, each, resource) is _evaluated(expression, kind, each, resource), (
                        name,
                        expression,
                        each,
                    )
    assert judged > 10_000


@st.composite
def judged(draw: DrawFn) -> tuple[str, str, dict[str, Any]]:
    """A type, a native expression of it, and an object of the type with a few of its members."""
    kind = draw(st.sampled_from(sorted(PLACES)))
    expression = draw(st.sampled_from(PLACES[kind]))
    definition = CORE.type(kind)
    value: dict[str, Any] = {"resourceType": kind} if definition.kind == "resource" else {}
    listed = [member for member in definition.properties.values() if member.type in VALUES or "." not in member.type]
    named = [member for member in listed if member.element in expression] or listed
    for member in draw(st.lists(st.sampled_from(named), max_size=4)) + draw(
        st.lists(st.sampled_from(listed), max_size=2)
    ):
        one = draw(VALUES.get(member.type, st.just({"id": "x"})))
        value[member.name] = [one] if member.array else one
    return kind, expression, value


@given(judged())
@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
def test_native_invariants_decide_as_their_expressions_do_on_made_objects(
    case: tuple[str, str, dict[str, Any]],
) -> None:
    kind, expression, value = case
    holder = value if "resourceType" in value else {"resourceType": "Basic"}
    assert _native(expression, value, holder) is _evaluated(expression, kind, value, holder)


@pytest.mark.parametrize(("text", "holds"), [("*", True), ("0", True), ("12", True), ("x", False), ("-1", False)])
def test_a_maximum_is_a_number_or_a_star(text: str, holds: bool) -> None:
    (expression,) = natives.TEXTS
    assert natives.NATIVE[expression](text, Context({})) is holds


def _places() -> dict[str, list[str]]:
    """The types on which each native expression is published."""
    found: dict[str, list[str]] = {}
    for name in (
        *CORE.resource_types,
        "Quantity",
        SIMPLE,
        "ContactPoint",
        "Attachment",
        "Timing",
        "ElementDefinition",
        "Expression",
    ):
        structure = CORE.structure(name)
        assert structure is not None
        for element in structure["snapshot"]["element"]:
            for constraint in element.get("constraint", ()):
                if (text := constraint.get("expression")) in natives.NATIVE and text not in natives.TEXTS:
                    found.setdefault(_kind(element["path"]), []).append(text)
    return found


def _kind(path: str) -> str:
    """The type at a path: the path itself for a type or backbone, else that of the element."""
    owner, _, name = path.rpartition(".")
    kind = CORE.type(owner).properties[name].type if owner else path
    return path if kind.startswith(owner) and owner else kind


def _objects(kind: str, value: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield kind, value
    for key, item in value.items():
        member = CORE.type(kind).properties.get(key)
        for each in item if isinstance(item, list) else [item]:
            if member is not None and isinstance(each, dict):
                inner = each["resourceType"] if member.type == "Resource" else member.type
                yield from _objects(inner, each)


def _without_one(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for key in list(value)[:6]:
        if key != "resourceType":
            yield {name: item for name, item in value.items() if name != key}


def _native(expression: str, value: dict[str, Any], resource: dict[str, Any]) -> bool:
    holder = value if "resourceType" in value else resource
    return natives.NATIVE[expression](value, Context(holder))


def _evaluated(expression: str, kind: str, value: dict[str, Any], resource: dict[str, Any]) -> bool:
    from fhirserver.fhirpath import compile  # noqa: A004 the room's own word

    holder = value if "resourceType" in value else resource
    return compile(expression, kind, CORE).test(value, resource=holder) is not False


PLACES = _places()


def condition(clinical: str | None, verification: str, **more: str) -> dict[str, Any]:
    """A Condition by the codes of its two statuses."""
    statuses: dict[str, Any] = {
        "verificationStatus": {"coding": [{"system": CONDITION + "ver-status", "code": verification}]}
    }
    if clinical:
        statuses["clinicalStatus"] = {"coding": [{"system": CONDITION + "clinical", "code": clinical}]}
    return {"resourceType": "Condition", "subject": {"reference": "Patient/1"}, **statuses, **more}


def timed(**repeat: Any) -> dict[str, Any]:
    """A MedicationStatement that says when."""
    return {
        "resourceType": "MedicationStatement",
        "status": "active",
        "medicationCodeableConcept": {"text": "x"},
        "subject": {"reference": "Patient/1"},
        "dosage": [{"timing": {"repeat": repeat}}],
    }


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (condition("resolved", "confirmed", abatementDateTime="2020"), []),
        (condition("active", "confirmed", abatementDateTime="2020"), ["con-4"]),
        (condition("active", "entered-in-error"), ["con-5"]),
        (condition(None, "entered-in-error"), []),
        (timed(period=1, periodUnit="d"), []),
        (timed(period=-1, periodUnit="d"), ["tim-5"]),
        (timed(duration=-1, durationUnit="d"), ["tim-4"]),
        (timed(period=1), ["tim-2"]),
        (timed(when=["MORN"], timeOfDay=["10:00:00"]), ["tim-10"]),
    ],
)
def test_native_invariants_at_work(core: Validator, resource: dict[str, Any], expected: list[str]) -> None:
    assert [issue.rule for issue in core.check(resource) if issue.is_error] == expected


def test_every_native_expression_is_published() -> None:
    """One that is misspelt would never be used."""
    published: set[str] = set()
    for package in CORE.packages:
        for entry in package.entries("StructureDefinition"):
            plain = entry.derivation != "constraint" or entry.url == SIMPLE
            if plain and entry.url and (structure := CORE.structure(entry.url)):
                rules = [rule for each in structure["snapshot"]["element"] for rule in each.get("constraint", ())]
                published |= {str(rule.get("expression")) for rule in rules}
    assert set(natives.NATIVE) <= published
