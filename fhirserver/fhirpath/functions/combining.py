"""Combining (FHIRPath N1, sections 5.3 and 5.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.fhirpath.functions.registry import SAME, collection
from fhirserver.fhirpath.values import distinct, key

if TYPE_CHECKING:
    from fhirserver.fhirpath.environment import Frame
    from fhirserver.fhirpath.values import Items


@collection("union", 1)
def union(frame: Frame, items: Items, others: Items) -> Items:
    frame.spend(len(items) + len(others))
    return distinct(items + others)


@collection("combine", 1)
def combine(frame: Frame, items: Items, others: Items) -> Items:
    frame.spend(len(items) + len(others))
    return items + others


@collection("intersect", 1, types=SAME)
def intersect(frame: Frame, items: Items, others: Items) -> Items:
    frame.spend(len(items) + len(others))
    known = {key(item) for item in others}
    return distinct([item for item in items if key(item) in known])


@collection("exclude", 1, types=SAME)
def exclude(frame: Frame, items: Items, others: Items) -> Items:
    frame.spend(len(items) + len(others))
    known = {key(item) for item in others}
    return [item for item in items if key(item) not in known]
