"""Filters find what reading every resource finds; those with chains, on a real database, with some of it hidden."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from fhirserver.access import Access
from fhirserver.search import parse
from fhirserver.store import joins
from fhirserver.store.collections import Collections
from fhirserver.store.view import View
from tests.search import filtering, generate, joining, naive, stored
from tests.search.test_joins_naive import Hiding, database, few
from tests.search.test_naive import NOW, PARIS

if TYPE_CHECKING:
    from pymongo.database import Database

    from fhirserver.search import Indexer
    from fhirserver.spec import Definitions

pytestmark = pytest.mark.no_cover

__all__ = ["database", "few"]


def compare(random: Random, defs: Definitions, indexer: Indexer, kind: str) -> None:
    resources = generate.resources(random, kind, 4)
    documents = [stored.envelope(indexer, resource) for resource in resources]
    reader = filtering.Filtered(PARIS, NOW, {})
    for _ in range(3):
        tree = filtering.tree(random, kind)
        text = filtering.written(random, tree)
        query = parse(defs, kind, [("_filter", text)], timezone=PARIS, base_url=naive.BASE, now=NOW)
        expected = {each["id"] for each in resources if reader.finds(each, tree)}
        if stored.found(query, documents) != expected:
            note(f"{text}\n{query.where}")
            note("\n".join(f"{one}\n   {other}" for one, other in zip(resources, documents, strict=True)))
        assert stored.found(query, documents) == expected


@pytest.mark.parametrize("kind", list(generate.RESOURCES))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_a_filter_finds_what_reading_finds(seed: int, defs: Definitions, indexer: Indexer, kind: str) -> None:
    compare(Random(seed), defs, indexer, kind)


@pytest.mark.long
@pytest.mark.parametrize("kind", list(generate.RESOURCES))
@settings(max_examples=800, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_a_filter_finds_what_reading_finds_thousands_of_times(
    seed: int, defs: Definitions, indexer: Indexer, kind: str
) -> None:
    compare(Random(seed), defs, indexer, kind)


def compare_joined(random: Random, defs: Definitions, indexer: Indexer, database: Database[dict[str, Any]]) -> None:
    world = joining.worlds(random)
    for kind, listed in world.items():
        database[kind].delete_many({})
        database[kind].insert_many([stored.envelope(indexer, each) | {"r": b"{}"} for each in listed])
    hidden = tuple(random.sample(["p0", "p1", "r1", "r2", "r3"], random.randint(0, 2)))
    collections = Collections(database, defs.resource_types, defs.compartment("Patient"), 60)
    view = View(collections, Hiding(hidden), Access.system("test", NOW))
    seen = {kind: [each for each in listed if each["id"] not in hidden] for kind, listed in world.items()}
    reader = filtering.Filtered(PARIS, NOW, seen)
    for _ in range(5):
        kind = random.choice(list(joining.REFERENCES))
        tree = filtering.chained(random, kind, filtering.tree(random, kind))
        params = [("_filter", filtering.written(random, tree)), *joining.query(random, kind)[: random.randint(0, 1)]]
        expected = {
            each["id"]
            for each in seen[kind]
            if reader.finds(each, tree) and all(reader.matches(each, *param) for param in params[1:])
        }
        query = parse(defs, kind, params, timezone=PARIS, base_url=naive.BASE, now=NOW)
        for limit in (500, 0):
            joins.FEW = limit  # type: ignore[misc]
            found = {each.id for each in view.search(query).matches}
            if found != expected:
                note(f"{kind}?{params} hidden {hidden} few {limit}\n{world}")
            assert found == expected
            assert view.count(query) == len(expected)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_a_filter_with_chains_finds_what_reading_finds(
    seed: int, defs: Definitions, indexer: Indexer, database: Database[dict[str, Any]]
) -> None:
    compare_joined(Random(seed), defs, indexer, database)


@pytest.mark.long
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_a_filter_with_chains_finds_what_reading_finds_thousands_of_times(
    seed: int, defs: Definitions, indexer: Indexer, database: Database[dict[str, Any]]
) -> None:
    compare_joined(Random(seed), defs, indexer, database)
