"""What was read of one resource is not read again of the next that says the same, and never says anything else."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from fhirserver.search import Indexer, index
from fhirserver.spec import Definitions

CODE = {"coding": [{"system": "http://loinc.org", "code": "718-7", "display": "Hémoglobine"}]}


def _observation(**members: Any) -> dict[str, Any]:
    said = {"status": "final", "code": CODE, "subject": {"reference": "Patient/1"}, "effectiveDateTime": "2026-01-02"}
    return {"resourceType": "Observation", "id": "a", **copy.deepcopy(said), **members}


SAID = [
    _observation(),
    _observation(status="amended"),
    _observation(subject={"reference": "Patient/2"}),
    _observation(category=[CODE], method=CODE),
    _observation(subject={"reference": "Group/1"}, performer=[{"reference": "Patient/1"}]),
    _observation(valueCodeableConcept=CODE),
    {"resourceType": "Condition", "id": "b", "code": CODE, "subject": {"reference": "Patient/1"}},
    {"resourceType": "Patient", "id": "1", "name": [{"family": "Leboeuf"}], "birthDate": "1950-01-02"},
]


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    return Definitions.french()


def test_entries_are_those_of_an_indexer_that_has_seen_nothing(definitions: Definitions) -> None:
    seasoned = Indexer(definitions)
    for resource in SAID * 2:
        assert seasoned.index(copy.deepcopy(resource)) == Indexer(definitions).index(copy.deepcopy(resource))


def test_what_is_remembered_is_bounded(definitions: Definitions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_RECENT", 3)
    seasoned = Indexer(definitions)
    for resource in SAID:
        seasoned.index(resource)
    assert len(seasoned._recent) <= 3


def test_the_same_value_of_two_parameters_keeps_the_name_of_each(definitions: Definitions) -> None:
    seasoned = Indexer(definitions)
    found = [seasoned.index(_observation(category=[CODE])).t for _ in range(2)]
    assert found[0] == found[1]
    assert {"code|http://loinc.org|718-7", "category|http://loinc.org|718-7"} <= {*found[1]}
