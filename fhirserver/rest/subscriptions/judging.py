"""What a subscriber may see of events now: what a search by his criteria finds, for just these resources."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fhirserver.audit import Entity, Event, shown
from fhirserver.predicate import Eq, In
from fhirserver.rest.subscriptions.receiving import compile_

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fhirserver.rest.services import Services
    from fhirserver.search import Query
    from fhirserver.store import Stored, View
    from fhirserver.subscriptions.plan import Plan


def seen(services: Services, view: View, plan: Plan, events: Sequence[Mapping[str, Any]]) -> dict[str, Stored]:
    """By `Type/id`, the current versions of what events are about: not those that are hidden, gone, or meet the
    criteria no more. A search for each of the criteria."""
    found: dict[str, Stored] = {}
    for wanted in plan.wanted:
        mine = [each for each in events if each["type"] == wanted.type]
        if mine:
            query = compile_(services, wanted)
            for one in _searches(query, mine):
                found |= {f"{each.type}/{each.id}": each for each in view.search(one).matches}
    return found


def _searches(query: Query, events: Sequence[Mapping[str, Any]]) -> Iterator[Query]:
    """One limited to the patients concerned, whose policies alone count, and one for what is nobody's."""
    for named in (True, False):
        some = [each for each in events if (each["pat"] is not None) is named]
        if not some:
            continue
        ids = tuple(sorted({each["id"] for each in some}))
        limited, where = query, (*query.where, In("_id", ids))
        if named and query.patients is None:
            patients = frozenset(each["pat"] for each in some)
            among = In("pat", tuple(sorted(patients))) if len(patients) > 1 else Eq("pat", *patients)
            limited, where = replace(query, patients=patients), (among, *where)
        yield replace(limited, where=where, count=len(ids), total="none")


def disclosed(plan: Plan, content: str, found: Sequence[Stored]) -> Event:
    """The trace of what is told: a read of what is named, else a search that showed that there is something."""
    if content != "empty":
        return Event("read", 200, tuple(Entity.of(stored) for stored in found))
    asked = " ".join(f"{each.type}?{each.criteria}" for each in plan.wanted)
    patients = tuple(stored.pat for stored in found if stored.pat is not None)
    return Event("search-type", 200, query=asked, patients=patients, found=shown(found))
