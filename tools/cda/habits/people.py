"""Who takes part in what the body says."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from lxml import etree

from tools.cda.habits.pieces import (
    coded,
    day,
    entity,
    every,
    identifier,
    into,
    mark,
    person,
    pick,
    put,
    q,
    statements,
)
from tools.cda.xml import el

if TYPE_CHECKING:
    from random import Random


def authors(root: etree._Element, random: Random) -> None:
    """A section or a statement with authors of its own, devices among them; some with a time only."""
    target = pick(random, [*every(root, "section"), *statements(root)])
    if target is None:
        return
    for _ in range(random.randint(1, 2)):
        time = el("time", value=day(random)) if random.random() < 0.7 else el("time", nullFlavor="NI")
        who = entity("assignedAuthor", random)
        role = coded("functionCode", random) if random.random() < 0.3 else None
        put(target, el("author", role, time, who))


def informants(root: etree._Element, random: Random) -> None:
    target = pick(random, [root, *every(root, "section"), *statements(root)])
    if target is None:
        return
    if random.random() < 0.5:
        who = entity("assignedEntity", random)
    else:
        who = el(
            "relatedEntity",
            coded("code", random),
            el("telecom", value=f"tel:{random.randrange(10**8, 10**9)}"),
            el("effectiveTime", el("low", value=day(random))),
            person("relatedPerson", random),
            classCode=random.choice(("PRS", "NOK", "CAREGIVER", "ECON", "AGNT")),
        )
    into(root, target, el("informant", who), "custodian")


def participants(root: etree._Element, random: Random) -> None:
    """Participants of statements: devices, places, persons, products; with and without who plays the role."""
    target = pick(random, statements(root))
    if target is None:
        return
    player = random.choice(
        (
            lambda: el(
                "playingDevice", coded("code", random), el("manufacturerModelName", mark(random)), classCode="DEV"
            ),
            lambda: el("playingEntity", coded("code", random), el("name", mark(random)), classCode="PSN"),
            lambda: el("playingEntity", el("name", mark(random)), classCode="PLC"),
            lambda: None,
        )
    )()
    scoper = el("scopingEntity", identifier(random), el("desc", mark(random))) if random.random() < 0.3 else None
    role = el(
        "participantRole",
        identifier(random),
        coded("code", random) if random.random() < 0.5 else None,
        el("addr", el("city", mark(random))),
        el("telecom", value=f"tel:{random.randrange(10**8, 10**9)}"),
        player,
        scoper,
        classCode=random.choice(("MANU", "SDLOC", "ROL", "ASSIGNED", "LOCE", "PAT")),
    )
    time = el("time", value=day(random)) if random.random() < 0.3 else None
    kind = random.choice(("DEV", "LOC", "PRD", "AUTHEN", "RESP", "VRF", "DIST", "PRCP", "SBJ"))
    put(target, el("participant", time, role, typeCode=kind))


def performers(root: etree._Element, random: Random) -> None:
    target = pick(random, statements(root))
    if target is not None:
        time = el("time", el("low", value=day(random))) if random.random() < 0.3 else None
        who = entity("assignedEntity", random)
        put(target, el("performer", time, who, typeCode=random.choice(("PRF", "PPRF", None))))


def patient_acts(root: etree._Element, random: Random) -> None:
    """The patient took the measure, or the sample, himself."""
    identity = root.find(f"{q('recordTarget')}/{q('patientRole')}/{q('id')}")
    target = pick(random, [*every(root, "section"), *statements(root)])
    if target is None or identity is None:
        return
    if random.random() < 0.5:
        put(target, el("author", el("time", value=day(random)), el("assignedAuthor", deepcopy(identity))))
    elif etree.QName(target).localname != "section":
        put(target, el("performer", el("assignedEntity", deepcopy(identity))))
    else:
        put(target, el("informant", el("assignedEntity", deepcopy(identity))))


def subject(root: etree._Element, random: Random) -> None:
    """A statement about somebody else: the newborn, a relative."""
    target = pick(random, [*every(root, "section"), *statements(root)])
    if target is None or target.find(q("subject")) is not None:
        return
    who = el(
        "relatedSubject",
        coded("code", random),
        el(
            "subject",
            el("name", mark(random)),
            el("administrativeGenderCode", code="F", codeSystem="2.16.840.1.113883.5.1"),
        ),
        classCode="PRS",
    )
    put(target, el("subject", who))
