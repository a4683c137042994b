"""A snapshot's flat list of elements as a tree (https://hl7.org/fhir/R4/elementdefinition.html#id)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

UNBOUNDED: Final = 1 << 30
ABSTRACT: Final = frozenset(("Resource", "DomainResource", "Element", "BackboneElement"))
"""Type codes that stand for any type below them; all others mean just themselves: a `code` is no `string` here."""


@dataclass(slots=True)
class Node:
    """An element or a slice of one; `children` by element name, `slices` by slice name, re-slices below their slice."""

    name: str
    element: Mapping[str, Any]
    slice: str | None = None
    children: dict[str, Node] = field(default_factory=dict)
    slices: dict[str, Node] = field(default_factory=dict)

    @property
    def choice(self) -> bool:
        return bool(self.element.get("path", "").endswith("[x]"))

    @property
    def min(self) -> int:
        return int(self.element.get("min", 0))

    @property
    def max(self) -> int:
        return bound(self.element.get("max", "*"))

    @property
    def types(self) -> list[Mapping[str, Any]]:
        return list(self.element.get("type", ()))

    def value(self, prefix: str) -> Any:
        """The element's `fixed[x]`, `pattern[x]`, `minValue[x]` …; None without one."""
        for key, value in self.element.items():
            if key.startswith(prefix) and key[len(prefix) : len(prefix) + 1].isupper():
                return value
        return None

    def walk(self) -> Iterator[Node]:
        """This node and all below it."""
        yield self
        for below in (*self.children.values(), *self.slices.values()):
            yield from below.walk()


def bound(maximum: str) -> int:
    """`max` as a number; `*` is larger than any count."""
    return UNBOUNDED if maximum == "*" else int(maximum)


def tree(structure: Mapping[str, Any]) -> Node:
    """The root element of a StructureDefinition's snapshot with all below it."""
    listed = structure["snapshot"]["element"]
    root = Node(listed[0]["path"], listed[0])
    for element in listed[1:]:
        identity = element.get("id") or element["path"]
        node = root
        steps = identity.split(".")[1:]
        for step in steps[:-1]:
            node = _descend(node, step)
        _add(node, steps[-1], element)
    return root


def _descend(node: Node, step: str) -> Node:
    """The node a step of an element's id leads to; one that the list left out is made."""
    name, _, label = step.partition(":")
    name = name.removesuffix("[x]")
    child = node.children.get(name)
    if child is None:
        child = node.children[name] = Node(name, {})
    return _slice(child, label) if label else child


def _slice(node: Node, label: str) -> Node:
    """The slice `a`, or the re-slice `a/b` below the slice `a`."""
    above, _, _ = label.rpartition("/")
    home = _slice(node, above) if above else node
    found = home.slices.get(label)
    if found is None:
        found = home.slices[label] = Node(node.name, {}, label)
    return found


def _add(parent: Node, step: str, element: Mapping[str, Any]) -> None:
    _descend(parent, step).element = element
