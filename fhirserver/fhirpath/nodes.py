"""The syntax tree of an expression. Every node carries `at`, the offset in the text where it begins."""

from __future__ import annotations

from typing import Any, NamedTuple


class Literal(NamedTuple):
    """A System value; None is the empty collection `{}`."""

    value: Any
    at: int


class Name(NamedTuple):
    """An identifier at the start of a path: an element of `$this`, or the name of its type."""

    name: str
    at: int


class This(NamedTuple):
    at: int


class Index(NamedTuple):
    at: int


class Total(NamedTuple):
    at: int


class Variable(NamedTuple):
    """`%name`"""

    name: str
    at: int


class Member(NamedTuple):
    source: Node
    name: str
    at: int


class Call(NamedTuple):
    """A function; without `source` its input is `$this`."""

    source: Node | None
    name: str
    arguments: tuple[Node, ...]
    at: int


class Item(NamedTuple):
    """`source[position]`"""

    source: Node
    position: Node
    at: int


class Unary(NamedTuple):
    operator: str
    operand: Node
    at: int


class Binary(NamedTuple):
    operator: str
    left: Node
    right: Node
    at: int


class Many(NamedTuple):
    """A run of one associative operator: `and`, `or`, `|`."""

    operator: str
    operands: tuple[Node, ...]
    at: int


class TypeTest(NamedTuple):
    """`operand is type`, `operand as type`; the type may be qualified, such as `FHIR.Patient`."""

    operator: str
    operand: Node
    type: str
    at: int


Node = Literal | Name | This | Index | Total | Variable | Member | Call | Item | Unary | Binary | Many | TypeTest


def fixed(node: Node) -> bool:
    """Whether a node gives the same for every `$this` of an evaluation, such as `%resource.descendants().reference`."""
    match node:
        case Literal() | Variable():
            return True
        case Member(source):
            return fixed(source)
        case TypeTest(_, operand):
            return fixed(operand)
        case Call(source, name):
            return source is not None and name in _PLAIN and fixed(source)
        case Many("|", operands):
            return all(map(fixed, operands))
    return False


_PLAIN = frozenset({"as", "children", "descendants", "ofType", "first", "distinct"})
