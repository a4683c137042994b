"""The values of an element inside an object, whichever way JSON spreads them over members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fhirserver.spec import Definitions, Property
    from fhirserver.validation.context import At, Context

Item: TypeAlias = "tuple[Any, dict[str, Any], At, str]"
"""A value (None for a primitive that has only extensions), the object that holds its children, its place, its type."""
ItemCheck: TypeAlias = "Callable[[Any, dict[str, Any], At, str, Context], None]"
Gather: TypeAlias = "Callable[[dict[str, Any], At], list[Item]]"
Part: TypeAlias = "Callable[[dict[str, Any], At, Context], None]"
"""A check of an object: one element of it with all that hangs below."""

NOTHING: dict[str, Any] = {}


def properties(definitions: Definitions, kind: str | None, name: str) -> list[Property]:
    """The JSON members of a type that carry an element; of no type in particular, `id` and `extension`."""
    try:
        members = definitions.type(kind or "Element").properties
    except KeyError:
        return []
    return [item for item in members.values() if name in (item.element, item.name)]


def gatherer(name: str, members: Sequence[Property]) -> Gather:
    """The function that lists an element's values in an object."""
    if not members:
        return lambda owner, at: _take(owner, name, name, "Element", at)
    if len(members) == 1:
        key, element, kind = members[0].name, members[0].element, members[0].type
        pair = "_" + key

        def one(owner: dict[str, Any], at: At) -> list[Item]:
            return _take(owner, key, element, kind, at) if key in owner or pair in owner else []

        return one
    keys = {member.name: member for member in members}

    def several(owner: dict[str, Any], at: At) -> list[Item]:
        for key in owner:
            member = keys.get(key) or keys.get(key[1:])
            if member is not None:
                return _take(owner, member.name, member.element, member.type, at)
        return []

    return several


def _take(owner: dict[str, Any], key: str, name: str, kind: str, at: At) -> list[Item]:
    value, extra = owner.get(key), owner.get("_" + key)
    if type(value) is list:
        extras = extra if type(extra) is list else ()
        return [
            _item(item, extras[index] if index < len(extras) else None, (at, name, index, _kind(item, kind)))
            for index, item in enumerate(value)
        ]
    if type(extra) is list:
        return [_item(None, item, (at, name, index, kind)) for index, item in enumerate(extra)]
    return [_item(value, extra, (at, name, -1, _kind(value, kind)))]


def _item(value: Any, extra: Any, at: At) -> Item:
    if type(value) is dict:
        return value, value, at, at[3]
    return value, extra if type(extra) is dict else NOTHING, at, at[3]


def _kind(value: Any, kind: str) -> str:
    if kind == "Resource" and type(value) is dict:
        found = value.get("resourceType")
        return found if isinstance(found, str) else kind
    return kind
