"""What a subscriber may see of an event now: what a search by his criteria finds, for just that resource."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fhirserver.audit import Entity, Event, shown
from fhirserver.predicate import Eq, In
from fhirserver.rest.subscriptions.receiving import compile_

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fhirserver.rest.services import Services
    from fhirserver.store import Stored, View
    from fhirserver.subscriptions.plan import Plan


def seen(services: Services, view: View, plan: Plan, event: Mapping[str, Any]) -> Stored | None:
    """The current version of what an event is about, None where it is hidden, gone, or meets the criteria no more."""
    for wanted in plan.wanted:
        if wanted.type != event["type"]:
            continue
        query = compile_(services, wanted)
        where = (*query.where, In("_id", (event["id"],)))
        if event["pat"] is not None and query.patients is None:
            query, where = replace(query, patients=frozenset({event["pat"]})), (Eq("pat", event["pat"]), *where)
        if found := view.search(replace(query, where=where, count=1, total="none")).matches:
            return found[0]
    return None


def disclosed(plan: Plan, content: str, found: Sequence[Stored]) -> Event:
    """The trace of what is told: a read of what is named, else a search that showed that there is something."""
    if content != "empty":
        return Event("read", 200, tuple(Entity.of(stored) for stored in found))
    asked = " ".join(f"{each.type}?{each.criteria}" for each in plan.wanted)
    patients = tuple(stored.pat for stored in found if stored.pat is not None)
    return Event("search-type", 200, query=asked, patients=patients, found=shown(found))
