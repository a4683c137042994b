"""Member steps: from an element to its children, by constant names.

A path of known types, such as `name.given` on a Patient, becomes one closure over the JSON; nothing is wrapped until
its end. Malformed JSON (a text where an object belongs) yields nothing rather than an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from fhirserver.fhirpath.model import PRIMITIVES
from fhirserver.fhirpath.values import EMPTY, UNTYPED, Typed, pad, typed

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.fhirpath.model import Element, Model
    from fhirserver.fhirpath.values import Items


class Chain(NamedTuple):
    """`parents`: JSON members of complex elements; `element`: the last step."""

    parents: tuple[str, ...]
    element: Element


def parents(members: tuple[str, ...]) -> Callable[[Any], Any]:
    """dict -> the dicts at the end of `members`."""
    if not members:
        return _itself
    if len(members) == 1:
        return _one_level(members[0])

    def walk(node: Any) -> Any:
        level = [node]
        for member in members:
            below: list[Any] = []
            for item in level:
                value = item.get(member)
                if value.__class__ is list:
                    below += [child for child in value if child.__class__ is dict]
                elif value.__class__ is dict:
                    below.append(value)
            if not below:
                return EMPTY
            level = below
        return level

    return lambda node: walk(node) if node.__class__ is dict else EMPTY


def _itself(node: Any) -> Any:
    return (node,) if node.__class__ is dict else EMPTY


def _one_level(member: str) -> Callable[[Any], Any]:
    def walk(node: Any) -> Any:
        value = node.get(member) if node.__class__ is dict else None
        if value.__class__ is list:
            return [child for child in value if child.__class__ is dict]
        return (value,) if value.__class__ is dict else EMPTY

    return walk


def boxed(chain: Chain, model: Model) -> Callable[[Any], Items]:
    """dict -> the Typed items at the end of the chain."""
    only = chain.element.only
    walk = parents(chain.parents)
    if only is None:
        step = choice(chain.element, model)
        return lambda node: [item for parent in walk(node) for item in step(parent)]
    member, kind = only
    return _primitives(walk, member, kind) if kind in PRIMITIVES else _complex(walk, member, kind, model)


def _primitives(walk: Callable[[Any], Any], member: str, kind: str) -> Callable[[Any], Items]:
    shadow = "_" + member
    new = tuple.__new__

    def read(node: Any) -> Items:
        found: Items = []
        for parent in walk(node):
            value, extra = parent.get(member), parent.get(shadow)
            if extra is not None:
                found += primitive_items(kind, value, extra)
            elif value.__class__ is list:
                found += [new(Typed, (kind, each, None)) for each in value if each is not None]
            elif value is not None:
                found.append(new(Typed, (kind, value, None)))
        return found

    return read


def primitive_items(kind: str, value: Any, extra: Any) -> Items:
    """The items of one primitive member and its `_` member."""
    if value.__class__ is list or extra.__class__ is list:
        return [
            typed(kind, each, more if more.__class__ is dict else None)
            for each, more in pad(value, extra)
            if each is not None or more.__class__ is dict
        ]
    if extra.__class__ is not dict:
        extra = None
    return EMPTY if value is None and extra is None else [typed(kind, value, extra)]


def _complex(walk: Callable[[Any], Any], member: str, kind: str, model: Model) -> Callable[[Any], Items]:
    new = tuple.__new__
    if model.is_open(kind):
        type_of = model.type_of
        return lambda node: [
            typed(type_of(each, kind), each) for parent in walk(node) for each in _listed(parent.get(member))
        ]

    def read(node: Any) -> Items:
        found: Items = []
        for parent in walk(node):
            value = parent.get(member)
            if value.__class__ is list:
                found += [new(Typed, (kind, each, None)) for each in value if each is not None]
            elif value is not None:
                found.append(new(Typed, (kind, value, None)))
        return found

    return read


def _listed(value: Any) -> Any:
    if value.__class__ is list:
        return [each for each in value if each is not None]
    return EMPTY if value is None else (value,)


def member_items(kind: str, value: Any, extra: Any, model: Model) -> Items:
    """The items of one JSON member of a known type."""
    if kind in PRIMITIVES:
        return primitive_items(kind, value, extra)
    if model.is_open(kind):
        return [typed(model.type_of(each, kind), each) for each in _listed(value)]
    return [typed(kind, each) for each in _listed(value)]


def choice(element: Element, model: Model) -> Callable[[Any], Items]:
    """dict -> the items of a choice element, whichever member holds them."""
    kinds = {member: (member, "_" + member, kind) for member, kind in element.members.items()}
    kinds |= {"_" + member: (member, "_" + member, kind) for member, kind in element.members.items()}

    def read(node: Any) -> Items:
        found: Items = EMPTY
        for name in node:
            entry = kinds.get(name)
            if entry is None or (name[0] == "_" and entry[0] in node):
                continue
            items = member_items(entry[2], node.get(entry[0]), node.get(entry[1]), model)
            found = found + items if found else items
        return found

    return read


def values(chain: Chain) -> Callable[[Any], list[Any]]:
    """dict -> the plain values at the end of the chain; None stands for a primitive without value."""
    walk = parents(chain.parents)
    names = [(member, "_" + member, kind in PRIMITIVES) for member, kind in chain.element.members.items()]
    if len(names) > 1:
        return _choice_values(walk, chain.element)
    member, shadow, primitive = names[0]

    def read(node: Any) -> list[Any]:
        found: list[Any] = []
        for parent in walk(node):
            value = parent.get(member)
            if primitive and shadow in parent:
                found += [item[1] for item in primitive_items("", value, parent[shadow])]
            elif value.__class__ is list:
                found += value
            elif value is not None:
                found.append(value)
        return found

    return read


def _choice_values(walk: Callable[[Any], Any], element: Element) -> Callable[[Any], list[Any]]:
    members = {member: member for member in element.members}
    members |= {"_" + member: member for member, kind in element.members.items() if kind in PRIMITIVES}

    def read(node: Any) -> list[Any]:
        found: list[Any] = []
        for parent in walk(node):
            for name, value in parent.items():
                member = members.get(name)
                if member == name:
                    found += _listed(value)
                elif member is not None and member not in parent and value:
                    found.append(None)
        return found

    return read


def present(chain: Chain) -> Callable[[Any], bool]:
    """dict -> whether the chain leads to anything."""
    names = tuple(chain.element.members) + tuple(
        "_" + member for member, kind in chain.element.members.items() if kind in PRIMITIVES
    )
    if chain.parents or len(names) > 2:
        read = values(chain)
        return lambda node: bool(read(node))
    if len(names) == 1:
        name = names[0]
        return lambda node: node.__class__ is dict and bool(_listed(node.get(name)))
    first, second = names

    def test(node: Any) -> bool:
        if node.__class__ is not dict:
            return False
        if first in node:
            value = node[first]
            return bool(value) if value.__class__ is list else value is not None
        return second in node and bool(node[second])

    return test


def dynamic(name: str, model: Model) -> Callable[[Items], Items]:
    """Items -> their children called `name`, each by its own type."""
    steps: dict[str, Callable[[Any], Items] | None] = {}

    def step_of(kind: str) -> Callable[[Any], Items] | None:
        element = model.element(kind, name)
        if element is not None:
            return boxed(Chain((), element), model)
        return None if model.elements(kind) is not None else _untyped(name)

    def read(items: Items) -> Items:
        found: Items = []
        for item in items:
            if item.__class__ is not Typed:
                continue
            kind, value, extra = item
            if kind in PRIMITIVES:
                if extra is not None:
                    found += _of_primitive(name, extra)
                continue
            if kind not in steps:
                steps[kind] = step_of(kind)
            step = steps[kind]
            if step is not None and value.__class__ is dict:
                found += step(value)
        return found

    return read


def _of_primitive(name: str, extra: dict[str, Any]) -> Items:
    if name == "extension":
        return [typed("Extension", each) for each in _listed(extra.get("extension"))]
    return [typed("string", extra["id"])] if name == "id" and "id" in extra else EMPTY


def _untyped(name: str) -> Callable[[Any], Items]:
    """A step on a value of a type that the definitions do not know, or of no type, such as what type() returns."""

    def read(node: Any) -> Items:
        return [typed(UNTYPED, each) if each.__class__ is dict else each for each in _listed(node.get(name))]

    return read


def children(items: Items, model: Model) -> Items:
    """All child elements of the items, in the order of their JSON."""
    found: Items = []
    for item in items:
        if item.__class__ is not Typed:
            continue
        kind, value, extra = item
        if kind in PRIMITIVES:
            if extra is not None:
                found += _of_primitive("id", extra) + _of_primitive("extension", extra)
        elif value.__class__ is dict:
            found += _children(kind, value, model)
    return found


def _children(kind: str, value: dict[str, Any], model: Model) -> Items:
    types = model.members(kind)
    found: Items = []
    for name, child in value.items():
        member = name[1:] if name[:1] == "_" else name
        known = types.get(member)
        if known is None or (member is not name and member in value):
            continue
        found += member_items(known, None if member is not name else child, value.get("_" + member), model)
    return found
