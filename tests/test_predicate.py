"""The two interpreters of a predicate, held equal on a real database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient

from fhirserver.predicate import (
    FALSE,
    TRUE,
    And,
    Cmp,
    Contains,
    Elem,
    Ends,
    Eq,
    Exists,
    In,
    Not,
    Or,
    Predicate,
    Prefix,
    all_of,
    any_of,
    knowing,
    matches,
    negate,
    to_mongo,
)
from tests.database import database_name, embedded_uri

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo.collection import Collection

__all__ = ["database_name", "embedded_uri"]

TEXTS = ["a", "ab", "a.b", "A|b", "(a", "a*", ""]
NUMBERS = [0, 1, 2, 3]
MOMENTS = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
SCALARS = st.sampled_from([*TEXTS, *NUMBERS, *MOMENTS])
FIELDS = ["pat", "t", "acl.by", "acl.at", "acl.conf", "d.date"]

DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "pat": st.sampled_from(TEXTS),
        "t": st.lists(st.sampled_from(TEXTS), max_size=3),
        "acl": st.fixed_dictionaries(
            {},
            optional={
                "by": st.lists(st.sampled_from(TEXTS), max_size=2),
                "at": st.sampled_from(MOMENTS),
                "conf": st.sampled_from(NUMBERS),
            },
        ),
        "d": st.fixed_dictionaries(
            {},
            optional={
                "date": st.lists(
                    st.fixed_dictionaries(
                        {}, optional={"lo": st.sampled_from(NUMBERS), "hi": st.sampled_from(NUMBERS)}
                    ),
                    max_size=2,
                )
            },
        ),
    },
)
OPS = st.sampled_from(["$lt", "$lte", "$gt", "$gte"])
BOUNDS = st.builds(Cmp, st.sampled_from(["lo", "hi"]), OPS, st.sampled_from(NUMBERS))
LEAVES: st.SearchStrategy[Predicate] = st.one_of(
    st.sampled_from([TRUE, FALSE]),
    st.builds(Eq, st.sampled_from(FIELDS), SCALARS),
    st.builds(In, st.sampled_from(FIELDS), st.lists(SCALARS, max_size=3).map(tuple)),
    st.builds(Cmp, st.sampled_from(["pat", "acl.at", "acl.conf"]), OPS, SCALARS),
    st.builds(Prefix, st.sampled_from(["pat", "t", "acl.by"]), st.sampled_from(TEXTS)),
    st.builds(Contains, st.sampled_from(["pat", "t"]), st.sampled_from(TEXTS), st.sampled_from(TEXTS)),
    st.builds(Ends, st.sampled_from(["pat", "t"]), *[st.sampled_from(TEXTS)] * 2, st.sampled_from(["|", "^", "*"])),
    st.builds(Elem, st.just("d.date"), st.lists(BOUNDS, min_size=1, max_size=2, unique_by=str).map(tuple)),
    st.builds(Exists, st.sampled_from([*FIELDS, "acl", "d"])),
)
PREDICATES: st.SearchStrategy[Predicate] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(And, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=6,
)


@pytest.fixture
def collection(embedded_uri: str, database_name: str) -> Iterator[Collection[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](embedded_uri, tz_aware=True) as client:
        yield client[database_name]["documents"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(DOCUMENTS, min_size=1, max_size=8), st.lists(PREDICATES, min_size=1, max_size=4))
def test_the_database_and_python_agree(
    collection: Collection[dict[str, Any]], documents: list[dict[str, Any]], predicates: list[Predicate]
) -> None:
    collection.delete_many({})
    rows = [{**document, "_id": number} for number, document in enumerate(documents)]
    collection.insert_many([dict(row) for row in rows])
    for predicate in predicates:
        found = {row["_id"] for row in collection.aggregate([{"$match": to_mongo(predicate)}])}
        assert found == {row["_id"] for row in rows if matches(predicate, row)}, to_mongo(predicate)


@given(st.lists(PREDICATES, max_size=4), DOCUMENTS)
def test_simplification_changes_nothing(predicates: list[Predicate], document: dict[str, Any]) -> None:
    assert matches(all_of(predicates), document) == all(matches(each, document) for each in predicates)
    assert matches(any_of(predicates), document) == any(matches(each, document) for each in predicates)
    for each in predicates:
        assert matches(negate(each), document) != matches(each, document)


def test_two_bounds_of_one_kind_on_one_element_both_hold() -> None:
    bounds = Elem("d.date", (Cmp("lo", "$lt", 1), Cmp("lo", "$lt", 3)))
    assert to_mongo(bounds) == {"d.date": {"$elemMatch": {"lo": {"$lt": 1}, "$and": [{"lo": {"$lt": 3}}]}}}


@given(PREDICATES, DOCUMENTS)
def test_what_is_known_of_a_field_need_not_be_asked(predicate: Predicate, document: dict[str, Any]) -> None:
    known = {**document, "pat": "a|1"}
    assert matches(knowing(predicate, "pat", "a|1"), known) == matches(predicate, known)


def test_conditions_on_different_fields_make_one_flat_filter() -> None:
    predicate = And((Eq("pat", "p"), Not(Exists("doc")), Not(In("acl.labels", ("a",)))))
    assert to_mongo(predicate) == {"pat": "p", "doc": {"$exists": False}, "acl.labels": {"$nin": ["a"]}}
