"""Structured documents outside biology: vaccinations, prescriptions, letters, syntheses, imaging, vital signs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tools.cda import imaging, pharmacy
from tools.cda import statements as s
from tools.cda.header import BIOLOGIST, COMPLEMENT, HOSPITAL, LOUIS, PRACTICE, ROOT, Document, author
from tools.cda.pharmacy import CCD_SECTION, SECTION, loinc
from tools.cda.xml import (
    ACT_CODE,
    SNOMED,
    code,
    el,
    entry,
    quantity,
    relation,
    section,
    table,
    templates,
)

if TYPE_CHECKING:
    from lxml import etree

AMBULATORY: Final = ("AMB", ACT_CODE, "Ambulatoire")
STUDY: Final = "1.2.250.1.59.40211.99.1"
PNG: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def _problems() -> etree._Element:
    asthma = s.problem(
        "PB1",
        ("J45.9", "Asthme, sans précision"),
        "p1",
        relation("SUBJ", s.severity(("M", "Modérée")), inverted=True),
        relation("REFR", s.state(("55561003", "Actif"))),
        relation("SUBJ", s.certainty(("confirmed", "Confirmé"))),
        period=("201006", None),
    )
    fracture = s.problem(
        "PB2", ("S52.5", "Fracture de l'extrémité inférieure du radius"), "p2", period=("20180214", "20180401")
    )
    none = s.problem("PB3", ("E10.9", "Diabète sucré de type 1"), "p3", period=(None, None), refused=True)
    return section(
        (f"{SECTION}6", f"{CCD_SECTION}11", "1.2.250.1.213.1.1.2.37"),
        loinc("11450-4", "Problèmes actifs"),
        "Problèmes",
        [
            el(
                "list",
                [
                    el("item", el("content", text, ID=anchor))
                    for text, anchor in (("Asthme", "p1"), ("Fracture du poignet", "p2"), ("Pas de diabète", "p3"))
                ],
            )
        ],
        entry(s.concern("C1", asthma)),
        entry(s.concern("C2", fracture, status="completed")),
        entry(s.concern("C3", none)),
    )


def _allergies() -> etree._Element:
    penicillin = s.allergy(
        "A1",
        ("DALG", "Allergie médicamenteuse"),
        ("J01CA04", "2.16.840.1.113883.6.73", "Amoxicilline"),
        "a1",
        s.reaction(("L50.0", "Urticaire allergique"), relation("SUBJ", s.severity(("H", "Sévère")), inverted=True)),
        relation("SUBJ", s.criticality(("high", "Élevée"))),
        relation("SUBJ", s.comment("Test cutané positif"), inverted=True),
    )
    peanut = s.allergy("A2", ("FINT", "Intolérance alimentaire"), ("256349002", SNOMED, "Arachide"), "a2", since=None)
    return section(
        (f"{SECTION}13", f"{CCD_SECTION}2", "1.2.250.1.213.1.1.2.38"),
        loinc("48765-2", "Allergies et intolérances"),
        "Allergies",
        table(("Agent", "Réaction"), [[("Amoxicilline", "a1"), "Urticaire"], [("Arachide", "a2"), "-"]]),
        entry(s.concern("C4", penicillin, peanut, allergies=True)),
    )


def _treatments() -> etree._Element:
    taper = [
        relation("COMP", s.step(("20260301", "20260303"), s.dose("40", "40", "mg"), s.every("24"))),
        relation("COMP", s.step(("20260304", "20260306"), s.dose("20", "20", "mg"), s.every("24"))),
    ]
    return section(
        (f"{SECTION}19", f"{CCD_SECTION}8", "1.2.250.1.213.1.1.2.39"),
        loinc("10160-0", "Traitements"),
        "Traitements",
        table(("Médicament", "Dose"), [[("CORTANCYL", "t1"), "dégressif"], [("DOLIPRANE", "t2"), "à la demande"]]),
        entry(
            s.treatment(
                "T1",
                pharmacy.copy(pharmacy.PREDNISONE),
                "t1",
                *taper,
                relation("RSON", s.pointer("PB1")),
                period=("20260301", "20260306"),
                roots=(f"{s.PCC}8",),
            )
        ),
        entry(
            s.treatment(
                "T2",
                pharmacy.copy(pharmacy.PARACETAMOL),
                "t2",
                relation("SUBJ", s.comment("Pris rarement"), inverted=True),
                period=("20260101", None),
                state="active",
                times=[s.every("8")],
            )
        ),
    )


def _vital_signs(when: str = "20260305083000+0100") -> etree._Element:
    signs = s.vital_signs(
        "VS1",
        when,
        s.measure("VS1-1", ("8480-6", "Pression artérielle systolique"), "128", "mm[Hg]", when),
        s.measure("VS1-2", ("8462-4", "Pression artérielle diastolique"), "76", "mm[Hg]", when),
        s.measure("VS1-3", ("8867-4", "Fréquence cardiaque"), "72", "/min", when),
        s.measure("VS1-4", ("8310-5", "Température corporelle"), "37.2", "Cel", when),
        s.measure("VS1-5", ("29463-7", "Poids"), "63.50", "kg", when),
    )
    return section(
        (f"{SECTION}25", f"{CCD_SECTION}16", "1.2.250.1.213.1.1.2.45"),
        loinc("8716-3", "Signes vitaux"),
        "Signes vitaux",
        "TA 128/76, FC 72, 37,2 °C, 63,5 kg",
        entry(signs),
    )


def _history() -> list[etree._Element]:
    smoking = s.observation(
        "SH1",
        ("63640-7", "Cigarettes par jour"),
        quantity("value", "10", "/d"),
        "20260305",
        roots=(f"{s.CCD}33", f"{s.PCC}13", f"{s.PCC}13.4", f"{s.FR}52"),
    )
    return [
        section(
            (f"{SECTION}16", "1.2.250.1.213.1.1.2.50"),
            loinc("29762-2", "Habitus, mode de vie"),
            "Mode de vie",
            "Dix cigarettes par jour",
            entry(smoking),
        ),
        section(
            (f"{SECTION}14", "1.2.250.1.213.1.1.2.48"),
            loinc("10157-6", "Antécédents familiaux"),
            "Antécédents familiaux",
            "Mère : asthme, diabète",
            entry(s.relative("FH1", ("MTH", "Mère"), ("J45.9", "Asthme"), ("E11.9", "Diabète de type 2"))),
        ),
    ]


def _acts() -> etree._Element:
    return section(
        (f"{SECTION}11", "1.2.250.1.213.1.1.2.46"),
        loinc("47519-4", "Historique des actes"),
        "Actes",
        table(
            ("Acte", "Date"),
            [[("Appendicectomie", "x1"), "2001"], [("Scanner demandé", "x2"), "-"], [("Consultation", "x3"), "-"]],
        ),
        entry(
            s.procedure(
                "X1",
                ("HHFA001", "1.2.250.1.213.2.5", "Appendicectomie, par abord direct"),
                "x1",
                "20010712",
                code("targetSiteCode", "66754008", SNOMED, "Appendice"),
                relation(
                    "RSON", s.problem("PB4", ("K35.8", "Appendicite aiguë"), "x1", period=("20010711", "20010720"))
                ),
            )
        ),
        entry(
            s.procedure(
                "X2",
                ("ZCQK002", "1.2.250.1.213.2.5", "Scanner de l'abdomen"),
                "x2",
                "20260401",
                mood="RQO",
                status="active",
            )
        ),
        entry(s.visit("X3", ("AMB", ACT_CODE, "Consultation"), "x3", ("20260110", "20260110"))),
    )


def _plan() -> etree._Element:
    words = [
        el(
            "paragraph",
            el("content", "Revoir", styleCode="Bold"),
            " dans un mois ; appeler le ",
            el("linkHtml", "secrétariat", href="tel:+33140000000"),
            ".",
        ),
        el("list", el("item", "Kinésithérapie"), el("item", "Régime"), listType="ordered"),
    ]
    inner = section(("1.2.250.1.213.99.2.1",), loinc("69730-0", "Instructions"), "Conseils", "Repos.")
    return section(
        ("1.2.250.1.213.99.2.2",), loinc("18776-5", "Plan de soins"), "Suite prévue", words, el("component", inner)
    )


def _catalogue() -> etree._Element:
    instances = [
        imaging.instance(f"{STUDY}.1.{number}", "1.2.840.10008.5.1.4.1.1.2", "CT Image Storage") for number in (1, 2)
    ]
    series = imaging.series(f"{STUDY}.1", ("CT", "Computed Tomography"), "20260305091500+0100", *instances)
    return section(
        ("2.16.840.1.113883.10.20.6.1.1",),
        code("code", "121181", imaging.DCM, "DICOM Object Catalog"),
        "Objets",
        "Examen d'imagerie",
        entry(imaging.study(STUDY, "20260305091000+0100", series)),
    )


def _images() -> etree._Element:
    shown = [el("paragraph", "Coupe axiale : "), el("renderMultiMedia", referencedObject="IMG1")]
    return section(
        ("1.2.250.1.213.99.2.3",),
        loinc("55110-1", "Conclusions"),
        "Conclusion",
        shown,
        entry(imaging.picture("I1", PNG, anchor="IMG1")),
    )


def _study_event() -> etree._Element:
    event = el(
        "serviceEvent",
        el("id", root=STUDY),
        code("code", "ZBQK002", "1.2.250.1.213.2.5", "Radiographie du thorax"),
        el("effectiveTime", el("low", value="20260305091000+0100")),
    )
    return el("documentationOf", event)


def _transport() -> etree._Element:
    """An act that no rule knows."""
    return el(
        "act",
        templates("1.2.250.1.213.99.3.9"),
        s.identity("U1"),
        code("code", "T-1", "1.2.250.1.213.99.4", "Transport couché"),
        el("text", "Ambulance"),
        s.done(),
        el("effectiveTime", value="20260305"),
        classCode="ACT",
        moodCode="EVN",
    )


def _wanted() -> etree._Element:
    """One that is wanted."""
    return el(
        "act",
        s.identity("U2"),
        code("code", "T-2", "1.2.250.1.213.99.4", "Retour à domicile"),
        s.done("active"),
        classCode="ACT",
        moodCode="RQO",
    )


def _area() -> etree._Element:
    """A region of a picture."""
    return el(
        "regionOfInterest",
        s.identity("U3"),
        el("code", code="CIRCLE"),
        el("value", value="3"),
        classCode="ROIOVL",
        moodCode="EVN",
    )


def _implant() -> etree._Element:
    """A device, as what was supplied."""
    return el(
        "supply",
        s.identity("U4"),
        s.done(),
        el("effectiveTime", el("low", value="20200101"), type="IVL_TS"),
        el(
            "participant",
            el(
                "participantRole",
                el("id", root=f"{ROOT}.5", extension="SN-1"),
                el(
                    "playingDevice",
                    code("code", "P51", "1.2.250.1.213.99.5", "Stimulateur cardiaque"),
                    el("manufacturerModelName", "Rythmo 4"),
                ),
                classCode="MANU",
            ),
            typeCode="DEV",
        ),
        classCode="SPLY",
        moodCode="EVN",
    )


def _cluster() -> etree._Element:
    """Results that no section expects."""
    return el(
        "organizer",
        s.identity("U5"),
        s.done(),
        el("component", s.observation("U6", ("72514-3", "Douleur"), el("value", type="INT", value="3"), "20260305")),
        el(
            "component",
            s.observation(
                "U7", ("883-9", "Groupe ABO"), code("value", "112144000", SNOMED, "Groupe A", type="CD"), "20260305"
            ),
        ),
        classCode="CLUSTER",
        moodCode="EVN",
    )


def _unknown() -> etree._Element:
    return section(
        ("1.2.250.1.213.99.2.9",),
        code("code", "INCONNU", "1.2.250.1.213.99.6", "Rubrique inconnue"),
        "Divers",
        "Éléments divers",
        entry(_transport()),
        entry(_wanted()),
        entry(_area()),
        entry(_implant()),
        entry(_cluster()),
    )


def _empty() -> etree._Element:
    return el(
        "section",
        loinc("10164-2", "Histoire de la maladie"),
        el("title", "Histoire"),
        el("text", "Aucune information"),
        nullFlavor="NI",
    )


def _signed() -> etree._Element:
    """A section that another author answers for."""
    made = section(
        ("1.2.250.1.213.99.2.4",),
        loinc("34109-9", "Note"),
        "Avis du biologiste",
        "Anémie à explorer",
        entry(s.problem("PB9", ("D64.9", "Anémie, sans précision"), "n1", period=("20260304", None))),
    )
    made.insert(4, author(BIOLOGIST, None, "20260304120000+0100"))
    return made


DOCUMENTS: Final = {
    "vac": Document(
        201,
        ("11369-6", "Historique des vaccinations"),
        "Carnet de vaccination",
        [pharmacy.vaccinations()],
        ("1.2.250.1.213.1.1.1.37|2023.01",),
        structure=PRACTICE,
        act=AMBULATORY,
        stay=AMBULATORY,
    ),
    "vac-note": Document(
        202,
        ("87273-9", "Note de vaccination"),
        "Note de vaccination",
        [pharmacy.vaccinations()],
        ("1.2.250.1.213.1.1.1.46",),
        patient=LOUIS,
        structure=PRACTICE,
        act=AMBULATORY,
        stay=AMBULATORY,
    ),
    "ep-med": Document(
        203,
        ("57833-6", "Prescription de produits de santé"),
        "Prescription de médicaments",
        [pharmacy.prescriptions(), _problems()],
        ("1.2.250.1.213.1.1.1.39|2024.01",),
        structure=PRACTICE,
        act=AMBULATORY,
        stay=AMBULATORY,
    ),
    "edisp-med": Document(
        204,
        ("60593-1", "Dispensation médicamenteuse"),
        "Dispensation",
        [pharmacy.dispensed()],
        ("1.2.250.1.213.1.1.1.54",),
        structure=PRACTICE,
        act=AMBULATORY,
        stay=AMBULATORY,
    ),
    "ldl-ses": Document(
        205,
        ("11490-0", "Lettre de liaison à la sortie d'un établissement de soins"),
        "Lettre de liaison à la sortie",
        [_problems(), _allergies(), _treatments(), _vital_signs(), _acts(), _plan(), _signed()],
        ("1.2.250.1.213.1.1.1.29",),
    ),
    "vsm": Document(
        206,
        ("60591-5", "Synthèse médicale"),
        "Synthèse médicale",
        [_problems(), _allergies(), _treatments(), *_history(), _acts(), _empty()],
        ("1.2.250.1.213.1.1.1.13",),
        structure=PRACTICE,
        act=AMBULATORY,
        stay=AMBULATORY,
    ),
    "img-cr": Document(
        207,
        ("18748-4", "CR d'imagerie médicale"),
        "Scanner thoracique",
        [_catalogue(), _images()],
        ("1.2.250.1.213.1.1.1.45",),
        events=[_study_event()],
    ),
    "img-kos": Document(
        208,
        ("IMG-KOS", "Reference d'objets d'un examen d'imagerie"),
        "Objets d'un examen",
        [_plan()],
        ("1.2.250.1.213.99.1.8",),
        type_system=COMPLEMENT,
        events=[_study_event()],
    ),
    "signes-vitaux": Document(
        209,
        ("29274-8", "Mesures de signes vitaux"),
        "Signes vitaux",
        [_vital_signs()],
        ("1.2.250.1.213.99.1.9",),
        patient=LOUIS,
    ),
    "divers": Document(
        210,
        ("34133-9", "Synthèse d'épisode de soins"),
        "Synthèse d'épisode",
        [_unknown(), _plan(), _empty()],
        ("1.2.250.1.213.99.1.10",),
    ),
    "ldl-ses-v2": Document(
        211,
        ("11490-0", "Lettre de liaison à la sortie d'un établissement de soins"),
        "Lettre de liaison à la sortie",
        [_problems(), _treatments()],
        ("1.2.250.1.213.1.1.1.29",),
        version=2,
        replaces=205,
        when="20260307101500+0100",
    ),
    "crop": Document(
        212,
        ("34874-8", "CR opératoire"),
        "Compte rendu opératoire",
        [_acts(), _images()],
        ("1.2.250.1.213.99.1.12",),
        structure=HOSPITAL,
    ),
}
