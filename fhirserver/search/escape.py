"""Splitting search values at `,`, `$` and `|`, each of which a backslash makes plain text
(https://hl7.org/fhir/R4/search.html#escaping)."""

from __future__ import annotations

import re
from typing import Final

_RESERVED: Final = re.compile(r"([,$|\\])")
_ESCAPED: Final = re.compile(r"\\([,$|\\])")


def split(value: str, separator: str, most: int = -1) -> list[str]:
    """The parts between unescaped separators, their escapes kept; with `most`, at most that many cuts."""
    parts: list[str] = []
    start = at = 0
    while at < len(value):
        if value[at] == "\\":
            at += 1
        elif value[at] == separator and len(parts) != most:
            parts.append(value[start:at])
            start = at + 1
        at += 1
    return [*parts, value[start:]]


def unescape(value: str) -> str:
    """The text that the value means; a backslash before anything else is a backslash."""
    return _ESCAPED.sub(r"\1", value) if "\\" in value else value


def escape(text: str) -> str:
    """The value that means just this text."""
    return _RESERVED.sub(r"\\\1", text)
