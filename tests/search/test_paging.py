"""Pages laid end to end are all matches, each once, in order; on a real database."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

from fhirserver import predicate
from fhirserver.predicate import Eq
from fhirserver.search import parse, pipeline
from tests.search import generate, naive, stored
from tests.search.test_naive import NOW, PARIS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo.collection import Collection

    from fhirserver.search import Indexer, Query
    from fhirserver.spec import Definitions

pytestmark = pytest.mark.no_cover

Document = dict[str, Any]
KINDS = list(generate.RESOURCES)
SORTS = [
    "", "_id", "-_id", "_lastUpdated", "-_lastUpdated", "-_lastUpdated,-_id", "date", "-date", "value-quantity",
    "-value-quantity", "status,-date", "code,-value-string,subject", "-patient,value-date,-_id",
    "category,_lastUpdated", "combo-value-quantity,-code",
]  # fmt: skip


@pytest.fixture(scope="module")
def resources() -> dict[str, list[Document]]:
    random = Random(20240331)
    return {kind: generate.resources(random, kind, 40) for kind in KINDS}


@pytest.fixture(scope="module")
def collections(
    embedded_uri: str, indexer: Indexer, resources: dict[str, list[Document]]
) -> Iterator[dict[str, Collection[Document]]]:
    with MongoClient[Document](embedded_uri, retryWrites=False) as client:
        database = client.get_database("search-paging", codec_options=stored.OPTIONS)
        for kind, listed in resources.items():
            database[kind].create_index([("pat", 1), ("t", 1), ("_id", 1)])
            database[kind].create_index([("t", 1), ("_id", 1)])
            database[kind].insert_many([stored.envelope(indexer, resource) for resource in listed])
        yield {kind: database[kind] for kind in resources}
        client.drop_database("search-paging")


def walk(
    query: Query, collection: Collection[Document], access: predicate.Predicate = predicate.TRUE
) -> list[Document]:
    """All pages of a query, the position of each carried to the next as JSON, as a link would."""
    rows: list[Document] = []
    after: Any = None
    while True:
        found = list(collection.aggregate(pipeline.page(query, access, after)))
        assert len(found) <= query.count + 1
        assert len(rows) <= 1000, "pages without end"
        rows += found[: query.count]
        if len(found) <= query.count:
            return rows
        after = json.loads(json.dumps(pipeline.position(query, rows[-1])))


def counted(query: Query, collection: Collection[Document], access: predicate.Predicate = predicate.TRUE) -> int:
    return sum(row["n"] for row in collection.aggregate(pipeline.count(query, access)))


def value(document: Any, field: str) -> Any:
    for step in field.split("."):
        document = document.get(step) if isinstance(document, dict) else None
    return document


def expected_order(query: Query, documents: list[Document]) -> list[str]:
    """Sorted key by key, the last first: what lacks a key goes last. A reversed sort keeps the order of equals."""
    ordered = sorted(documents, key=lambda document: str(document["_id"]))
    for key in reversed(query.sort):
        here = [document for document in ordered if value(document, key.field) is not None]
        here.sort(key=lambda document: value(document, key.field), reverse=key.descending)
        ordered = here + [document for document in ordered if value(document, key.field) is None]
    return [document["_id"] for document in ordered]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("count", [1, 7, 1000])
def test_pages_hold_every_match_once_in_order(
    defs: Definitions,
    indexer: Indexer,
    collections: dict[str, Collection[Document]],
    resources: dict[str, list[Document]],
    sort: str,
    count: int,
) -> None:
    params = [("_count", str(count)), ("status:not", "entered-in-error"), *([("_sort", sort)] if sort else [])]
    query = parse(defs, "Observation", params)
    documents = [stored.envelope(indexer, resource) for resource in resources["Observation"]]
    assert [row["_id"] for row in walk(query, collections["Observation"])] == expected_order(query, documents)


@pytest.mark.parametrize("kind", KINDS)
def test_the_database_finds_what_reading_finds(
    defs: Definitions, collections: dict[str, Collection[Document]], resources: dict[str, list[Document]], kind: str
) -> None:
    random, reader = Random(f"queries of {kind}"), naive.Naive(PARIS, NOW)
    for _ in range(75):
        params = generate.query(random, kind)
        query = parse(defs, kind, params, timezone=PARIS, base_url=naive.BASE, now=NOW)
        expected = {each["id"] for each in resources[kind] if all(reader.matches(each, *param) for param in params)}
        rows = [row["_id"] for row in walk(replace(query, count=15), collections[kind])]
        assert (sorted(rows), params) == (sorted(expected), params)
        assert counted(query, collections[kind]) == len(expected)


def test_access_narrows_pages_and_counts_alike(
    defs: Definitions, collections: dict[str, Collection[Document]], resources: dict[str, list[Document]]
) -> None:
    query = parse(defs, "Observation", [("_sort", "-date"), ("_count", "3")])
    access = Eq("pat", "p1")
    rows = walk(query, collections["Observation"], access)
    assert rows
    assert {row["pat"] for row in rows} == {"p1"}
    assert counted(query, collections["Observation"], access) == len(rows)


def test_access_to_nothing_finds_nothing(defs: Definitions, collections: dict[str, Collection[Document]]) -> None:
    query = parse(defs, "Observation", [("_count", "3")])
    assert walk(query, collections["Observation"], predicate.FALSE) == []
    assert counted(query, collections["Observation"], predicate.FALSE) == 0


def test_a_page_has_what_a_stored_resource_needs(defs: Definitions, embedded_uri: str) -> None:
    with MongoClient[Document](embedded_uri, retryWrites=False) as client:
        collection = client["search-projection"]["Patient"]
        now = datetime(2024, 1, 1, tzinfo=UTC)
        collection.insert_one(
            {
                "_id": "a",
                "v": 2,
                "lu": now,
                "pat": "a",
                "t": ["x"],
                "d": {},
                "s": {},
                "acl": {"by": []},
                "r": b"{}",
                "z": True,
            }
        )
        found = list(collection.aggregate(pipeline.page(parse(defs, "Patient", []), predicate.TRUE)))
        client.drop_database("search-projection")
    assert found == [
        {"_id": "a", "v": 2, "lu": now.replace(tzinfo=None), "pat": "a", "acl": {"by": []}, "r": b"{}", "z": True}
    ]
