"""Searches over several types find, in their order and page by page, what reading every resource finds."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from fhirserver.access import Access
from fhirserver.search import parse
from fhirserver.store.collections import Collections
from fhirserver.store.view import View
from tests.search import joining, naive, stored
from tests.search.test_joins_naive import Hiding, database
from tests.search.test_naive import NOW, PARIS

if TYPE_CHECKING:
    from pymongo.database import Database

    from fhirserver.search import Indexer
    from fhirserver.spec import Definitions

pytestmark = pytest.mark.no_cover

__all__ = ["database"]

CRITERIA = [("", ""), ("_lastUpdated", "ge2024-03-15"), ("subject", "Patient/p1"), ("subject:missing", "true"),
            ("subject:Patient.gender", "male,female"), ("_id", "r1,r2,p1")]  # fmt: skip
SORTS = ["", "_id", "-_id", "_lastUpdated", "-_lastUpdated", "-_lastUpdated,-_id", "subject", "-subject,_lastUpdated"]


def key(resource: dict[str, Any], sort: str) -> tuple[Any, ...]:
    """What sorts resources: each key with what lacks it last, then id and type."""
    keys: list[Any] = []
    for each in sort.split(",") if sort else ():
        falling, name = each.startswith("-"), each.removeprefix("-")
        if name == "_id":
            return (*keys, Turned(resource["id"]) if falling else resource["id"], resource["resourceType"])
        value = resource["meta"]["lastUpdated"] if name == "_lastUpdated" else place(resource)
        keys.append((value is None, Turned(value) if falling else value or ""))
    return (*keys, resource["id"], resource["resourceType"])


class Turned:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Turned) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __lt__(self, other: Turned) -> bool:
        return bool(other.value < self.value)


def place(resource: dict[str, Any]) -> str | None:
    literal: str | None = resource.get("subject", {}).get("reference")
    if literal is None or literal[0] == "#":
        return None
    return literal.removeprefix(naive.BASE + "/").partition("/_history/")[0]


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_searches_over_several_types_find_what_reading_finds(
    seed: int, defs: Definitions, indexer: Indexer, database: Database[dict[str, Any]]
) -> None:
    random = Random(seed)
    world = joining.worlds(random)
    for kind, listed in world.items():
        database[kind].delete_many({})
        database[kind].insert_many([stored.envelope(indexer, each) | {"r": b"{}"} for each in listed])
    hidden = tuple(random.sample(["p0", "p1", "r1", "r2", "r3"], random.randint(0, 2)))
    view = View(
        Collections(database, defs.resource_types, defs.compartment("Patient"), 60),
        Hiding(hidden),
        Access.system("x", NOW),
    )
    seen = {kind: [each for each in listed if each["id"] not in hidden] for kind, listed in world.items()}
    reader = joining.Joining(PARIS, NOW, seen)
    for _ in range(3):
        types, sort = ["Observation", "RiskAssessment"], random.choice(SORTS)
        name, value = random.choice(CRITERIA)
        if "subject" not in name + sort and random.random() < 0.5:
            types.append("Patient")
        params = [(name, value)] if name else []
        matches = [each for kind in types for each in seen[kind] if not name or reader.matches(each, name, value)]
        expected = [(each["resourceType"], each["id"]) for each in sorted(matches, key=lambda each: key(each, sort))]
        asked = [*params, ("_sort", sort)] if sort else params
        queries = [parse(defs, kind, asked, timezone=PARIS, base_url=naive.BASE, now=NOW) for kind in types]
        count = random.choice([1, 3, 50])
        queries = [replace(query, count=count) for query in queries]
        walked, after = [], None
        while True:
            page = view.search_together(queries, after)
            assert page.total == len(expected)
            assert len(page.matches) <= count
            walked += [(each.type, each.id) for each in page.matches]
            if page.after is None:
                break
            after = tuple(json.loads(json.dumps(page.after)))
        if walked != expected:
            note(f"{types}?{asked} hidden {hidden} count {count}\n{world}")
        assert walked == expected
