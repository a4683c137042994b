"""FHIR JSON to Python and back, digit for digit.

A decimal is a `Decimal` and is written as it was read (https://hl7.org/fhir/R4/datatypes.html#decimal: its precision
counts). What JSON leaves open and FHIR closes is refused: duplicate keys, NaN, lone surrogates, bottomless nesting.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

import orjson

from fhirserver.errors import InvalidJson

MAX_DEPTH: Final = 100
"""Levels of `{` and `[`: no R4 resource needs half of it."""

_LEAST: Final = -(2**63)
"""The least integer that orjson writes."""
_GREATEST: Final = 2**64 - 1
_BOM: Final = b"\xef\xbb\xbf"


class ExactDecimal(Decimal):
    """A decimal whose JSON text Python would write otherwise, such as `1e2` or `0.0000000`."""

    text: str

    def __new__(cls, text: str) -> ExactDecimal:
        self = super().__new__(cls, text)
        self.text = text
        return self


def parse(body: bytes) -> Any:
    """The JSON value in `body` (UTF-8, with or without a byte-order mark). Raises InvalidJson with what to change."""
    try:
        text = body.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidJson(f"The body is not UTF-8: byte {error.start} cannot be decoded.") from None
    try:
        value = _decode(text)
    except json.JSONDecodeError as error:
        raise InvalidJson(f"Not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    except (RecursionError, InvalidOperation, ValueError):
        raise InvalidJson("Not FHIR JSON: nested too deeply, or a number beyond measure.") from None
    if text.count("{") + text.count("[") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise InvalidJson(f"Nested more than {MAX_DEPTH} levels deep.")
    if "\\u" in text:
        _refuse_surrogates(body.removeprefix(_BOM))
    return value


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`. Raises InvalidJson when it holds anything else."""
    if not body.strip():
        raise InvalidJson("The body is empty: a FHIR resource in JSON was expected.")
    value = parse(body)
    if not isinstance(value, dict):
        raise InvalidJson("The body must be one JSON object, a FHIR resource.")
    return value


def dump(value: Any) -> bytes:
    """JSON as UTF-8 without white space, decimals as they were read. Raises InvalidJson for text beyond Unicode."""
    try:
        return orjson.dumps(value, default=_number)
    except TypeError as error:
        raise InvalidJson(f"Cannot be written as JSON: {error}.") from None


def pretty(value: Any) -> bytes:
    """JSON for a human reader, two spaces an indent."""
    return orjson.dumps(value, default=_number, option=orjson.OPT_INDENT_2)


def number(text: str) -> int | Decimal:
    """The value of a JSON number. Raises ValueError or InvalidOperation for one beyond measure."""
    return _int(text) if text.removeprefix("-").isdecimal() else _float(text)


def _number(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(getattr(value, "text", None) or str(value))
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def _float(text: str) -> Decimal:
    value = Decimal(text)
    return value if str(value) == text else ExactDecimal(text)


def _int(text: str) -> int | Decimal:
    value = int(text)
    return ExactDecimal(text) if text == "-0" or not _LEAST <= value <= _GREATEST else value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InvalidJson(f"The key {key!r} appears twice in one object.")
            seen.add(key)
    return members


def _constant(name: str) -> NoReturn:
    raise InvalidJson(f"{name} is not a JSON number.")


_decode = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_float=_float, parse_int=_int, parse_constant=_constant
).decode


def _depth(value: Any) -> int:
    deepest, stack = 0, [(value, 1)]
    while stack:
        item, level = stack.pop()
        deepest = max(deepest, level)
        children = item.values() if isinstance(item, dict) else item
        stack += [(child, level + 1) for child in children if isinstance(child, dict | list)]
    return deepest


def _refuse_surrogates(body: bytes) -> None:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidJson(f"Not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
