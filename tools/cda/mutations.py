"""Changes of a document's structure, drawn at random: what real documents do differently, and what wrong ones do."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Final

from lxml import etree

from tools.cda.xml import V3, XSI, code, el, section, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

FLAVORS: Final = ("NI", "UNK", "NA", "MSK", "OTH", "ASKU", "NASK", "NP", "XXX")
ODD: Final = (
    "",
    "0",
    "-1",
    "1e400",
    "20261399",
    "20240230",
    "3,5",
    "NaN",
    "\u202ex",
    "x" * 300,
    "2.16..1",
    "#",
    "javascript:1",
    "<b>",
)
TYPES: Final = ("PQ", "CD", "ST", "INT", "REAL", "IVL_PQ", "IVL_TS", "TS", "BL", "ED", "RTO", "MO", "ANY", "XX")


def _elements(root: etree._Element) -> list[etree._Element]:
    """All that may be changed: not the document, nor the id that names it."""
    return [
        each
        for each in root.iter(etree.Element)
        if (each is not root and each.tag != f"{{{V3}}}id") or (each.getparent() is not root and each is not root)
    ]


def drop(root: etree._Element, random: Random) -> None:
    """Leave out an element."""
    target = random.choice(_elements(root))
    parent = target.getparent()
    if parent is not None:
        parent.remove(target)


def drop_attribute(root: etree._Element, random: Random) -> None:
    target = random.choice(_elements(root))
    if target.attrib:
        del target.attrib[random.choice(list(target.attrib))]


def double(root: etree._Element, random: Random) -> None:
    """Say something twice."""
    target = random.choice(_elements(root))
    target.addnext(deepcopy(target))


def shuffle(root: etree._Element, random: Random) -> None:
    """Put the children of an element in another order."""
    target = random.choice([root, *_elements(root)])
    children = list(target)
    random.shuffle(children)
    for child in children:
        target.append(child)


def nullify(root: etree._Element, random: Random) -> None:
    """A nullFlavor instead of what an element says, or beside it."""
    target = random.choice(_elements(root))
    if random.random() < 0.7:
        for name in list(target.attrib):
            if name != f"{{{XSI}}}type":
                del target.attrib[name]
    target.set("nullFlavor", random.choice(FLAVORS))


def garble(root: etree._Element, random: Random) -> None:
    """A value that is none of its type."""
    target = random.choice(_elements(root))
    if target.attrib:
        target.set(random.choice(list(target.attrib)), random.choice(ODD))
    else:
        target.text = random.choice(ODD)


def retype(root: etree._Element, random: Random) -> None:
    typed = [each for each in _elements(root) if f"{{{XSI}}}type" in each.attrib]
    if typed:
        random.choice(typed).set(f"{{{XSI}}}type", random.choice(TYPES))


def unknown_template(root: etree._Element, random: Random) -> None:
    """Templates that nobody knows, instead of those that are known."""
    holders = [each for each in _elements(root) if each.find(f"{{{V3}}}templateId") is not None]
    if not holders:
        return
    target = random.choice(holders)
    for each in target.findall(f"{{{V3}}}templateId"):
        if random.random() < 0.8:
            target.remove(each)
    target.insert(0, el("templateId", root=f"1.2.250.1.213.99.{random.randrange(9999)}"))


def unknown_section(root: etree._Element, random: Random) -> None:
    body = root.find(f"{{{V3}}}component/{{{V3}}}structuredBody")
    if body is None:
        return
    made = section(("1.2.250.1.213.99.5",), code("code", "X", "1.2.250.1.213.99.5", "Rubrique"), "Autre", "Texte")
    entries = body.findall(f".//{{{V3}}}entry")
    if entries:
        made.append(deepcopy(random.choice(entries)))
    body.insert(random.randrange(len(body) + 1), el("component", made))


def unknown_element(root: etree._Element, random: Random) -> None:
    target = random.choice(_elements(root))
    target.append(etree.Element(random.choice((f"{{{V3}}}inattendu", "{urn:autre}chose")), valeur="7"))


def nest(root: etree._Element, random: Random) -> None:
    """A statement within an organizer, or an act, that says nothing itself."""
    names = {f"{{{V3}}}{name}" for name in ("observation", "act", "organizer", "procedure", "substanceAdministration")}
    targets = [each for each in _elements(root) if each.tag in names]
    if not targets:
        return
    target = random.choice(targets)
    parent = target.getparent()
    if parent is None:
        return
    if random.random() < 0.5:
        wrapper, holder = el("organizer", classCode="CLUSTER", moodCode="EVN"), el("component")
    else:
        wrapper, holder = el("act", classCode="ACT", moodCode="EVN"), el("entryRelationship", typeCode="COMP")
    parent.replace(target, wrapper)
    wrapper.append(holder)
    holder.append(target)


def author(root: etree._Element, random: Random) -> None:
    """Another author for a part of the document."""
    authors = root.findall(f"{{{V3}}}author")
    names = {f"{{{V3}}}{name}" for name in ("section", "observation", "act", "substanceAdministration", "procedure")}
    targets = [each for each in _elements(root) if each.tag in names]
    if authors and targets:
        random.choice(targets).append(deepcopy(random.choice(authors)))


def move(root: etree._Element, random: Random) -> None:
    """An element where it has no business."""
    listed = _elements(root)
    target, place = random.choice(listed), random.choice(listed)
    if place is not target and target not in place.iterancestors():
        place.append(target)


MUTATIONS: Final[tuple[Callable[[etree._Element, Random], None], ...]] = (
    drop, drop_attribute, double, shuffle, nullify, garble, retype, unknown_template, unknown_section, unknown_element,
    nest, author, move,
)  # fmt: skip
"""All of them."""
BENIGN: Final[tuple[Callable[[etree._Element, Random], None], ...]] = (
    unknown_template, unknown_section, unknown_element, nest, author, double
)  # fmt: skip
"""Those that take nothing away from what the document says."""


def mutated(
    data: bytes, random: Random, times: int, among: tuple[Callable[[etree._Element, Random], None], ...] = MUTATIONS
) -> bytes:
    """A document changed so many times."""
    root = etree.fromstring(data)
    for _ in range(times):
        random.choice(among)(root, random)
    return write(root)


def prefixed(data: bytes, prefix: str = "n1") -> bytes:
    """The same document with a prefix for HL7 v3 instead of the default namespace."""
    root = etree.fromstring(data)
    made = etree.Element(root.tag, nsmap={prefix: V3, "xsi": XSI})
    made.attrib.update(root.attrib)
    made.extend(list(root))
    text = etree.tostring(made).decode()
    again = etree.fromstring(text.replace(f'xmlns="{V3}"', ""))
    return etree.tostring(again)
