"""Sections on vaccines and medicines: given, prescribed, dispensed."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Final

from tools.cda import statements as s
from tools.cda.header import DOCTOR, PRACTICE, assigned
from tools.cda.xml import ACT_CODE, LOINC, code, el, entry, referring, relation, section, table, templates

if TYPE_CHECKING:
    from lxml import etree

SECTION: Final = "1.3.6.1.4.1.19376.1.5.3.1.3."


CCD_SECTION: Final = "2.16.840.1.113883.10.20.1."


def loinc(value: str, display: str) -> etree._Element:
    return code("code", value, LOINC, display)


TETRAVAC: Final = s.product(
    "64562170",
    "REPEVAX, suspension injectable",
    lot="X1234",
    atc=("J07CA02", "diphtérie-coqueluche-poliomyélite-tétanos"),
)


ROR: Final = s.product(
    "61763259", "PRIORIX, poudre et solvant", lot="RB42", atc=("J07BD52", "rougeole, oreillons, rubéole")
)


GRIPPE: Final = s.product("60232133", "INFLUVAC TETRA, suspension injectable", atc=("J07BB02", "grippe"))


def vaccinations() -> etree._Element:
    rows = [[("REPEVAX", "v1"), "12/03/2024"], [("PRIORIX", "v2"), "refusé"], [("INFLUVAC", "v3"), "inconnu"]]
    performer = el("performer", assigned(DOCTOR, PRACTICE))
    adverse = s.problem("EI1", ("R50.9", "Fièvre"), "v2", period=("20240313", "20240314"))
    return section(
        (f"{SECTION}23", f"{CCD_SECTION}6", "1.2.250.1.213.1.1.2.34"),
        loinc("11369-6", "Historique des vaccinations"),
        "Vaccinations",
        table(("Vaccin", "Date"), rows),
        entry(
            s.vaccination(
                "V1",
                "20240312",
                copy(TETRAVAC),
                "v1",
                performer,
                relation("SUBJ", s.comment("Bien toléré"), inverted=True),
                relation("CAUS", adverse),
                kind="BOOSTER",
                rank=3,
            )
        ),
        entry(s.vaccination("V2", "20240401", copy(ROR), "v2", refused=True)),
        entry(s.vaccination("V3", None, copy(GRIPPE), "v3", rank=1)),
        entry(s.vaccination("V4", "20270312", copy(TETRAVAC), "v1", mood="INT", kind="BOOSTER")),
    )


def copy(element: etree._Element) -> etree._Element:
    return deepcopy(element)


PARACETAMOL: Final = s.product("60234100", "DOLIPRANE 1000 mg, comprimé", atc=("N02BE01", "paracétamol"))


PREDNISONE: Final = s.product("63561700", "CORTANCYL 20 mg, comprimé", atc=("H02AB07", "prednisone"))


INSULINE: Final = s.product("65089833", "LANTUS 100 unités/ml", atc=("A10AE04", "insuline glargine"))


def _when_needed() -> etree._Element:
    """At most so much a day, while it hurts."""
    unit = el("translation", el("originalText", "comprimé"))
    counted = el("doseQuantity", el("low", unit, value="1"), el("high", copy(unit), value="1"))
    return s.prescribed(
        "P1",
        copy(PARACETAMOL),
        "m1",
        el("maxDoseQuantity", el("numerator", value="4", unit="g"), el("denominator", value="1", unit="d")),
        el("precondition", el("criterion", el("text", "Si douleur")), typeCode="PRCN"),
        relation("SUBJ", s.instruction("Ne pas dépasser 4 g par jour"), inverted=True),
        relation("SUBJ", s.instruction("Délivrer en une fois", to_dispenser=True), inverted=True),
        relation("COMP", s.supply("16")),
        relation("COMP", s.substitution("G", "Générique")),
        relation("RSON", s.pointer("PB1")),
        period=("20260305", "20260309"),
        times=[s.every("6")],
        amount=counted,
        repeats="1",
    )


def _for_a_week() -> etree._Element:
    """So much with a meal, for a week."""
    return s.prescribed(
        "P2",
        copy(PREDNISONE),
        "m2",
        period=("20260305", "20260312"),
        times=[s.meal("ACM")],
        amount=s.dose("20", "40", "mg"),
    )


def _for_good() -> etree._Element:
    """Every evening, without an end."""
    return s.prescribed(
        "P3",
        copy(INSULINE),
        "m3",
        period=("20260305", None),
        times=[s.every("24", times_a_day=True)],
        amount=s.dose("12", "12", "[iU]"),
    )


def prescriptions() -> etree._Element:
    return section(
        ("1.3.6.1.4.1.19376.1.9.1.2.1", f"{SECTION}19", "1.2.250.1.213.1.1.2.39"),
        loinc("57828-6", "Prescriptions"),
        "Prescription",
        table(
            ("Médicament", "Posologie"),
            [
                [("DOLIPRANE", "m1"), "1 comprimé toutes les 6 heures si douleur"],
                [("CORTANCYL", "m2"), "le matin"],
                [("LANTUS", "m3"), "le soir"],
            ],
        ),
        entry(_when_needed()),
        entry(_for_a_week()),
        entry(_for_good()),
    )


def dispensed() -> etree._Element:
    given = el(
        "supply",
        templates("1.3.6.1.4.1.19376.1.9.1.3.4", "1.2.250.1.213.1.1.3.90"),
        s.identity("D1"),
        code("code", "FFC", ACT_CODE, "Première dispensation complète"),
        referring("d1"),
        s.done(),
        el("effectiveTime", value="20260306"),
        el("quantity", value="2", unit="{boîte}"),
        el("product", copy(PARACETAMOL)),
        relation("REFR", s.pointer("D0")),
        classCode="SPLY",
        moodCode="EVN",
    )
    asked = s.prescribed("D0", copy(PARACETAMOL), "d1", period=("20260305", "20260309"))
    return section(
        ("1.3.6.1.4.1.19376.1.9.1.2.3",),
        loinc("60590-7", "Dispensation"),
        "Dispensation",
        table(("Produit",), [[("DOLIPRANE", "d1")]]),
        entry(given),
        entry(asked),
    )
