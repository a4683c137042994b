"""The primitive types: what their JSON values may be (https://hl7.org/fhir/R4/datatypes.html#primitive).

Each type has an `accept`, which decides nearly every value with one expression, and an `explain`, which names the rule
that a refused value breaks.
"""

from __future__ import annotations

import binascii
import calendar
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.validation.context import At, Context

MAX_TEXT: Final = 1024 * 1024
"""Characters of a string or markdown."""

_YEAR: Final = r"(?!0000)[0-9]{4}"
_DAY: Final = r"(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_CLOCK: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE: Final = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_OID: Final = r"[0-2](?:\.(?:0|[1-9][0-9]*))+"

_date = re.compile(rf"{_YEAR}(?:-(?:0[1-9]|1[0-2])|-{_DAY})?").fullmatch
_date_time = re.compile(rf"{_YEAR}(?:-(?:0[1-9]|1[0-2])|-{_DAY}(?:T{_CLOCK}{_ZONE})?)?").fullmatch
_instant = re.compile(rf"{_YEAR}-{_DAY}T{_CLOCK}{_ZONE}").fullmatch
_time = re.compile(_CLOCK).fullmatch
_id = re.compile(r"[A-Za-z0-9\-.]{1,64}").fullmatch
_code = re.compile(r"\S+(?:[ ]\S+)*").fullmatch
_uri = re.compile(r"(?!urn:uuid:|urn:oid:)\S+").fullmatch
_space = re.compile(r"\s").search
_urn = re.compile(rf"urn:uuid:{_UUID}|urn:oid:{_OID}").fullmatch
_oid = re.compile(rf"urn:oid:{_OID}").fullmatch
_uuid = re.compile(rf"urn:uuid:{_UUID}").fullmatch
_blank = re.compile(r"[ \t\r\n]+").fullmatch
_control = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]").search

Reason = tuple[str, dict[str, object]] | None
"""A rule with the values that fill its text; None when nothing is wrong after all."""


class Primitive(NamedTuple):
    """A primitive type. `accept(value)` is truthy for good values; `explain(value)` tells what is wrong with others."""

    name: str
    accept: Callable[[Any], object]
    explain: Callable[[Any], Reason]


def shape(value: object) -> str:
    """What a JSON value is called in a message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "number"


def refuse(primitive: Primitive, value: Any, ctx: Context, at: At, name: str, index: int = -1) -> None:
    """Report why `value` is not of the type."""
    if value is None:
        ctx.report("null", at, name, index)
    elif isinstance(value, list):
        ctx.report("single", at, name, index)
    elif reason := primitive.explain(value):
        rule, values = reason
        ctx.report(rule, at, name, index, values=values)


def _real_day(text: str) -> bool:
    """Whether the month has such a day; `text` begins `YYYY-MM-DD` with month and day in their ranges."""
    return int(text[8:10]) <= calendar.monthrange(int(text[:4]), int(text[5:7]))[1]


def _accept_string(value: Any) -> object:
    if type(value) is not str or len(value) > MAX_TEXT:
        return False
    if value.isprintable():
        return value and not value.isspace()
    return _control(value) is None and not _blank(value)


def _accept_date(value: Any) -> object:
    return type(value) is str and _date(value) and (value[8:10] <= "28" or _real_day(value))


def _accept_date_time(value: Any) -> object:
    return type(value) is str and _date_time(value) and (value[8:10] <= "28" or _real_day(value))


def _accept_instant(value: Any) -> object:
    return type(value) is str and _instant(value) and (value[8:10] <= "28" or _real_day(value))


def _accept_time(value: Any) -> object:
    return type(value) is str and _time(value)


def _accept_id(value: Any) -> object:
    return type(value) is str and _id(value)


def _accept_code(value: Any) -> object:
    return type(value) is str and _code(value)


def _accept_uri(value: Any) -> object:
    return type(value) is str and (_uri(value) or _urn(value))


def _accept_canonical(value: Any) -> object:
    return type(value) is str and (_uri(value) or _urn(value.partition("|")[0])) and (":" in value or value[0] == "#")


def _accept_oid(value: Any) -> object:
    return type(value) is str and _oid(value)


def _accept_uuid(value: Any) -> object:
    return type(value) is str and _uuid(value)


def _accept_boolean(value: Any) -> object:
    return value is True or value is False


def _accept_integer(value: Any) -> object:
    return type(value) is int and -2147483648 <= value <= 2147483647


def _accept_unsigned(value: Any) -> object:
    return type(value) is int and 0 <= value <= 2147483647


def _accept_positive(value: Any) -> object:
    return type(value) is int and 1 <= value <= 2147483647


def _accept_decimal(value: Any) -> object:
    kind = type(value)
    return kind is int or (isinstance(value, Decimal) and value.is_finite()) or (kind is float and value - value == 0)


def _accept_base64(value: Any) -> object:
    if type(value) is not str or not value:
        return False
    try:
        binascii.a2b_base64(value, strict_mode=True)
    except ValueError:
        return _spaced_base64(value)
    return True


def _spaced_base64(value: str) -> bool:
    """White space is allowed around groups of four."""
    dense = "".join(value.split())
    if dense == value or not dense:
        return False
    try:
        binascii.a2b_base64(dense, strict_mode=True)
    except ValueError:
        return False
    return True


def _text_reason(value: Any) -> Reason:
    if not isinstance(value, str):
        return _json_type("string", "string", value)
    if not value:
        return "string-empty", {}
    if len(value) > MAX_TEXT:
        return "string-long", {"length": len(value)}
    if found := _control(value):
        return "string-control", {"code": f"{ord(found.group()):04X}"}
    return "string-blank", {}


def _json_type(name: str, expected: str, value: object) -> Reason:
    return "json-type", {"type": name, "expected": expected, "found": shape(value)}


def _format(name: str) -> Callable[[Any], Reason]:
    """Why a text that follows a pattern is refused."""

    def explain(value: Any) -> Reason:
        if not isinstance(value, str):
            return _json_type(name, "string", value)
        if not value:
            return "string-empty", {}
        return "format", {"value": value, "type": name}

    return explain


def _uri_reason(name: str) -> Callable[[Any], Reason]:
    """Why a URI is refused; a URN has rules of its own; its UUID in capitals is only frowned upon."""
    form = _format(name)

    def explain(value: Any) -> Reason:
        if isinstance(value, str) and _urn(value.lower()):
            return "uuid-case", {"value": value}
        if isinstance(value, str) and value.startswith(("urn:uuid:", "urn:oid:")) and not _space(value):
            return "urn-form", {"value": value}
        return form(value)

    return explain


def _dated(name: str, pattern: Callable[[str], object]) -> Callable[[Any], Reason]:
    """Why a date is refused: its form, or that no calendar has it."""
    form = _format(name)

    def explain(value: Any) -> Reason:
        if isinstance(value, str) and pattern(value):
            return "calendar", {"value": value}
        return form(value)

    return explain


def _canonical_reason(value: Any) -> Reason:
    if isinstance(value, str) and _uri(value):
        return "canonical-absolute", {"value": value}
    return _uri_reason("canonical")(value)


def _base64_reason(value: Any) -> Reason:
    if not isinstance(value, str):
        return _json_type("base64Binary", "string", value)
    return ("base64", {}) if value else ("string-empty", {})


def _whole(name: str, low: int, high: int = 2147483647) -> Callable[[Any], Reason]:
    def explain(value: Any) -> Reason:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            return _json_type(name, "number", value)
        if not isinstance(value, int):
            return "format", {"value": value, "type": name}
        return "range", {"value": value, "type": name, "low": low, "high": high}

    return explain


def _decimal_reason(value: Any) -> Reason:
    return _json_type("decimal", "number", value)


def _boolean_reason(value: Any) -> Reason:
    return _json_type("boolean", "boolean", value)


_TYPES: Final = (
    Primitive("string", _accept_string, _text_reason),
    Primitive("markdown", _accept_string, _text_reason),
    Primitive("date", _accept_date, _dated("date", _date)),
    Primitive("dateTime", _accept_date_time, _dated("dateTime", _date_time)),
    Primitive("instant", _accept_instant, _dated("instant", _instant)),
    Primitive("time", _accept_time, _format("time")),
    Primitive("id", _accept_id, _format("id")),
    Primitive("code", _accept_code, _format("code")),
    Primitive("uri", _accept_uri, _uri_reason("uri")),
    Primitive("url", _accept_uri, _uri_reason("url")),
    Primitive("canonical", _accept_canonical, _canonical_reason),
    Primitive("oid", _accept_oid, _format("oid")),
    Primitive("uuid", _accept_uuid, _uri_reason("uuid")),
    Primitive("boolean", _accept_boolean, _boolean_reason),
    Primitive("integer", _accept_integer, _whole("integer", -2147483648)),
    Primitive("unsignedInt", _accept_unsigned, _whole("unsignedInt", 0)),
    Primitive("positiveInt", _accept_positive, _whole("positiveInt", 1)),
    Primitive("decimal", _accept_decimal, _decimal_reason),
    Primitive("base64Binary", _accept_base64, _base64_reason),
)

PRIMITIVES: Final[dict[str, Primitive]] = {primitive.name: primitive for primitive in _TYPES}
"""By name; `xhtml` is not among them, see `xhtml`."""
