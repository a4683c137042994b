"""FHIR XML to the JSON value (https://hl7.org/fhir/R4/xml.html, https://hl7.org/fhir/R4/json.html)."""

from __future__ import annotations

import re
from decimal import InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from fhirserver import jsontext
from fhirserver.xmltext import faults
from fhirserver.xmltext.grammar import DIV, Grammar, Kind, Slot, Table, grammar
from fhirserver.xmltext.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal

    from fhirserver.spec import Definitions

_XSI: Final = "{http://www.w3.org/2001/XMLSchema-instance}"
_SPACE: Final = " \t\r\n"
_integer: Final = re.compile(r"0|[-+]?[1-9][0-9]*").fullmatch
_decimal: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?").fullmatch


def parse(body: bytes, definitions: Definitions) -> dict[str, Any]:
    """The resource in `body` as the JSON value that `jsontext.parse` would give.

    Values are typed by their elements; what the type does not say is left to validation. Raises InvalidXml that names
    the place, the line and what to change.
    """
    source = Source(body)
    return _Reader(source, grammar(definitions)).resource(source.root, 1)


class _Reader:
    """Reads one document. `level` counts the JSON objects and arrays around a value, as `jsontext` does."""

    def __init__(self, source: Source, tables: Grammar) -> None:
        self._source = source
        self._tables = tables

    def resource(self, element: etree._Element, level: int) -> dict[str, Any]:
        name = self._tables.resources.get(element.tag)
        if name is None:
            raise faults.unknown_resource(element)
        for attribute in element.attrib:
            if not str(attribute).startswith(_XSI):
                raise faults.attribute(element, str(attribute), resource=True)
        out: dict[str, Any] = {"resourceType": name}
        self._children(element, self._tables[name], out, level)
        return out

    def _children(self, element: etree._Element, table: Table, out: dict[str, Any], level: int) -> None:
        """The child elements, in the order of the definition, as members of `out`."""
        if level >= jsontext.MAX_DEPTH:
            raise faults.at(element, f"nested more than {jsontext.MAX_DEPTH} levels deep as JSON")
        _no_text(element, element.text)
        slots, last, before, hollow = table.children, -1, None, False
        for child in element:
            slot = slots.get(child.tag)
            if slot is None:
                raise faults.unknown_element(child, table)
            if slot.place <= last and not (slot is before and slot.array):
                raise faults.misplaced(child, slot, before, table)
            _no_text(element, child.tail)
            if slot.kind is Kind.PRIMITIVE:
                hollow = self._primitive(child, slot, out, level) or hollow
            else:
                value: Any
                inner = level + 1 + slot.array
                if slot.kind is Kind.COMPLEX:
                    value = self._complex(child, slot.type, inner)
                elif slot.kind is Kind.RESOURCE:
                    value = self._nested(child, inner)
                else:
                    value = self._div(child)
                if slot.array:
                    out.setdefault(slot.member, []).append(value)
                else:
                    out[slot.member] = value
            last, before = slot.place, slot
        if hollow:
            _without_hollow(table, out)

    def _complex(self, element: etree._Element, type: str, level: int) -> dict[str, Any]:
        table = self._tables[type]
        out: dict[str, Any] = {}
        for name, text in element.items():
            if name not in table.attributes:
                raise faults.attribute(element, str(name))
            out[str(name)] = _filled(element, str(name), str(text))
        self._children(element, table, out, level)
        if not out:
            raise faults.at(element, "is empty: an element has a value or content")
        return out

    def _primitive(self, element: etree._Element, slot: Slot, out: dict[str, Any], level: int) -> bool:
        """Adds a primitive and its pair; whether it has no value of its own within an array."""
        value: Any = None
        extra: dict[str, Any] = {}
        for name, text in element.items():
            if name == "value":
                value = _typed(element, slot.type, _filled(element, "value", str(text)))
            elif name == "id":
                extra["id"] = _filled(element, "id", str(text))
            else:
                raise faults.attribute(element, str(name), primitive=True)
        if len(element):
            self._children(element, self._tables[slot.type], extra, level + 1 + slot.array)
        else:
            _no_text(element, element.text)
        if value is None and not extra:
            raise faults.at(element, 'has neither a value nor extensions: write value="…"')
        if slot.array:
            _append(slot, out, value, extra)
            return value is None
        if value is not None:
            out[slot.member] = value
        if extra:
            out[slot.pair] = extra
        return False

    def _nested(self, element: etree._Element, level: int) -> dict[str, Any]:
        """The resource within `contained`, an entry or a parameter."""
        for name in element.attrib:
            raise faults.attribute(element, str(name))
        _no_text(element, element.text)
        if len(element) != 1:
            raise faults.at(element, f"holds one resource, not {len(element)}")
        _no_text(element, element[0].tail)
        return self.resource(element[0], level)

    def _div(self, element: etree._Element) -> str:
        """The narrative as it stands in the document, made whole where it leans on namespaces declared outside it."""
        text = self._source.next_div()
        try:
            whole = etree.fromstring(text.encode(), etree.XMLParser(encoding="utf-8", huge_tree=True)).tag == DIV
        except etree.XMLSyntaxError:
            whole = False
        if whole:
            return text
        alone = etree.fromstring(etree.tostring(element, with_tail=False))
        etree.cleanup_namespaces(alone)
        return str(etree.tostring(alone, encoding="unicode"))


def _append(slot: Slot, out: dict[str, Any], value: Any, extra: dict[str, Any]) -> None:
    """A value into its array, and null or its extensions into the array of pairs, which is as long."""
    values = out.setdefault(slot.member, [])
    if extra and slot.pair not in out:
        out[slot.pair] = [None] * len(values)
    values.append(value)
    if slot.pair in out:
        out[slot.pair].append(extra or None)


def _without_hollow(table: Table, out: dict[str, Any]) -> None:
    """Drops the arrays that hold nothing but null: their pairs say it all."""
    for name in [name for name in out if name in table.members and table.members[name].array]:
        if isinstance(out[name], list) and all(each is None for each in out[name]):
            del out[name]


def _no_text(element: etree._Element, text: str | None) -> None:
    if text is not None and text.strip(_SPACE):
        raise faults.at(element, f"the text {text.strip(_SPACE)[:40]!r} does not belong there: values are attributes")


def _filled(element: etree._Element, name: str, text: str) -> str:
    if not text:
        raise faults.at(element, f"the attribute {name} is empty: leave it out")
    return text


def _typed(element: etree._Element, type: str, text: str) -> Any:
    convert = _CONVERT.get(type)
    if convert is None:
        return text
    try:
        return convert(text)
    except (ValueError, KeyError, InvalidOperation):
        raise faults.at(element, f"{text[:40]!r} is not a value of type {type}") from None


def _to_integer(text: str) -> int:
    if _integer(text) is None:
        raise ValueError
    return int(text)


def _to_decimal(text: str) -> int | Decimal:
    """As JSON reads the same digits."""
    if _decimal(text) is None:
        raise ValueError
    return jsontext.number(text)


_CONVERT: Final[Mapping[str, Callable[[str], Any]]] = {
    "boolean": {"true": True, "false": False}.__getitem__,
    "integer": _to_integer,
    "positiveInt": _to_integer,
    "unsignedInt": _to_integer,
    "decimal": _to_decimal,
}
