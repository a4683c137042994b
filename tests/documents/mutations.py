"""Documents as no guide foresaw them: the structure of one, changed at random, still well-formed CDA."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

V3: Final = "{urn:hl7-org:v3}"
STATEMENTS: Final = ("observation", "organizer", "act", "procedure", "observationMedia", "supply",
                     "substanceAdministration", "encounter")  # fmt: skip


def mutated(data: bytes, random: Random, count: int) -> bytes:
    """The document after so many changes of its body."""
    root = etree.fromstring(data, etree.XMLParser(remove_blank_text=True))
    for _ in range(count):
        random.choice(MUTATIONS)(root, random)
    if random.random() < 0.3:
        root = _prefixed(root)
    return etree.tostring(root, xml_declaration=True, encoding=random.choice(("UTF-8", "UTF-16", "ISO-8859-1")))


def _inside(root: etree._Element, *names: str) -> list[etree._Element]:
    """Elements of the entries, those of some names only if any are given."""
    found = root.iterfind(f".//{V3}entry//*")
    return [each for each in found if not names or etree.QName(each).localname in names]


def _drop(root: etree._Element, random: Random) -> None:
    """An optional part is missing."""
    listed = _inside(root)
    if listed:
        victim = random.choice(listed)
        parent = victim.getparent()
        if parent is not None:
            parent.remove(victim)


def _shuffle(root: etree._Element, random: Random) -> None:
    listed = _inside(root, *STATEMENTS)
    if listed:
        holder = random.choice(listed)
        kids = list(holder)
        random.shuffle(kids)
        holder[:] = kids


def _strange_template(root: etree._Element, random: Random) -> None:
    listed = _inside(root, *STATEMENTS)
    if listed:
        made = etree.Element(f"{V3}templateId", root=f"1.2.250.1.999.{random.randrange(99)}")
        random.choice(listed).insert(0, made)


def _no_template(root: etree._Element, random: Random) -> None:
    listed = _inside(root, *STATEMENTS)
    if listed:
        holder = random.choice(listed)
        for each in holder.findall(f"{V3}templateId"):
            holder.remove(each)


def _nested(root: etree._Element, random: Random) -> None:
    """A statement lies in one more organizer."""
    listed = _inside(root, "observation", "organizer")
    if listed:
        inner = random.choice(listed)
        parent = inner.getparent()
        if parent is not None:
            outer = etree.Element(f"{V3}organizer", classCode=random.choice(("BATTERY", "CLUSTER")), moodCode="EVN")
            parent.replace(inner, outer)
            etree.SubElement(outer, f"{V3}statusCode", code="completed")
            etree.SubElement(outer, f"{V3}component").append(inner)


def _null(root: etree._Element, random: Random) -> None:
    listed = [each for each in _inside(root) if each.attrib and len(each) == 0]
    if listed:
        element = random.choice(listed)
        for name in list(element.attrib):
            if not str(name).startswith("{"):
                del element.attrib[name]
        element.set("nullFlavor", random.choice(("UNK", "NI", "MSK", "NASK", "OTH", "NAV", "BOGUS")))


def _foreign(root: etree._Element, random: Random) -> None:
    """Something that no standard knows."""
    listed = _inside(root)
    if listed:
        holder = random.choice(listed)
        if random.random() < 0.5:
            holder.set("ledger", f"x{random.randrange(9999)}")
        else:
            made = etree.SubElement(holder, random.choice((f"{V3}moonPhase", "{urn:example:lab}batch")))
            made.text = f"strange {random.randrange(9999)}"


def _twice(root: etree._Element, random: Random) -> None:
    listed = _inside(root)
    if listed:
        element = random.choice(listed)
        parent = element.getparent()
        if parent is not None:
            parent.insert(parent.index(element), copy.deepcopy(element))


def _author(root: etree._Element, random: Random) -> None:
    """Somebody else answers for a part."""
    listed = _inside(root, *STATEMENTS)
    authors = root.findall(f"{V3}author")
    if listed and authors:
        made = copy.deepcopy(random.choice(authors))
        for each in made.iter(f"{V3}id"):
            each.set("extension", f"8100{random.randrange(10**8):08}")
        random.choice(listed).append(made)


def _section(root: etree._Element, random: Random) -> None:
    """A section of a kind that nobody knows, perhaps around one that somebody does."""
    sections = list(root.iterfind(f".//{V3}component/{V3}section"))
    if sections:
        inner = random.choice(sections)
        parent = inner.getparent()
        if parent is not None:
            outer = etree.Element(f"{V3}section")
            etree.SubElement(outer, f"{V3}templateId", root="1.2.250.1.999.100")
            etree.SubElement(outer, f"{V3}title").text = "Divers"
            parent.replace(inner, outer)
            etree.SubElement(outer, f"{V3}component").append(inner)


def _type(root: etree._Element, random: Random) -> None:
    listed = _inside(root, "value")
    if listed:
        name = "{http://www.w3.org/2001/XMLSchema-instance}type"
        random.choice(listed).set(name, random.choice(("PQ", "CD", "ST", "IVL_PQ", "INT", "REAL", "TS", "RTO", "ANY")))


def _text(root: etree._Element, random: Random) -> None:
    """White space and comments where there were none."""
    listed = _inside(root)
    if listed:
        random.choice(listed).append(etree.Comment(" vu "))


MUTATIONS: Final[tuple[Callable[[etree._Element, Random], None], ...]] = (
    _drop, _drop, _shuffle, _strange_template, _no_template, _nested, _null, _foreign, _twice, _author, _section,
    _type, _text,
)  # fmt: skip


def _prefixed(root: etree._Element) -> etree._Element:
    """The same with a prefix where the default namespace was."""
    text = etree.tostring(root, encoding="unicode")
    style = etree.fromstring(_RENAME)
    return etree.XSLT(style)(etree.fromstring(text)).getroot()


_RENAME: Final = """<x:stylesheet version="1.0" xmlns:x="http://www.w3.org/1999/XSL/Transform" xmlns:v="urn:hl7-org:v3">
<x:template match="@*|node()"><x:copy><x:apply-templates select="@*|node()"/></x:copy></x:template>
<x:template match="v:*"><x:element name="v:{local-name()}"><x:apply-templates select="@*|node()"/></x:element>
</x:template></x:stylesheet>"""
