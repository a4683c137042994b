"""Whatever a chain or `_has` asks for, the store finds what reading every resource finds, hidden ones left out."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from pymongo import MongoClient

from fhirserver.access import Access
from fhirserver.predicate import In, Predicate, negate
from fhirserver.search import parse
from fhirserver.store import joins
from fhirserver.store.collections import Collections
from fhirserver.store.view import View
from tests.search import joining, naive, stored
from tests.search.test_naive import NOW, PARIS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo.database import Database

    from fhirserver.search import Indexer
    from fhirserver.spec import Definitions

pytestmark = pytest.mark.no_cover


class Hiding:
    """Rules that hide some ids."""

    def __init__(self, hidden: tuple[str, ...]) -> None:
        self.hidden = hidden

    def predicate(self, *_: Any) -> Predicate:
        return negate(In("_id", self.hidden))


@pytest.fixture(scope="module")
def database(embedded_uri: str) -> Iterator[Database[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](embedded_uri, retryWrites=False) as client:
        yield client.get_database("search-joins", codec_options=stored.OPTIONS)
        client.drop_database("search-joins")


def compare(random: Random, defs: Definitions, indexer: Indexer, database: Database[dict[str, Any]]) -> None:
    world = joining.worlds(random)
    for kind, listed in world.items():
        database[kind].delete_many({})
        database[kind].insert_many([stored.envelope(indexer, each) | {"r": b"{}"} for each in listed])
    hidden = tuple(random.sample(["p0", "p1", "r1", "r2", "r3"], random.randint(0, 2)))
    collections = Collections(database, defs.resource_types, defs.compartment("Patient"), 60)
    view = View(collections, Hiding(hidden), Access.system("test", NOW))
    seen = {kind: [each for each in listed if each["id"] not in hidden] for kind, listed in world.items()}
    reader = joining.Joining(PARIS, NOW, seen)
    for _ in range(6):
        kind = random.choice(list(world))
        params = joining.query(random, kind)
        expected = {each["id"] for each in seen[kind] if all(reader.matches(each, *param) for param in params)}
        query = parse(defs, kind, params, timezone=PARIS, base_url=naive.BASE, now=NOW)
        for few in (500, 0):
            joins.FEW = few  # type: ignore[misc]
            found = {each.id for each in view.search(query).matches}
            if found != expected:
                note(f"{kind}?{params} hidden {hidden} few {few}\n{world}")
            assert found == expected
            assert view.count(query) == len(expected)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joins, "FEW", joins.FEW)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_joins_find_what_reading_finds(
    seed: int, defs: Definitions, indexer: Indexer, database: Database[dict[str, Any]]
) -> None:
    compare(Random(seed), defs, indexer, database)


@pytest.mark.long
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_joins_find_what_reading_finds_thousands_of_times(
    seed: int, defs: Definitions, indexer: Indexer, database: Database[dict[str, Any]]
) -> None:
    compare(Random(seed), defs, indexer, database)
