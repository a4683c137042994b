"""Clinical statements of level 3 documents: vaccinations, medications, problems, allergies, observations, …"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tools.cda.header import ROOT
from tools.cda.xml import (
    ACT_CODE,
    CIM10,
    CIS,
    LOINC,
    SNOMED,
    code,
    el,
    interval,
    quantity,
    referring,
    relation,
    templates,
)

if TYPE_CHECKING:
    from lxml import etree

PCC: Final = "1.3.6.1.4.1.19376.1.5.3.1.4."
CCD: Final = "2.16.840.1.113883.10.20.1."
FR: Final = "1.2.250.1.213.1.1.3."
PRE: Final = "1.3.6.1.4.1.19376.1.9.1.3."
EDQM: Final = "0.4.0.127.0.16.1.1.2.1"
STATEMENTS: Final = f"{ROOT}.6"


def identity(number: str) -> etree._Element:
    return el("id", root=STATEMENTS, extension=number)


def done(state: str = "completed") -> etree._Element:
    return el("statusCode", code=state)


def product(
    cis: str, name: str, *content: Any, lot: str | None = None, atc: tuple[str, str] | None = None
) -> etree._Element:
    """A medication or vaccine by its CIS code."""
    translation = code("translation", atc[0], "2.16.840.1.113883.6.73", atc[1]) if atc else None
    material = el(
        "manufacturedMaterial",
        code("code", cis, CIS, name, translation),
        el("name", name),
        el("lotNumberText", lot) if lot else None,
        *content,
        classCode="MMAT",
        determinerCode="KIND",
    )
    roots = templates(f"{PCC}7.2", f"{CCD}53", f"{FR}43")
    return el("manufacturedProduct", roots, material, classCode="MANU")


def vaccination(
    number: str,
    when: str | None,
    product_: etree._Element,
    anchor: str,
    *content: Any,
    kind: str = "IMMUNIZ",
    rank: int | None = None,
    refused: bool = False,
    mood: str = "EVN",
) -> etree._Element:
    """A vaccination; with a rank, the observation of it."""
    names = {"IMMUNIZ": "Vaccination", "BOOSTER": "Rappel", "INITIMMUNIZ": "Première série vaccinante"}
    return el(
        "substanceAdministration",
        templates(f"{PCC}12", f"{CCD}24", f"{FR}45"),
        identity(number),
        code("code", kind, ACT_CODE, names[kind]),
        referring(anchor),
        done(),
        el("effectiveTime", value=when) if when else el("effectiveTime", nullFlavor="UNK"),
        code("routeCode", "20035000", EDQM, "Voie intramusculaire"),
        code("approachSiteCode", "368208006", SNOMED, "Bras gauche"),
        el("doseQuantity", value="0.5", unit="mL"),
        el("consumable", product_),
        *content,
        relation("SUBJ", rank_of(rank)) if rank is not None else None,
        classCode="SBADM",
        moodCode=mood,
        negationInd="true" if refused else "false",
    )


def rank_of(rank: int) -> etree._Element:
    return el(
        "observation",
        templates(f"{CCD}46", f"{FR}82"),
        code("code", "30973-2", LOINC, "Rang de la dose"),
        done(),
        el("value", type="INT", value=str(rank)),
        classCode="OBS",
        moodCode="EVN",
    )


def comment(words: str, anchor: str | None = None) -> etree._Element:
    return el(
        "act",
        templates(f"{CCD}40", f"{PCC}2", f"{FR}32"),
        code("code", "48767-8", LOINC, "Commentaire"),
        referring(anchor) if anchor else el("text", words),
        done(),
        classCode="ACT",
        moodCode="EVN",
    )


def instruction(words: str, *, to_dispenser: bool = False) -> etree._Element:
    roots = (f"{CCD}43", f"{PCC}3.1", f"{FR}34") if to_dispenser else (f"{CCD}49", f"{PCC}3", f"{FR}33")
    kind = ("FINSTRUCT", "Instructions au dispensateur") if to_dispenser else ("PINSTRUCT", "Instructions au patient")
    return el(
        "act",
        templates(*roots),
        code("code", kind[0], "1.3.6.1.4.1.19376.1.5.3.2", kind[1]),
        el("text", words),
        done(),
        classCode="ACT",
        moodCode="INT",
    )


def every(hours: str, *, times_a_day: bool = False) -> etree._Element:
    """A frequency."""
    period = el("period", value=hours, unit="h")
    return el(
        "effectiveTime", period, type="PIVL_TS", operator="A", institutionSpecified="true" if times_a_day else None
    )


def meal(event: str) -> etree._Element:
    return el("effectiveTime", el("event", code=event), type="EIVL_TS", operator="A")


def dose(low: str, high: str, unit: str | None = None) -> etree._Element:
    return el("doseQuantity", el("low", value=low, unit=unit), el("high", value=high, unit=unit))


def treatment(
    number: str,
    product_: etree._Element,
    anchor: str,
    *content: Any,
    period: tuple[str, str | None],
    state: str = "completed",
    times: Any = (),
    amount: etree._Element | None = None,
    roots: tuple[str, ...] = (f"{PCC}7.1",),
) -> etree._Element:
    """A medication that is or was taken."""
    return el(
        "substanceAdministration",
        templates(f"{CCD}24", f"{PCC}7", f"{FR}42", *roots),
        identity(number),
        code("code", "DRUG", ACT_CODE, "Médicament"),
        referring(anchor),
        done(state),
        interval("effectiveTime", *period),
        *times,
        code("routeCode", "20053000", EDQM, "Voie orale"),
        amount if amount is not None else dose("1", "1"),
        el("consumable", product_),
        *content,
        classCode="SBADM",
        moodCode="EVN",
    )


def prescribed(
    number: str,
    product_: etree._Element,
    anchor: str,
    *content: Any,
    period: tuple[str, str | None],
    times: Any = (),
    amount: etree._Element | None = None,
    repeats: str = "0",
) -> etree._Element:
    """A line of a prescription."""
    return el(
        "substanceAdministration",
        templates(f"{CCD}24", f"{PCC}7", f"{PRE}2", f"{PRE}6", f"{PCC}7.1", f"{FR}83"),
        identity(number),
        code("code", "DRUG", ACT_CODE, "Médicament"),
        referring(anchor),
        done(),
        interval("effectiveTime", *period),
        *times,
        el("repeatNumber", value=repeats),
        code("routeCode", "20053000", EDQM, "Voie orale"),
        amount if amount is not None else dose("1", "1"),
        el("consumable", product_),
        *content,
        classCode="SBADM",
        moodCode="INT",
    )


def step(period: tuple[str, str], amount: etree._Element, *times: Any) -> etree._Element:
    """A step of a taper."""
    empty = el("manufacturedProduct", el("manufacturedMaterial", nullFlavor="NA"))
    return el(
        "substanceAdministration",
        templates(f"{PCC}7.1"),
        done(),
        interval("effectiveTime", *period),
        *times,
        amount,
        el("consumable", empty),
        classCode="SBADM",
        moodCode="EVN",
    )


def supply(value: str, unit: str | None = None) -> etree._Element:
    """How much to dispense."""
    return el(
        "supply",
        templates(f"{PRE}8", f"{FR}86"),
        el("independentInd", value="false"),
        el("quantity", value=value, unit=unit),
        classCode="SPLY",
        moodCode="RQO",
    )


def substitution(kind: str, name: str) -> etree._Element:
    return el(
        "act",
        templates(f"{PRE}9.1", f"{FR}87"),
        code("code", kind, "2.16.840.1.113883.5.1070", name),
        done(),
        classCode="ACT",
        moodCode="DEF",
    )


def pointer(number: str) -> etree._Element:
    """An internal reference."""
    return el(
        "act",
        templates(f"{PCC}4.1", f"{FR}36"),
        identity(number),
        el("code", nullFlavor="NA"),
        classCode="ACT",
        moodCode="EVN",
    )


def problem(
    number: str,
    disease: tuple[str, str],
    anchor: str,
    *content: Any,
    period: tuple[str | None, str | None],
    kind: tuple[str, str] = ("G-1009", "Problème"),
    refused: bool = False,
) -> etree._Element:
    """A problem by its CIM-10 code."""
    return el(
        "observation",
        templates(f"{CCD}28", f"{PCC}5", f"{FR}37"),
        identity(number),
        code("code", kind[0], "1.2.250.1.213.1.1.4.322", kind[1]),
        referring(anchor),
        done(),
        interval("effectiveTime", *period),
        code("value", disease[0], CIM10, disease[1], type="CD"),
        *content,
        classCode="OBS",
        moodCode="EVN",
        negationInd="true" if refused else "false",
    )


def fact(roots: tuple[str, ...], meaning: tuple[str, str, str], value: tuple[str, str, str]) -> etree._Element:
    """An observation about the statement that it hangs on."""
    return el(
        "observation",
        templates(*roots),
        code("code", *meaning),
        done(),
        code("value", *value, type="CD"),
        classCode="OBS",
        moodCode="EVN",
    )


def severity(value: tuple[str, str]) -> etree._Element:
    return fact(
        (f"{CCD}55", f"{PCC}1", f"{FR}29"),
        ("SEV", ACT_CODE, "Sévérité"),
        (value[0], "2.16.840.1.113883.5.1063", value[1]),
    )


def state(value: tuple[str, str]) -> etree._Element:
    return fact((f"{CCD}50", f"{PCC}1.1", f"{FR}30"), ("33999-4", LOINC, "Statut"), (value[0], SNOMED, value[1]))


def certainty(value: tuple[str, str]) -> etree._Element:
    system = "2.16.840.1.113883.4.642.3.162"
    return fact((f"{PCC}13", f"{FR}48", f"{FR}171"), ("66455-7", LOINC, "Certitude"), (value[0], system, value[1]))


def criticality(value: tuple[str, str]) -> etree._Element:
    system = "2.16.840.1.113883.4.642.3.130"
    return fact((f"{PCC}13", f"{FR}48", f"{FR}172"), ("82606-5", LOINC, "Criticité"), (value[0], system, value[1]))


def concern(
    number: str, *content: Any, allergies: bool = False, status: str = "active", since: str = "20150601"
) -> etree._Element:
    """A concern with what it is about."""
    roots = (
        (f"{CCD}27", f"{PCC}5.1", f"{PCC}5.3", f"{FR}40")
        if allergies
        else (f"{CCD}27", f"{PCC}5.1", f"{PCC}5.2", f"{FR}39")
    )
    return el(
        "act",
        templates(*roots),
        identity(number),
        el("code", nullFlavor="NA"),
        done(status),
        interval("effectiveTime", since),
        [relation("SUBJ", each) for each in content],
        classCode="ACT",
        moodCode="EVN",
    )


def allergy(
    number: str,
    kind: tuple[str, str],
    agent: tuple[str, str, str],
    anchor: str,
    *content: Any,
    since: str | None = "2015",
) -> etree._Element:
    """An allergy or intolerance to an agent."""
    entity = el("playingEntity", code("code", *agent), el("name", agent[2]), classCode="MMAT")
    return el(
        "observation",
        templates(f"{CCD}18", f"{CCD}28", f"{PCC}5", f"{PCC}6", f"{FR}41"),
        identity(number),
        code("code", kind[0], ACT_CODE, kind[1]),
        referring(anchor),
        done(),
        interval("effectiveTime", since) if since else el("effectiveTime", el("low", nullFlavor="UNK")),
        el("participant", el("participantRole", entity, classCode="MANU"), typeCode="CSM"),
        *content,
        classCode="OBS",
        moodCode="EVN",
    )


def reaction(disease: tuple[str, str], *content: Any) -> etree._Element:
    """What an allergen did."""
    observed = el(
        "observation",
        templates(f"{CCD}54", f"{PCC}5", f"{FR}37"),
        identity(f"R{disease[0]}"),
        code("code", "418799008", SNOMED, "Symptôme"),
        el("text", disease[1]),
        done(),
        interval("effectiveTime", "20150601"),
        code("value", disease[0], CIM10, disease[1], type="CD"),
        *content,
        classCode="OBS",
        moodCode="EVN",
    )
    return relation("MFST", observed, inverted=True)


def observation(
    number: str,
    coded: tuple[str, str],
    value: etree._Element | None,
    when: str,
    *content: Any,
    roots: tuple[str, ...] = (f"{PCC}13", f"{FR}48"),
    anchor: str | None = None,
) -> etree._Element:
    """An observation by its LOINC code."""
    return el(
        "observation",
        templates(*roots),
        identity(number),
        code("code", coded[0], LOINC, coded[1]),
        referring(anchor) if anchor else None,
        done(),
        el("effectiveTime", value=when),
        value,
        *content,
        classCode="OBS",
        moodCode="EVN",
    )


VITAL: Final = (f"{CCD}31", f"{PCC}13", f"{PCC}13.2", f"{FR}50")


def vital_signs(number: str, when: str, *measures: Any) -> etree._Element:
    return el(
        "organizer",
        templates(f"{CCD}32", f"{CCD}35", f"{PCC}13.1", f"{FR}49"),
        identity(number),
        code("code", "46680005", SNOMED, "Signes vitaux"),
        done(),
        el("effectiveTime", value=when),
        [el("component", each) for each in measures],
        classCode="CLUSTER",
        moodCode="EVN",
    )


def measure(number: str, coded: tuple[str, str], value: str, unit: str, when: str) -> etree._Element:
    return observation(number, coded, quantity("value", value, unit), when, roots=VITAL)


def procedure(
    number: str,
    coded: tuple[str, str, str],
    anchor: str,
    when: str,
    *content: Any,
    mood: str = "EVN",
    status: str = "completed",
) -> etree._Element:
    """An act that was done, or is wanted."""
    return el(
        "procedure",
        templates(f"{CCD}29", f"{PCC}19", f"{FR}62"),
        identity(number),
        code("code", *coded),
        referring(anchor),
        done(status),
        el("effectiveTime", value=when),
        *content,
        classCode="PROC",
        moodCode=mood,
    )


def relative(number: str, kinship: tuple[str, str], *diseases: tuple[str, str]) -> etree._Element:
    """What a relative had."""
    role = code("code", kinship[0], "2.16.840.1.113883.5.111", kinship[1])
    subject = el(
        "subject",
        code("administrativeGenderCode", "F", "2.16.840.1.113883.5.1", "Féminin"),
        el("birthTime", value="1950"),
    )
    observed = [
        el(
            "observation",
            templates(f"{PCC}13.3", f"{CCD}22", f"{FR}51"),
            identity(f"{number}-{value[0]}"),
            code("code", "G-1009", "1.2.250.1.213.1.1.4.322", "Problème"),
            done(),
            code("value", value[0], CIM10, value[1], type="CD"),
            classCode="OBS",
            moodCode="EVN",
        )
        for value in diseases
    ]
    return el(
        "organizer",
        templates(f"{CCD}23", f"{PCC}15", f"{FR}59"),
        identity(number),
        done(),
        el("subject", el("relatedSubject", role, subject, classCode="PRS"), typeCode="SBJ"),
        [el("component", each) for each in observed],
        classCode="CLUSTER",
        moodCode="EVN",
    )


def visit(
    number: str, coded: tuple[str, str, str], anchor: str, period: tuple[str, str | None], mood: str = "EVN"
) -> etree._Element:
    return el(
        "encounter",
        templates(f"{CCD}21", f"{PCC}14", f"{FR}58"),
        identity(number),
        code("code", *coded),
        referring(anchor),
        interval("effectiveTime", *period),
        classCode="ENC",
        moodCode=mood,
    )
