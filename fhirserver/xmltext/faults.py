"""What can be wrong with FHIR XML, in words: where it is, and what to change."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from lxml import etree

from fhirserver.errors import InvalidXml
from fhirserver.xmltext.grammar import FHIR, XHTML

if TYPE_CHECKING:
    from fhirserver.xmltext.grammar import Slot, Table


def at(element: etree._Element, text: str, line: etree._Element | None = None) -> InvalidXml:
    """The error `text` at an element's path, with the line of the element or of the one that is given."""
    path = _path(element)
    number = (element if line is None else line).sourceline
    return InvalidXml(f"{path}: {text} (line {number}).", expression=path)


def unknown_resource(element: etree._Element) -> InvalidXml:
    """No resource type of FHIR R4 has this tag."""
    return _namespace(element) or at(element, f"{_local(element)!r} is not a resource type of FHIR R4")


def unknown_element(element: etree._Element, table: Table) -> InvalidXml:
    """The type has no such child element."""
    name = _local(element)
    if name == "div" and "div" in table.members:
        return at(element, f'the narrative must be XHTML: write <div xmlns="{XHTML}">')
    wrong = _namespace(element)
    if wrong is not None:
        return wrong
    if name in table.attributes:
        return at(element, f"{name!r} is an attribute of {table.type}, not an element")
    names = [each for each in table.members if not each.startswith("_")]
    choices = [each for each in names if each.startswith(name) and each[len(name) :][:1].isupper()]
    if choices:
        return at(element, f"the name says the type: {', '.join(choices[:6])}{' …' if len(choices) > 6 else ''}")
    near = get_close_matches(name, names, 1, 0.7)
    return at(element, f"{table.type} has no element {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


def misplaced(element: etree._Element, slot: Slot, before: Slot | None, table: Table) -> InvalidXml:
    """The element stands twice, beside another of its choice, or after one that it must precede."""
    name = slot.member
    if before is None or slot is before:
        return at(element, f"{table.type} takes one {name!r}, not several")
    if slot.place == before.place:
        return at(element, f"{name!r} and {before.member!r} exclude each other: one type for the choice")
    return at(element, f"{name!r} must come before {before.member!r}: elements have the order of the definition")


def attribute(element: etree._Element, name: str, *, resource: bool = False, primitive: bool = False) -> InvalidXml:
    """The element does not take this attribute."""
    if name.endswith("}id"):
        return at(element, "write the attribute as id, without a namespace")
    if resource and name == "id":
        return at(element, 'the id of a resource is an element: <id value="…"/>')
    if name == "value" and not primitive:
        return at(element, "takes no value: its type has elements of its own")
    return at(element, f"the attribute {name!r} is not known here")


def _namespace(element: etree._Element) -> InvalidXml | None:
    namespace = etree.QName(element).namespace
    if namespace == FHIR:
        return None
    found = f"in the namespace {namespace!r}" if namespace else "in no namespace"
    return at(element, f'{_local(element)!r} is {found}: declare xmlns="{FHIR}"')


def _local(element: etree._Element) -> str:
    return str(etree.QName(element).localname)


def _path(element: etree._Element) -> str:
    """The element as a FHIRPath location; a resource within an element adds no step."""
    steps: list[str] = []
    current: etree._Element | None = element
    while current is not None:
        parent = current.getparent()
        name = _local(current)
        if parent is None or not name[:1].isupper():
            same = [] if parent is None else [each for each in parent if each.tag == current.tag]
            steps.append(f"{name}[{same.index(current)}]" if len(same) > 1 else name)
        current = parent
    return ".".join(reversed(steps))
