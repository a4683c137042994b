"""Elements of CDA R2, briefly: `el("code", code="718-7", codeSystem=LOINC)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Iterable

V3: Final = "urn:hl7-org:v3"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
NAMESPACES: Final = {
    None: V3,
    "xsi": XSI,
    "sdtc": "urn:hl7-org:sdtc",
    "lab": "urn:oid:1.3.6.1.4.1.19376.1.3.2",
    "pharm": "urn:ihe:pharm",
}
LOINC: Final = "2.16.840.1.113883.6.1"
SNOMED: Final = "2.16.840.1.113883.6.96"
CIM10: Final = "2.16.840.1.113883.6.3"
CIS: Final = "1.2.250.1.213.2.3.1"
ACT_CODE: Final = "2.16.840.1.113883.5.4"


def el(tag: str, *children: Any, type: str | None = None, **attributes: str | None) -> etree._Element:
    """An element of HL7 v3, or of the namespace that a prefix (`sdtc:deceasedInd`) names; None leaves out."""
    prefix, _, local = tag.rpartition(":")
    element = etree.Element(f"{{{NAMESPACES[prefix or None]}}}{local}", nsmap=NAMESPACES)  # type: ignore[arg-type]
    if type is not None:
        element.set(f"{{{XSI}}}type", type)
    for name, value in attributes.items():
        if value is not None:
            element.set(name.rstrip("_"), value)
    _fill(element, children)
    return element


def _fill(element: etree._Element, children: Iterable[Any]) -> None:
    for child in children:
        if child is None:
            continue
        if isinstance(child, str):
            if len(element):
                element[-1].tail = (element[-1].tail or "") + child
            else:
                element.text = (element.text or "") + child
        elif isinstance(child, etree._Element):
            element.append(child)
        else:
            _fill(element, child)


def templates(*roots: str) -> list[etree._Element]:
    """templateIds; `root|extension` gives both."""
    found = []
    for root in roots:
        name, _, extension = root.partition("|")
        found.append(el("templateId", root=name, extension=extension or None))
    return found


def code(tag: str, value: str, system: str, display: str, *children: Any, type: str | None = None) -> etree._Element:
    """A coded element."""
    return el(tag, *children, type=type, code=value, codeSystem=system, displayName=display)


def interval(tag: str, low: str | None = None, high: str | None = None) -> etree._Element:
    """An interval of time."""
    return el(
        tag,
        el("low", value=low) if low else None,
        el("high", value=high) if high else None,
        type="IVL_TS" if tag != "time" else None,
    )


def quantity(tag: str, value: str, unit: str | None = None) -> etree._Element:
    """A PQ as a value."""
    return el(tag, type="PQ", value=value, unit=unit)


def entry(statement: etree._Element, *, drives: bool = True) -> etree._Element:
    """An entry of a section."""
    return el("entry", statement, typeCode="DRIV" if drives else None)


def relation(kind: str, statement: etree._Element, *, inverted: bool = False) -> etree._Element:
    """An entryRelationship."""
    return el("entryRelationship", statement, typeCode=kind, inversionInd="true" if inverted else None)


def referring(anchor: str) -> etree._Element:
    """The `text` of an entry that a narrative element with this ID tells."""
    return el("text", el("reference", value=f"#{anchor}"))


def section(roots: Iterable[str], coded: etree._Element, title: str, text: Any, *content: Any) -> etree._Element:
    """A section with its narrative (paragraphs of text, or elements)."""
    narrative = [el("paragraph", text)] if isinstance(text, str) else text
    return el("section", templates(*roots), coded, el("title", title), el("text", narrative), *content)


def table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> etree._Element:
    """A table of a narrative; a cell is a text, or a pair (text, ID)."""
    return el(
        "table",
        el("thead", el("tr", [el("th", name) for name in head])),
        el("tbody", [el("tr", [_cell(cell) for cell in row]) for row in rows]),
    )


def _cell(cell: Any) -> etree._Element:
    if isinstance(cell, tuple):
        text, anchor = cell
        return el("td", el("content", text, ID=anchor))
    return el("td", cell)


def write(root: etree._Element) -> bytes:
    """A document in UTF-8, laid out for reading."""
    etree.cleanup_namespaces(root, keep_ns_prefixes=["xsi"])
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
