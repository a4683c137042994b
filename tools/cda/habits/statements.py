"""Statements without a template, and values of all types."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from tools.cda.habits.pieces import (
    LOCAL,
    coded,
    day,
    entity,
    identifier,
    mark,
    number,
)
from tools.cda.xml import LOINC, SNOMED, code, el, interval, templates

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from lxml import etree


def observation(random: Random) -> etree._Element:
    status = el("statusCode", code=random.choice(("completed", "active", "aborted")))
    value = random.choice(VALUES)(random) if random.random() < 0.8 else None
    text = el("text", mark(random)) if random.random() < 0.3 else None
    when = el("effectiveTime", value=day(random)) if random.random() < 0.5 else None
    return el(
        "observation",
        identifier(random),
        coded("code", random),
        text,
        status,
        when,
        value,
        classCode="OBS",
        moodCode=_mood(random),
    )


def _mood(random: Random) -> str:
    return random.choice(("EVN",) * 8 + ("INT", "RQO", "PRP", "GOL"))


def act(random: Random) -> etree._Element:
    named = coded("code", random) if random.random() < 0.7 else None
    inner = el("entryRelationship", observation(random), typeCode="COMP") if random.random() < 0.5 else None
    text = el("text", mark(random)) if random.random() < 0.5 else None
    return el(
        "act",
        identifier(random),
        named,
        text,
        el("statusCode", code="completed"),
        inner,
        classCode=random.choice(("ACT", "CONS", "INC", "REG", "SPCTRT")),
        moodCode=_mood(random),
    )


def procedure(random: Random) -> etree._Element:
    return el(
        "procedure",
        identifier(random),
        coded("code", random, coded("qualifier", random) if random.random() < 0.1 else None),
        el("text", mark(random)),
        el("statusCode", code="completed"),
        interval("effectiveTime", day(random), None),
        coded("priorityCode", random) if random.random() < 0.3 else None,
        coded("methodCode", random),
        coded("approachSiteCode", random),
        coded("targetSiteCode", random),
        classCode="PROC",
        moodCode=_mood(random),
    )


def medication(random: Random) -> etree._Element:
    material = el("manufacturedMaterial", coded("code", random), el("name", mark(random)))
    return el(
        "substanceAdministration",
        identifier(random),
        coded("code", random) if random.random() < 0.3 else None,
        el("text", mark(random)) if random.random() < 0.5 else None,
        el("statusCode", code=random.choice(("completed", "active"))),
        *dosing(random),
        el("priorityCode", code="R") if random.random() < 0.2 else None,
        el("repeatNumber", value=str(random.randint(1, 9))) if random.random() < 0.3 else None,
        coded("routeCode", random),
        coded("approachSiteCode", random) if random.random() < 0.4 else None,
        *_dose(random),
        el("consumable", el("manufacturedProduct", material)),
        classCode="SBADM",
        moodCode=_mood(random).replace("GOL", "EVN"),
    )


def _dose(random: Random) -> list[etree._Element | None]:
    doses = (
        el("doseQuantity", value=number(random), unit="mg"),
        el("doseQuantity", el("low", value="1.25", unit="mL"), el("high", value="2.5", unit="mL")),
        el("doseQuantity", el("low", value=number(random), unit="mg"), type="IVL_PQ"),
        el("doseQuantity", nullFlavor="UNK"),
        el("doseQuantity", el("center", value=number(random), unit="mg")),
        None,
    )
    rates = (None, el("rateQuantity", value=number(random), unit="mL/h"), el("rateQuantity", nullFlavor="NA"))
    most = el(
        "maxDoseQuantity",
        el("numerator", value=number(random), unit="mg"),
        el("denominator", value="1", unit="d"),
        type="RTO_PQ_PQ",
    )
    unit = coded("administrationUnitCode", random)
    return [
        random.choice(doses),
        random.choice(rates),
        most if random.random() < 0.3 else None,
        unit if random.random() < 0.3 else None,
    ]


def dosing(random: Random) -> list[etree._Element]:
    """The times of a treatment as one finds them: intervals, periods, events, lists of moments, expressions."""
    every = el("period", value=str(random.choice((4, 6, 8, 12, 24, 7))), unit="h")
    period = el(
        "effectiveTime", every, type="PIVL_TS", operator="A", institutionSpecified=random.choice(("true", None))
    )
    event = el(
        "effectiveTime",
        el("event", code=random.choice(("ACM", "HS", "PC", "C", "ICM"))),
        el("offset", el("low", value="-1", unit="h")) if random.random() < 0.3 else None,
        type="EIVL_TS",
        operator="A",
    )
    phase = el(
        "effectiveTime",
        el("phase", el("low", value=day(random)), el("width", value="10", unit="min")),
        el("period", value="1", unit="d"),
        type="PIVL_TS",
        operator="I",
    )
    moments = [el("effectiveTime", type="SXCM_TS", value=day(random)) for _ in range(2)]
    moments[1].set("operator", "I")
    width = el("effectiveTime", el("width", value=str(random.randint(2, 30)), unit="d"), type="IVL_TS")
    bounds = el("effectiveTime", el("low", value=day(random)), el("high", nullFlavor="UNK"), type="IVL_TS")
    center = el("effectiveTime", el("center", value=day(random)), type="IVL_TS")
    expression = el(
        "effectiveTime",
        el("comp", el("event", code="ACM"), type="EIVL_TS"),
        el("comp", el("event", code="ACV"), type="EIVL_TS", operator="I"),
        type="SXPR_TS",
    )
    frequency = el("effectiveTime", el("period", value="0.5", unit="d"), type="PIVL_TS", operator="A")
    nothing = el("effectiveTime", nullFlavor="NA")
    return random.choice(
        (
            [bounds, period],
            [bounds, event],
            [width, phase],
            moments,
            [bounds, expression],
            [center],
            [nothing],
            [el("effectiveTime", nullFlavor="UNK"), frequency],
            [bounds, deepcopy(period), event],
            [],
        )
    )


def supply(random: Random) -> etree._Element:
    material = el("manufacturedMaterial", coded("code", random), el("lotNumberText", mark(random)))
    return el(
        "supply",
        identifier(random),
        coded("code", random) if random.random() < 0.3 else None,
        el("text", mark(random)) if random.random() < 0.3 else None,
        el("statusCode", code="completed"),
        el("effectiveTime", value=day(random)) if random.random() < 0.5 else None,
        el("repeatNumber", value="3") if random.random() < 0.3 else None,
        el("quantity", value=str(random.randrange(1000, 9999))),
        el("expectedUseTime", el("width", value="27", unit="d")) if random.random() < 0.3 else None,
        el("product", el("manufacturedProduct", material)) if random.random() < 0.8 else None,
        classCode="SPLY",
        moodCode=_mood(random).replace("GOL", "EVN"),
    )


def encounter(random: Random) -> etree._Element:
    return el(
        "encounter",
        identifier(random),
        coded("code", random),
        el("text", mark(random)) if random.random() < 0.5 else None,
        el("statusCode", code="completed") if random.random() < 0.5 else None,
        interval("effectiveTime", day(random), None),
        el("priorityCode", code="UR") if random.random() < 0.2 else None,
        classCode="ENC",
        moodCode=_mood(random).replace("GOL", "APT"),
    )


def comment(random: Random) -> etree._Element:
    return el(
        "act",
        templates("1.3.6.1.4.1.19376.1.5.3.1.4.2"),
        code("code", "48767-8", LOINC, "Annotation comment"),
        el("text", mark(random)),
        el("statusCode", code="completed"),
        el("author", el("time", value=day(random)), entity("assignedAuthor", random))
        if random.random() < 0.5
        else None,
        classCode="ACT",
        moodCode="EVN",
    )


def _pq(random: Random) -> etree._Element:
    return el(
        "value",
        el("translation", value=number(random), code="g/L", codeSystem="2.16.840.1.113883.6.8"),
        type="PQ",
        value=number(random),
        unit="mmol/L",
    )


def _open(random: Random) -> etree._Element:
    end = random.choice(("low", "high"))
    other = "high" if end == "low" else "low"
    bound = el(end, value=number(random), unit="mg/L", inclusive=random.choice(("true", "false", None)))
    rest = random.choice((None, el(other, nullFlavor=random.choice(("PINF", "NINF", "NI")))))
    kids = [each for each in ((bound, rest) if end == "low" else (rest, bound)) if each is not None]
    return el("value", kids, type="IVL_PQ")


def _value(kind: str, *children: Any, **attributes: str) -> etree._Element:
    return el("value", *children, type=kind, **attributes)


VALUES: Final[tuple[Callable[[Random], etree._Element], ...]] = (
    _pq,
    _open,
    lambda r: _value("IVL_INT", el("low", value=str(r.randrange(9**6))), el("high", value="9999999")),
    lambda r: _value("IVL_PQ", el("center", value=number(r), unit="mg")),
    lambda r: _value("IVL_PQ", el("low", value=number(r), unit="mg"), el("width", value=number(r), unit="mg")),
    lambda r: _value("RTO_PQ_PQ", el("numerator", value=number(r), unit="mg"), el("denominator", value="24", unit="h")),
    lambda r: _value(
        "RTO", el("numerator", type="INT", value="1"), el("denominator", type="INT", value=str(r.randrange(9**6)))
    ),
    lambda r: _value("ED", mark(r), mediaType="text/plain"),
    lambda r: _value("ED", "QUJD", mediaType="image/png", representation="B64"),
    lambda r: _value("ED", el("reference", value=f"http://example.org/{mark(r)}"), mediaType="application/dicom"),
    lambda r: _value("BL", value="true"),
    lambda r: _value("BL", nullFlavor="UNK"),
    lambda r: _value("CO", el("originalText", mark(r)), code=mark(r), codeSystem=LOCAL),
    lambda r: _value("CE", el("originalText", mark(r)), nullFlavor="OTH"),
    lambda r: _value(
        "CD", el("translation", el("originalText", mark(r)), code=mark(r), codeSystem=SNOMED), nullFlavor="UNK"
    ),
    lambda r: _value("CD", el("qualifier", coded("name", r), coded("value", r)), code=mark(r), codeSystem=SNOMED),
    lambda r: _value("SC", mark(r), code=mark(r), codeSystem=LOCAL),
    lambda r: _value("ST", f"{mark(r)}\n   {mark(r)}"),
    lambda r: _value("TS", value=day(r)),
    lambda r: _value("IVL_TS", el("low", value=day(r)), el("high", nullFlavor="NA")),
    lambda r: _value("PIVL_TS", el("period", value=number(r), unit="h")),
    lambda r: _value("REAL", value=number(r)),
    lambda r: _value("INT", value=str(r.randrange(9**6))),
    lambda r: _value("INT", value=str(r.randrange(10**12))),
    lambda r: _value("MO", value=number(r), currency="EUR"),
    lambda r: _value("II", root="1.2.3", extension=mark(r)),
    lambda r: _value("URL", value=f"http://example.org/{mark(r)}"),
    lambda r: _value("TEL", value=f"tel:{mark(r)}"),
    lambda r: _value("PQ", nullFlavor="NASK"),
    lambda r: _value("PQ", value=number(r), unit="UFC/champ"),
    lambda r: _value("PQ", value=f"{r.randrange(99)},{r.randrange(10**6)}", unit="g"),
    lambda r: _value("GLIST_PQ", el("head", value=number(r), unit="s"), el("increment", value=number(r), unit="s")),
    lambda r: _value(
        "SLIST_PQ", el("origin", value="0", unit="s"), el("scale", value=number(r), unit="uV"), el("digits", "1 2 3")
    ),
    lambda r: el("value", mark(r)),
)
"""A value of each type that an observation may have."""
