"""The JSON value of a resource to FHIR XML (https://hl7.org/fhir/R4/xml.html)."""

from __future__ import annotations

import html.entities
import re
from decimal import Decimal
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from fhirserver.errors import InvalidXml, NotAcceptable
from fhirserver.xmltext.grammar import DIV, FHIR, XHTML, Grammar, Kind, Slot, Table, grammar
from fhirserver.xmltext.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fhirserver.spec import Definitions

DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>'
_special: Final = re.compile('[&<>"\x00-\x1f\ufffe\uffff\ud800-\udfff]').search
_forbidden: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]").search
_ESCAPES: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)
_named: Final = re.compile(r"&(?!(?:lt|gt|amp|quot|apos);)([A-Za-z][A-Za-z0-9]*;)")


def dump(resource: dict[str, Any], definitions: Definitions, *, pretty: bool = False) -> bytes:
    """A resource as UTF-8, elements in the order of the definition, the narrative as it is.

    `pretty` gives each element its line. Raises NotAcceptable that names the place, when XML cannot carry a character
    or the value is not FHIR.
    """
    writer = _Writer(grammar(definitions))
    try:
        writer.resource(resource, f' xmlns="{FHIR}"')
    except _Refused as refused:
        where = ".".join([str(resource.get("resourceType", "Resource")), *refused.path])
        raise NotAcceptable(f"{where} cannot be written as XML: {refused.reason}. Ask for JSON.") from None
    return "".join(_lines(writer.parts) if pretty else (DECLARATION, *writer.parts)).encode()


class _Refused(Exception):
    """Why a value cannot be written; `path` grows on the way out."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str] = []


class _Writer:
    """Collects the document in `parts`: each is one tag, or one narrative."""

    def __init__(self, tables: Grammar) -> None:
        self._tables = tables
        self.parts: list[str] = []

    def resource(self, value: Any, declared: str = "") -> None:
        name = value.get("resourceType") if isinstance(value, dict) else None
        if not isinstance(name, str) or f"{{{FHIR}}}{name}" not in self._tables.resources:
            raise _Refused("a resource of FHIR R4 was expected")
        self._within(name, declared, value, self._tables[name])

    def _within(self, name: str, attributes: str, value: dict[str, Any], table: Table) -> None:
        """A start tag, the members, the end tag; one tag when there are no members."""
        self.parts.append(f"<{name}{attributes}>")
        length = len(self.parts)
        self._members(value, table)
        if len(self.parts) == length:
            self.parts[-1] = f"<{name}{attributes}/>"
        else:
            self.parts.append(f"</{name}>")

    def _members(self, value: dict[str, Any], table: Table) -> None:
        try:
            keys = sorted(value, key=table.order.__getitem__)
        except KeyError as error:
            raise _Refused(f"{table.type} has no member {error.args[0]!r}") from None
        for key in keys:
            slot = table.members.get(key)
            if slot is None:
                continue
            try:
                if slot.kind is Kind.PRIMITIVE:
                    self._primitive(slot, key, value)
                else:
                    self._other(slot, value[key])
            except _Refused as refused:
                refused.path.insert(0, key)
                raise

    def _primitive(self, slot: Slot, key: str, owner: dict[str, Any]) -> None:
        if key != slot.member and slot.member in owner:
            return
        value, extra = owner.get(slot.member), owner.get(slot.pair)
        if not slot.array:
            self._value(slot, value, extra)
            return
        values, extras = [] if value is None else value, [] if extra is None else extra
        if not isinstance(values, list) or not isinstance(extras, list):
            raise _Refused("an array was expected")
        for each, beside in zip_longest(values, extras):
            self._value(slot, each, beside)

    def _value(self, slot: Slot, value: Any, extra: Any) -> None:
        if extra is None:
            self.parts.append(f'<{slot.member} value="{_text(value)}"/>')
            return
        if not isinstance(extra, dict) or not extra:
            raise _Refused("an object with members was expected beside the value")
        table = self._tables[slot.type]
        attributes = _attributes(extra, table)
        if value is not None:
            attributes += f' value="{_text(value)}"'
        self._within(slot.member, attributes, extra, table)

    def _other(self, slot: Slot, value: Any) -> None:
        if slot.kind is Kind.DIV:
            self.parts.append(_div(value))
            return
        if slot.array is not isinstance(value, list):
            raise _Refused("an array was expected" if slot.array else "an array does not belong there")
        for each in value if slot.array else (value,):
            if slot.kind is Kind.RESOURCE:
                self.parts.append(f"<{slot.member}>")
                self.resource(each)
                self.parts.append(f"</{slot.member}>")
                continue
            if not isinstance(each, dict) or not each:
                raise _Refused("an object with members was expected")
            table = self._tables[slot.type]
            self._within(slot.member, _attributes(each, table), each, table)


def _attributes(value: Mapping[str, Any], table: Table) -> str:
    return "".join(f' {name}="{_text(value[name])}"' for name in table.attributes if name in value)


def _text(value: Any) -> str:
    """A primitive's value as the text of an attribute; a decimal with its own digits."""
    kind = type(value)
    if kind is str:
        if not value:
            raise _Refused("an empty text")
        return _escaped(value) if _special(value) else str(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value)
    if isinstance(value, Decimal) and value.is_finite():
        return str(getattr(value, "text", None) or value)
    raise _Refused("a single value was expected")


def _escaped(text: str) -> str:
    found = _forbidden(text)
    if found:
        raise _Refused(f"XML has no character U+{ord(found.group()):04X}")
    return text.translate(_ESCAPES)


def _div(value: Any) -> str:
    """The narrative as it is, once it is known to be one element of XHTML; entities of HTML become characters."""
    if not isinstance(value, str):
        raise _Refused("a text was expected")
    if found := _forbidden(value):
        raise _Refused(f"XML has no character U+{ord(found.group()):04X}")
    text = _named.sub(_character, value.strip()) if "&" in value else value.strip()
    if text.startswith("<?xml"):
        raise _Refused("the narrative begins with an XML declaration")
    try:
        tag = Source(text.encode()).root.tag
    except InvalidXml as error:
        raise _Refused(f"the narrative is not XHTML: {error.text.rstrip('.')}") from None
    if tag == "div":
        return text.replace("<div", f'<div xmlns="{XHTML}"', 1)
    if tag != DIV:
        raise _Refused("the narrative is not a div of XHTML")
    return text


def _character(found: re.Match[str]) -> str:
    return html.entities.html5.get(found[1], found.group())


def _lines(parts: list[str]) -> Iterator[str]:
    """Each part on its line, two spaces a level."""
    yield DECLARATION
    level = 0
    for part in parts:
        closing = part.startswith("</")
        level -= closing
        yield f"\n{'  ' * level}{part}"
        level += not closing and not part.endswith("/>") and "</" not in part
    yield "\n"
