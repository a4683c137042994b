"""Fixed values and patterns (https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.pattern_x_)."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

    Test = Callable[[Any], bool]


def same(value: Any, expected: Any) -> bool:
    """Whether two JSON values are equal; numbers by value."""
    if isinstance(expected, dict):
        return (
            isinstance(value, dict)
            and value.keys() == expected.keys()
            and all(same(value[key], item) for key, item in expected.items())
        )
    if isinstance(expected, list):
        return isinstance(value, list) and len(value) == len(expected) and all(map(same, value, expected))
    if _number(expected):
        return _number(value) and Decimal(str(value)) == Decimal(str(expected))
    return type(value) is type(expected) and bool(value == expected)


def fixed(expected: Any) -> Test:
    """`same` for one expected value, compiled."""
    if isinstance(expected, str):
        return lambda value: bool(value == expected)
    return lambda value: same(value, expected)


def pattern(expected: Any) -> Test:
    """`matches` for one pattern, compiled."""
    if isinstance(expected, dict):
        return _object({key: pattern(item) for key, item in expected.items()})
    if isinstance(expected, list):
        return _array([pattern(item) for item in expected])
    return fixed(expected)


def _object(members: dict[str, Test]) -> Test:
    wanted = tuple(members.items())

    def holds(value: Any) -> bool:
        if type(value) is not dict:
            return False
        for key, test in wanted:  # noqa: SIM110 - a generator costs more than the loop
            if key not in value or not test(value[key]):
                return False
        return True

    return holds


def _array(items: list[Test]) -> Test:
    def holds(value: Any) -> bool:
        return type(value) is list and all(any(map(test, value)) for test in items)

    if len(items) != 1:
        return holds
    only = items[0]

    def holds_one(value: Any) -> bool:
        if type(value) is list:
            for item in value:
                if only(item):
                    return True
        return False

    return holds_one


def shown(value: Any) -> str:
    """A value of a definition for a message."""
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


def _number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
