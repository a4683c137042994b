"""Text of an expression -> tokens (FHIRPath N1, appendix "Grammar")."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from fhirserver.fhirpath.errors import FhirPathError

MAX_LENGTH: Final = 32_768
"""Characters of an expression."""

_TOKEN: Final = re.compile(
    r"""
      (?P<space>\s+|//[^\n\r]*|/\*.*?\*/)
    | (?P<datetime>@\d{4}(?:-\d\d(?:-\d\d)?)?
        (?:T(?:\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:\d\d)?)?)?)
    | (?P<time>@T\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?)
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<delimited>`(?:[^`\\]|\\.)*`)
    | %(?P<variable>[A-Za-z_]\w*|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`)
    | (?P<special>\$(?:this|index|total)\b)
    | (?P<name>[A-Za-z_]\w*)
    | (?P<symbol><=|>=|!=|!~|[-+*/&|.,()\[\]{}<>=~])
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"} | {c: c for c in "\\'\"`/"}


class Token(NamedTuple):
    """`kind` is a group of the grammar above, or `end`; `text` is unescaped for strings and delimited names."""

    kind: str
    text: str
    at: int


def tokens(text: str) -> list[Token]:
    """The tokens of `text`, closed by one of kind `end`. Raises FhirPathError where none begins."""
    if len(text) > MAX_LENGTH:
        raise FhirPathError(f"The expression is longer than {MAX_LENGTH} characters")
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise FhirPathError(f"Unexpected character {text[at]!r}", at)
        kind = match.lastgroup or ""
        if kind != "space":
            found.append(Token(kind, _content(kind, match[kind], at), at))
        at = match.end()
    found.append(Token("end", "", at))
    return found


def _content(kind: str, text: str, at: int) -> str:
    quoted = kind in ("string", "delimited") or (kind == "variable" and text[0] in "'`")
    if not quoted:
        return text

    def unescape(match: re.Match[str]) -> str:
        code = match[1]
        if len(code) == 5:
            return chr(int(code[1:], 16))
        if code not in _ESCAPES:
            raise FhirPathError(f"Unknown escape {match[0]!r}", at)
        return _ESCAPES[code]

    plain = _ESCAPE.sub(unescape, text[1:-1])
    if plain.isascii():
        return plain
    try:
        return plain.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise FhirPathError("Half a surrogate pair", at) from None
