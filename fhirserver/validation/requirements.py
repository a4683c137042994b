"""One profile's elements, each compiled to what it asks beyond the base type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.validation import checks, invariants
from fhirserver.validation.elements import UNBOUNDED, Node, bound
from fhirserver.validation.items import gatherer, properties
from fhirserver.validation.slicing import Slice, Slicing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fhirserver.spec import Definitions, Property
    from fhirserver.validation.base import Base
    from fhirserver.validation.context import At, Context
    from fhirserver.validation.discriminators import Matcher
    from fhirserver.validation.items import Gather, ItemCheck, Part
    from fhirserver.validation.profiles import Profiles

URL = "url"


class Requirements:
    """Compiles the tree of one StructureDefinition; `base` tells what its type asks already."""

    def __init__(self, definitions: Definitions, base: Base, profiles: Profiles, structure: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._base = base
        self._profiles = profiles
        self._url: str = structure["url"]
        self._type: str = structure["type"]
        self._referred: dict[str, Node] = {}

    def root(self, node: Node) -> tuple[Part, ...]:
        """The parts of the profile's root element."""
        self._referred = {each.element["id"]: each for each in node.walk() if "id" in each.element}
        known = self._known(self._base.elements(self._type).get(self._type, {}))
        own = node.element.get("constraint", ())
        found = list(invariants.compile_all(own, self._type, self._definitions, self._url, known))
        return (*self._parts(node, self._type), *found)

    def _parts(self, node: Node, kind: str | None) -> Iterator[Part]:
        for child in node.children.values():
            part = self._part(child, kind)
            if part is not None:
                yield part

    def _part(self, node: Node, kind: str | None) -> Part | None:
        """An element of an object of the type `kind`: its count, its values, its slices. None if it adds nothing."""
        members = properties(self._definitions, kind, node.name)
        gather = gatherer(node.name, members)
        given = self._given(kind, node, members)
        low = node.min if node.min > given.get("min", 0) else 0
        high = node.max if node.max < bound(given.get("max", "*")) else UNBOUNDED
        each = tuple(self._checks(node, members, given))
        slicing = self._slicing(node, members, given)
        if not (low or high < UNBOUNDED or each or slicing):
            return None
        if low == 1 and high == UNBOUNDED and not each and slicing is None:
            return _present(node.name, members, self._url)
        return _element(node.name, gather, low, high, each, slicing, self._url)

    def _given(self, kind: str | None, node: Node, members: Sequence[Property]) -> dict[str, Any]:
        """The element of the base type that this one constrains."""
        if kind is None:
            return {}
        elements = self._base.elements(kind.partition(".")[0])
        path = f"{kind}.{members[0].element if members else node.name}"
        return elements.get(path) or elements.get(path + "[x]") or {}

    def _checks(
        self, node: Node, members: Sequence[Property], given: Mapping[str, Any], above: Node | None = None
    ) -> Iterator[ItemCheck]:
        """What holds for each value; `above` is the element that this one is a slice of."""
        yield from checks.values(node, self._url)
        kinds = [listed["code"] for listed in node.types]
        yield from self._typed(node, members, given, above)
        yield from self._bound(node, kinds, given, above)
        known = self._known(given) | self._known(above.element if above else {})
        for kind in kinds[:1]:
            if not kind.startswith("http"):
                known |= self._known(self._base.elements(kind).get(kind, {}))
        narrowed = [member.type for member in members if member.type in kinds or len(members) == 1]
        yield from self._invariants(node, narrowed or kinds or ["Element"], known)
        yield from self._below(node, members, kinds)

    def _invariants(self, node: Node, kinds: Sequence[str], known: frozenset[str]) -> Iterator[ItemCheck]:
        """The constraints of an element, compiled for each type that its value may have."""
        for constraint in node.element.get("constraint", ()):
            found = {
                kind: check
                for kind in kinds
                for check in invariants.compile_all((constraint,), kind, self._definitions, self._url, known)
            }
            if found:
                yield checks.by_type(found)

    def _below(self, node: Node, members: Sequence[Property], kinds: list[str]) -> Iterator[ItemCheck]:
        """The children, and those of the element that a contentReference names."""
        kind = members[0].type if len(members) == 1 else kinds[0] if len(kinds) == 1 else None
        if kind == "Resource" and len(kinds) == 1:
            kind = kinds[0]
        parts = tuple(self._parts(node, kind))
        if parts:
            yield checks.children(parts)
        reference = node.element.get("contentReference", "")
        target = self._referred.get(reference.rpartition("#")[2])
        if target is not None and target.element.get("path", "") != "":
            yield self._recursive(target)

    def _recursive(self, target: Node) -> ItemCheck:
        """The children of an element that contains itself, compiled when the first value comes."""
        parts: tuple[Part, ...] | None = None

        def check(value: Any, owner: dict[str, Any], at: At, kind: str, ctx: Context) -> None:
            nonlocal parts
            if parts is None:
                parts = tuple(self._parts(target, target.element["path"]))
            for part in parts:
                part(owner, at, ctx)

        return check

    def _known(self, element: Mapping[str, Any]) -> frozenset[str]:
        return frozenset(constraint["key"] for constraint in element.get("constraint", ()))

    def _bound(self, node: Node, kinds: list[str], given: Mapping[str, Any], above: Node | None) -> Iterator[ItemCheck]:
        binding = self._base.bound(dict(node.element))
        if binding is None:
            return
        for other in (given, above.element if above else {}):
            before = self._base.bound(dict(other))
            if before is not None and before.asks_no_less(binding):
                return
        found = {kind: check for kind in kinds if (check := binding.check(kind, self._url))}
        if found:
            yield checks.by_type(found)

    def _typed(
        self, node: Node, members: Sequence[Property], given: Mapping[str, Any], above: Node | None
    ) -> Iterator[ItemCheck]:
        """Narrower types, profiles of types, narrower targets of references."""
        if any(listed["code"].startswith("http") for listed in node.types):
            return
        before = given if above is None else above.element
        allowed = {listed["code"] for listed in node.types}
        if (
            allowed
            and allowed != {listed["code"] for listed in before.get("type", ())}
            and "contentReference" not in given
        ):
            yield checks.types(allowed, self._definitions, self._url)
        done = {url for listed in before.get("type", ()) for url in listed.get("profile", ())}
        done |= {url for listed in given.get("type", ()) for url in listed.get("profile", ())}
        for listed in node.types:
            wanted = [url for url in listed.get("profile", ()) if url not in done]
            if wanted and not (listed["code"] == "Extension" and self._defined(wanted)):
                yield checks.profiled(listed["code"], wanted, self._profiles, self._url)
            targets = listed.get("targetProfile", ())
            if targets and listed["code"] == "Reference" and not self._same_targets(targets, before):
                yield checks.targets(targets, self._profiles, self._definitions.resource_types, self._url)

    def _defined(self, wanted: Sequence[str]) -> bool:
        """Whether the extension's own definition, which every extension is held to, is the profile asked for."""
        return len(wanted) == 1 and self._profiles.of(wanted[0]) is not None

    def _same_targets(self, targets: Sequence[str], before: Mapping[str, Any]) -> bool:
        told = [url for listed in before.get("type", ()) for url in listed.get("targetProfile", ())]
        return {url.partition("|")[0] for url in targets} == {url.partition("|")[0] for url in told}

    def _slicing(self, node: Node, members: Sequence[Property], given: Mapping[str, Any]) -> Slicing | None:
        """The slices of an element; None when there is none, or none that can be told from another."""
        if not node.slices:
            return None
        told = node.element.get("slicing") or _implied(node)
        slices = [
            piece
            for child in node.slices.values()
            if (piece := self._slice(child, told.get("discriminator", ()), node, members, given))
        ]
        if not any(_asks(piece) for piece in slices) and told.get("rules") == "open":
            return None
        rules = told.get("rules", "open") if len(slices) == len(node.slices) else "open"
        return Slicing(node.name, tuple(slices), rules, bool(told.get("ordered")), self._url) if slices else None

    def _slice(
        self,
        piece: Node,
        discriminators: Sequence[dict[str, str]],
        node: Node,
        members: Sequence[Property],
        given: Mapping[str, Any],
    ) -> Slice | None:
        found: list[Matcher] = []
        for discriminator in discriminators:
            matcher = self._profiles.discriminators.matcher(discriminator, piece)
            if matcher is not None:
                found.append(matcher)
        if not found:
            return None
        each = tuple(self._checks(piece, members, given, node))
        again = self._slicing(piece, members, given)
        return Slice(piece.slice or "", tuple(found), piece.min, piece.max, each, again)


def _asks(piece: Slice) -> bool:
    return bool(piece.low or piece.high < UNBOUNDED or piece.checks or piece.again)


def _implied(node: Node) -> dict[str, Any]:
    """How an element is sliced when its snapshot does not say: extensions by url, choices by type."""
    if node.name in ("extension", "modifierExtension"):
        return {"discriminator": [{"type": "value", "path": URL}], "rules": "open"}
    return {"discriminator": [{"type": "type", "path": "$this"}] if node.choice else [], "rules": "open"}


def _present(name: str, members: Sequence[Property], profile: str) -> Part:
    """The element must be there, and nothing else is asked."""
    keys = frozenset(key for member in members for key in (member.name, "_" + member.name)) or frozenset((name,))

    def part(owner: dict[str, Any], at: At, ctx: Context) -> None:
        if keys.isdisjoint(owner):
            ctx.report("min", at, name, profile=profile, name=name)

    return part


def _element(
    name: str,
    gather: Gather,
    low: int,
    high: int,
    each: tuple[ItemCheck, ...],
    slicing: Slicing | None,
    profile: str,
) -> Part:
    def part(owner: dict[str, Any], at: At, ctx: Context) -> None:
        items = gather(owner, at)
        number = len(items)
        if number < low:
            rule = "min" if low == 1 else "min-count"
            ctx.report(rule, at, name, profile=profile, name=name, min=low, found=number)
            if not number:
                return
        elif number > high:
            ctx.report("max", at, name, profile=profile, name=name, max=high, found=number)
        for value, holder, here, kind in items:
            for check in each:
                check(value, holder, here, kind, ctx)
        if slicing is not None:
            slicing.check(items, at, ctx)

    return part
