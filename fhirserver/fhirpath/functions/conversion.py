"""toX() and convertsToX() (FHIRPath N1, section 5.5)."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from fhirserver.fhirpath import quantity, temporal
from fhirserver.fhirpath.functions.registry import collection
from fhirserver.fhirpath.numbers import finite
from fhirserver.fhirpath.quantity import Quantity
from fhirserver.fhirpath.temporal import Temporal
from fhirserver.fhirpath.values import EMPTY, Typed, is_number, single

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.fhirpath.environment import Frame
    from fhirserver.fhirpath.values import Items

_INTEGER: Final = re.compile(r"[+-]?\d{1,18}\Z", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?\d{1,100}(\.\d{1,100})?\Z", re.ASCII)
_TRUE: Final = frozenset({"true", "t", "yes", "y", "1", "1.0"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "0", "0.0"})


def to_boolean(value: Any) -> bool | None:
    if value.__class__ is bool:
        return value
    if is_number(value):
        return bool(value) if value in (0, 1) else None
    if not isinstance(value, str):
        return None
    word = value.lower()
    return True if word in _TRUE else False if word in _FALSE else None


def to_integer(value: Any) -> int | None:
    if value.__class__ in (int, bool):
        return int(value)
    return int(value) if isinstance(value, str) and _INTEGER.match(value) else None


def to_decimal(value: Any) -> Decimal | None:
    if value.__class__ in (int, bool) or isinstance(value, Decimal):
        number: Decimal | None = finite(Decimal(value))
        return number
    return Decimal(value) if isinstance(value, str) and _DECIMAL.match(value) else None


def to_quantity(value: Any) -> Quantity | None:
    if isinstance(value, Quantity):
        return value
    if isinstance(value, str):
        return quantity.parse(value)
    number = to_decimal(value)
    return None if number is None else Quantity(number)


def to_string(value: Any) -> str | None:
    if value.__class__ is bool:
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f") if finite(value) is not None else None
    return str(value) if isinstance(value, str | int | Temporal | Quantity) else None


def to_date(value: Any) -> Temporal | None:
    if isinstance(value, Temporal):
        return None if value.kind == "Time" else Temporal("Date", value.parts[:3])
    if not isinstance(value, str):
        return None
    found = temporal.parse("DateTime", value)
    return None if found is None else Temporal("Date", found.parts[:3])


def to_date_time(value: Any) -> Temporal | None:
    if isinstance(value, Temporal):
        return None if value.kind == "Time" else Temporal("DateTime", value.parts, value.fraction, value.zone)
    return temporal.parse("DateTime", value) if isinstance(value, str) else None


def to_time(value: Any) -> Temporal | None:
    if isinstance(value, Temporal):
        return value if value.kind == "Time" else None
    return temporal.parse("Time", value.removeprefix("T")) if isinstance(value, str) else None


def _register(name: str, convert: Callable[[Any], Any]) -> None:
    @collection(f"to{name}", types=(f"System.{name}",))
    def apply(_frame: Frame, items: Items) -> Items:
        value = _input(items, f"to{name}()", name)
        result = None if value is None else convert(value)
        return EMPTY if result is None else [result]

    @collection(f"convertsTo{name}", types=("System.Boolean",))
    def test(_frame: Frame, items: Items) -> Items:
        value = _input(items, f"convertsTo{name}()", name)
        return EMPTY if value is None else [convert(value) is not None]


def _input(items: Items, what: str, name: str) -> Any:
    value = single(items, what)
    if name == "String" and value is not None and items[0].__class__ is Typed and items[0][1].__class__ is str:
        return items[0][1]
    return value


_register("Boolean", to_boolean)
_register("Integer", to_integer)
_register("Decimal", to_decimal)
_register("Quantity", to_quantity)
_register("String", to_string)
_register("Date", to_date)
_register("DateTime", to_date_time)
_register("Time", to_time)
