"""Canonicals lead where reading every resource leads, in chains, `_has` and includes, of that which may be seen."""

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
from tests.search import naive, stored
from tests.search.test_joins_naive import Hiding, database, few
from tests.search.test_naive import NOW

if TYPE_CHECKING:
    from pymongo.database import Database

    from fhirserver.search import Indexer
    from fhirserver.spec import Definitions

pytestmark = pytest.mark.no_cover

__all__ = ["database", "few"]

Resource = dict[str, Any]
URLS = ["http://a.org/q", "http://a.org/q/1", "http://A.org/q", "urn:oid:1.2"]
VERSIONS = [None, "1", "1.0-Beta", "1.0-beta", "2|3"]
TITLES = ["Pain", "pain, again", "Sleep"]


def worlds(random: Random) -> dict[str, list[Resource]]:
    def form(at: int) -> Resource:
        made = {"resourceType": "Questionnaire", "id": f"q{at}", "title": random.choice(TITLES)}
        url, version = random.choice([None, *URLS]), random.choice(VERSIONS)
        return made | ({"url": url} if url else {}) | ({"version": version} if version else {})

    def canonical() -> str:
        version = random.choice(VERSIONS)
        return random.choice(URLS) + (f"|{version}" if version else "")

    def plan(at: int) -> Resource:
        named = [canonical() for _ in range(random.randint(0, 3))]
        return {"resourceType": "CarePlan", "id": f"c{at}", "status": random.choice(["active", "draft"])} | (
            {"instantiatesCanonical": named} if named else {}
        )

    return {"Questionnaire": [form(at) for at in range(6)], "CarePlan": [plan(at) for at in range(5)]}


def leads(plan: Resource, form: Resource) -> bool:
    for each in plan.get("instantiatesCanonical", ()):
        url, bar, version = each.partition("|")
        if form.get("url") == url and (not bar or form.get("version") == version):
            return True
    return False


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_canonicals_lead_where_reading_leads(
    seed: int, defs: Definitions, indexer: Indexer, database: Database[dict[str, Any]]
) -> None:
    random = Random(seed)
    world = worlds(random)
    for kind, listed in world.items():
        database[kind].delete_many({})
        database[kind].insert_many([stored.envelope(indexer, each) | {"r": b"{}"} for each in listed])
    hidden = tuple(random.sample([f"q{at}" for at in range(6)] + [f"c{at}" for at in range(5)], random.randint(0, 3)))
    collections = Collections(database, defs.resource_types, defs.compartment("Patient"), 60)
    view = View(collections, Hiding(hidden), Access.system("test", NOW))
    forms, plans = (
        [each for each in world[kind] if each["id"] not in hidden] for kind in ("Questionnaire", "CarePlan")
    )

    def asked(kind: str, *params: tuple[str, str]) -> Any:
        return view.search(parse(defs, kind, params, base_url=naive.BASE, now=NOW))

    def ids(found: Any) -> set[str]:
        return {each.id for each in found}

    for limit in (500, 0):
        joins.FEW = limit  # type: ignore[misc]
        note(f"hidden {hidden} few {limit}\n{world}")
        title = random.choice(["pain", "sleep", "pain again"])
        named = [form for form in forms if naive.folded(form["title"]).startswith(title)]
        chained = {plan["id"] for plan in plans if any(leads(plan, form) for form in named)}
        beside = [("status", "active")] if random.random() < 0.5 else []
        if beside:
            chained = {plan["id"] for plan in plans if plan["id"] in chained and plan["status"] == "active"}
        found = asked("CarePlan", ("instantiates-canonical:Questionnaire.title", title), *beside)
        assert ids(found.matches) == chained
        back = {form["id"] for form in forms if any(leads(plan, form) for plan in plans if plan["status"] == "active")}
        assert ids(asked("Questionnaire", ("_has:CarePlan:instantiates-canonical:status", "active")).matches) == back
        brought = {form["id"] for form in forms if any(leads(plan, form) for plan in plans)}
        assert ids(asked("CarePlan", ("_include", "CarePlan:instantiates-canonical")).included) == brought
        form = random.choice(world["Questionnaire"])
        page = asked("Questionnaire", ("_id", form["id"]), ("_revinclude", "CarePlan:instantiates-canonical"))
        assert ids(page.included) == ({plan["id"] for plan in plans if leads(plan, form)} if page.matches else set())
