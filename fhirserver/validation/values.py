"""Fixed values and patterns (https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.pattern_x_)."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable


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


def matches(value: Any, pattern: Any) -> bool:
    """Whether a value holds all that the pattern holds; each item of an array in it must be met by some item."""
    if isinstance(pattern, dict):
        if not isinstance(value, dict):
            return False
        for key, item in pattern.items():  # noqa: SIM110 - a generator costs more than the loop
            if key not in value or not matches(value[key], item):
                return False
        return True
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(matches(item, wanted) for item in value) for wanted in pattern)
    return same(value, pattern)


def equals_text(expected: str) -> Callable[[Any], bool]:
    """The quick form of `same` for a text."""
    return lambda value: bool(value == expected)


def shown(value: Any) -> str:
    """A value of a definition for a message."""
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


def _number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
