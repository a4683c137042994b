"""The grammar of `_filter` (https://hl7.org/fhir/R4/search_filter.html): text -> tree.

    name co "dup" and (birthdate ge 1970 or not (gender eq male)) and general-practitioner[active eq true].name sw a

`and` and `or` bind alike, from left to right.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from fhirserver.errors import BadRequest

MOST: Final = 50
"""Tests in one filter."""
DEEPEST: Final = 20
"""Parentheses and brackets within one another."""
OPERATORS: Final = (
    "eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le", "ap", "sa", "eb", "pr", "po", "ss", "sb", "in", "ni", "re",
)  # fmt: skip

_NAME: Final = re.compile(r"[A-Za-z_][\w\-:]*", re.ASCII)
_SPACE: Final = re.compile(r"\s*")
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_TOKEN: Final = re.compile(r"[^\s)\]]+")


class Step(NamedTuple):
    """A parameter; with `filter`, only where it leads to what this finds."""

    name: str
    filter: Filter | None = None


@dataclass(frozen=True)
class Test:
    """A path of parameters, an operator and a value; `quoted`: the value was a string."""

    path: tuple[Step, ...]
    operator: str
    value: str
    quoted: bool

    def __str__(self) -> str:
        return f"{'.'.join(step.name for step in self.path)} {self.operator}"


@dataclass(frozen=True)
class And:
    items: tuple[Filter, Filter]


@dataclass(frozen=True)
class Or:
    items: tuple[Filter, Filter]


@dataclass(frozen=True)
class Not:
    item: Filter


Filter = Test | And | Or | Not


def parse(text: str) -> Filter:
    """The tree of a filter. Raises BadRequest that says where it cannot be read on."""
    reader = _Reader(text)
    found = reader.filter(0)
    if reader.rest():
        raise reader.lost("`and`, `or` or the end")
    return found


class _Reader:
    def __init__(self, text: str) -> None:
        self._text, self._at, self._tests = text, 0, 0

    def filter(self, depth: int) -> Filter:
        if depth > DEEPEST:
            raise BadRequest(f"_filter has more than {DEEPEST} parentheses within one another.", code="too-costly")
        found = self._single(depth)
        while (word := self._word()) in ("and", "or"):
            self._at += len(word)
            items = (found, self._single(depth))
            found = And(items) if word == "and" else Or(items)
        return found

    def rest(self) -> str:
        self._skip()
        return self._text[self._at :]

    def lost(self, wanted: str) -> BadRequest:
        self._skip()
        return BadRequest(f"_filter cannot be read at {self._text[self._at : self._at + 20]!r}: {wanted} must follow.")

    def _single(self, depth: int) -> Filter:
        if self._sign("("):
            found = self.filter(depth + 1)
            self._close(")")
            return found
        start = self._at
        if self._word() == "not":
            self._at += len("not")
            if self._sign("("):
                found = Not(self.filter(depth + 1))
                self._close(")")
                return found
            self._at = start
        return self._test(depth)

    def _test(self, depth: int) -> Test:
        self._tests += 1
        if self._tests > MOST:
            raise BadRequest(f"_filter has more than {MOST} tests: divide it into several searches.", code="too-costly")
        path = [self._step(depth)]
        while self._text[self._at : self._at + 1] == ".":
            self._at += 1
            path.append(self._step(depth))
        if path[-1].filter is not None:
            raise self.lost("`.` and a parameter of what the brackets narrow")
        operator = self._word()
        if operator not in OPERATORS:
            raise self.lost(f"one of the operators {', '.join(OPERATORS)}")
        self._at += len(operator)
        value, quoted = self._value()
        return Test(tuple(path), operator, value, quoted)

    def _step(self, depth: int) -> Step:
        name = self._word()
        if not name:
            raise self.lost("the name of a parameter")
        self._at += len(name)
        if self._text[self._at : self._at + 1] != "[":
            return Step(name)
        self._at += 1
        found = self.filter(depth + 1)
        self._close("]")
        return Step(name, found)

    def _value(self) -> tuple[str, bool]:
        self._skip()
        quoted = _STRING.match(self._text, self._at)
        found = quoted or _TOKEN.match(self._text, self._at)
        if found is None:
            raise self.lost("a value")
        if quoted is None and found[0].startswith('"'):
            raise self.lost("a string that ends")
        self._at = found.end()
        if not quoted:
            return found[0], False
        try:
            return str(json.loads(found[0], strict=False)), True
        except ValueError:
            raise BadRequest(f"_filter has a string that is none of JSON: {found[0]}") from None

    def _word(self) -> str:
        self._skip()
        found = _NAME.match(self._text, self._at)
        return found[0] if found else ""

    def _sign(self, sign: str) -> bool:
        self._skip()
        there = self._text.startswith(sign, self._at)
        self._at += len(sign) if there else 0
        return there

    def _close(self, sign: str) -> None:
        if not self._sign(sign):
            raise self.lost(f"`{sign}`")

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at
