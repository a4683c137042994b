from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver import fhirpath, jsontext
from fhirserver.search import paths
from fhirserver.search.parameters import ENVELOPE, Catalogue
from tests import corpus

if TYPE_CHECKING:
    from fhirserver.search import Indexer
    from fhirserver.spec import Definitions


@pytest.mark.parametrize(
    ("expression", "members"),
    [
        ("Observation.component.code", ["component.code"]),
        ("(Observation.value as Quantity)", ["valueQuantity"]),
        ("Observation.value.as(Quantity)", ["valueQuantity"]),
        ("(Observation.value as CodeableConcept).text", ["valueCodeableConcept.text"]),
        ("Observation.subject.where(resolve() is Patient)", ["subject"]),
        ("Observation.effective", ["effectiveDateTime", "effectivePeriod", "effectiveTiming", "effectiveInstant"]),
        ("Resource.meta.tag", ["meta.tag"]),
    ],
)
def test_a_plain_path_is_a_walk(defs: Definitions, expression: str, members: list[str]) -> None:
    steps = paths.steps(expression)
    assert steps is not None
    leaves = paths.resolve(defs, "Observation", steps)
    assert [".".join(leaf.path) for leaf in leaves or ()] == members


@pytest.mark.parametrize(
    "expression",
    [
        "Patient.telecom.where(system='email')",
        "Bundle.entry[0].resource",
        "Patient.extension('x')",
        "a | b",
        "%resource.x",
    ],
)
def test_more_than_a_plain_path_is_left_to_fhirpath(expression: str) -> None:
    assert paths.steps(expression) is None


def test_a_name_that_the_type_does_not_have_is_no_walk(defs: Definitions) -> None:
    assert paths.resolve(defs, "Patient", paths.steps("Patient.shoe") or ()) is None


@pytest.mark.corpus("examples-r4")
def test_walking_finds_what_fhirpath_finds_in_every_example(defs: Definitions) -> None:
    catalogue = Catalogue(defs)
    compared = 0
    for file in sorted(corpus.path("examples-r4").glob("*.json")):
        resource = jsontext.parse_object(file.read_bytes())
        its = resource["resourceType"]
        for code, parameter in catalogue.of(its).offered.items():
            expression = defs.search_parameters(its)[code].expression
            if (
                code in ENVELOPE
                or not expression
                or "resolve()" in expression
                or any(part.evaluate for part in parameter.parts)
            ):
                continue
            walked = [
                value for part in parameter.parts for slot in part.slots for value in paths.walk(resource, slot.path)
            ]
            evaluated = fhirpath.compile(expression, base=its, defs=defs, lenient_as=True).typed(resource)
            distinct = list({repr(item.value): item.value for item in evaluated if item.value is not None}.values())
            assert sorted(map(repr, {repr(v): v for v in walked}.values())) == sorted(map(repr, distinct)), (
                file.name,
                code,
            )
            compared += bool(walked)
    assert compared > 2000


@pytest.mark.corpus("examples-r4")
def test_every_example_is_indexed(indexer: Indexer) -> None:
    sizes = []
    for file in sorted(corpus.path("examples-r4").glob("*.json")):
        found = indexer.index(jsontext.parse_object(file.read_bytes()))
        assert len(set(found.t)) == len(found.t)
        for keys in found.s.values():
            assert keys["lo"] <= keys["hi"]
        for rows in found.d.values():
            for row in rows:
                assert "lo" not in row or row["lo"] <= row["hi"]
        sizes.append(len(found.t))
    assert len(sizes) > 250
    assert sorted(sizes)[len(sizes) // 2] < 30
