"""Types compiled to checks: members, their JSON shapes, cardinality, choices (https://hl7.org/fhir/R4/json.html).

`Structure.of(type)` is a function over a JSON object. It walks the object once; places are linked tuples that become
text only when there is something to report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.validation import known, xhtml
from fhirserver.validation.primitives import PRIMITIVES, Primitive, refuse, shape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fhirserver.spec import Definitions, Property, TypeDef
    from fhirserver.validation.context import At, Context

    Check = Callable[[Any, At, Context], None]
    """A JSON value, its place, its context."""
    Member = Callable[[Any, dict[str, Any], At, Context], None]
    """A member's value, the object it is in, that object's place and context."""

HINTED: Final = 40
"""Longer names, and faults after so many others, are told without a guess at what was meant: a guess is costly."""
NESTED: Final = "Resource"
RECALLED: Final = frozenset({"CodeableConcept", "Coding"})
"""Types of which the same values come again and again, and that are judged by what they hold alone."""


class Facts(NamedTuple):
    """What the StructureDefinition adds to a member: a stricter `primitive`, checks of each object that it holds."""

    primitive: Primitive | None = None
    checks: Sequence[Check] = ()


class Shape(NamedTuple):
    """A compiled type: members by JSON name, required elements with all their members, checks of the whole object."""

    members: Mapping[str, Member]
    required: tuple[tuple[str, str, tuple[str, ...]], ...]
    checks: tuple[Check, ...]


class Structure:
    """The checks of all types, compiled at first use.

    `facts(type, property)` and `invariants(type)` tell what is to be checked beyond structure; `nested` judges a
    resource inside a resource.
    """

    def __init__(
        self,
        definitions: Definitions,
        facts: Callable[[TypeDef, Property], Facts],
        invariants: Callable[[TypeDef], Sequence[Check]],
        nested: Callable[[Any, At, Context, str, int], None],
    ) -> None:
        self.definitions = definitions
        self._facts = facts
        self._invariants = invariants
        self._nested = nested
        self._checks: dict[str, Check] = {}

    def of(self, name: str) -> Check:
        """The check of a type or backbone; the type is compiled when it first meets an object."""
        check = self._checks.get(name)
        if check is None:
            check = self._lazy(name)
            check = self._checks[name] = known.recalled(check) if name in RECALLED else check
        return check

    def _lazy(self, name: str) -> Check:
        shape_: Shape | None = None
        get: Callable[[str], Member | None]
        required: tuple[tuple[str, str, tuple[str, ...]], ...]
        checks: tuple[Check, ...]

        def check(value: Any, at: At, ctx: Context) -> None:
            nonlocal shape_, get, required, checks
            if shape_ is None:
                compiled = self._compile(name)
                get, required, checks = compiled.members.get, compiled.required, compiled.checks
                shape_ = compiled
            if type(value) is not dict or not value:
                return _not_object(value, at, ctx)
            for key, item in value.items():
                member = get(key)
                if member is not None:
                    member(item, value, at, ctx)
                else:
                    unknown(key, self.definitions.type(name), at, ctx)
            for element, key, others in required:
                if key not in value and not (others and any(other in value for other in others)):
                    ctx.report("min", at, element, name=element)
            if len(value) == 1 and "id" in value:
                ctx.invariant("ele-1", at)
            for each in checks:
                each(value, at, ctx)
            return None

        return check

    def _compile(self, name: str) -> Shape:
        kind = self.definitions.type(name)
        members: dict[str, Member] = {}
        if kind.kind == "resource":
            members["resourceType"] = _accept_anything
        for item in kind.properties.values():
            member = self._member(kind, item)
            if item.choice:
                member = _one_of(member, item, _choices(kind, item.element))
            members[item.name] = member
            if item.type in PRIMITIVES and not _plain(kind, item):
                pair = self._pair(item)
                members["_" + item.name] = _one_of(pair, item, _choices(kind, item.element)) if item.choice else pair
        return Shape(members, _required(kind), tuple(self._invariants(kind)))

    def _member(self, kind: TypeDef, item: Property) -> Member:
        facts = self._facts(kind, item)
        if item.type == "xhtml":
            return _xhtml(item)
        if item.type == NESTED:
            return self._resource(item)
        primitive = facts.primitive or PRIMITIVES.get(item.type)
        if primitive is not None:
            member = _primitives(item, primitive) if item.array else _primitive(item, primitive)
            return _also(member, item, tuple(facts.checks)) if facts.checks else member
        check = self.of(item.type)
        if item.array:
            return _objects(item, check, tuple(facts.checks))
        return _object(item, check, tuple(facts.checks))

    def _resource(self, item: Property) -> Member:
        nested, name = self._nested, item.element

        def one(value: Any, owner: dict[str, Any], at: At, ctx: Context) -> None:
            nested(value, at, ctx, name, -1)

        def many(values: Any, owner: dict[str, Any], at: At, ctx: Context) -> None:
            if _is_array(values, at, ctx, name):
                for index, value in enumerate(values):
                    nested(value, at, ctx, name, index)

        return many if item.array else one

    def _pair(self, item: Property) -> Member:
        """The `_name` member of a primitive: `id` and `extension` of its values."""
        check = self.of(item.type)
        name, key, kind = item.element, item.name, item.type

        def one(value: Any, owner: dict[str, Any], at: At, ctx: Context) -> None:
            if value is None:
                return ctx.report("null", at, name)
            if isinstance(value, list):
                return ctx.report("single", at, name)
            _element(check, value, key in owner, (at, name, -1, kind), ctx)
            return None

        def many(values: Any, owner: dict[str, Any], at: At, ctx: Context) -> None:
            if not _is_array(values, at, ctx, name):
                return
            beside = owner.get(key)
            if isinstance(beside, list) and len(beside) != len(values):
                ctx.report("pair-length", at, name, name=key)
            for index, value in enumerate(values):
                there = isinstance(beside, list) and index < len(beside) and beside[index] is not None
                if value is not None:
                    _element(check, value, there, (at, name, index, kind), ctx)
                elif not there:
                    ctx.report("null", at, name, index)

        return many if item.array else one


def _element(check: Check, value: Any, beside: bool, at: At, ctx: Context) -> None:
    """An `_name` object; with nothing but an id it needs a value beside it (ele-1)."""
    if beside and isinstance(value, dict) and len(value) == 1 and isinstance(value.get("id"), str):
        return
    check(value, at, ctx)


def _accept_anything(value: Any, owner: dict[str, Any], at: At, ctx: Context) -> None:
    """`resourceType` was judged before its type was compiled."""


def _not_object(value: Any, at: At, ctx: Context) -> None:
    if value is None:
        ctx.report("null", at)
    elif isinstance(value, list):
        ctx.report("single", at)
    elif isinstance(value, dict):
        ctx.report("empty-object", at)
    else:
        ctx.report("object", at, found=shape(value))


def _is_array(values: Any, at: At, ctx: Context, name: str) -> bool:
    if type(values) is not list:
        ctx.report("null", at, name) if values is None else ctx.report("array", at, name, found=shape(values))
        return False
    if not values:
        ctx.report("empty-array", at, name)
        return False
    return True


def _primitive(item: Property, primitive: Primitive) -> Member:
    accept, name = primitive.accept, item.element

    def member(value: Any, owner: dict[str, Any], at: At, ctx: Context) -> None:
        if not accept(value):
            refuse(primitive, value, ctx, at, name)

    return member


def _primitives(item: Property, primitive: Primitive) -> Member:
    accept, name, pair = primitive.accept, item.element, "_" + item.name

    def member(values: Any, owner: dict[str, Any], at: At, ctx: Context) -> None:
        if not _is_array(values, at, ctx, name):
            return
        for index, value in enumerate(values):
            if accept(value):
                continue
            if value is not None:
                refuse(primitive, value, ctx, at, name, index)
                continue
            beside = owner.get(pair)
            if not isinstance(beside, list) or index >= len(beside) or beside[index] is None:
                ctx.report("null-pair", at, name, index, name=item.name)

    return member


def _also(member: Member, item: Property, checks: tuple[Check, ...]) -> Member:
    """A primitive that more is asked of than its type."""
    name, kind = item.element, item.type

    def checked(value: Any, owner: dict[str, Any], at: At, ctx: Context) -> None:
        member(value, owner, at, ctx)
        for index, each in enumerate(value if isinstance(value, list) else (value,)):
            if each is not None and not isinstance(each, dict | list):
                here = (at, name, index if isinstance(value, list) else -1, kind)
                for check in checks:
                    check(each, here, ctx)

    return checked


def _object(item: Property, check: Check, checks: tuple[Check, ...]) -> Member:
    name, kind = item.element, item.type

    def member(value: Any, owner: dict[str, Any], at: At, ctx: Context) -> None:
        check(value, (at, name, -1, kind), ctx)

    def checked(value: Any, owner: dict[str, Any], at: At, ctx: Context) -> None:
        here = (at, name, -1, kind)
        check(value, here, ctx)
        if type(value) is dict:
            for each in checks:
                each(value, here, ctx)

    return checked if checks else member


def _objects(item: Property, check: Check, checks: tuple[Check, ...]) -> Member:
    name, kind = item.element, item.type

    def member(values: Any, owner: dict[str, Any], at: At, ctx: Context) -> None:
        if not _is_array(values, at, ctx, name):
            return
        index = 0
        for value in values:
            here = (at, name, index, kind)
            check(value, here, ctx)
            for each in checks:
                if type(value) is dict:
                    each(value, here, ctx)
            index += 1  # noqa: SIM113 - enumerate costs a tuple a value

    return member


def _xhtml(item: Property) -> Member:
    def member(value: Any, owner: dict[str, Any], at: At, ctx: Context) -> None:
        xhtml.check(value, at, item.element, ctx)

    return member


def _one_of(member: Member, item: Property, choices: frozenset[str]) -> Member:
    """A member of a choice, which tolerates none of the others beside it."""
    own = {item.name, "_" + item.name}
    others = choices - own

    def checked(value: Any, owner: dict[str, Any], at: At, ctx: Context) -> None:
        if not others.isdisjoint(owner):
            present = [key for key in owner if key in choices]
            if present[0] in own and owner[present[0]] is value:
                names = sorted({key.removeprefix("_") for key in present})
                ctx.report("choice", at, item.element, names=", ".join(names))
        member(value, owner, at, ctx)

    return checked


def _choices(kind: TypeDef, element: str) -> frozenset[str]:
    names = [item.name for item in kind.properties.values() if item.choice and item.element == element]
    return frozenset(names + ["_" + name for name in names])


def _plain(kind: TypeDef, item: Property) -> bool:
    """`Element.id` and `Extension.url` are bare strings, without extensions of their own."""
    return (item.name == "id" and kind.kind != "resource") or (kind.name == "Extension" and item.name == "url")


def _required(kind: TypeDef) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Required elements: the FHIRPath name, the member most likely there, the others that fulfil it."""
    keys: dict[str, list[str]] = {}
    for item in kind.properties.values():
        if item.min:
            keys.setdefault(item.element, []).extend(
                (item.name, "_" + item.name) if item.type in PRIMITIVES else (item.name,)
            )
    return tuple((element, names[0], tuple(names[1:])) for element, names in keys.items())


def unknown(key: str, kind: TypeDef, at: At, ctx: Context) -> None:
    """Report a member that the type does not have, with what was probably meant."""
    bare = key.removeprefix("_")
    if key != bare and bare in kind.properties:
        return ctx.report("pair-complex", at, bare, name=key)
    for element in sorted({item.element for item in kind.properties.values() if item.choice}, key=len, reverse=True):
        if bare.startswith(element) and bare != element and bare[len(element)].isupper():
            types = [item.type for item in kind.properties.values() if item.element == element]
            said = ", ".join(types[:12]) + (", …" if len(types) > 12 else "")
            return ctx.report("unknown-choice", at, bare, name=key, element=element, types=said)
    return ctx.report("unknown-element", at, bare, name=key, hint=_hint(bare, kind, ctx))


def _hint(name: str, kind: TypeDef, ctx: Context) -> str:
    if len(name) > HINTED or len(ctx.issues) > HINTED:
        return ""
    from difflib import get_close_matches

    near = get_close_matches(name, [*kind.properties, *{item.element for item in kind.properties.values()}], 1, 0.7)
    if not near:
        return ""
    return f" (peut-être '{near[0]}' ?)" if ctx.language == "fr" else f" (did you mean '{near[0]}'?)"
