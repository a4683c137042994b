"""Value sets of whatever size find what reading every resource finds, of that which may be seen."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from fhirserver.access import Access
from fhirserver.search import asked, parse
from fhirserver.store.collections import Collections
from fhirserver.store.view import View
from tests.search import generate, naive, stored
from tests.search.test_joins_naive import Hiding, database
from tests.search.test_naive import NOW, PARIS

if TYPE_CHECKING:
    from pymongo.database import Database

    from fhirserver.search import Indexer
    from fhirserver.spec import Definitions

pytestmark = pytest.mark.no_cover

__all__ = ["database"]

Pair = tuple[str, str]


class Sets:
    """A terminology of one value set."""

    def __init__(self, pairs: list[Pair]) -> None:
        self.pairs = pairs

    def members(self, value_set: str) -> Sets:
        return self

    def related(self, system: str, code: str, above: bool) -> Sets:
        return self

    def listed(self, most: int) -> list[Pair] | None:
        return self.pairs if len(self.pairs) <= most else None

    def holds(self, system: str, code: str) -> bool:
        return (system, code) in self.pairs


def within(pairs: list[Pair], coding: dict[str, Any]) -> bool:
    system, code = coding.get("system"), coding.get("code")
    if code is None:
        return False
    for in_system, in_code in pairs:
        same = code == in_code if system in naive.SENSITIVE else code.casefold() == in_code.casefold()
        if (system or "") == in_system and same:
            return True
    return False


@pytest.fixture(autouse=True)
def limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "MOST_CODES", asked.MOST_CODES)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_a_value_set_finds_what_reading_finds(
    seed: int, defs: Definitions, indexer: Indexer, database: Database[dict[str, Any]]
) -> None:
    random = Random(seed)
    listed = generate.resources(random, "Observation", 8)
    database["Observation"].delete_many({})
    database["Observation"].insert_many([stored.envelope(indexer, each) | {"r": b"{}"} for each in listed])
    hidden = tuple(random.sample([each["id"] for each in listed], random.randint(0, 3)))
    collections = Collections(database, defs.resource_types, defs.compartment("Patient"), 60)
    view = View(collections, Hiding(hidden), Access.system("test", NOW))
    pairs = [
        (random.choice(generate.SYSTEMS) or "", random.choice(generate.CODES)) for _ in range(random.randint(0, 6))
    ]
    for _ in range(3):
        name, modifier = (
            random.choice(["code", "category", "component-code", "combo-code"]),
            random.choice(["in", "not-in"]),
        )
        expected = set()
        for each in listed:
            codings = [
                one for found in naive.PARAMETERS["Observation"][name][1](each) for one in found.get("coding", ())
            ]
            if each["id"] not in hidden and any(within(pairs, one) for one in codings) == (modifier == "in"):
                expected.add(each["id"])
        for most in (2000, 0):
            asked.MOST_CODES = most  # type: ignore[misc]
            query = parse(defs, "Observation", [(f"{name}:{modifier}", "urn:x")], timezone=PARIS, codes=Sets(pairs))
            found = {each.id for each in view.search(query).matches}
            if found != expected:
                note(f"{name}:{modifier} {pairs} hidden {hidden} most {most}\n{listed}")
            assert found == expected
