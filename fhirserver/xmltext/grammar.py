"""How each type is written in XML: its child elements by tag and by JSON member, and its attributes
(https://hl7.org/fhir/R4/xml.html)."""

from __future__ import annotations

from enum import Enum, auto
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.spec import Definitions, TypeDef

FHIR: Final = "http://hl7.org/fhir"
XHTML: Final = "http://www.w3.org/1999/xhtml"
DIV: Final = f"{{{XHTML}}}div"


class Kind(Enum):
    """What an element holds."""

    PRIMITIVE = auto()
    COMPLEX = auto()
    RESOURCE = auto()
    """An element around a resource: `contained`, `Bundle.entry.resource`."""
    DIV = auto()


class Slot(NamedTuple):
    """A child element. `member` is its name, in XML as in JSON; `pair` the JSON member of its id and extensions.

    `place` is that of the element in its type; the members of a choice share one.
    """

    member: str
    pair: str
    kind: Kind
    type: str
    array: bool
    place: int


class Table(NamedTuple):
    """A type. `order` ranks all JSON members, pairs and attributes too; `attributes` are bare strings in JSON."""

    type: str
    children: Mapping[str, Slot]
    members: Mapping[str, Slot]
    order: Mapping[str, int]
    attributes: tuple[str, ...]


class Grammar(dict[str, Table]):
    """The tables of all types of the definitions, each compiled when it is first asked for; KeyError if unknown."""

    def __init__(self, definitions: Definitions) -> None:
        super().__init__()
        self._definitions = definitions
        self._primitives = definitions.primitives
        self.resources: Mapping[str, str] = {f"{{{FHIR}}}{name}": name for name in definitions.resource_types}

    def __missing__(self, name: str) -> Table:
        table = self[name] = self._compile(self._definitions.type(name))
        return table

    def _compile(self, type: TypeDef) -> Table:
        attributes = _attributes(type)
        children: dict[str, Slot] = {}
        members: dict[str, Slot] = {}
        order = {"resourceType": -2} if type.kind == "resource" else {}
        order |= dict.fromkeys(attributes, -1)
        elements = list(dict.fromkeys(item.element for item in type.properties.values()))
        for item in type.properties.values():
            if item.name in attributes:
                continue
            place = elements.index(item.element)
            slot = Slot(item.name, f"_{item.name}", self._kind(item.type), item.type, item.array, place)
            children[DIV if slot.kind is Kind.DIV else f"{{{FHIR}}}{item.name}"] = slot
            members[slot.member] = slot
            order[slot.member] = 2 * place
            if slot.kind is Kind.PRIMITIVE:
                members[slot.pair] = slot
                order[slot.pair] = 2 * place + 1
        return Table(type.name, children, members, order, attributes)

    def _kind(self, type: str) -> Kind:
        if type == "xhtml":
            return Kind.DIV
        if type == "Resource":
            return Kind.RESOURCE
        return Kind.PRIMITIVE if type in self._primitives else Kind.COMPLEX


@lru_cache(maxsize=4)
def grammar(definitions: Definitions) -> Grammar:
    """The grammar of definitions, made once."""
    return Grammar(definitions)


def _attributes(type: TypeDef) -> tuple[str, ...]:
    if type.kind == "resource":
        return ()
    return ("id", "url") if type.name == "Extension" else ("id",)
