"""What statements say: values, times, codes, ids, ranges, specimens, pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree

from tools.cda.habits.pieces import (
    FLAVORS,
    LOCAL,
    STATEMENTS,
    coded,
    day,
    every,
    identifier,
    mark,
    number,
    pick,
    put,
    q,
    statements,
)
from tools.cda.habits.statements import VALUES, dosing
from tools.cda.xml import V3, XSI, el

if TYPE_CHECKING:
    from random import Random


def values(root: etree._Element, random: Random) -> None:
    """Another value, or a second one."""
    target = pick(random, statements(root, "observation"))
    if target is None:
        return
    held = target.findall(q("value"))
    if held and random.random() < 0.6:
        for each in held:
            target.remove(each)
    put(target, random.choice(VALUES)(random))


def times(root: etree._Element, random: Random) -> None:
    """Other times of a treatment."""
    target = pick(random, statements(root, "substanceAdministration"))
    if target is not None:
        for each in target.findall(q("effectiveTime")):
            target.remove(each)
        put(target, *dosing(random))


def moments(root: etree._Element, random: Random) -> None:
    """The time of a statement in every form."""
    target = pick(random, [each for each in statements(root) if "substanceAdministration" not in str(each.tag)])
    if target is None:
        return
    for each in target.findall(q("effectiveTime")):
        target.remove(each)
    forms = (
        el("effectiveTime", value=f"{day(random)}0830"),
        el("effectiveTime", value=f"{day(random)}083011.123+0200"),
        el("effectiveTime", value=day(random)[:6]),
        el("effectiveTime", el("low", value=day(random)), el("width", value="3", unit="d")),
        el("effectiveTime", el("low", nullFlavor="UNK"), el("high", value=day(random))),
        el("effectiveTime", el("low", value=day(random)), el("high", value="20991231"), value=day(random)),
        el("effectiveTime", el("center", value=day(random))),
        el("effectiveTime", el("low", value=day(random), inclusive="false"), el("high", nullFlavor="PINF")),
        el("effectiveTime", el("low", value="20260301"), el("high", value="20260201")),
        el("effectiveTime", nullFlavor="ASKU"),
        el("effectiveTime", el("low", nullFlavor="NI"), el("high", nullFlavor="NI")),
    )
    put(target, random.choice(forms))


def codes(root: etree._Element, random: Random) -> None:
    """A code in a local system with the standard one as its translation, words apart, or none at all."""
    target = pick(random, [code for each in statements(root) for code in each.findall(q("code"))])
    if target is None or not target.get("code"):
        return
    kept = {name: value for name, value in target.attrib.items() if name != f"{{{XSI}}}type"}
    anchor = f"w{random.randrange(10**6)}"
    shape = random.randrange(4)
    if shape == 0:
        target.insert(0, el("originalText", mark(random)))
    elif shape == 1:
        section = next((each for each in target.iterancestors(q("section"))), None)
        text = section.find(q("text")) if section is not None else None
        if text is None:
            return
        text.append(el("paragraph", el("content", mark(random), ID=anchor)))
        target.insert(0, el("originalText", el("reference", value=f"#{anchor}")))
    else:
        for name in kept:
            del target.attrib[name]
        if shape == 2:
            target.set("nullFlavor", "OTH")
        else:
            target.attrib.update({"code": mark(random), "codeSystem": LOCAL, "displayName": mark(random)})
        for each in target.findall(q("originalText")):
            target.remove(each)
        target.insert(0, el("translation", **{str(name): str(value) for name, value in kept.items()}))


def identifiers(root: etree._Element, random: Random) -> None:
    """Several ids, of roots only, with UUIDs, with an authority, or none that is known."""
    target = pick(random, statements(root))
    if target is None:
        return
    shapes = (
        el("id", root=f"1.2.250.1.999.{random.randrange(10**6)}"),
        el("id", root="A1B2C3D4-0000-4000-8000-" + f"{random.randrange(10**12):012}"),
        el("id", root="1.2.250.1.999", extension=mark(random), assigningAuthorityName=mark(random), displayable="true"),
        el("id", nullFlavor="NI"),
        el("id", extension=mark(random)),
        el("id", root="1.2.250.1.213.1.4.8", extension=mark(random)),
    )
    put(target, random.choice(shapes))


def negations(root: etree._Element, random: Random) -> None:
    """A refusal, an absence."""
    target = pick(random, statements(root, "observation", "substanceAdministration", "procedure", "act", "supply"))
    if target is not None:
        target.set("negationInd", "true")


def ranges(root: etree._Element, random: Random) -> None:
    """Several reference ranges: of words, of open ends, of codes, for men and for women."""
    target = pick(random, statements(root, "observation"))
    if target is None:
        return
    limits = random.choice(
        (
            el("value", el("low", value=number(random), unit="g/L"), type="IVL_PQ"),
            el("value", el("high", value=number(random), unit="g/L", inclusive="false"), type="IVL_PQ"),
            el("value", el("low", value=number(random)), el("high", value="9999"), type="IVL_REAL"),
            el("value", mark(random), type="ST"),
            coded("value", random, type="CD"),
            el("value", type="PQ", value=number(random), unit="g"),
            el("value", nullFlavor="NA", type="IVL_PQ"),
            None,
        )
    )
    whom = el("precondition", el("criterion", coded("code", random), coded("value", random, type="CD")))
    held = el(
        "observationRange",
        coded("code", random) if random.random() < 0.2 else None,
        el("text", mark(random)) if random.random() < 0.5 else None,
        limits,
        el("interpretationCode", code=random.choice("NHL"), codeSystem="2.16.840.1.113883.5.83"),
        whom if random.random() < 0.3 else None,
        classCode="OBS",
        moodCode="EVN.CRT",
    )
    put(target, el("referenceRange", held, typeCode="REFV"))


def specimens(root: etree._Element, random: Random) -> None:
    """A specimen named by the statement; several of them; of a quantity."""
    target = pick(random, statements(root, "observation", "organizer", "procedure"))
    if target is None:
        return
    for _ in range(random.randint(1, 2)):
        entity = el(
            "specimenPlayingEntity",
            coded("code", random),
            el("quantity", value=number(random), unit="mL") if random.random() < 0.5 else None,
            el("name", mark(random)) if random.random() < 0.3 else None,
            el("desc", mark(random)) if random.random() < 0.3 else None,
            classCode=random.choice((None, "MIC", "ENT")),
        )
        put(target, el("specimen", el("specimenRole", identifier(random), entity, classCode="SPEC")))


def pictures(root: etree._Element, random: Random) -> None:
    """An image within an entry, and a region of it."""
    target = pick(random, statements(root, "observation", "organizer", "act"))
    if target is None:
        return
    value = random.choice(
        (
            el("value", "iVBORw0KGgo=", mediaType="image/png", representation="B64"),
            el("value", el("reference", value=f"http://pacs.example.org/{mark(random)}"), mediaType="image/jpeg"),
            el("value", "%%%", mediaType="image/png", representation="B64"),
            el("value", nullFlavor="NAV"),
        )
    )
    made = el(
        "observationMedia",
        identifier(random),
        el("languageCode", code="fr") if random.random() < 0.2 else None,
        value,
        classCode="OBS",
        moodCode="EVN",
        ID=f"img{random.randrange(10**6)}",
    )
    holder = "component" if etree.QName(target).localname == "organizer" else "entryRelationship"
    put(target, el(holder, made, typeCode="COMP"))
    if random.random() < 0.3:
        region = el(
            "regionOfInterest",
            identifier(random),
            el("code", code="CIRCLE"),
            el("value", value="7"),
            classCode="ROIOVL",
            moodCode="EVN",
        )
        put(target, el(holder, region, typeCode="SUBJ"))


def nulls(root: etree._Element, random: Random) -> None:
    """An element that says only why it says nothing."""
    target = pick(random, [kid for each in statements(root) for kid in each if isinstance(kid.tag, str)])
    if target is None or etree.QName(target).localname in (*STATEMENTS, "templateId"):
        return
    kind = target.get(f"{{{XSI}}}type")
    target.clear()
    if kind:
        target.set(f"{{{XSI}}}type", kind)
    target.set("nullFlavor", random.choice(FLAVORS))


def narrative(root: etree._Element, random: Random) -> None:
    """Tables, lists, footnotes, images, revisions and links in a text; foreign markup."""
    target = pick(random, [text for each in every(root, "section") for text in each.findall(q("text"))])
    if target is None:
        return
    pieces = (
        lambda: el(
            "list",
            el("caption", mark(random)),
            el("item", el("content", mark(random), revised="insert")),
            listType="ordered",
        ),
        lambda: el(
            "table",
            el("caption", mark(random)),
            el("colgroup", el("col", width="10%")),
            el("tfoot", el("tr", el("td", "f"))),
            el(
                "tbody",
                el("tr", el("th", mark(random), colspan="2", rowspan="x"), el("td", el("list", el("item", "a")))),
            ),
        ),
        lambda: el(
            "paragraph", "a", el("footnoteRef", IDREF="f1"), el("footnote", mark(random), ID="f1"), el("sub", "2")
        ),
        lambda: el("renderMultiMedia", el("caption", mark(random)), referencedObject="rien"),
        lambda: el("linkHtml", mark(random), href=random.choice(("http://example.org", "javascript:alert(1)", "#x"))),
        lambda: el("content", el("content", mark(random), styleCode="Bold Italics xEncart"), styleCode="Underline"),
        lambda: etree.fromstring(f'<b xmlns="http://www.w3.org/1999/xhtml" onclick="x()">{mark(random)}</b>'),
        lambda: etree.fromstring(f'<script xmlns="{V3}">{mark(random)}</script>'),
    )
    target.append(random.choice(pieces)())
