"""Other spellings of one document: what XML leaves to whoever writes it. All of them say the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lxml import etree

from tools.cda.xml import V3, XSI

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

DEFAULTS: Final = {
    "observation": {"classCode": "OBS", "moodCode": "EVN"},
    "patientRole": {"classCode": "PAT"},
    "patient": {"classCode": "PSN", "determinerCode": "INSTANCE"},
    "assignedAuthor": {"classCode": "ASSIGNED"},
    "assignedEntity": {"classCode": "ASSIGNED"},
    "assignedPerson": {"classCode": "PSN", "determinerCode": "INSTANCE"},
    "representedOrganization": {"classCode": "ORG", "determinerCode": "INSTANCE"},
    "section": {"classCode": "DOCSECT", "moodCode": "EVN"},
    "author": {"typeCode": "AUT", "contextControlCode": "OP"},
    "custodian": {"typeCode": "CST"},
    "recordTarget": {"typeCode": "RCT", "contextControlCode": "OP"},
    "component": {"contextConductionInd": "true"},
    "consumable": {"typeCode": "CSM"},
    "manufacturedProduct": {"classCode": "MANU"},
    "manufacturedMaterial": {"classCode": "MMAT", "determinerCode": "KIND"},
}
"""Attributes that CDA R2 fixes, or has by default."""
NARRATIVE: Final = frozenset({"text", "title", "name", "addr", "originalText", "desc"})
ENCODINGS: Final = ("utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "iso-8859-15", "windows-1252", "us-ascii")


def _text(root: etree._Element) -> str:
    return etree.tostring(root, encoding="unicode")


def _structure(root: etree._Element) -> list[etree._Element]:
    """The elements outside narratives and names, where white space and order say nothing."""
    found, waiting = [], [root]
    while waiting:
        element = waiting.pop()
        found.append(element)
        waiting += [kid for kid in element if etree.QName(kid).localname not in NARRATIVE]
    return found


def prefixes(root: etree._Element, random: Random) -> bytes:
    """A prefix for HL7 v3, another one for the types of values."""
    v3, xsi = random.choice((("n1", "xs1"), ("hl7", "x"), ("cda", "xsi"), ("ClinicalDocument", "i")))
    text = _text(root)
    text = re.sub(r"<(/?)([A-Za-z][\w.\-]*)(?=[\s/>])", rf"<\1{v3}:\2", text)
    text = text.replace("xsi:", f"{xsi}:").replace("xmlns:xsi=", f"xmlns:{xsi}=")
    text = text.replace(f'xmlns="{V3}"', f'xmlns:{v3}="{V3}"')
    return re.sub(rf'{xsi}:type="(\w+)"', rf'{xsi}:type="{v3}:\1"', text).encode()


def declared_within(root: etree._Element, random: Random) -> bytes:
    """Namespaces declared where they are used, not at the root."""
    text = _text(root)
    text = re.sub(r'(<ClinicalDocument[^>]*?) xmlns:xsi="[^"]*"', r"\1", text)
    return re.sub(r"xsi:type=", f'xmlns:xsi="{XSI}" xsi:type=', text).encode()


def comments(root: etree._Element, random: Random) -> bytes:
    """Comments and instructions, in texts too."""
    for element in root.iter(etree.Element):
        if random.random() < 0.15:
            made = etree.Comment(" <section> ") if random.random() < 0.7 else etree.ProcessingInstruction("x", "y='1'")
            if len(element) or not element.text:
                element.insert(0, made)
            else:
                half = len(element.text) // 2
                made.tail, element.text = element.text[half:], element.text[:half]
                element.insert(0, made)
    return b'<?xml-stylesheet type="text/xsl" href="cda.xsl"?>\n<!-- ex -->' + _text(root).encode() + b"<!-- fin -->"


def cdata(root: etree._Element, random: Random) -> bytes:
    """Texts as CDATA sections."""
    for element in root.iter(etree.Element):
        if element.text and element.text.strip() and "]]>" not in element.text and random.random() < 0.5:
            element.text = etree.CDATA(element.text)
    return _text(root).encode()


def compact(root: etree._Element, random: Random) -> bytes:
    """No white space between elements, or much of it."""
    blank = random.choice((None, "\n\t\t", "\r\n      "))
    for element in _structure(root):
        if len(element) and not (element.text or "").strip():
            element.text = blank
            for kid in element:
                if not (kid.tail or "").strip():
                    kid.tail = blank
    return _text(root).encode()


def carriage_returns(root: etree._Element, random: Random) -> bytes:
    return _text(root).replace("\n", "\r\n").encode()


def encoded(root: etree._Element, random: Random) -> bytes:
    """Another encoding, with or without the declaration where XML asks for none."""
    name = random.choice(ENCODINGS)
    said = {"utf-8-sig": "UTF-8", "utf-16": "UTF-16"}.get(name, name)
    quote = random.choice("'\"")
    declaration = f"<?xml version={quote}1.0{quote} encoding={quote}{said}{quote}?>\n"
    if name.startswith("utf") and random.random() < 0.5:
        declaration = ""
    return (declaration + _text(root)).encode(name, "xmlcharrefreplace")


def stylesheet(root: etree._Element, random: Random) -> bytes:
    """Auto-presentable: within a stylesheet."""
    return (
        '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
        f'<a:Contenu xmlns:a="urn:asip-sante:ci-sis">{_text(root)}</a:Contenu>'
        '<xsl:template match="/"><html/></xsl:template></xsl:stylesheet>'
    ).encode()


def fixed(root: etree._Element, random: Random) -> bytes:
    """Attributes with the value that they have anyway."""
    for element in root.iter(etree.Element):
        for name, value in DEFAULTS.get(etree.QName(element).localname, {}).items():
            if name not in element.attrib and random.random() < 0.7:
                element.set(name, value)
    root.set(f"{{{XSI}}}schemaLocation", f"{V3} ../infrastructure/cda/CDA_extended.xsd")
    return _text(root).encode()


def reordered(root: etree._Element, random: Random) -> bytes:
    """Elements of different names in another order, those of the same name in theirs."""
    for element in _structure(root):
        kids = list(element)
        if len(kids) < 2 or random.random() < 0.5:
            continue
        groups: dict[str, list[etree._Element]] = {}
        for kid in kids:
            groups.setdefault(str(kid.tag), []).append(kid)
        slots = [str(kid.tag) for kid in kids]
        random.shuffle(slots)
        for tag in slots:
            element.append(groups[tag].pop(0))
    return _text(root).encode()


def templates_moved(root: etree._Element, random: Random) -> bytes:
    """templateIds the other way round, each with an extension, and one more that nobody knows."""
    for element in _structure(root):
        known = element.findall(f"{{{V3}}}templateId")
        if not known or element is root:
            continue
        for each in known:
            element.remove(each)
            each.set("extension", each.get("extension") or "2022-06-15")
        known.append(etree.Element(f"{{{V3}}}templateId", root=f"1.2.250.1.213.98.{random.randrange(99)}"))
        for each in known:
            element.insert(0, each)
    return _text(root).encode()


def anchors(root: etree._Element, random: Random) -> bytes:
    """Other names for the anchors of the narrative."""
    for element in root.iter(etree.Element):
        for name in ("ID", "value", "referencedObject"):
            value = element.get(name)
            if value and name == "ID":
                element.set(name, f"a-{value}")
            elif value and name == "value" and value.startswith("#"):
                element.set(name, f"#a-{value[1:]}")
            elif value and name == "referencedObject":
                element.set(name, f"a-{value}")
    return _text(root).encode()


def references(root: etree._Element, random: Random) -> bytes:
    """Characters by their numbers."""
    return re.sub(r"[^\x00-\x7f]", lambda found: f"&#x{ord(found[0]):x};", _text(root)).encode()


SPELLINGS: Final[tuple[Callable[[etree._Element, Random], bytes], ...]] = (
    prefixes, declared_within, comments, cdata, compact, carriage_returns, encoded, stylesheet, fixed, reordered,
    templates_moved, anchors, references,
)  # fmt: skip
"""All of them."""


def respelled(data: bytes, random: Random, spelling: Callable[[etree._Element, Random], bytes]) -> bytes:
    """The same document, written otherwise."""
    return spelling(etree.fromstring(data), random)
