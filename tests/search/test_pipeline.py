from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from bson.decimal128 import Decimal128

from fhirserver.predicate import FALSE, TRUE, Eq
from fhirserver.search import Query, SortKey, pipeline
from tests.search.finding import query

LOINC = "http://loinc.org"


def first(*params: tuple[str, str], resource_type: str = "Observation") -> Any:
    return pipeline.page(query(resource_type, *params), TRUE)[0]


def test_the_seed_is_the_patient_and_the_rarest_term() -> None:
    assert first(("status", "final"), ("code", f"{LOINC}|718-7"), ("patient", "1")) == {
        "$match": {"pat": "1", "t": f"code|{LOINC}|718-7"}
    }
    assert first(("patient", "1"), ("status", "final")) == {"$match": {"pat": "1", "t": "subject|Patient/1"}}


def test_across_patients_the_seed_is_a_term() -> None:
    assert first(("gender", "male"), ("identifier", "urn:ins|2840"), resource_type="Patient") == {
        "$match": {"t": "identifier|urn:ins|2840"}
    }
    assert first(("gender", "male"), ("organization", "1"), resource_type="Patient") == {
        "$match": {"t": "organization|Organization/1"}
    }


def test_an_id_is_the_best_seed() -> None:
    assert first(("gender", "male"), ("_id", "a"), resource_type="Patient") == {"$match": {"_id": "a"}}
    assert first(("_id", "a,b"), resource_type="Patient") == {"$match": {"_id": {"$in": ["a", "b"]}}}


def test_a_composite_is_seeded_by_its_code() -> None:
    assert first(("code-value-quantity", f"{LOINC}|8480-6$gt130")) == {"$match": {"t": f"code|{LOINC}|8480-6"}}


def test_the_seed_is_flat_and_every_other_condition_has_its_own_stage() -> None:
    stages = pipeline.page(query("Observation", ("patient", "1"), ("date", "ge2024"), ("code", "a,b")), Eq("acl.x", 1))
    matches = [stage["$match"] for stage in stages if "$match" in stage]
    assert matches[0] == {"pat": "1", "t": "subject|Patient/1"}
    assert [list(match) for match in matches[1:]] == [["$or"], ["t"], ["acl.x"]]


def test_access_is_a_stage_of_its_own_after_the_conditions() -> None:
    stages = pipeline.page(query("Observation", ("patient", "1")), Eq("acl.by", "rpps|1"), after=["x"])
    assert stages[1] == {"$match": {"acl.by": "rpps|1"}}
    assert stages[2] == {"$match": {"_id": {"$gt": "x"}}}


@pytest.mark.parametrize("params", [[], [("patient", "1")]])
def test_without_access_nothing_is_matched(params: list[tuple[str, str]]) -> None:
    nothing: dict[str, Any] = {"$match": {"_id": {"$in": []}}}
    assert pipeline.page(query("Observation", *params), FALSE)[0] == nothing
    assert pipeline.count(query("Observation", *params), FALSE) == [nothing, {"$count": "n"}]


def test_an_impossible_search_matches_nothing() -> None:
    impossible = query("Observation", ("patient", "1"), ("patient", "2"))
    assert pipeline.count(impossible, TRUE)[0] == {"$match": {"_id": {"$in": []}}}


def test_equal_terms_of_different_meaning_are_both_kept() -> None:
    stages = pipeline.count(query("Patient", ("name", "dup"), ("name:exact", "dup"), ("name", "dup")), TRUE)
    assert stages[:-1] == [{"$match": {"t": "name^dup"}}, {"$match": {"t": {"$regex": "^name\\^dup"}}}]


def test_one_more_than_the_page_is_fetched() -> None:
    assert {"$limit": 8} in pipeline.page(query("Patient", ("_count", "7")), TRUE)


def test_a_position_is_json_whatever_the_key() -> None:
    asked = Query("Patient", sort=(SortKey("lu", True), SortKey("s.n.lo", False), SortKey("s.a.lo", False)))
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    for number in (Decimal("1.50"), Decimal128("1.50")):
        document = {"_id": "x", "lu": moment, "s": {"n": {"lo": number}}}
        assert pipeline.position(asked, document) == (["t", 1_704_067_200_000_000], ["n", "1.50"], None, "x")
    naive = {"_id": "x", "lu": moment.replace(tzinfo=None)}
    assert pipeline.position(asked, naive)[0] == ["t", 1_704_067_200_000_000]


def test_the_next_page_begins_after_the_position() -> None:
    asked = Query("Patient", sort=(SortKey("lu", True), SortKey("s.n.lo", False)))
    stages = pipeline.page(asked, TRUE, (["t", 1_704_067_200_000_000], ["n", "1.50"], "x"))
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    later = {"$or": [{"s.n.lo": {"$gt": Decimal("1.50")}}, {"s.n.lo": {"$exists": False}}]}
    assert stages[0] == {
        "$match": {
            "$or": [
                {"lu": {"$lt": moment}},
                {"$and": [{"lu": moment}, later]},
                {"$and": [{"lu": moment}, {"s.n.lo": Decimal("1.50")}, {"_id": {"$gt": "x"}}]},
            ]
        }
    }
