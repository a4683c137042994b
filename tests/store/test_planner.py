"""The embedded database's form of long lists finds what MongoDB's form finds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
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


TERMS = (
    "a|b",
    "a|b\n",
    "a|bc",
    "A|b",
    ".",
    "$t",
    "$$each",
    "x.y",
    "x.*",
    "\\z",
    "",
    "é",
    "(",
    "[a]",
    "line\nline",
    "$",
)
FILLING = tuple(f"code|http://loinc.org|{number}-{number % 10}" for number in range(60))
"""More than one regular expression may hold."""
LISTS = st.lists(st.sampled_from(TERMS), max_size=4)
VALUES = st.builds(
    lambda some, more: tuple(dict.fromkeys((*some, *more))),
    st.lists(st.sampled_from(TERMS), min_size=1, max_size=5),
    st.sampled_from([(), FILLING]),
)
CONDITIONS: st.SearchStrategy[Predicate] = st.recursive(
    st.one_of(
        st.builds(In, st.sampled_from(["t", "doc.t"]), VALUES),
        st.builds(In, st.sampled_from(["pat", "_id"]), st.just(LONG)),
        st.builds(Eq, st.just("t"), st.sampled_from(TERMS)),
    ),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda items: And(tuple(items))),
        st.lists(inner, min_size=2, max_size=3).map(lambda items: Or(tuple(items))),
    ),
    max_leaves=5,
)
DOCUMENT = st.fixed_dictionaries(
    {"_id": st.sampled_from([f"p.{number}" for number in range(40)])},
    optional={"t": LISTS, "doc": st.fixed_dictionaries({}, optional={"t": LISTS}), "pat": st.sampled_from(LONG)},
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    condition=CONDITIONS,
    documents=st.lists(DOCUMENT, min_size=1, max_size=6, unique_by=lambda each: str(each["_id"])),
)
def test_lists_find_what_they_find_in_mongodb(
    rows: Collection[dict[str, Any]], condition: Predicate, documents: list[dict[str, Any]]
) -> None:
    rows.delete_many({})
    rows.insert_many(documents)
    expected = sorted(each["_id"] for each in documents if matches(condition, each))
    stages = [{"$match": {"_id": {"$gt": ""}}}, {"$match": to_mongo(condition)}]
    for form in (stages, planner.for_embedded(stages), planner.for_embedded(stages[1:])):
        assert sorted(row["_id"] for row in rows.aggregate(form)) == expected


def test_few_terms_are_one_expression_and_many_the_keys_of_an_object() -> None:
    seed = {"$match": {"pat": "p"}}
    few = planner.for_embedded([seed, {"$match": {"t": {"$nin": ["a|b", "c"]}}}])[1]["$match"]
    assert few == {"t": {"$not": {"$regex": r"^(?:a\|b|c)\z"}}}
    many = planner.for_embedded([seed, {"$match": {"t": {"$in": list(FILLING)}}}])[1]["$match"]
    assert list(many) == ["$expr"]


def test_what_an_index_serves_or_is_short_or_no_text_stays_as_it_is() -> None:
    first: dict[str, Any] = {"$match": {"$or": [{"t": {"$in": list(LONG)}}, {"_id": {"$in": list(LONG)}}]}}
    stages: list[dict[str, Any]] = [
        first,
        {"$match": {"pat": {"$in": ["a"]}}},
        {"$match": {"t": {"$in": []}}},
        {"$match": {"t": {"$in": ["\0", *LONG]}}},
        {"$match": {"t": {"$in": ["a", "b"], "$exists": True}}},
        {"$match": {"acl.by": {"$in": list(LONG)}}},
        {"$limit": 3},
    ]
    assert planner.for_embedded(stages) == stages


def _best(rows: Collection[dict[str, Any]], form: list[dict[str, Any]]) -> float:
    times = []
    for _ in range(3):
        began = time.perf_counter()
        assert not rows.aggregate(form).to_list()
        times.append(time.perf_counter() - began)
    return min(times)


def test_a_list_of_thousands_costs_a_document_little(rows: Collection[dict[str, Any]]) -> None:
    assert planner.is_embedded(rows.database)
    rows.insert_many([{"_id": number, "pat": f"x{number}"} for number in range(100, 400)])
    stages = [{"$match": to_mongo(In("pat", tuple(f"p{number}" for number in range(3000))))}]
    assert _best(rows, planner.for_embedded(stages)) < _best(rows, stages) / 4


@pytest.mark.parametrize("number", [20, 300])
def test_terms_sought_among_those_of_a_record_cost_little(rows: Collection[dict[str, Any]], number: int) -> None:
    rows.insert_many([{"_id": id_, "pat": "p", "t": [f"x|{id_}{n}" for n in range(30)]} for id_ in range(100, 200)])
    sought = tuple(f"code|http://loinc.org|{each}" for each in range(number))
    stages = [{"$match": {"pat": "p"}}, {"$match": to_mongo(In("t", sought))}]
    assert _best(rows, planner.for_embedded(stages)) < _best(rows, stages) / 2
