"""Regular expressions that cannot hang: RE2's, whose time is linear in the text.

What RE2 does not know (look-around, back-references) goes to Python's engine, for short texts and patterns with few
repeats, none of a group.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from fhirserver.fhirpath.errors import FhirPathError

MAX_TEXT: Final = 1_000_000
MAX_REPLACED: Final = 20_000_000
MAX_PATTERN: Final = 4_000
_SHORT: Final = 200
_REPEATS: Final = 3
_REPEATED_GROUP: Final = re.compile(r"\)(?:[*+?]|\{)")
_REPEAT: Final = re.compile(r"(?<![\\(])(?:[*+?]|\{\d*,\d*\})")
_GROUP: Final = re.compile(r"\$(?:(\d{1,2})|\{(\w{1,64})\})")


def found(pattern: str, text: str) -> bool:
    """Whether `pattern` matches somewhere in `text`. Raises FhirPathError for one that cannot be used."""
    return _compiled(pattern, len(text)).search(text) is not None


def fits(pattern: str, text: str) -> bool:
    """Whether `pattern` matches all of `text`."""
    return _compiled(pattern, len(text)).fullmatch(text) is not None


def replaced(pattern: str, text: str, by: str) -> str:
    """`text` with every match replaced; `$1` and `${name}` in `by` are the match's groups."""
    regex = _compiled(pattern, len(text))
    groups = len(_GROUP.findall(by))
    if groups * len(text) + (len(text) + 1) * len(by) > MAX_REPLACED:
        raise FhirPathError("The text and its replacement are too long")
    try:
        return str(regex.sub(_GROUP.sub(_reference, by.replace("\\", "\\\\")), text))
    except Exception as error:
        raise FhirPathError(f"The substitution {by!r} does not fit the pattern {pattern!r}: {error}") from None


def _reference(match: re.Match[str]) -> str:
    return f"\\g<{match[1] or match[2]}>"


def _compiled(pattern: str, length: int) -> Any:
    if len(pattern) > MAX_PATTERN or length > MAX_TEXT:
        raise FhirPathError("The pattern or its text is too long to be matched")
    regex, linear = _compile(pattern)
    if not linear and length > _SHORT:
        raise FhirPathError(f"The text is too long for the pattern {pattern!r}")
    return regex


@lru_cache(512)
def _compile(pattern: str) -> tuple[Any, bool]:
    import re2  # type: ignore[import-untyped]  # 20 ms, and few expressions match patterns

    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    try:
        return re2.compile(pattern, options), True
    except re2.error:
        pass
    if len(_REPEAT.findall(pattern)) > _REPEATS or _REPEATED_GROUP.search(pattern):
        raise FhirPathError(f"The pattern {pattern!r} is not understood, or may take too long")
    try:
        return re.compile(pattern, re.DOTALL), False
    except (re.error, RecursionError, OverflowError) as error:
        raise FhirPathError(f"{pattern!r} is no regular expression: {error}") from None
