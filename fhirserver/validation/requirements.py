"""One profile's elements, each compiled to what it asks beyond the base type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.validation import checks, invariants
from fhirserver.validation.elements import UNBOUNDED, Node, bound
from fhirserver.validation.items import NOTHING, gatherer, properties
from fhirserver.validation.slicing import Index, Slice, Slicing

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
        part = _element(node.name, gather, low, high, each, slicing, self._url)
        optional = not (low or (slicing and any(piece.low for piece in (*slicing.slices, *slicing.loose))))
        if slicing is None and high and _plain(members):
            return _single(members[0], each, part, optional=optional)
        return _if_there(members, part) if optional else part

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
        ways = [listed.get("aggregation", ()) for listed in node.types if listed["code"] == "Reference"]
        if ways and all(ways):
            yield checks.aggregation({way for each in ways for way in each}, self._url)

    def _defined(self, wanted: Sequence[str]) -> bool:
        """Whether the extension's own definition, which every extension is held to, is the profile asked for."""
        return len(wanted) == 1 and self._profiles.of(wanted[0]) is not None

    def _same_targets(self, targets: Sequence[str], before: Mapping[str, Any]) -> bool:
        told = [url for listed in before.get("type", ()) for url in listed.get("targetProfile", ())]
        return {url.partition("|")[0] for url in targets} == {url.partition("|")[0] for url in told}

    def _slicing(self, node: Node, members: Sequence[Property], given: Mapping[str, Any]) -> Slicing | None:
        """The slices of an element; None when there is none, or none that asks for anything."""
        if not node.slices:
            return None
        told = node.element.get("slicing") or _implied(node)
        discriminators = told.get("discriminator", ())
        found = [(child, self._matchers(discriminators, child)) for child in node.slices.values()]
        made = [(child, self._slice(child, matchers, node, members, given)) for child, matchers in found]
        slices = tuple(piece for _, piece in made if piece.matchers)
        loose = tuple(piece for _, piece in made if not piece.matchers and piece.low)
        rules = told.get("rules", "open") if len(slices) == len(made) else "open"
        if not loose and (not slices or (rules == "open" and not any(map(_asks, slices)))):
            return None
        index = self._index([child for child, piece in made if piece.matchers], discriminators)
        return Slicing(node.name, slices, rules, bool(told.get("ordered")), self._url, index, loose)

    def _matchers(self, discriminators: Sequence[dict[str, str]], piece: Node) -> tuple[Matcher, ...]:
        made = self._profiles.discriminators
        return tuple(found for each in discriminators if (found := made.matcher(each, piece)) is not None)

    def _slice(
        self,
        piece: Node,
        matchers: tuple[Matcher, ...],
        node: Node,
        members: Sequence[Property],
        given: Mapping[str, Any],
    ) -> Slice:
        each = tuple(self._checks(piece, members, given, node))
        again = self._slicing(piece, members, given)
        return Slice(piece.slice or "", matchers, piece.min, piece.max, each, again)

    def _index(self, pieces: list[Node], discriminators: Sequence[dict[str, str]]) -> Index | None:
        """The index by the first discriminator that gives hints."""
        for discriminator in discriminators:
            hints = [self._profiles.discriminators.hint(discriminator, piece) for piece in pieces]
            names = [hint[0] for hint in hints if hint]
            if names:
                hinted: dict[str, tuple[int, ...]] = {}
                for number, hint in enumerate(hints):
                    if hint:
                        hinted[hint[1]] = (*hinted.get(hint[1], ()), number)
                return Index(names[0], hinted, tuple(number for number, hint in enumerate(hints) if not hint))
        return None


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


def _plain(members: Sequence[Property]) -> bool:
    return len(members) == 1 and not members[0].array and members[0].type != "Resource"


def _single(member: Property, each: tuple[ItemCheck, ...], otherwise: Part, *, optional: bool) -> Part:
    """An element with one value, the plainest case; `otherwise` judges whatever is not so plain."""
    key, pair, name, kind = member.name, "_" + member.name, member.element, member.type

    def part(owner: dict[str, Any], at: At, ctx: Context) -> None:
        value = owner.get(key)
        if value is None or type(value) is list:
            if not optional or key in owner or pair in owner:
                otherwise(owner, at, ctx)
            return
        here = (at, name, -1, kind)
        holder = value if type(value) is dict else owner.get(pair)
        if type(holder) is not dict:
            holder = NOTHING
        for check in each:
            check(value, holder, here, kind, ctx)

    return part


def _if_there(members: Sequence[Property], part: Part) -> Part:
    """The part, for elements that may be absent."""
    if len(members) != 1:
        return part
    key, pair = members[0].name, "_" + members[0].name

    def optional(owner: dict[str, Any], at: At, ctx: Context) -> None:
        if key in owner or pair in owner:
            part(owner, at, ctx)

    return optional


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
