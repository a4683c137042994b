"""Snapshots from differentials (https://hl7.org/fhir/R4/profiling.html#snapshot).

The snapshot of the base becomes a tree of nodes; each element of the differential walks down that tree by its id, which
unfolds types, profiles and content references on the way, and constrains the node it arrives at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from fhirserver.spec.canonical import BASE
from fhirserver.spec.types import type_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fhirserver.spec.definitions import Definitions

Json: TypeAlias = "dict[str, Any]"

REPLACED: Final = re.compile(
    r"min|max|type|maxLength|binding|mustSupport|isModifier|isSummary|representation|sliceIsConstraining"
    r"|(?:minValue|maxValue|fixed|pattern|defaultValue)[A-Z]\w*"
)
"""Members of an element of which the differential's value takes the place of the base's."""

EXTENSION_SLICING: Final = {"discriminator": [{"type": "value", "path": "url"}], "ordered": False, "rules": "open"}
CHOICE_SLICING: Final = {"discriminator": [{"type": "type", "path": "$this"}], "ordered": False, "rules": "open"}
CLOSED_CHOICE: Final = {**CHOICE_SLICING, "rules": "closed"}


class SnapshotError(ValueError):
    """The differential cannot be applied to its base."""


class Node:
    """An element, the elements below it, and its slices. `children` is None while nothing asked for them.

    `origin` is the element before the differential.
    """

    def __init__(self, name: str, element: Json, slice_name: str | None = None) -> None:
        self.name = name
        self.element = element
        self.origin = element
        self.slice_name = slice_name
        self.children: dict[str, Node] | None = None
        self.slices: dict[str, Node] = {}

    def copy(self) -> Node:
        """A node like this, and what is below it."""
        copied = Node(self.name, self.element, self.slice_name)
        if self.children is not None:
            copied.children = {name: child.copy() for name, child in self.children.items()}
        copied.slices = {name: item.copy() for name, item in self.slices.items()}
        return copied

    def elements(self, identity: str, path: str) -> Iterator[Json]:
        """The node, what is below it, then its slices: the order of a snapshot."""
        own = f"{identity}:{self.slice_name}" if self.slice_name else identity
        element = {**self.element, "id": own, "path": path}
        if not self.slices and not element.get("slicing", {}).get("discriminator"):
            element.pop("slicing", None)
        yield element
        for child in (self.children or {}).values():
            yield from child.elements(f"{own}.{child.name}", f"{path}.{child.name}")
        for item in self.slices.values():
            yield from item.elements(identity, path)


def generate(structure: Mapping[str, Any], definitions: Definitions) -> Json:
    """The StructureDefinition with a snapshot of facts.

    Raises SnapshotError when its base, or a type or profile that it walks into, is unknown, and when an element of the
    differential has no place in the base.
    """
    base = definitions.structure(structure.get("baseDefinition", ""))
    if base is None:
        raise SnapshotError(f"{structure.get('url')}: its base {structure.get('baseDefinition')} is not known.")
    builder = _Builder(structure, base, definitions)
    for element in _identified(structure["differential"]["element"]):
        builder.apply(element)
    root = builder.root
    return {**structure, "snapshot": {"element": list(root.elements(root.name, root.name))}}


def tree(elements: Iterable[Mapping[str, Any]]) -> Node:
    """The elements of a snapshot as a tree."""
    first, *others = elements
    root = Node(first["path"], dict(first))
    for element in others:
        *above, (name, slice_name) = segments(element["id"])
        parent = root
        for step, step_slice in above[1:]:
            parent = (parent.children or {})[step]
            parent = parent.slices[step_slice] if step_slice else parent
        if parent.children is None:
            parent.children = {}
        if slice_name is None:
            parent.children[name] = Node(name, dict(element))
        else:
            parent.children[name].slices[slice_name] = Node(name, dict(element), slice_name)
    return root


def _tree(structure: Mapping[str, Any]) -> Node:
    """The snapshot of a StructureDefinition as a tree; its content references say whose elements they mean."""
    prefix = f"{BASE}{structure['type']}"
    return tree(
        {**element, "contentReference": prefix + element["contentReference"]}
        if element.get("contentReference", "").startswith("#")
        else element
        for element in structure["snapshot"]["element"]
    )


def segments(identity: str) -> list[tuple[str, str | None]]:
    """`Patient.identifier:INS.type` -> [(Patient, None), (identifier, INS), (type, None)]."""
    parts = [part.partition(":") for part in identity.split(".")]
    return [(name, slice_name or None) for name, _, slice_name in parts]


def _identified(elements: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The elements of a differential, each with an id: where it has none, from its path and the slices before it."""
    latest: dict[str, str] = {}
    for element in elements:
        path = element["path"]
        identity = element.get("id")
        if identity is None:
            parent, _, name = path.rpartition(".")
            above = _latest(latest, parent)
            identity = f"{above}.{name}" if above else name
            if "sliceName" in element:
                identity += ":" + element["sliceName"]
        latest = {known: its for known, its in latest.items() if not known.startswith(path + ".")} | {path: identity}
        yield {**element, "id": identity}


def _latest(latest: Mapping[str, str], path: str) -> str:
    if path in latest or "." not in path:
        return latest.get(path, path)
    parent, _, name = path.rpartition(".")
    return f"{_latest(latest, parent)}.{name}"


class _Builder:
    """The tree of one StructureDefinition while its differential is applied."""

    def __init__(self, structure: Mapping[str, Any], base: Mapping[str, Any], definitions: Definitions) -> None:
        self.url = structure.get("url")
        self.definitions = definitions
        self.root = _tree(base)

    def apply(self, element: Mapping[str, Any]) -> None:
        """Constrain the node that the id of a differential's element names."""
        node = self.root
        for name, slice_name in segments(element["id"])[1:]:
            node = self._child(node, name, element)
            if slice_name is not None:
                node = self._slice(node, slice_name)
        self._constrain(node, element)

    def _child(self, node: Node, name: str, element: Mapping[str, Any]) -> Node:
        children = self._unfold(node)
        if name in children:
            return children[name]
        for child in children.values():
            listed = _chosen(child, name)
            if listed is not None:
                return self._shortcut(child, name, listed)
        raise SnapshotError(f"{self.url}: {element['id']}: the base has no element {name} there.")

    def _shortcut(self, node: Node, name: str, listed: Json) -> Node:
        """The slice that `valueQuantity` stands for; where `value[x]` was not sliced, it is closed to other types."""
        slicing = node.element.get("slicing", CLOSED_CHOICE)
        before = node.element["type"] if "slicing" in node.element else []
        if name not in node.slices:
            self._slice(node, name)
            if slicing is CLOSED_CHOICE:
                node.element = {**node.element, "type": [*before, listed], "slicing": CLOSED_CHOICE}
        return node.slices[name]

    def _slice(self, node: Node, name: str) -> Node:
        found = node.slices.get(name)
        if found is not None:
            return found
        whole = node.slices.get(name.rpartition("/")[0], node)
        created = whole.copy()
        created.element = {k: v for k, v in whole.origin.items() if k != "slicing"} | {"sliceName": name}
        created.slice_name, created.slices = name, {}
        if node.name.endswith("[x]"):
            node.element = {"slicing": CHOICE_SLICING, **node.element}
            listed = _chosen(node, name)
            if listed is not None:
                created.element["type"] = [listed]
        elif node.name in ("extension", "modifierExtension"):
            node.element = {"slicing": EXTENSION_SLICING, **node.element}
        node.slices = _inserted(node.slices, name, created)
        return created

    def _unfold(self, node: Node) -> dict[str, Node]:
        if node.children is None:
            node.children = self._below(node)
        return node.children

    def _below(self, node: Node) -> dict[str, Node]:
        reference = node.element.get("contentReference")
        if reference is not None:
            return self._referenced(reference)
        types = node.element.get("type", [])
        only = types[0] if len(types) == 1 else {"code": "Element"}
        for name in (*only.get("profile", [])[:1], type_name(only)):
            structure = self.definitions.structure(name)
            if structure is not None:
                return _tree(structure).children or {}
        raise SnapshotError(f"{self.url}: {node.element['id']}: its type {type_name(only)} is not known.")

    def _referenced(self, reference: str) -> dict[str, Node]:
        base, _, identity = reference.rpartition("#")
        structure = self.definitions.structure(base or identity.partition(".")[0])
        node = _tree(structure) if structure else self.root
        for name, _ in segments(identity)[1:]:
            node = self._unfold(node)[name]
        return node.copy().children or {}

    def _constrain(self, node: Node, element: Mapping[str, Any]) -> None:
        target = dict(node.element)
        target |= {name: value for name, value in element.items() if REPLACED.fullmatch(name)}
        if "slicing" in element:
            closed = target.get("slicing", {}).get("rules") == "closed"
            target["slicing"] = {**target.get("slicing", {}), **element["slicing"]}
            if closed:
                target["slicing"]["rules"] = "closed"
        own = [{"source": self.url, **constraint} for constraint in element.get("constraint", ())]
        _accumulate(target, {"constraint": own, "condition": element.get("condition", ())})
        node.element = target


def _chosen(node: Node, name: str) -> Json | None:
    """Of the types of `value[x]`, the one that the name `valueQuantity` means."""
    stem = node.name.removesuffix("[x]")
    if stem != node.name and name.startswith(stem):
        listed: Json
        for listed in node.origin.get("type", ()):
            code = type_name(listed)
            if name == stem + code[0].upper() + code[1:]:
                return listed
    return None


def _accumulate(target: Json, other: Mapping[str, Any]) -> None:
    """Add the constraints and conditions of another element; a constraint of the same key takes the other's place."""
    if other.get("constraint"):
        keys = {constraint["key"] for constraint in other["constraint"]}
        target["constraint"] = [c for c in target.get("constraint", ()) if c["key"] not in keys] + other["constraint"]
    if other.get("condition"):
        target["condition"] = list(dict.fromkeys([*target.get("condition", ()), *other["condition"]]))


def _inserted(slices: dict[str, Node], name: str, node: Node) -> dict[str, Node]:
    """The slices with one more: at the end, or for a re-slice `a/b` behind `a` and its other re-slices."""
    whole = name.rpartition("/")[0]
    if whole not in slices:
        return {**slices, name: node}
    ordered: dict[str, Node] = {}
    waiting = True
    within = False
    for key, item in slices.items():
        if within and waiting and not key.startswith(whole + "/"):
            ordered[name], waiting = node, False
        within = within or key == whole
        ordered[key] = item
    if waiting:
        ordered[name] = node
    return ordered
