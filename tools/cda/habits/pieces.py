"""What habits are made of: marks, people, and where the children of a statement stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from tools.cda.xml import V3, code, el

if TYPE_CHECKING:
    from random import Random

STATEMENTS: Final = (
    "observation",
    "act",
    "organizer",
    "procedure",
    "substanceAdministration",
    "supply",
    "encounter",
)
ORDER: Final = (
    "realmCode",
    "typeId",
    "templateId",
    "id",
    "code",
    "title",
    "text",
    "statusCode",
    "effectiveTime",
    "priorityCode",
    "repeatNumber",
    "languageCode",
    "value",
    "interpretationCode",
    "methodCode",
    "targetSiteCode",
    "routeCode",
    "approachSiteCode",
    "doseQuantity",
    "rateQuantity",
    "consumable",
    "product",
    "subject",
    "specimen",
    "performer",
    "author",
    "informant",
    "participant",
    "entryRelationship",
    "reference",
    "precondition",
    "referenceRange",
    "component",
    "entry",
)
"""Where the children of a statement stand."""
LOCAL: Final = "1.2.250.1.999.3"
FLAVORS: Final = ("NI", "UNK", "NA", "NASK", "OTH", "NAV", "MSK", "ASKU")


def q(name: str) -> str:
    return f"{{{V3}}}{name}"


def every(root: etree._Element, *names: str) -> list[etree._Element]:
    return [each for name in names for each in root.iter(q(name))]


def body_of(root: etree._Element) -> etree._Element | None:
    return root.find(f"{q('component')}/{q('structuredBody')}")


def statements(root: etree._Element, *names: str) -> list[etree._Element]:
    body = body_of(root)
    return every(body, *(names or STATEMENTS)) if body is not None else []


def pick(random: Random, listed: list[etree._Element]) -> etree._Element | None:
    return random.choice(listed) if listed else None


def put(parent: etree._Element, *children: etree._Element) -> None:
    """Children where the schema has them."""
    for child in children:
        rank = _rank(child)
        place = next((at for at, kid in enumerate(parent) if _rank(kid) > rank), len(parent))
        parent.insert(place, child)


def _rank(element: etree._Element) -> int:
    name = etree.QName(element).localname if isinstance(element.tag, str) else ""
    return ORDER.index(name) if name in ORDER else -1


def mark(random: Random) -> str:
    return f"Zq{random.randrange(10**9)}"


def number(random: Random) -> str:
    return f"{random.randrange(1, 900)}.{random.randrange(1000, 9999)}"


def day(random: Random) -> str:
    return f"19{random.randrange(30, 99)}{random.randrange(1, 12):02}{random.randrange(1, 28):02}"


def identifier(random: Random) -> etree._Element:
    return el("id", root=f"1.2.250.1.999.{random.randrange(100)}", extension=mark(random))


def coded(tag: str, random: Random, *children: Any, type: str | None = None) -> etree._Element:
    return code(tag, mark(random), LOCAL, mark(random), *children, type=type)


def person(tag: str, random: Random) -> etree._Element:
    return el(tag, el("name", el("given", mark(random)), el("family", mark(random))))


def employer(tag: str, random: Random, *, deep: bool = True) -> etree._Element:
    whole = el("asOrganizationPartOf", employer("wholeOrganization", random, deep=False)) if deep else None
    return el(tag, identifier(random), el("name", mark(random)), el("telecom", nullFlavor="NASK"), whole)


def entity(tag: str, random: Random) -> etree._Element:
    """A person, a device or an organisation; identified, or not at all."""
    kind = random.randrange(5)
    identity = identifier(random) if random.random() < 0.7 else el("id", nullFlavor=random.choice(FLAVORS))
    where = el("addr", el("city", mark(random)), use="WP") if random.random() < 0.5 else el("addr", nullFlavor="UNK")
    call = el("telecom", value=f"tel:{random.randrange(10**8, 10**9)}", use="WP")
    role = coded("code", random) if random.random() < 0.5 else None
    author = tag == "assignedAuthor"
    if kind == 0 and author:
        device = el(
            "assignedAuthoringDevice",
            coded("code", random) if role is None else None,
            el("manufacturerModelName", mark(random)),
            el("softwareName", mark(random)),
        )
        return el(tag, identity, role, device, employer("representedOrganization", random))
    if kind == 1:
        return el(tag, identity, role, where, call, employer("representedOrganization", random))
    if kind == 2:
        return el(tag, identity, role, call, person("assignedPerson", random))
    return el(
        tag, identity, role, where, call, person("assignedPerson", random), employer("representedOrganization", random)
    )


def into(root: etree._Element, target: etree._Element, child: etree._Element, before: str) -> None:
    """In the header before an element of a name, elsewhere where it belongs."""
    place = root.find(q(before)) if target is root else None
    if place is not None:
        place.addprevious(child)
    else:
        put(target, child)
