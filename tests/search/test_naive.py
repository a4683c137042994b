"""Whatever is searched for, the index finds what reading every resource finds."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from fhirserver.search import parse
from tests.search import generate, naive, stored

if TYPE_CHECKING:
    from fhirserver.search import Indexer
    from fhirserver.spec import Definitions

pytestmark = pytest.mark.no_cover

NOW = datetime(2025, 6, 1, tzinfo=UTC)
PARIS = "Europe/Paris"


def compare(random: Random, defs: Definitions, indexer: Indexer, kind: str) -> None:
    resources = generate.resources(random, kind, 4)
    documents = [stored.envelope(indexer, resource) for resource in resources]
    reader = naive.Naive(PARIS, NOW)
    for _ in range(3):
        params = generate.query(random, kind)
        query = parse(defs, kind, params, timezone=PARIS, base_url=naive.BASE, now=NOW)
        expected = {
            resource["id"] for resource in resources if all(reader.matches(resource, *param) for param in params)
        }
        if stored.found(query, documents) != expected:
            note(f"{params}\n{query.where}")
            note(
                "\n".join(f"{resource}\n   {document}" for resource, document in zip(resources, documents, strict=True))
            )
        assert stored.found(query, documents) == expected


@pytest.mark.parametrize("kind", list(generate.RESOURCES))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_the_index_finds_what_reading_finds(seed: int, defs: Definitions, indexer: Indexer, kind: str) -> None:
    compare(Random(seed), defs, indexer, kind)


@pytest.mark.long
@pytest.mark.parametrize("kind", list(generate.RESOURCES))
@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_the_index_finds_what_reading_finds_thousands_of_times(
    seed: int, defs: Definitions, indexer: Indexer, kind: str
) -> None:
    compare(Random(seed), defs, indexer, kind)
