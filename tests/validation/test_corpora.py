"""Official examples are accepted, but for faults that the specification itself finds in them."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver import jsontext
from tests import corpus
from tests.validation.samples import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.validation import Validator

pytestmark = pytest.mark.no_cover

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
            "urn-form",
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
