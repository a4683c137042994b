"""`+ - * / div mod &` on operands (FHIRPath N1, section 6.6); None stands for an empty result."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from fhirserver.fhirpath import quantity, temporal
from fhirserver.fhirpath.environment import MAX_TEXT
from fhirserver.fhirpath.errors import FhirPathError
from fhirserver.fhirpath.numbers import CONTEXT, finite, whole
from fhirserver.fhirpath.quantity import Quantity
from fhirserver.fhirpath.temporal import Temporal
from fhirserver.fhirpath.values import is_number, system_type

if TYPE_CHECKING:
    from collections.abc import Callable


def concatenate(left: Any, right: Any) -> str:
    """Two texts as one. Raises FhirPathError when it grows beyond measure, or for what is no text."""
    start, end = _text(left), _text(right)
    if len(start) + len(end) > MAX_TEXT:
        raise FhirPathError("A text grows too long")
    return start + end


def _text(value: Any) -> str:
    if isinstance(value, Temporal):
        return str(value)
    if not isinstance(value, str):
        raise FhirPathError(f"& joins texts, not {_kind(value)}")
    return value


def _kind(value: Any) -> str:
    return "an element" if isinstance(value, dict | list) else system_type(value)


def _refuse(operator: str, left: Any, right: Any) -> FhirPathError:
    return FhirPathError(f"{_kind(left)} {operator} {_kind(right)} has no meaning")


def negative(value: Any) -> Any:
    """`-value`"""
    if is_number(value):
        return value.copy_negate() if isinstance(value, Decimal) else -value
    if isinstance(value, Quantity):
        return Quantity(value.value.copy_negate(), value.unit)
    raise FhirPathError(f"- takes a number, not {_kind(value)}")


def _sum(left: Any, right: Any, sign: int) -> Any:
    operator = "+" if sign > 0 else "-"
    if left.__class__ is int and right.__class__ is int:
        return finite(left + sign * right)
    if is_number(left) and is_number(right):
        return finite((CONTEXT.add if sign > 0 else CONTEXT.subtract)(Decimal(left), Decimal(right)))
    if isinstance(left, str) and isinstance(right, str) and sign > 0:
        return concatenate(left, right)
    if isinstance(left, Temporal) and isinstance(right, Quantity):
        step = right.step
        if step is None or (left.kind == "Time" and step in ("year", "month", "week", "day")):
            raise FhirPathError(f"A {left.kind} cannot be moved by {right}")
        return temporal.add(left, right.value * sign, step)
    if isinstance(left, Quantity) and isinstance(right, Quantity):
        return quantity.combine(left, right, sign)
    raise _refuse(operator, left, right)


def _product(left: Any, right: Any) -> Any:
    if left.__class__ is int and right.__class__ is int:
        return finite(left * right)
    if is_number(left) and is_number(right):
        return finite(CONTEXT.multiply(Decimal(left), Decimal(right)))
    pair = _quantities(left, right)
    if pair is None:
        raise _refuse("*", left, right)
    return quantity.product(*pair)


def _quantities(left: Any, right: Any) -> tuple[Quantity, Quantity] | None:
    found = [Quantity(Decimal(value)) if is_number(value) else value for value in (left, right)]
    return (found[0], found[1]) if all(isinstance(value, Quantity) for value in found) else None


def _quotient(left: Any, right: Any) -> Any:
    if is_number(left) and is_number(right):
        return finite(CONTEXT.divide(Decimal(left), Decimal(right))) if right else None
    pair = _quantities(left, right)
    if pair is None:
        raise _refuse("/", left, right)
    return quantity.product(*pair, inverse=True)


def _div(left: Any, right: Any) -> Any:
    if not (is_number(left) and is_number(right)):
        raise _refuse("div", left, right)
    if not right:
        return None
    return whole(CONTEXT.divide_int(Decimal(left), Decimal(right)))


def _mod(left: Any, right: Any) -> Any:
    if not (is_number(left) and is_number(right)):
        raise _refuse("mod", left, right)
    if not right:
        return None
    rest = finite(CONTEXT.remainder(Decimal(left), Decimal(right)))
    return int(rest) if rest is not None and left.__class__ is int and right.__class__ is int else rest


OPERATORS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": lambda left, right: _sum(left, right, 1),
    "-": lambda left, right: _sum(left, right, -1),
    "*": _product,
    "/": _quotient,
    "div": _div,
    "mod": _mod,
}
