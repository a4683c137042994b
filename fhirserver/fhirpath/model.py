"""What an engine asks of the definitions, remembered per type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.spec import Definitions, TypeDef

TEXTS: Final = frozenset(
    ("base64Binary", "canonical", "code", "id", "markdown", "oid", "string", "uri", "url", "uuid", "xhtml")
)
"""Primitives whose System type is String."""

PRIMITIVES: Final = TEXTS | frozenset(
    ("boolean", "date", "dateTime", "decimal", "instant", "integer", "positiveInt", "time", "unsignedInt")
)
SYSTEM_TYPES: Final = frozenset(
    ["Any", "Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity"]
)
_OPEN: Final = frozenset({"Resource", "DomainResource", "Element", "BackboneElement"})


class Element(NamedTuple):
    """An element of a type: its FHIRPath name, its JSON members with the type of each."""

    name: str
    members: Mapping[str, str]
    array: bool

    @property
    def types(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.members.values()))

    @property
    def only(self) -> tuple[str, str] | None:
        """JSON member and type when there is but one."""
        return next(iter(self.members.items())) if len(self.members) == 1 else None


class Model:
    """The types of `definitions`. A type that they do not know has no elements here.

    `compiled` is for the expressions that were compiled against them.
    """

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._elements: dict[str, dict[str, Element] | None] = {}
        self._members: dict[str, dict[str, str]] = {}
        self.compiled: dict[Any, Any] = {}
        self._ancestry: dict[tuple[str, str], bool] = {}

    def definition(self, name: str) -> TypeDef | None:
        try:
            return self._definitions.type(name)
        except KeyError:
            return None

    def known(self, name: str) -> bool:
        return name in PRIMITIVES or self.elements(name) is not None

    def elements(self, name: str) -> dict[str, Element] | None:
        """Element name -> Element; None for an unknown type."""
        if name not in self._elements:
            found = self.definition(name)
            self._elements[name] = None if found is None else _elements(found)
        return self._elements[name]

    def members(self, name: str) -> dict[str, str]:
        """JSON member -> type; none for an unknown type."""
        if name not in self._members:
            found = self.elements(name) or {}
            self._members[name] = {member: kind for each in found.values() for member, kind in each.members.items()}
        return self._members[name]

    def element(self, name: str, element: str) -> Element | None:
        found = self.elements(name)
        return None if found is None else found.get(element)

    def is_open(self, name: str) -> bool:
        """Whether an element of this static type may turn out to be of another when it is met."""
        return name in _OPEN

    def is_resource(self, name: str) -> bool:
        found = self.definition(name)
        return found is not None and found.kind == "resource"

    def is_a(self, name: str, ancestor: str) -> bool:
        """Whether `name` is `ancestor` or a specialization of it."""
        pair = (name, ancestor)
        known = self._ancestry.get(pair)
        if known is None:
            known = self._ancestry[pair] = name == ancestor or self._derived(name, ancestor)
        return known

    def _derived(self, name: str, ancestor: str) -> bool:
        try:
            return self._definitions.is_a(name, ancestor)
        except KeyError:
            return False

    def type_of(self, value: Any, declared: str) -> str:
        """The type of a value at a place declared `Resource`: its own `resourceType`."""
        own = value.get("resourceType") if value.__class__ is dict else None
        return own if own.__class__ is str and self.elements(own) is not None else declared


def _elements(definition: TypeDef) -> dict[str, Element]:
    found: dict[str, tuple[dict[str, str], bool]] = {}
    for member, property_ in definition.properties.items():
        members, _ = found.setdefault(property_.element, ({}, property_.array))
        members[member] = property_.type
    return {name: Element(name, members, array) for name, (members, array) in found.items()}
