"""Where in a file a FHIRPath location lies: line and column, from 1, for JSON and XML.

A file is read a second time for this, and only when there is an issue to place. A location that the text does not have,
such as an element that is missing, lies where what should hold it begins.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Final, TypeAlias
from xml.parsers import expat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fhirserver.outcome import Issue

Spot: TypeAlias = "tuple[int, int]"
"""Line and column."""

_TOKEN: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|([{}\[\]:,])|[^\s{}\[\]:,"]+', re.DOTALL)
_STEP: Final = re.compile(r"([^.\[\]]+)(?:\[(\d+)\])?")


class Node:
    """An object, array item or element: where it begins, and its members with where their names stand."""

    __slots__ = ("members", "spot")

    def __init__(self, spot: Spot) -> None:
        self.spot = spot
        self.members: dict[str, tuple[Spot, list[Node]]] = {}

    def add(self, name: str, spot: Spot) -> list[Node]:
        """The items of a member; the first place of its name counts."""
        return self.members.setdefault(name, (spot, []))[1]


def placed(issues: Iterable[Issue], content: bytes, *, xml: bool = False) -> list[Issue]:
    """The issues with line and column. `content` is what they were found in: well-formed JSON or XML."""
    listed = list(issues)
    if not any(issue.expression for issue in listed):
        return listed
    root = _xml(content) if xml else _json(content.decode("utf-8-sig"))
    found = []
    for issue in listed:
        line, column = find(root, issue.expression[0]) if issue.expression else (issue.line, issue.column)
        found.append(issue._replace(line=line, column=column))
    return found


def find(root: Node, expression: str) -> Spot:
    """The spot of a location, or of the nearest place above it."""
    spot, nodes = root.spot, [root]
    for step in _STEP.finditer(expression.partition(".")[2]):
        members = [member for node in nodes for member in _named(node, step[1])]
        if not members:
            break
        spot = members[0][0]
        nodes = [item for _, items in members for item in items]
        if step[2] is not None:
            index = int(step[2])
            nodes = [item for _, items in members for item in items[index : index + 1]]
            spot = nodes[0].spot if nodes else spot
    return spot


def _named(node: Node, name: str) -> Iterator[tuple[Spot, list[Node]]]:
    """An element's members: its own, that of its extensions, or of a choice `valueX`."""
    exact = [node.members[key] for key in (name, "_" + name) if key in node.members]
    if exact:
        yield from exact
        return
    length = len(name)
    for key, member in node.members.items():
        bare = key.removeprefix("_")
        if bare.startswith(name) and bare[length : length + 1].isupper():
            yield member


def _json(text: str) -> Node:
    """The tree of JSON text that a parser has accepted."""
    starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def spot(offset: int) -> Spot:
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    top: list[Node] = []
    stack: list[tuple[Node | None, list[Node]]] = []
    owner: Node | None = None  # the object at hand, None in an array
    items, name = top, None  # what the next value joins
    for token in _TOKEN.finditer(text):
        mark = token[2]
        if mark in ("}", "]"):
            owner, items = stack.pop()
        elif mark == ",":
            name = None
        elif mark == ":":
            if owner is not None and name is not None:
                items = owner.add(_unescaped(name[1]), spot(name.start()))
        elif token[1] is not None and owner is not None and name is None:
            name = token
        elif mark == "[":
            if owner is None:
                items.append(Node(spot(token.start())))
            stack.append((owner, items))
            owner, items = None, items if owner is not None else []
        else:
            items.append(Node(spot(token.start())))
            if mark == "{":
                stack.append((owner, items))
                owner, name = items[-1], None
    return top[0] if top else Node((1, 1))


def _unescaped(name: str) -> str:
    return re.sub(r"\\(?:u([0-9a-fA-F]{4})|(.))", lambda found: chr(int(found[1], 16)) if found[1] else found[2], name)


def _xml(content: bytes) -> Node:
    """The tree of an XML document that a parser has accepted; without a DTD, so without entities."""
    top = Node((1, 1))
    stack = [top]
    parser = expat.ParserCreate()

    def start(tag: str, attributes: dict[str, str]) -> None:
        node = Node((parser.CurrentLineNumber, parser.CurrentColumnNumber + 1))
        above = stack[-1]
        name = tag.rpartition(":")[2]
        if name[:1].isupper() and len(stack) > 1:
            stack.append(above)  # the resource within `contained` or `resource` adds no step to a location
            return
        above.add(name, node.spot).append(node)
        stack.append(node)

    def end(tag: str) -> None:
        stack.pop()

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.Parse(content, True)
    found = next(iter(top.members.values()), None)
    return found[1][0] if found else top
