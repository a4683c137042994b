"""Strings (FHIRPath N1, section 5.6)."""

from __future__ import annotations

import base64
import binascii
import html
import json
from typing import TYPE_CHECKING, Any, Final

from fhirserver.fhirpath import patterns
from fhirserver.fhirpath.code import BOOLEAN, INTEGER, STRING
from fhirserver.fhirpath.environment import MAX_TEXT
from fhirserver.fhirpath.errors import FhirPathError
from fhirserver.fhirpath.functions.registry import collection, scalar, text
from fhirserver.fhirpath.values import EMPTY

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.fhirpath.environment import Frame
    from fhirserver.fhirpath.values import Items


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise FhirPathError(f"{name}() takes texts")
    return value


@scalar("indexOf", 1, types=INTEGER, texts=True)
def index_of(value: str, part: Any) -> int:
    return value.find(_text(part, "indexOf"))


@scalar("lastIndexOf", 1, types=INTEGER, texts=True)
def last_index_of(value: str, part: Any) -> int:
    return value.rfind(_text(part, "lastIndexOf"))


@collection("substring", 1, 2, types=STRING)
def substring(frame: Frame, items: Items, start: Items, length: Items = EMPTY) -> Items:
    value = text(items, "substring()")
    numbers = [each[0] for each in (start, length) if len(each) == 1]
    if value is None or not start:
        return EMPTY
    if len(numbers) != 1 + bool(length) or not all(number.__class__ is int for number in numbers):
        raise FhirPathError("substring() takes Integers")
    at = numbers[0]
    if not 0 <= at < len(value):
        return EMPTY
    part = value[at : at + max(0, numbers[1])] if length else value[at:]
    frame.weigh(part)
    return [part]


@scalar("startsWith", 1, types=BOOLEAN, texts=True)
def starts_with(value: str, part: Any) -> bool:
    return value.startswith(_text(part, "startsWith"))


@scalar("endsWith", 1, types=BOOLEAN, texts=True)
def ends_with(value: str, part: Any) -> bool:
    return value.endswith(_text(part, "endsWith"))


@scalar("contains", 1, types=BOOLEAN, texts=True)
def contains(value: str, part: Any) -> bool:
    return _text(part, "contains") in value


@scalar("upper", types=STRING, texts=True)
def upper(value: str) -> str:
    return value.upper()


@scalar("lower", types=STRING, texts=True)
def lower(value: str) -> str:
    return value.lower()


@scalar("length", types=INTEGER, texts=True)
def length(value: str) -> int:
    return len(value)


@scalar("trim", types=STRING, texts=True)
def trim(value: str) -> str:
    return value.strip()


@collection("toChars", types=STRING)
def to_chars(frame: Frame, items: Items) -> Items:
    value = text(items, "toChars()") or ""
    frame.spend(len(value))
    return list(value)


@scalar("replace", 2, types=STRING, texts=True)
def replace(value: str, part: Any, by: Any) -> str:
    old, new = _text(part, "replace"), _text(by, "replace")
    if len(value) + (value.count(old) + 1) * len(new) > MAX_TEXT:
        raise FhirPathError("A text grows too long")
    return value.replace(old, new)


@scalar("matches", 1, types=BOOLEAN, texts=True)
def matches(value: str, pattern: Any) -> bool:
    """Whether the pattern is found in the text; `.` is any character, a line's end too."""
    return patterns.found(_text(pattern, "matches"), value)


@scalar("matchesFull", 1, types=BOOLEAN, texts=True)
def matches_full(value: str, pattern: Any) -> bool:
    return patterns.fits(_text(pattern, "matchesFull"), value)


@scalar("replaceMatches", 2, types=STRING, texts=True)
def replace_matches(value: str, pattern: Any, by: Any) -> str:
    regex = _text(pattern, "replaceMatches")
    return patterns.replaced(regex, value, _text(by, "replaceMatches")) if regex else value


@collection("split", 1, types=STRING)
def split(frame: Frame, items: Items, separator: Items) -> Items:
    value, by = text(items, "split()"), text(separator, "split()")
    if value is None or by is None:
        return EMPTY
    parts = value.split(by) if by else list(value)
    frame.spend(len(parts))
    return list(parts)


@collection("join", 0, 1, types=STRING)
def join(frame: Frame, items: Items, separator: Items = EMPTY) -> Items:
    between = text(separator, "join()") or ""
    parts = [part for part in (text([item], "join()") for item in items) if part is not None]
    if sum(map(len, parts)) + len(parts) * len(between) > MAX_TEXT:
        raise FhirPathError("A text grows too long")
    if not items:
        return EMPTY
    joined = between.join(parts)
    frame.weigh(joined)
    return [joined]


def _url64(value: str) -> bytes:
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


_ENCODE: Final[dict[str, Callable[[bytes], bytes]]] = {
    "base64": base64.b64encode,
    "urlbase64": base64.urlsafe_b64encode,
    "hex": binascii.hexlify,
}
_DECODE: Final[dict[str, Callable[[str], bytes]]] = {
    "base64": lambda value: base64.b64decode(value, validate=True),
    "urlbase64": _url64,
    "hex": binascii.unhexlify,
}
_ESCAPE: Final[dict[str, Callable[[str], str]]] = {
    "html": html.escape,
    "json": lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
}
_UNESCAPE: Final[dict[str, Callable[[str], Any]]] = {
    "html": html.unescape,
    "json": lambda value: json.loads('"' + value.replace('\\"', '"').replace('"', '\\"') + '"'),
}


def _choose(table: dict[str, Any], kind: Any, name: str) -> Any:
    if kind not in table:
        raise FhirPathError(f"{name}() takes {' or '.join(table)}")
    return table[kind]


@scalar("encode", 1, types=STRING, texts=True)
def encode(value: str, kind: Any) -> str:
    return str(_choose(_ENCODE, kind, "encode")(value.encode()).decode("ascii"))


@scalar("decode", 1, types=STRING, texts=True)
def decode(value: str, kind: Any) -> str | None:
    """Empty for what is not so encoded."""
    try:
        return str(_choose(_DECODE, kind, "decode")(value).decode("utf-8"))
    except (binascii.Error, UnicodeError):
        return None


@scalar("escape", 1, types=STRING, texts=True)
def escape(value: str, kind: Any) -> str:
    return str(_choose(_ESCAPE, kind, "escape")(value))


@scalar("unescape", 1, types=STRING, texts=True)
def unescape(value: str, kind: Any) -> str | None:
    """Empty for what is not so escaped."""
    try:
        return str(_choose(_UNESCAPE, kind, "unescape")(value))
    except json.JSONDecodeError:
        return None
