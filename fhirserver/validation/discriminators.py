"""Discriminators of slicings (https://hl7.org/fhir/R4/profiling.html#discriminator).

A discriminator's path is compiled once to a walk over JSON; what a slice asks at its end is read from the slice's own
elements, or from the profiles that these name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.validation import references
from fhirserver.validation.elements import ABSTRACT, Node, tree
from fhirserver.validation.values import fixed, pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fhirserver.spec import Definitions
    from fhirserver.validation.base import Base
    from fhirserver.validation.context import At, Context
    from fhirserver.validation.items import Item

    Step = Callable[[Iterable["Found"], Context], list["Found"]]
    Test = Callable[[Any], bool]
    Matcher = Callable[[Item, Context], bool]
    Conforms = Callable[[str, dict[str, Any], At, Context], bool]

_STEP: Final = re.compile(
    r"\$this|(?P<call>resolve|extension|ofType|as)\(\s*(?:'(?P<text>[^']*)'|(?P<word>[A-Za-z0-9.]*))\s*\)|(?P<name>[A-Za-z][A-Za-z0-9]*)"
)


class Found(NamedTuple):
    """A value that a path leads to, and its type as far as JSON tells it."""

    value: Any
    kind: str | None


class Path(NamedTuple):
    """One step of a discriminator's path: a `name`, or a `call` of resolve, extension, ofType with its argument."""

    name: str
    call: str
    argument: str


def parse(path: str) -> list[Path]:
    """The steps of a path, without `$this`. Raises ValueError for what R4 does not allow there."""
    steps, position = [], 0
    while position < len(path):
        found = _STEP.match(path, position)
        if found is None:
            raise ValueError(f"not a discriminator path: {path}")
        if found["call"]:
            steps.append(Path("", found["call"], found["text"] or found["word"] or ""))
        elif found["name"]:
            steps.append(Path(found["name"], "", ""))
        position = found.end()
        if position < len(path):
            if path[position] != ".":
                raise ValueError(f"not a discriminator path: {path}")
            position += 1
    return steps


def walk(steps: list[Path]) -> Callable[[Item, Context], list[Found]]:
    """The values that the path leads to from an item."""
    if len(steps) == 1 and steps[0].name:
        name = steps[0].name
        return lambda item, ctx: _member(Found(item[0] if item[0] is not None else item[1], item[3]), name)

    def follow(item: Item, ctx: Context) -> list[Found]:
        value = item[0]
        current = [Found(value, item[3])] if value is not None else [Found(item[1], item[3])]
        for step in steps:
            current = [reached for found in current for reached in _next(found, step, ctx, item)]
        return current

    return follow


def _next(found: Found, step: Path, ctx: Context, item: Item) -> list[Found]:
    if step.name:
        return _member(found, step.name)
    if step.call == "resolve":
        return _resolve(found, ctx)
    if step.call == "extension":
        holder = found.value if isinstance(found.value, dict) else item[1]
        listed = holder.get("extension")
        items = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        return [Found(each, "Extension") for each in items if each.get("url") == step.argument]
    return [found] if found.kind == step.argument else []


def _member(found: Found, name: str) -> list[Found]:
    """The values of an element; of a choice, whichever type it has."""
    owner = found.value
    if not isinstance(owner, dict):
        return []
    if name in owner:
        value = owner[name]
        if isinstance(value, list):
            return [Found(each, _kind(each)) for each in value if each is not None]
        return [Found(value, _kind(value))]
    length = len(name)
    for key, value in owner.items():
        if key.startswith(name) and key[length : length + 1].isupper():
            return [Found(value, key[length:])]
    return []


def _kind(value: Any) -> str | None:
    found = value.get("resourceType") if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def _resolve(found: Found, ctx: Context) -> list[Found]:
    """The target of a reference; one that is not here is known at least by its type."""
    reference = found.value.get("reference") if isinstance(found.value, dict) else found.value
    target = references.resolve(reference, ctx)
    if target is not None:
        return [Found(target, _kind(target))]
    if isinstance(reference, str) and (split := references.split(reference)):
        return [Found(None, split[1])]
    return []


def _quick(steps: list[Path], test: Test) -> Matcher | None:
    """The matcher of a plain member, by far the most frequent discriminator."""
    if len(steps) != 1 or not steps[0].name:
        return None
    name = steps[0].name

    def matcher(item: Item, ctx: Context) -> bool:
        owner = item[0]
        value = owner.get(name) if type(owner) is dict else None
        if value is None or type(value) is list:
            return any(test(found.value) for found in _member(Found(owner, None), name))
        return test(value)

    return matcher


def texts(value: Any) -> list[str]:
    """What a slice may be known by: a text itself, the code of a Coding, the codes of a CodeableConcept."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, dict):
        return []
    codings = value.get("coding") if "coding" in value else [value]
    codes = [coding.get("code") for coding in codings if isinstance(coding, dict)] if isinstance(codings, list) else []
    return [code for code in codes if isinstance(code, str)]


def _within(node: Node, name: str) -> list[Node]:
    """The parts of a node's own fixed value or pattern that go by a name, as nodes that ask for nothing else."""
    for rule in ("fixed", "pattern"):
        whole = node.value(rule)
        if isinstance(whole, dict) and name in whole:
            parts = whole[name] if isinstance(whole[name], list) else [whole[name]]
            return [Node(name, {f"{rule}Part": part, "min": 1}) for part in parts]
    return []


class Discriminators:
    """Compiles what tells one slice from another."""

    def __init__(self, definitions: Definitions, base: Base, conforms: Conforms) -> None:
        self._definitions = definitions
        self._base = base
        self._conforms = conforms

    def matcher(self, discriminator: dict[str, str], piece: Node) -> Matcher | None:
        """Whether an item belongs to the slice by this discriminator; None when the slice says nothing about it."""
        kind = discriminator["type"]
        try:
            steps = parse(discriminator["path"])
        except ValueError:
            return None
        if kind == "type":
            return self._by_type(steps, piece)
        if kind == "profile":
            return self._by_profile(steps, piece)
        if kind == "exists":
            return self._by_presence(steps, piece)
        return self._by_value(steps, piece)

    def _by_value(self, steps: list[Path], piece: Node) -> Matcher | None:
        tests = [test for node in self.reach(piece, steps) if (test := self.test(node)) is not None]
        if not tests:
            return None
        follow = walk(steps)
        if len(tests) == 1:
            return _quick(steps, tests[0]) or (
                lambda item, ctx: any(tests[0](found.value) for found in follow(item, ctx))
            )

        def every(item: Item, ctx: Context) -> bool:
            values = [found.value for found in follow(item, ctx)]
            return all(any(test(value) for value in values) for test in tests)

        return every

    def hint(self, discriminator: dict[str, str], piece: Node) -> tuple[str, str] | None:
        """The member to look at, and the text that an item of the slice has there: its value, or a code in it."""
        if discriminator["type"] not in ("value", "pattern") or not discriminator["path"].isalpha():
            return None
        steps = parse(discriminator["path"])
        nodes = self.reach(piece, steps)
        if len(nodes) != 1 or nodes[0].choice:
            return None
        expected = nodes[0].value("fixed")
        if expected is None:
            expected = nodes[0].value("pattern")
        words = texts(expected)
        return (steps[0].name, words[0]) if words else None

    def _by_presence(self, steps: list[Path], piece: Node) -> Matcher | None:
        nodes = self.reach(piece, steps)
        if not nodes:
            return None
        node, follow = nodes[0], walk(steps)
        if node.max == 0:
            return lambda item, ctx: not follow(item, ctx)
        return (lambda item, ctx: bool(follow(item, ctx))) if node.min else None

    def _by_type(self, steps: list[Path], piece: Node) -> Matcher | None:
        codes = {code for node in self.reach(piece, steps) for code in self._codes(node, steps)}
        if not codes:
            return None
        follow, is_a = walk(steps), self._definitions.is_a
        fit = {code[0].upper() + code[1:] for code in codes} | codes

        def typed(item: Item, ctx: Context) -> bool:
            found = follow(item, ctx) if steps else [Found(item[0], item[3])]
            kinds = [each.kind for each in found if each.kind is not None]
            return any(kind in fit or any(code in ABSTRACT and is_a(kind, code) for code in codes) for kind in kinds)

        return typed

    def _codes(self, node: Node, steps: list[Path]) -> Iterable[str]:
        """The types of an element; behind resolve(), those of the targets."""
        for listed in node.types:
            if steps and steps[-1].call == "resolve" and listed["code"] == "Reference":
                for canonical in listed.get("targetProfile", ()):
                    if structure := self._definitions.structure(canonical):
                        yield structure["type"]
            else:
                yield listed["code"]

    def _by_profile(self, steps: list[Path], piece: Node) -> Matcher | None:
        resolving = bool(steps) and steps[-1].call == "resolve"
        key = "targetProfile" if resolving else "profile"
        profiles = [
            url
            for node in self.reach(piece, steps[:-1] if resolving else steps)
            for listed in node.types
            for url in listed.get(key, ())
        ]
        if not profiles:
            return None
        follow = walk(steps)

        def conforming(item: Item, ctx: Context) -> bool:
            return any(
                isinstance(found.value, dict) and self._conforms(url, found.value, item[2], ctx)
                for found in follow(item, ctx)
                for url in profiles
            )

        return conforming

    def reach(self, piece: Node, steps: list[Path]) -> list[Node]:
        """The elements of a slice that a path leads to; where it runs into required slices, into each of them."""
        current = [piece]
        for step in steps:
            current = [child for node in current for child in self._children(node, step)]
        return current

    def _children(self, node: Node, step: Path) -> list[Node]:
        if step.call == "resolve":
            return [self._target(node)]
        if step.call in ("ofType", "as"):
            return [node]
        if step.call == "extension":
            return self._extension(node, step.argument)
        child = node.children.get(step.name)
        asked = child is not None and self.test(child) is not None
        if not asked and (within := _within(node, step.name)):
            return within
        child = child or self._followed(node, step.name)
        if child is None:
            return []
        required = [each for each in child.slices.values() if each.min]
        return required if required and not asked and not child.choice else [child]

    def _followed(self, node: Node, name: str) -> Node | None:
        """An element that the snapshot does not unfold, from the profile or type that its parent has."""
        for listed in node.types:
            for canonical in (*listed.get("profile", ()), listed["code"]):
                structure = self._definitions.structure(canonical) if ":" in canonical or "." not in canonical else None
                if structure is not None and (child := tree(structure).children.get(name)):
                    return child
        return None

    def _target(self, node: Node) -> Node:
        """The root of the one profile that a reference's target has; else the reference itself, for its type."""
        targets = [url for listed in node.types for url in listed.get("targetProfile", ())]
        structure = self._definitions.structure(targets[0]) if len(targets) == 1 else None
        if structure is None:
            return node
        root = tree(structure)
        root.element = {**root.element, "type": [{"code": structure["type"]}]}
        return root

    def _extension(self, node: Node, url: str) -> list[Node]:
        home = node.children.get("extension")
        for piece in home.slices.values() if home else ():
            urls = [listed.partition("|")[0] for each in piece.types for listed in each.get("profile", ())]
            told = piece.children.get("url")
            if url in urls or (told is not None and told.value("fixed") == url):
                return [piece]
        return []

    def test(self, node: Node, depth: int = 0) -> Test | None:
        """Whether a value is what an element asks for: fixed, pattern, required binding, or such children."""
        for rule, compiled in (("fixed", fixed), ("pattern", pattern)):
            expected = node.value(rule)
            if expected is not None:
                return compiled(expected)
        binding = self._base.bound(dict(node.element))
        if binding is not None and binding.strength == "required":
            return binding.covers
        return self._children_test(node, depth) if depth < 4 else None

    def _children_test(self, node: Node, depth: int) -> Test | None:
        tests: list[tuple[str, Test]] = []
        for name, child in node.children.items():
            if child.min and (test := self.test(child, depth + 1)):
                tests.append((name, test))
        if not tests:
            return None

        def holds(value: Any) -> bool:
            found = Found(value, None)
            return all(any(test(each.value) for each in _member(found, name)) for name, test in tests)

        return holds
