"""Subsetting (FHIRPath N1, section 5.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.fhirpath.errors import FhirPathError
from fhirserver.fhirpath.functions.registry import SAME, collection
from fhirserver.fhirpath.values import EMPTY, single

if TYPE_CHECKING:
    from fhirserver.fhirpath.environment import Frame
    from fhirserver.fhirpath.values import Items


@collection("single", types=SAME)
def only(_frame: Frame, items: Items) -> Items:
    if len(items) > 1:
        raise FhirPathError(f"single() takes one item, not {len(items)}")
    return items


@collection("first", types=SAME, ordered=True)
def first(_frame: Frame, items: Items) -> Items:
    return items[:1]


@collection("last", types=SAME, ordered=True)
def last(_frame: Frame, items: Items) -> Items:
    return items[-1:]


@collection("tail", types=SAME, ordered=True)
def tail(_frame: Frame, items: Items) -> Items:
    return items[1:]


def _number(items: Items, name: str) -> int | None:
    value = single(items, name)
    if value is None or value.__class__ is int:
        return value
    raise FhirPathError(f"{name} takes an Integer")


@collection("skip", 1, types=SAME, ordered=True)
def skip(_frame: Frame, items: Items, number: Items) -> Items:
    wanted = _number(number, "skip()")
    return EMPTY if wanted is None else items[max(0, wanted) :]


@collection("take", 1, types=SAME, ordered=True)
def take(_frame: Frame, items: Items, number: Items) -> Items:
    wanted = _number(number, "take()")
    return EMPTY if wanted is None else items[: max(0, wanted)]
