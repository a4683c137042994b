"""The embedded database's form of long lists finds what MongoDB's form finds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

from fhirserver.predicate import And, Eq, Exists, In, Not, Or, Predicate, matches, to_mongo
from fhirserver.store import planner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo.collection import Collection

LONG = tuple(f"p.{number}" for number in range(20))
ROWS: list[dict[str, Any]] = [
    {"_id": 0, "pat": "p.1", "n": 1},
    {"_id": 1, "pat": "p.30", "n": 1},
    {"_id": 2, "n": 1},
    {"_id": 3, "pat": "", "n": 2},
    {"_id": 4, "pat": "p", "doc": {"pat": "p.2"}},
    {"_id": 5, "pat": "p.19", "doc": {"pat": "p.44"}},
    {"_id": 6, "doc": {}},
]


@pytest.fixture
def rows(embedded_uri: str, database_name: str) -> Iterator[Collection[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](embedded_uri) as client:
        collection = client[database_name]["rows"]
        collection.insert_many([dict(row) for row in ROWS])
        yield collection


@pytest.mark.parametrize(
    "predicate",
    [
        In("pat", LONG),
        Not(In("pat", LONG)),
        In("doc.pat", LONG),
        And((In("pat", LONG), Not(In("doc.pat", LONG)))),
        Or((And((Eq("n", 2), Exists("pat"))), And((In("pat", LONG), Eq("n", 1))))),
        In("pat", LONG[:2]),
    ],
)
def test_both_forms_find_the_same(rows: Collection[dict[str, Any]], predicate: Predicate) -> None:
    expected = [row["_id"] for row in ROWS if matches(predicate, row)]
    stages = [{"$match": to_mongo(predicate)}, {"$sort": {"_id": 1}}]
    for form in (stages, planner.for_embedded(stages)):
        assert [row["_id"] for row in rows.aggregate(form)] == expected


def test_a_filter_of_several_fields_keeps_them_all() -> None:
    (stage,) = planner.for_embedded([{"$match": {"pat": {"$in": list(LONG)}, "t": "a"}}])
    assert list(stage["$match"]) == ["$expr", "t"]
    both = {"pat": {"$in": list(LONG)}, "doc.pat": {"$in": list(LONG)}}
    (stage,) = planner.for_embedded([{"$match": both}])
    assert [list(each) for each in stage["$match"]["$and"]] == [["$expr"], ["$expr"]]


def test_what_is_short_or_no_text_stays_as_it_is() -> None:
    stages: list[dict[str, Any]] = [
        {"$match": {"pat": {"$in": ["a"]}}},
        {"$match": {"t": {"$in": list(LONG)}}},
        {"$limit": 3},
    ]
    assert planner.for_embedded(stages) == stages


def test_a_list_of_thousands_costs_a_document_little(rows: Collection[dict[str, Any]]) -> None:
    assert planner.is_embedded(rows.database)
    rows.insert_many([{"_id": number, "pat": f"x{number}"} for number in range(100, 400)])
    stages = [{"$match": to_mongo(In("pat", tuple(f"p{number}" for number in range(3000))))}]

    def best(form: list[dict[str, Any]]) -> float:
        times = []
        for _ in range(3):
            began = time.perf_counter()
            assert not rows.aggregate(form).to_list()
            times.append(time.perf_counter() - began)
        return min(times)

    assert best(planner.for_embedded(stages)) < best(stages) / 4
