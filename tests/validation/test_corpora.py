"""Official examples are accepted, but for faults that the specification itself finds in them."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver import jsontext
from fhirserver.validation import natives
from fhirserver.validation.context import Context
from tests import corpus
from tests.validation.samples import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.validation import Validator

EXPLAINED: dict[str, dict[tuple[str, str], str]] = {
    "ActivityDefinition-blood-tubes-supply.json": {
        ("txt-2", "ActivityDefinition.text.div"): "the narrative holds white space only",
    },
    "Basic-referral.json": {
        (
            "modifier-unknown",
            f"Basic.modifierExtension[{index}]",
        ): "nobody knows these modifier extensions, which the example itself calls do-not-use"
        for index in range(3)
    },
    "Bundle-10bb101f-a121-4264-a920-67be9cb82c74.json": {
        ("full-url", "Bundle.entry[2].fullUrl"): "fullUrl ends in pat12, the resource's id is pat2",
    },
    "DeviceUseStatement-example.json": {
        (
            "reference-target",
            "DeviceUseStatement.reasonReference[0].reference",
        ): "the element may not lead to a Procedure",
    },
    "ImplementationGuide-fhir.json": {
        ("min", "ImplementationGuide.name"): "required",
        ("min", "ImplementationGuide.status"): "required",
        (
            "reference-format",
            "ImplementationGuide.manifest.resource[11904].reference.reference",
        ): "an id of 70 characters, where 64 are allowed",
    },
    "Library-zika-virus-intervention-logic.json": {
        (
            "format",
            f"Library.dataRequirement[{index}].codeFilter[0].valueSet",
        ): "urn:oid:X.Y.Z is no object identifier"
        for index in range(2)
    },
}
"""Faults of the official examples: file, rule and place, why the specification justifies it."""


def examples() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(corpus.path("examples-r4").glob("*.json")):
        yield path.name, jsontext.parse_object(path.read_bytes())


@pytest.mark.corpus("examples-r4")
def test_every_official_example_is_valid_but_for_explained_faults(core: Validator) -> None:
    found = {name: set(errors(core.check(resource))) for name, resource in examples()}
    assert len(found) == 309
    assert {name: faults for name, faults in found.items() if faults} == {
        name: set(faults) for name, faults in EXPLAINED.items()
    }


@pytest.mark.corpus("examples-r4")
def test_no_invariant_fails_to_evaluate_on_the_official_examples(core: Validator) -> None:
    codes = {issue.code for _, resource in examples() for issue in core.check(resource)}
    assert "exception" not in codes


@pytest.mark.corpus("synthea")
def test_synthea_bundles_have_no_error(core: Validator) -> None:
    paths = sorted(corpus.path("synthea").glob("*.json.gz"))[:10]
    assert len(paths) == 10
    for path in paths:
        resource = jsontext.parse_object(gzip.decompress(path.read_bytes()))
        assert errors(core.check(resource)) == [], path.name


@pytest.mark.corpus("examples-r4")
def test_native_invariants_decide_as_their_expressions_do(core: Validator) -> None:
    """On every object of every example, whole and with a member left out."""
    judged = 0
    bound = _places(core)
    for name, resource in examples():
        if len(json.dumps(resource, default=str)) > 40_000:
            continue
        for kind, value in _objects(core, resource["resourceType"], resource):
            for expression in bound.get(kind, ()):
                for each in (value, *_without_one(value)):
                    judged += 1
                    assert _native(expression, each, resource) is _evaluated(core, expression, kind, each, resource), (
                        name,
                        expression,
                        each,
                    )
    assert judged > 10_000


def _places(core: Validator) -> dict[str, list[str]]:
    """The types on which each native expression is published."""
    found: dict[str, list[str]] = {}
    for name in (*core.definitions.resource_types, "Period", "Quantity", "ContactPoint", "Attachment", "Timing"):
        structure = core.definitions.structure(name)
        assert structure is not None
        for element in structure["snapshot"]["element"]:
            for constraint in element.get("constraint", ()):
                if (text := constraint.get("expression")) in natives.NATIVE and text not in natives.TEXTS:
                    found.setdefault(element["path"], []).append(text)
    return found


def _objects(core: Validator, kind: str, value: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield kind, value
    for key, item in value.items():
        member = core.definitions.type(kind).properties.get(key)
        for each in item if isinstance(item, list) else [item]:
            if member is not None and isinstance(each, dict):
                inner = each["resourceType"] if member.type == "Resource" else member.type
                yield from _objects(core, inner, each)


def _without_one(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for key in list(value)[:6]:
        if key != "resourceType":
            yield {name: item for name, item in value.items() if name != key}


def _native(expression: str, value: dict[str, Any], resource: dict[str, Any]) -> bool:
    holder = value if "resourceType" in value else resource
    return natives.NATIVE[expression](value, Context(holder))


def _evaluated(core: Validator, expression: str, kind: str, value: dict[str, Any], resource: dict[str, Any]) -> bool:
    from fhirserver.fhirpath import compile  # noqa: A004 the room's own word

    holder = value if "resourceType" in value else resource
    return compile(expression, kind, core.definitions).test(value, resource=holder) is not False
