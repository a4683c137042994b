"""Plain FHIRPath as walks over JSON members.

Nearly every search expression is a path (`Observation.component.code`, `(Observation.value as Quantity)`,
`Observation.subject.where(resolve() is Patient)`). Resolved against the types it becomes member paths that Python
follows in a microsecond, and whose types are known before any resource is seen. What is no plain path is left to the
FHIRPath room.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhirserver.spec import Definitions, Property

_CAST: Final = re.compile(r"\(\s*(?P<path>[\w.]+)\s+as\s+(?P<type>\w+)\s*\)")
_STEP: Final = re.compile(
    r"\.?(?:(?:as|ofType)\((?P<type>\w+)\)|where\(\s*resolve\(\)\s+is\s+(?P<target>\w+)\s*\)|(?P<name>\w+)\b(?!\())"
)
_NARROWING: Final = re.compile(r"\.(?:where|extension)\((?:[^()']|'[^']*')*\)|\.first\(\)|\[\d+\]")


class Step(NamedTuple):
    kind: str
    """`name`, `type` (a cast) or `target` (only references to that type)."""
    name: str


class Leaf(NamedTuple):
    """Where values stand: the JSON members down to them, and their type. `many` when any step is an array.

    `owner` and `element` name the element (`Patient.contact`, `gender`), for its binding.
    """

    path: tuple[str, ...]
    type: str
    many: bool
    owner: str
    element: str


def steps(expression: str) -> tuple[Step, ...] | None:
    """The steps of a plain path; None when the expression is more than that."""
    found: list[Step] = []
    rest = expression.strip()
    cast = _CAST.match(rest)
    if cast:
        found += [Step("name", name) for name in cast["path"].split(".")]
        found.append(Step("type", cast["type"]))
        rest = rest[cast.end() :]
    elif rest.startswith("(") and rest.endswith(")"):
        return steps(rest[1:-1])
    at = 0
    while at < len(rest):
        match = _STEP.match(rest, at)
        if match is None or (rest[at] != "." and (found or at)):
            return None
        kind = match.lastgroup or "name"
        found.append(Step(kind, match[kind]))
        at = match.end()
    return tuple(found)


def widened(expression: str) -> str:
    """The expression without what only narrows it: `Patient.telecom.where(system='email')` -> `Patient.telecom`."""
    return _NARROWING.sub(lambda match: ".extension" if match[0].startswith(".extension(") else "", expression)


def resolve(defs: Definitions, root: str, path: Sequence[Step]) -> tuple[Leaf, ...] | None:
    """The member paths that a plain path takes from a type; None when a name in it is not one of its elements."""
    if path and path[0].name in (root, "Resource", "DomainResource") and path[0].name[:1].isupper():
        path = path[1:]
    reached = [Leaf((), root, False, "", "")]
    for step in path:
        if step.kind == "name":
            reached = [_into(leaf, item) for leaf in reached for item in _members(defs, leaf.type, step.name)]
        elif step.kind == "type":
            reached = _cast(defs, reached, step.name)
        if not reached:
            return None
    return tuple(reached)


def _members(defs: Definitions, kind: str, element: str) -> list[tuple[str, Property]]:
    try:
        properties = defs.type(kind).properties.values()
    except KeyError:
        return []
    return [(kind, item) for item in properties if item.element == element]


def _into(leaf: Leaf, found: tuple[str, Property]) -> Leaf:
    owner, item = found
    return Leaf((*leaf.path, item.name), item.type, leaf.many or item.array, owner, item.element)


def _cast(defs: Definitions, reached: list[Leaf], wanted: str) -> list[Leaf]:
    """The leaves of a type (`value.as(DateTime)` means dateTime), or failing these of one derived from it."""
    exact = [leaf for leaf in reached if leaf.type.casefold() == wanted.casefold()]
    return exact or [leaf for leaf in reached if defs.is_a(leaf.type, wanted)]


def walk(node: dict[str, Any], path: tuple[str, ...]) -> list[Any]:
    """The values at the end of a member path; whatever is not there, or of another shape, gives none."""
    if len(path) == 1:
        value = node.get(path[0]) if isinstance(node, dict) else None
        values = value if isinstance(value, list) else (value,)
        return [each for each in values if each is not None]
    found: list[Any] = [node]
    for member in path:
        reached: list[Any] = []
        for item in found:
            value = item.get(member) if isinstance(item, dict) else None
            if isinstance(value, list):
                reached += value
            elif value is not None:
                reached.append(value)
        if not reached:
            return reached
        found = reached
    return [value for value in found if value is not None]
