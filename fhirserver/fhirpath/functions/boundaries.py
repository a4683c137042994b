"""lowBoundary(), highBoundary(), precision(), comparable() (FHIRPath, sections 5.7 and 5.10)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fhirserver.fhirpath import quantity, temporal
from fhirserver.fhirpath.errors import FhirPathError
from fhirserver.fhirpath.functions.registry import scalar
from fhirserver.fhirpath.numbers import CONTEXT, places, round_to
from fhirserver.fhirpath.quantity import Quantity
from fhirserver.fhirpath.temporal import Temporal
from fhirserver.fhirpath.values import is_number


def _boundary(value: Any, digits: Any, *, high: bool) -> Any:
    if digits is not None and digits.__class__ is not int:
        raise FhirPathError("A precision is an Integer")
    if isinstance(value, Temporal):
        return temporal.boundary(value, digits, high=high)
    if isinstance(value, Quantity):
        edge = _decimal(value.value, digits, high=high)
        return None if edge is None else Quantity(edge, value.unit)
    if not is_number(value):
        raise FhirPathError("A boundary is that of a number, a quantity, a date or a time")
    return _decimal(Decimal(value), digits, high=high)


def _decimal(value: Decimal, digits: int | None, *, high: bool) -> Decimal | None:
    wanted = 8 if digits is None else digits
    if not 0 <= wanted <= 28 or value.adjusted() > 28 or places(value) > 28:
        return None
    half = Decimal(5).scaleb(-places(value) - 1)
    return round_to(CONTEXT.add(value, half if high else -half), wanted, "up" if high else "down")


@scalar("lowBoundary", 0, 1)
def low_boundary(value: Any, digits: Any = None) -> Any:
    """The least value that the written one may stand for."""
    return _boundary(value, digits, high=False)


@scalar("highBoundary", 0, 1)
def high_boundary(value: Any, digits: Any = None) -> Any:
    """The greatest value that the written one may stand for."""
    return _boundary(value, digits, high=True)


@scalar("precision", types=("System.Integer",))
def precision(value: Any) -> int:
    if isinstance(value, Temporal):
        return value.precision
    if not is_number(value):
        raise FhirPathError("precision() takes a number, a date or a time")
    return places(Decimal(value))


@scalar("comparable", 1, types=("System.Boolean",))
def comparable(value: Any, other: Any) -> bool:
    """Whether two quantities have units in common."""
    if not (isinstance(value, Quantity) and isinstance(other, Quantity)):
        raise FhirPathError("comparable() takes quantities")
    return quantity.comparable(value, other)
