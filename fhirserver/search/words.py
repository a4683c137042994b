"""`_text` and `_content`: the words of a resource, and what is asked for among them
(https://hl7.org/fhir/R4/search.html#content).

    _text=douleur and (genou or "hanche gauche") not fracture*

Words are compared whole, without case, accents and punctuation; `*` stands for any end. What stands side by side is
asked for together.
"""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any, Final

from fhirserver.errors import BadRequest
from fhirserver.predicate import Contains, Predicate, all_of, any_of, negate
from fhirserver.search import escape, text

if TYPE_CHECKING:
    from collections.abc import Iterator

FIELDS: Final = {"_text": ("x.text",), "_content": ("x.text", "x.rest")}
"""By parameter, where the words are that it searches: those of the narrative, and all others."""
LONGEST: Final = 64_000
"""Characters of a narrative, and of all else, whose words are kept."""
MOST: Final = 50
"""Words and phrases that one value may ask for."""
DEEPEST: Final = 10

_PASSED: Final = frozenset({"resourceType", "id", "meta", "data", "reference"})
"""Members without words: identities, and what is attached."""
_TAG: Final = re.compile(r"""<!--.*?-->|<(?:[^<>"']|"[^"]*"|'[^']*')*>""", re.DOTALL)
_PIECE: Final = re.compile(r'\s*(?:([()])|"([^"]*)"(\*?)|([^\s()"]+))')


def of(resource: dict[str, Any]) -> dict[str, str]:
    """The words of a resource as the envelope keeps them: values between spaces, parted by `|`."""
    narrative = resource.get("text")
    div = narrative.get("div") if isinstance(narrative, dict) else None
    found = {}
    if isinstance(div, str):
        found["text"] = _joined([unescape(_TAG.sub(" ", div[: 4 * LONGEST]))])
    found["rest"] = _joined(_values(resource))
    return {name: words for name, words in found.items() if words}


def _joined(values: Iterator[str] | list[str]) -> str:
    kept: dict[str, None] = {}
    left = LONGEST
    for value in values:
        words = text.normal(value) if len(value) <= min(left, text.LONGEST) else text.folded(value[:left])
        if words and words not in kept:
            kept[words] = None
            left -= len(words)
            if left <= 0:
                break
    return f" {' | '.join(kept)} " if kept else ""


def _values(resource: dict[str, Any]) -> Iterator[str]:
    """All texts, codes and identifiers, in their order; no URLs, and nothing of narratives, which are kept apart."""
    waiting: list[Any] = [resource]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if "://" not in item and not item.startswith("urn:"):
                yield item
        elif isinstance(item, dict):
            if "div" not in item:
                waiting += [value for name, value in reversed(item.items()) if name not in _PASSED]
        elif isinstance(item, list):
            waiting += reversed(item)


def asked(name: str, value: str) -> Predicate:
    """The condition of a value of `_text` or `_content`. Raises BadRequest that says what is wrong with it."""
    return any_of(_Reader(name, escape.unescape(each)).read() for each in escape.split(value, ","))


class _Reader:
    def __init__(self, name: str, value: str) -> None:
        self._name, self._value, self._at, self._words = name, value, 0, 0

    def read(self) -> Predicate:
        found = self._either(0)
        if self._next() is not None:
            raise self._wrong("has a `)` too many")
        return found

    def _either(self, depth: int) -> Predicate:
        found = [self._together(depth)]
        while self._keyword("or"):
            found.append(self._together(depth))
        return any_of(found)

    def _together(self, depth: int) -> Predicate:
        found = [self._single(depth)]
        while self._keyword("and") or not self._ends():
            found.append(self._single(depth))
        return all_of(found)

    def _single(self, depth: int) -> Predicate:
        if depth > DEEPEST:
            raise self._wrong(f"has more than {DEEPEST} parentheses and negations within one another")
        if self._keyword("not"):
            return negate(self._single(depth + 1))
        piece = self._next()
        if piece is None or piece[1] == ")" or (piece[4] or "").lower() in ("and", "or"):
            raise self._wrong("must hold words, and between `and`, `or` and parentheses too")
        self._at = piece.end()
        if piece[1] == "(":
            found = self._either(depth + 1)
            closing = self._next()
            if closing is None:
                raise self._wrong("lacks a `)`")
            self._at = closing.end()
            return found
        quoted = piece[2] is not None
        return self._phrase(
            piece[2] if quoted else piece[4].rstrip("*"), (piece[3] if quoted else piece[4]).endswith("*")
        )

    def _phrase(self, phrase: str, open_: bool) -> Predicate:
        self._words += 1
        if self._words > MOST:
            raise BadRequest(f"{self._name} asks for more than {MOST} words.", code="too-costly")
        words = text.folded(phrase)
        if not words:
            raise self._wrong("must hold words of letters or digits")
        if len(words) > text.LONGEST_SOUGHT:
            raise self._wrong(f"has a phrase of more than {text.LONGEST_SOUGHT} characters")
        sought = f" {words}" if open_ else f" {words} "
        return any_of(Contains(field, "", sought) for field in FIELDS[self._name])

    def _keyword(self, word: str) -> bool:
        piece = self._next()
        there = piece is not None and piece[4] is not None and piece[4].lower() == word
        if piece is not None and there:
            self._at = piece.end()
        return there

    def _ends(self) -> bool:
        piece = self._next()
        return piece is None or piece[1] == ")" or (piece[4] is not None and piece[4].lower() == "or")

    def _next(self) -> re.Match[str] | None:
        if not self._value[self._at :].strip():
            return None
        found = _PIECE.match(self._value, self._at)
        if found is None:
            raise self._wrong('has a `"` that is not closed')
        return found

    def _wrong(self, what: str) -> BadRequest:
        return BadRequest(f'The value of {self._name} {what}: such as `douleur and (genou or "hanche gauche")`.')
