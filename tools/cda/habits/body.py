"""How the body is built: sections, organizers, relationships, texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree

from tools.cda.habits.pieces import (
    body_of,
    coded,
    day,
    entity,
    every,
    identifier,
    mark,
    number,
    pick,
    put,
    statements,
)
from tools.cda.habits.statements import act, comment, encounter, medication, observation, procedure, supply
from tools.cda.xml import el

if TYPE_CHECKING:
    from random import Random


def nested_organizers(root: etree._Element, random: Random) -> None:
    """A statement within organizers, one in the other, with codes, times and states of their own."""
    target = pick(random, statements(root, "observation", "organizer", "act", "procedure"))
    parent = target.getparent() if target is not None else None
    if target is None or parent is None:
        return
    place = parent.index(target)
    inner = target
    for _ in range(random.randint(1, 3)):
        named = coded("code", random) if random.random() < 0.6 else None
        time = el("effectiveTime", value=day(random)) if random.random() < 0.4 else None
        status = el("statusCode", code=random.choice(("completed", "active")))
        kind = random.choice(("CLUSTER", "BATTERY"))
        inner = el(
            "organizer", identifier(random), named, status, time, el("component", inner), classCode=kind, moodCode="EVN"
        )
    parent.insert(place, inner)


def nested_sections(root: etree._Element, random: Random) -> None:
    """A section three deep, without a text of its own in between."""
    target = pick(random, every(root, "section"))
    parent = target.getparent() if target is not None else None
    if target is None or parent is None:
        return
    place = parent.index(target)
    inner = target
    for _ in range(random.randint(1, 3)):
        title = el("title", mark(random)) if random.random() < 0.5 else None
        named = coded("code", random) if random.random() < 0.5 else None
        author = el("author", el("time", value=day(random)), entity("assignedAuthor", random))
        inner = el(
            "section",
            identifier(random),
            named,
            title,
            author if random.random() < 0.3 else None,
            el("component", inner),
        )
    parent.insert(place, inner)


def bare_section(root: etree._Element, random: Random) -> None:
    """A section of a code and a text, of a title only, or of nothing."""
    body = body_of(root)
    if body is None:
        return
    told = [coded("code", random), el("title", mark(random)), el("text", mark(random))]
    chosen = [each for each in told if random.random() < 0.5]
    extra = el("languageCode", code="fr-FR") if random.random() < 0.3 else None
    flavor = "NI" if random.random() < 0.3 else None
    body.append(el("component", el("section", *chosen, extra, nullFlavor=flavor)))


def act_relations(root: etree._Element, random: Random) -> None:
    """Statements of any kind hang on any other, by any relationship."""
    target = pick(random, statements(root))
    if target is None:
        return
    kind = random.choice(("COMP", "SUBJ", "REFR", "RSON", "CAUS", "MFST", "SPRT", "SAS", "GEVL", "XCRPT"))
    holder = "component" if etree.QName(target).localname == "organizer" else "entryRelationship"
    order = el("sequenceNumber", value=str(random.randint(1, 9))) if random.random() < 0.4 else None
    made = random.choice((observation, act, procedure, medication, supply, encounter, comment))(random)
    relation = el(holder, order, made, typeCode=kind if holder == "entryRelationship" else None)
    if random.random() < 0.2 and holder == "entryRelationship":
        relation.set("inversionInd", "true")
    put(target, relation)


def loose_entry(root: etree._Element, random: Random) -> None:
    """An entry without any template, in any section."""
    target = pick(random, every(root, "section"))
    if target is not None:
        made = random.choice((observation, act, procedure, medication, supply, encounter, comment))(random)
        put(target, el("entry", made))


def externals(root: etree._Element, random: Random) -> None:
    """References to documents, acts and observations elsewhere."""
    target = pick(random, statements(root))
    if target is None:
        return
    kind = random.choice(("externalDocument", "externalAct", "externalObservation", "externalProcedure"))
    text = el("text", el("reference", value=f"urn:{mark(random)}")) if random.random() < 0.5 else None
    made = el(kind, identifier(random), coded("code", random) if random.random() < 0.5 else None, text)
    put(target, el("reference", made, typeCode=random.choice(("REFR", "SPRT", "XCRPT"))))


def conditions(root: etree._Element, random: Random) -> None:
    """Preconditions with a code, a text or a value."""
    target = pick(random, statements(root))
    if target is not None:
        inner = random.choice(
            (
                [coded("code", random)],
                [el("text", mark(random))],
                [coded("code", random), el("value", type="PQ", value=number(random), unit="kg")],
            )
        )
        put(target, el("precondition", el("criterion", *inner), typeCode="PRCN"))
