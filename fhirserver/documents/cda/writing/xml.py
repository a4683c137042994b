"""Elements of HL7 v3, to be written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Union

from lxml import etree

V3: Final = "urn:hl7-org:v3"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
LAB: Final = "urn:oid:1.3.6.1.4.1.19376.1.3.2"
_NAMESPACES: Final = {None: V3, "xsi": XSI, "lab": LAB}

Children = Union["etree._Element", str, None, Iterable[Union["etree._Element", str, None]]]


def el(name: str, *children: Children, xsi: str | None = None, **attributes: str | None) -> etree._Element:
    """An element with children (texts, elements, lists of them; None is left out) and attributes; `xsi` is its type."""
    prefix, _, local = name.rpartition(":")
    element = etree.Element(f"{{{_NAMESPACES[prefix or None]}}}{local}", nsmap=_NAMESPACES)  # type: ignore[arg-type]
    if xsi:
        element.set(f"{{{XSI}}}type", xsi)
    for key, value in attributes.items():
        if value is not None:
            element.set(key, value)
    for child in children:
        _put(element, child)
    return element


def _put(element: etree._Element, child: Children) -> None:
    if child is None:
        return
    if isinstance(child, str):
        if len(element):
            element[-1].tail = (element[-1].tail or "") + child
        else:
            element.text = (element.text or "") + child
    elif isinstance(child, etree._Element):
        element.append(child)
    else:
        for each in child:
            _put(element, each)


def templates(*roots: str) -> list[etree._Element]:
    """templateIds; `root|extension` gives both."""
    pairs = (root.partition("|") for root in roots)
    return [el("templateId", root=root, extension=extension or None) for root, _, extension in pairs]


def written(root: etree._Element) -> bytes:
    """The document in UTF-8."""
    etree.cleanup_namespaces(root, keep_ns_prefixes=["xsi"])
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")
