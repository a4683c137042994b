"""Items of a collection, and what makes two of them equal.

A FHIR element is a `Typed`; a System value is the bare Python value: bool, int, Decimal, str, Temporal, Quantity.
Collections are lists, which no function changes once it has returned them.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import zip_longest
from typing import Any, Final, NamedTuple

from fhirserver.fhirpath import quantity, temporal
from fhirserver.fhirpath.errors import FhirPathError
from fhirserver.fhirpath.numbers import CONTEXT, places, round_to
from fhirserver.fhirpath.quantity import Quantity
from fhirserver.fhirpath.temporal import Temporal

Item = Any
Items = list[Any]

EMPTY: Final[Items] = []
TRUE: Final[Items] = [True]
FALSE: Final[Items] = [False]

QUANTITIES: Final = frozenset({"Quantity", "Age", "Count", "Distance", "Duration", "SimpleQuantity"})

SYSTEM: Final[dict[type, str]] = {
    bool: "Boolean",
    str: "String",
    int: "Integer",
    Decimal: "Decimal",
    Quantity: "Quantity",
}
_FHIR: Final = {
    "Boolean": "boolean",
    "String": "string",
    "Integer": "integer",
    "Decimal": "decimal",
    "Date": "date",
    "DateTime": "dateTime",
    "Time": "time",
    "Quantity": "Quantity",
}


UNTYPED: Final = "Any"
"""Stands for the type of JSON that no definition describes."""

NOTHING: Final = object()
"""Stands for `$this` where there is no item, as in `{}.iif(empty(), 1, 2)`."""


class Typed(NamedTuple):
    """An element: its FHIR type (`code`, `Quantity`, `Patient.contact`), its JSON value, and for primitives the
    object that carries `id` and `extension`. A primitive that has only extensions has the value None."""

    type: str
    value: Any
    extra: dict[str, Any] | None = None


def typed(kind: str, value: Any, extra: Any = None) -> Typed:
    """A Typed, made without the cost of its constructor."""
    return tuple.__new__(Typed, (kind, value, extra))


def system_type(item: Item) -> str:
    """The name of a System value's type."""
    if isinstance(item, Temporal):
        return item.kind
    return SYSTEM.get(item.__class__) or ("Decimal" if isinstance(item, Decimal) else "Any")


def as_typed(item: Item) -> Typed:
    """A System value as the FHIR element that would hold it."""
    if item.__class__ is Typed:
        return item
    return Typed(_FHIR.get(system_type(item), "string"), as_python(item))


def as_python(item: Item) -> Any:
    """The plain value: JSON's own types, dates as their text, a quantity as a FHIR Quantity."""
    if item.__class__ is Typed:
        return item[1]
    if isinstance(item, Temporal):
        return str(item)
    return item.as_fhir() if isinstance(item, Quantity) else item


def _temporal(kind: str) -> Any:
    def convert(value: Any) -> Any:
        if value.__class__ is not str:
            return value
        found = temporal.parse(kind, value)
        return value if found is None else found

    return convert


def _decimal(value: Any) -> Any:
    return Decimal(value) if value.__class__ is int else value


def _quantity(value: Any) -> Any:
    found = quantity.of_fhir(value) if value.__class__ is dict else None
    return value if found is None else found


_OPERAND: Final[dict[str, Any]] = {
    "date": _temporal("Date"),
    "dateTime": _temporal("DateTime"),
    "instant": _temporal("DateTime"),
    "time": _temporal("Time"),
    "decimal": _decimal,
} | dict.fromkeys(QUANTITIES, _quantity)


def operand(item: Item) -> Any:
    """The System value of an item, as operators take it; a complex element is its dict, a valueless one None."""
    if item.__class__ is not Typed:
        return item
    convert = _OPERAND.get(item[0])
    return item[1] if convert is None else convert(item[1])


def single(items: Items, what: str) -> Any:
    """The operand of a collection of at most one, None when there is none (N1, section 4.5)."""
    if not items:
        return None
    if len(items) > 1:
        raise FhirPathError(f"{what} takes one item, not {len(items)}")
    return operand(items[0])


def truth(items: Items) -> bool | None:
    """A collection as a Boolean: None when empty; one item that is no Boolean is true (N1, section 4.5)."""
    if not items:
        return None
    if len(items) > 1:
        raise FhirPathError(f"A Boolean is one item, not {len(items)}")
    item = items[0]
    value = item[1] if item.__class__ is Typed else item
    if value.__class__ is bool:
        return value
    if value is None:
        return None
    return True


def boolean(value: bool | None) -> Items:
    """The collection of a three-valued truth."""
    return EMPTY if value is None else TRUE if value else FALSE


def is_number(value: Any) -> bool:
    return value.__class__ is int or isinstance(value, Decimal)


def equal(left: Any, right: Any) -> bool | None:
    """`=` of two operands (N1, section 6.1); None when it cannot be said."""
    if left is None or right is None:
        return None
    if left.__class__ is right.__class__ and left.__class__ in (str, bool, int, dict):
        return bool(left == right)
    if is_number(left) and is_number(right):
        return bool(left == right)
    if isinstance(left, Temporal) and isinstance(right, Temporal):
        if (left.kind == "Time") != (right.kind == "Time"):
            return False
        order = temporal.compare(left, right)
        return None if order is None else order == 0
    pair = _quantities(left, right)
    if pair is None:
        return False
    order = quantity.compare(*pair)
    return None if order is None else order == 0


def _quantities(left: Any, right: Any) -> tuple[Quantity, Quantity] | None:
    """Both as quantities when one is and the other is one or a number."""
    if isinstance(left, Quantity):
        if isinstance(right, Quantity):
            return left, right
        return (left, Quantity(Decimal(right))) if is_number(right) else None
    return (Quantity(Decimal(left)), right) if isinstance(right, Quantity) and is_number(left) else None


def equal_collections(left: Items, right: Items) -> bool | None:
    """`=` of two collections, in their order."""
    if not left or not right:
        return None
    if len(left) != len(right):
        return False
    result: bool | None = True
    for one, other in zip(left, right, strict=True):
        same = equal(operand(one), operand(other))
        if same is False:
            return False
        if same is None:
            result = None
    return result


def equivalent(left: Any, right: Any) -> bool:
    """`~` of two operands (N1, section 6.1)."""
    if left is None or right is None:
        return left is right
    if left.__class__ is str and right.__class__ is str:
        return " ".join(left.lower().split()) == " ".join(right.lower().split())
    if left.__class__ is bool or right.__class__ is bool:
        return left is right
    if is_number(left) and is_number(right):
        return _close(Decimal(left), Decimal(right))
    if left.__class__ is dict and right.__class__ is dict:
        return left.keys() - {"id"} == right.keys() - {"id"} and all(
            equivalent(left[name], right[name]) for name in left if name != "id"
        )
    if left.__class__ is list and right.__class__ is list:
        return equivalent_collections(left, right)
    pair = _quantities(left, right)
    return equal(left, right) is True if pair is None else quantity.equivalent(*pair)


def _close(left: Decimal, right: Decimal) -> bool:
    digits = min(places(left), places(right))
    return round_to(left, digits) == round_to(right, digits)


def equivalent_collections(left: Items, right: Items) -> bool:
    """`~` of two collections, in any order."""
    if len(left) != len(right):
        return False
    rest = [operand(item) for item in right]
    for item in left:
        value = operand(item)
        for at, other in enumerate(rest):
            if equivalent(value, other):
                del rest[at]
                break
        else:
            return False
    return True


def compare(left: Any, right: Any, operator: str) -> int | None:
    """-1, 0 or 1; None when precision or units leave it open. Raises FhirPathError for what has no order."""
    if is_number(left) and is_number(right):
        return int(left > right) - int(left < right)
    if left.__class__ is str and right.__class__ is str:
        return int(left > right) - int(left < right)
    if isinstance(left, Temporal) and isinstance(right, Temporal) and (left.kind == "Time") == (right.kind == "Time"):
        return temporal.compare(left, right)
    pair = _quantities(left, right)
    if pair is None:
        raise FhirPathError(f"{operator} cannot order {_kind(left)} and {_kind(right)}")
    return quantity.compare(*pair)


def _kind(value: Any) -> str:
    return "an element" if isinstance(value, dict | list) else system_type(value)


def key(item: Item) -> Any:
    """A hashable stand-in: equal for items that `=` calls equal."""
    return _key(operand(item))


def _key(value: Any) -> Any:
    kind = value.__class__
    if kind is str:
        return value
    if kind is bool:
        return ("?", value)
    if kind is dict:
        return ("{", frozenset((name, _key(child)) for name, child in value.items()))
    if kind is list:
        return ("[", tuple(_key(child) for child in value))
    if isinstance(value, Temporal):
        return temporal.key(value)
    if isinstance(value, Quantity):
        return ("Q", quantity.key(value))
    return CONTEXT.plus(value) if isinstance(value, Decimal) else value


def distinct(items: Items) -> Items:
    """The items without those equal to an earlier one."""
    if len(items) < 2 or len({_outline(item) for item in items}) == len(items):
        return items
    return list({key(item): item for item in reversed(items)}.values())[::-1]


def _outline(item: Item) -> Any:
    """Equal for equal items, and cheap: of an element only the names of its members."""
    value = item[1] if item.__class__ is Typed else None
    return ("{", frozenset(value)) if value.__class__ is dict and item[0] not in QUANTITIES else key(item)


def pad(values: Any, extras: Any) -> Any:
    """The pairs of a primitive array and its `_` array."""
    return zip_longest(values if values.__class__ is list else (), extras if extras.__class__ is list else ())
