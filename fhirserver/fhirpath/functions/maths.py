"""Mathematics (FHIRPath N1, section 5.7)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fhirserver.fhirpath.errors import FhirPathError
from fhirserver.fhirpath.functions.registry import scalar
from fhirserver.fhirpath.numbers import CONTEXT, finite, round_to, whole
from fhirserver.fhirpath.quantity import Quantity
from fhirserver.fhirpath.values import is_number


def _number(value: Any, name: str) -> Decimal:
    if not is_number(value):
        raise FhirPathError(f"{name}() takes a number")
    return Decimal(value)


@scalar("abs")
def absolute(value: Any) -> Any:
    if isinstance(value, Quantity):
        return Quantity(value.value.copy_abs(), value.unit)
    if not is_number(value):
        raise FhirPathError("abs() takes a number or a Quantity")
    return abs(value)


@scalar("ceiling", types=("System.Integer",))
def ceiling(value: Any) -> int | None:
    return whole(round_to(_number(value, "ceiling"), 0, "up"))


@scalar("floor", types=("System.Integer",))
def floor(value: Any) -> int | None:
    return whole(round_to(_number(value, "floor"), 0, "down"))


@scalar("truncate", types=("System.Integer",))
def truncate(value: Any) -> int | None:
    return whole(_number(value, "truncate"))


@scalar("round", 0, 1, types=("System.Decimal",))
def rounded(value: Any, digits: Any = 0) -> Any:
    if digits.__class__ is not int or not 0 <= digits <= 28:
        raise FhirPathError("round() takes a precision of 0 to 28")
    return finite(round_to(_number(value, "round"), digits))


@scalar("exp", types=("System.Decimal",))
def exponential(value: Any) -> Any:
    return finite(CONTEXT.exp(_number(value, "exp")))


@scalar("ln", types=("System.Decimal",))
def natural_logarithm(value: Any) -> Any:
    number = _number(value, "ln")
    return finite(CONTEXT.ln(number)) if number > 0 else None


@scalar("log", 1, types=("System.Decimal",))
def logarithm(value: Any, base: Any) -> Any:
    number, root = _number(value, "log"), _number(base, "log")
    if number <= 0 or root <= 0 or root == 1:
        return None
    return finite(round_to(CONTEXT.divide(CONTEXT.ln(number), CONTEXT.ln(root)), 24).normalize(CONTEXT))


@scalar("power", 1)
def power(value: Any, exponent: Any) -> Any:
    result = finite(CONTEXT.power(_number(value, "power"), _number(exponent, "power")))
    if result is not None and value.__class__ is int and exponent.__class__ is int and exponent >= 0:
        return whole(result)
    return result


@scalar("sqrt", types=("System.Decimal",))
def square_root(value: Any) -> Any:
    number = _number(value, "sqrt")
    return finite(CONTEXT.sqrt(number)) if number >= 0 else None
