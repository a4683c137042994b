"""Tokens -> syntax tree, by precedence climbing (FHIRPath N1, section 6.8)."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from fhirserver.fhirpath import temporal
from fhirserver.fhirpath.errors import FhirPathError
from fhirserver.fhirpath.lexer import Token, tokens
from fhirserver.fhirpath.nodes import (
    Binary,
    Call,
    Index,
    Item,
    Literal,
    Many,
    Member,
    Name,
    Node,
    This,
    Total,
    TypeTest,
    Unary,
    Variable,
)
from fhirserver.fhirpath.quantity import CALENDAR, Quantity

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH: Final = 100
"""Levels of the syntax tree, and of parentheses."""

MAX_DIGITS: Final = 40

_BINDING: Final = {
    "implies": 1,
    "or": 2, "xor": 2,
    "and": 3,
    "in": 4, "contains": 4,
    "=": 5, "~": 5, "!=": 5, "!~": 5,
    "<": 6, ">": 6, "<=": 6, ">=": 6,
    "|": 7,
    "is": 8, "as": 8,
    "+": 9, "-": 9, "&": 9,
    "*": 10, "/": 10, "div": 10, "mod": 10,
}  # fmt: skip
_UNARY: Final = 11
_ASSOCIATIVE: Final = frozenset({"and", "or", "|"})
_SPECIAL: Final[dict[str, Callable[[int], Node]]] = {"$this": This, "$index": Index, "$total": Total}
_WORDS: Final = {"true": True, "false": False}


def parse(text: str) -> Node:
    """The syntax tree of `text`. Raises FhirPathError with the position of what cannot be read."""
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = tokens(text)
        self.next = 0
        self.nested = 0
        self.depths: dict[int, int] = {}

    def parse(self) -> Node:
        node = self.expression(0)
        if self.token.kind != "end":
            raise self.unexpected()
        return node

    @property
    def token(self) -> Token:
        return self.tokens[self.next]

    def take(self) -> Token:
        token = self.token
        self.next += 1
        return token

    def accept(self, symbol: str) -> bool:
        token = self.token
        if token.kind == "symbol" and token.text == symbol:
            self.next += 1
            return True
        return False

    def demand(self, symbol: str) -> None:
        if not self.accept(symbol):
            raise self.unexpected(f"expected {symbol!r}")

    def unexpected(self, hint: str = "") -> FhirPathError:
        token = self.token
        what = "Unexpected end of the expression" if token.kind == "end" else f"Unexpected {token.text!r}"
        return FhirPathError(what + (f", {hint}" if hint else ""), token.at)

    def grown(self, node: Node, *children: Node) -> Node:
        """The node, its depth noted: children stand in the tree, so their ids stay theirs."""
        depth = 1 + max((self.depths.get(id(child), 1) for child in children), default=0)
        if depth > MAX_DEPTH:
            raise FhirPathError(f"The expression is nested more than {MAX_DEPTH} levels deep", node.at)
        self.depths[id(node)] = depth
        return node

    def expression(self, binding: int) -> Node:
        self.nested += 1
        if self.nested > MAX_DEPTH:
            raise FhirPathError(f"The expression is nested more than {MAX_DEPTH} levels deep", self.token.at)
        left = self.prefix()
        while True:
            token = self.token
            power = _BINDING.get(token.text, 0) if token.kind in ("symbol", "name") else 0
            if power <= binding:
                break
            self.next += 1
            left = self.infix(left, token, power)
        self.nested -= 1
        return left

    def infix(self, left: Node, token: Token, power: int) -> Node:
        if token.text in ("is", "as"):
            return self.grown(TypeTest(token.text, left, self.type_name(), token.at), left)
        right = self.expression(power)
        if token.text not in _ASSOCIATIVE:
            return self.grown(Binary(token.text, left, right, token.at), left, right)
        operands = [left, right]
        while self.token.kind in ("symbol", "name") and self.token.text == token.text:
            self.next += 1
            operands.append(self.expression(power))
        return self.grown(Many(token.text, tuple(operands), token.at), *operands)

    def type_name(self) -> str:
        parts = [self.identifier()]
        while self.accept("."):
            parts.append(self.identifier())
        return ".".join(parts)

    def identifier(self) -> str:
        token = self.token
        if token.kind not in ("name", "delimited"):
            raise self.unexpected("expected a name")
        self.next += 1
        return token.text

    def prefix(self) -> Node:
        token = self.token
        if token.kind == "symbol" and token.text in "+-":
            self.next += 1
            operand = self.expression(_UNARY)
            return self.grown(Unary(token.text, operand, token.at), operand)
        return self.suffixed(self.term())

    def suffixed(self, node: Node) -> Node:
        while True:
            token = self.token
            if self.accept("."):
                node = self.invocation(node)
            elif self.accept("["):
                index = self.expression(0)
                self.demand("]")
                node = self.grown(Item(node, index, token.at), node, index)
            else:
                return node

    def invocation(self, source: Node) -> Node:
        token = self.token
        if token.kind == "special":
            raise self.unexpected("expected a name")
        name = self.identifier()
        if token.kind == "name" and self.accept("("):
            arguments = self.arguments()
            return self.grown(Call(source, name, arguments, token.at), source, *arguments)
        return self.grown(Member(source, name, token.at), source)

    def arguments(self) -> tuple[Node, ...]:
        if self.accept(")"):
            return ()
        found = [self.expression(0)]
        while self.accept(","):
            found.append(self.expression(0))
        self.demand(")")
        return tuple(found)

    def term(self) -> Node:
        token = self.take()
        match token.kind:
            case "number":
                return self.number(token)
            case "string":
                return self.grown(Literal(token.text, token.at))
            case "datetime" | "time":
                return self.grown(Literal(_temporal(token), token.at))
            case "variable":
                return self.grown(Variable(token.text, token.at))
            case "special":
                return self.grown(_SPECIAL[token.text](token.at))
            case "name" | "delimited":
                return self.named(token)
            case "symbol" if token.text == "(":
                node = self.expression(0)
                self.demand(")")
                return node
            case "symbol" if token.text == "{":
                self.demand("}")
                return self.grown(Literal(None, token.at))
        self.next -= 1
        raise self.unexpected()

    def named(self, token: Token) -> Node:
        if token.kind == "name":
            if token.text in _WORDS:
                return self.grown(Literal(_WORDS[token.text], token.at))
            if self.accept("("):
                arguments = self.arguments()
                return self.grown(Call(None, token.text, arguments, token.at), *arguments)
        return self.grown(Name(token.text, token.at))

    def number(self, token: Token) -> Node:
        follower = self.token
        value: Decimal | int
        if follower.kind == "string" or (follower.kind == "name" and follower.text in CALENDAR):
            self.next += 1
            return self.grown(Literal(Quantity(Decimal(token.text), follower.text), token.at))
        if len(token.text) > MAX_DIGITS:
            raise FhirPathError(f"A number has at most {MAX_DIGITS} digits", token.at)
        value = Decimal(token.text) if "." in token.text else int(token.text)
        return self.grown(Literal(value, token.at))


def _temporal(token: Token) -> temporal.Temporal:
    text = token.text[1:]
    kind = "Time" if token.kind == "time" else "DateTime" if "T" in text else "Date"
    value = temporal.parse(kind, text.removeprefix("T") if kind == "Time" else text)
    if value is None:
        raise FhirPathError(f"{token.text} is no {kind}", token.at)
    return value
