"""What an operation answers as Parameters, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Parameters = list[dict[str, Any]]


def value(parameters: Iterable[Mapping[str, Any]], name: str) -> Any:
    """The value of the first parameter of a name; None where there is none."""
    return next((_value(each) for each in parameters if each["name"] == name), None)


def values(parameters: Iterable[Mapping[str, Any]], name: str) -> list[Any]:
    """The values of all parameters of a name; of one with parts, these by name."""
    return [_value(each) for each in parameters if each["name"] == name]


def _value(parameter: Mapping[str, Any]) -> Any:
    if "part" in parameter:
        return {each["name"]: _value(each) for each in parameter["part"]}
    return next((value for name, value in parameter.items() if name.startswith("value")), None)
