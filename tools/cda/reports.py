"""The biology reports of the corpus: every type of value, batteries, isolates, several people, what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tools.cda.biology import (
    CHEMISTRY,
    COAGULATION,
    DONE,
    EXECUTANT,
    HEMATOLOGY,
    INTERPRETATIONS,
    LOCAL,
    MICROBIOLOGY,
    PENDING,
    REAGENTS,
    SECOND_INTENTION,
    SEROLOGY,
    VALIDATOR,
    Test,
    about,
    act,
    amount,
    battery,
    beyond,
    chapter,
    coded,
    comment,
    image,
    isolate,
    limits,
    measured,
    panel,
    participation,
    reference,
    report,
    result,
    rows,
    specimen,
)
from tools.cda.header import BIOLOGIST, DOCTOR, LABORATORY, LOUIS, Document, Structure, assigned, device
from tools.cda.xml import LOINC, SNOMED, code, el, relation, section

if TYPE_CHECKING:
    from collections.abc import Iterable

SUBCONTRACTOR: Final = Structure("750000026", "Laboratoire de référence des Batignolles", "AMBULATOIRE", "Ambulatoire")

BLOOD_COUNT: Final = (
    Test("789-8", "Hématies", "4.52", "10*12/L", "3.80", "5.90", "4.48"),
    Test("718-7", "Hémoglobine", "13.40", "g/dL", "11.5", "17.5", "13.1"),
    Test("4544-3", "Hématocrite", "40.2", "%", "34", "53"),
    Test("787-2", "VGM", "88.9", "fL", "76", "96"),
    Test("785-6", "TCMH", "29.6", "pg", "27", "33"),
    Test("786-4", "CCMH", "33.3", "g/dL", "31", "36"),
    Test("6690-2", "Leucocytes", "11.80", "10*9/L", "4.00", "10.00", "7.2"),
    Test("751-8", "Polynucléaires neutrophiles", "8.90", "10*9/L", "1.50", "7.00"),
    Test("711-2", "Polynucléaires éosinophiles", "0.20", "10*9/L", None, "0.50"),
    Test("704-7", "Polynucléaires basophiles", "0.03", "10*9/L", None, "0.20"),
    Test("731-0", "Lymphocytes", "2.00", "10*9/L", "1.00", "4.00"),
    Test("742-7", "Monocytes", "0.67", "10*9/L", "0.20", "1.00"),
    Test("777-3", "Plaquettes", "251", "10*9/L", "150", "400", "248"),
)
IONS: Final = (
    Test("2951-2", "Sodium", "139", "mmol/L", "136", "145", "140"),
    Test("2823-3", "Potassium", "4.10", "mmol/L", "3.50", "5.10"),
    Test("2075-0", "Chlorures", "103", "mmol/L", "98", "107"),
    Test("22664-7", "Urée", "5.4", "mmol/L", "2.8", "8.1"),
    Test("14682-9", "Créatinine", "71", "umol/L", "45", "84", "69"),
)
LIPIDS: Final = (
    Test("14647-2", "Cholestérol total", "5.55", "mmol/L", None, "5.20", "5.10"),
    Test("14927-8", "Triglycérides", "1.20", "mmol/L", None, "1.70"),
    Test("14646-4", "Cholestérol HDL", "1.42", "mmol/L", "1.00", None),
)
LIVER: Final = (
    Test("1742-6", "ALAT", "24", "U/L", None, "35"),
    Test("1920-8", "ASAT", "22", "U/L", None, "35"),
    Test("2324-2", "Gamma GT", "19", "U/L", None, "40"),
    Test("6768-6", "Phosphatases alcalines", "70", "U/L", "35", "105"),
)


BLOOD: Final = ("BLD", "2.16.840.1.113883.5.129", "Sang total")
SERUM: Final = ("SER", "2.16.840.1.113883.5.129", "Sérum")
URINE: Final = ("UR", "2.16.840.1.113883.5.129", "Urines")


def material(kind: tuple[str, str, str]) -> Any:
    """What was taken."""
    return code("code", *kind)


def _count() -> Document:
    note = comment("nfs-note")
    text = [*rows(BLOOD_COUNT, "nfs"), (("Hyperleucocytose à contrôler.", "nfs-note"), "")]
    inner = panel(("58410-2", "Hémogramme"), BLOOD_COUNT, "nfs")
    inner.append(el("component", note, typeCode="COMP"))
    return report(301, chapter(HEMATOLOGY, act(HEMATOLOGY, specimen("T1", material(BLOOD)), inner), rows=text))


def _chemistry() -> Document:
    glucose = Test("14749-6", "Glucose", "5.10", "mmol/L", "3.9", "6.1", "5.4")
    ions = chapter(
        ("18719-5", "Ionogramme"),
        act(("24326-1", "Ionogramme"), panel(("24326-1", "Ionogramme"), IONS, "iono")),
        rows=rows(IONS, "iono"),
        sub=True,
    )
    sugar = chapter(
        ("18719-5", "Glycémie"),
        act(
            ("14749-6", "Glucose"),
            specimen("T3", material(SERUM)),
            measured(glucose, "gly-1", other=("0.92", "g/L")),
        ),
        rows=[(("Glucose", "gly-1"), "5,10 mmol/L (0,92 g/L)")],
        sub=True,
    )
    fats = act(("24331-1", "Bilan lipidique"), panel(("24331-1", "Bilan lipidique"), LIPIDS, "lip"))
    lipids = chapter(("18719-5", "Lipides"), fats, rows=rows(LIPIDS, "lip"), sub=True)
    return report(302, chapter(CHEMISTRY, ions, sugar, lipids))


def _antibiogram(prefix: str, found: Iterable[tuple[str, str, str, str | None]]) -> Any:
    members = []
    for number, name, verdict, concentration in found:
        value = beyond("high", concentration, "mg/L", inclusive=True) if concentration else None
        label = {"S": "Sensible", "R": "Résistant", "I": "Intermédiaire"}[verdict]
        members.append(
            result(
                coded(number, LOINC, name, f"{prefix}-{number}"),
                value,
                code("interpretationCode", verdict, INTERPRETATIONS, label),
            )
        )
    return battery(code("code", "29576-6", LOINC, "Antibiogramme"), *members)


def _microbiology() -> Document:
    coli = code("code", "112283007", SNOMED, "Escherichia coli")
    proteus = code("code", "73457008", SNOMED, "Proteus mirabilis")
    verdicts = (
        ("18864-9", "Ampicilline", "R", "32"),
        ("18862-3", "Amoxicilline + acide clavulanique", "I", "16"),
        ("18906-8", "Ciprofloxacine", "S", "0.06"),
        ("18928-2", "Gentamicine", "S", None),
    )
    count = result(
        coded("630-4", LOINC, "Culture", "ecbu"),
        el("value", type="CD", code="260373001", codeSystem=SNOMED, displayName="Détecté"),
        code("methodCode", "702675006", SNOMED, "Culture"),
    )
    counted = result(
        code("code", "49223-0", LOINC, "Numération bactérienne"), beyond("low", "1000000", "{CFU}/mL", inclusive=True)
    )
    text = [
        (("Culture", "ecbu"), "positive"),
        *(((name, f"atb-{number}"), verdict) for number, name, verdict, _ in verdicts),
    ]
    return report(
        303,
        chapter(
            MICROBIOLOGY,
            act(
                MICROBIOLOGY,
                specimen("U1", material(URINE)),
                count,
                isolate(coli, "I1", counted, _antibiogram("atb", verdicts)),
                isolate(proteus, "I2", _antibiogram("atb", verdicts[:2]), what=code("code", "6463-4", LOINC, "Germe")),
                about(comment(None, "Infection urinaire à deux germes.")),
            ),
            rows=text,
        ),
        act=(MICROBIOLOGY[0], LOINC, MICROBIOLOGY[1]),
        patient=LOUIS,
    )


def titre(dilution: str) -> Any:
    """A RTO: one to so many."""
    return el(
        "value", el("numerator", type="INT", value="1"), el("denominator", type="INT", value=dilution), type="RTO"
    )


def said(number: str, words: str) -> Any:
    """A CE with its original words."""
    return el("value", el("originalText", words), type="CE", code=number, codeSystem=SNOMED)


def _types() -> Document:
    """One result of each type of value."""
    values = [
        ("5196-1", "Antigène HBs", el("value", "Négatif", type="ST")),
        ("8014-7", "Anticorps anti-rubéole", amount("45", "[iU]/mL")),
        ("22587-0", "Treponema pallidum", code("value", "NEG", INTERPRETATIONS, "Négatif", type="CD")),
        ("5292-8", "VDRL", titre("16")),
        ("19080-1", "hCG", beyond("high", "2", "[iU]/L")),
        ("3016-3", "TSH", beyond("low", "100", "m[iU]/L")),
        ("2857-1", "PSA", limits("0.1", "0.4", "ug/L")),
        ("6301-6", "INR", el("value", type="REAL", value="2.40")),
        ("33914-3", "Débit de filtration", amount("94", "mL/min/{1.73_m2}")),
        ("882-1", "Groupe", said("278149003", "A positif")),
        ("10331-7", "Rhésus", el("value", type="BL", value="true")),
        ("30525-0", "Âge", el("value", type="INT", value="47")),
        ("8665-2", "Dernières règles", el("value", type="TS", value="20260214")),
        ("49049-9", "Collecte", el("value", el("low", value="20260304"), el("high", value="20260305"), type="IVL_TS")),
        ("5778-6", "Couleur", el("value", nullFlavor="NASK", type="ST")),
        ("5811-5", "Densité", amount("1.015", None)),
        ("2887-8", "Protéines", amount("0.3", "grammes par litre")),
    ]
    made = [result(coded(number, LOINC, name, f"v-{number}"), value) for number, name, value in values]
    text = [((name, f"v-{number}"), "voir") for number, name, _ in values]
    return report(304, chapter(SEROLOGY, act(SEROLOGY, specimen("T4", material(SERUM)), *made), rows=text))


def _subcontracted() -> Document:
    """Results that other people answer for than the whole report."""
    tsh = Test("3016-3", "TSH", "2.31", "m[iU]/L", "0.27", "4.20")
    free = Test("3024-7", "T4 libre", "15.2", "pmol/L", "12", "22")
    who = participation("performer", assigned(BIOLOGIST, SUBCONTRACTOR), EXECUTANT)
    validator = participation("participant", _role(assigned(BIOLOGIST, SUBCONTRACTOR)), VALIDATOR, typeCode="AUTHEN")
    responsible = participation("participant", _role(assigned(DOCTOR, LABORATORY)), (), typeCode="RESP")
    analyser = participation(
        "participant",
        el(
            "participantRole",
            el("id", root=f"{LOCAL}.5", extension="AN-12"),
            el("playingDevice", el("manufacturerModelName", "Analyseur 12"), el("softwareName", "4.2")),
        ),
        (),
        typeCode="DEV",
    )
    outside = result(coded(free.code, LOINC, free.name, "t4"), amount(free.value, free.unit), who, validator, analyser)
    return report(
        305,
        chapter(
            CHEMISTRY,
            act(CHEMISTRY, responsible, specimen("T5", material(SERUM)), measured(tsh, "tsh"), outside),
            rows=[(("TSH", "tsh"), "2,31"), (("T4 libre", "t4"), "15,2")],
        ),
        header=[device("Automate 7", "Labo 3.1", LABORATORY, DONE)],
    )


def _role(entity: Any) -> Any:
    """An assignedEntity as the participantRole of an entry."""
    return el(
        "participantRole",
        [each for each in entity if not each.tag.endswith(("assignedPerson", "representedOrganization"))],
        el("playingEntity", [each for each in entity.iter() if each.tag.endswith("}name")][:1]),
        classCode="ASSIGNED",
    )


def _partial() -> Document:
    """An examination under way, one that was given up, values that are not there."""
    pending = result(coded("2857-1", LOINC, "PSA", "psa"), el("value", type="PQ", nullFlavor="NAV"))
    given_up = result(coded("2823-3", LOINC, "Potassium", "k"), status="aborted", when=None)
    masked = result(el("code", nullFlavor="MSK"), el("value", type="PQ", nullFlavor="MSK"))
    return report(
        306,
        chapter(
            CHEMISTRY,
            act(CHEMISTRY, specimen("T6", material(SERUM), received=None), pending, given_up, masked, status="active"),
            rows=[(("PSA", "psa"), "en cours"), (("Potassium", "k"), "hémolyse")],
        ),
    )


def _pending_codes() -> Document:
    """Examinations without a code of LOINC."""
    waiting = result(coded("X-0123", PENDING, "Anticorps rares", "rare"), el("value", "absence", type="ST"))
    local = result(
        el(
            "code",
            el("originalText", "Dosage maison"),
            el("translation", code="DM-7", codeSystem=LOCAL, displayName="Dosage maison"),
            nullFlavor="NAV",
        ),
        amount("12", "ug/L"),
    )
    both = result(
        coded("718-7", LOINC, "Hémoglobine", None, el("translation", code="HB", codeSystem=LOCAL)),
        amount("13.1", "g/dL"),
        code("methodCode", "R-123", REAGENTS, "Photométrie"),
    )
    return report(307, chapter(HEMATOLOGY, act(HEMATOLOGY, waiting, local, both), rows=[(("Rare", "rare"), "absence")]))


PIXEL: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a49444154789c63f80f00010101001bb6ee560000000049454e44ae426082"
)


def _image() -> Document:
    """An electrophoresis with its curve."""
    proteins = Test("2885-2", "Protéines", "71", "g/L", "64", "83")
    made = result(
        coded("24351-9", LOINC, "Électrophorèse", "epp"),
        el("value", "Profil normal", type="ST"),
        relation("COMP", image(PIXEL)),
    )
    return report(
        308,
        chapter(
            CHEMISTRY,
            act(CHEMISTRY, specimen("T8", material(SERUM)), measured(proteins, "prot"), made, image(PIXEL)),
            rows=[(("Protéines", "prot"), "71"), (("Électrophorèse", "epp"), "normal")],
        ),
    )


def _second_intention() -> Document:
    what = code("code", "77599-9", LOINC, "Examens de seconde intention")
    text = "Dosage de la ferritine effectué en seconde intention."
    ferritin = Test("2276-4", "Ferritine", "18", "ug/L", "15", "150")
    return report(
        309,
        chapter(CHEMISTRY, act(CHEMISTRY, measured(ferritin, "fer")), rows=[(("Ferritine", "fer"), "18")]),
        section(SECOND_INTENTION, what, "Examens de seconde intention", text),
    )


def _conditions() -> Document:
    """Ranges of reference for some people only, and open ones."""
    age = el("precondition", el("criterion", limits("18", "65", "a")), typeCode="PRCN")
    women = el("precondition", el("criterion", code("value", "F", "2.16.840.1.113883.5.1", "Féminin", type="CD")))
    open_end = el("value", el("high", value="5", unit="mg/L", inclusive="false"), type="IVL_PQ")
    iron = result(
        coded("14798-3", LOINC, "Fer", "iron"), amount("14.2", "umol/L"), reference(limits("9", "30", "umol/L"), age)
    )
    protein = result(coded("1988-5", LOINC, "CRP", "crp"), amount("3.1", "mg/L"), reference(open_end, women))
    words = result(
        coded("5802-4", LOINC, "Nitrites", "nit"),
        el("value", "Absence", type="ST"),
        reference(el("value", "Absence", type="ST")),
    )
    return report(
        310,
        chapter(
            CHEMISTRY,
            act(CHEMISTRY, iron, protein, words),
            rows=[(("Fer", "iron"), ""), (("CRP", "crp"), ""), (("Nitrites", "nit"), "")],
        ),
    )


def large(number: int = 311, *, repeat: int = 1) -> Document:
    """About 60 results in four chapters: what a busy day brings. `repeat` more sets of each battery."""
    chapters = []
    for what, tests, kind in (
        (HEMATOLOGY, BLOOD_COUNT, BLOOD),
        (CHEMISTRY, (*IONS, *LIPIDS, *LIVER), SERUM),
        (COAGULATION, BLOOD_COUNT, BLOOD),
        (SEROLOGY, (*IONS, *LIVER, *LIPIDS), SERUM),
    ):
        prefix = what[0]
        panels = [panel(what, tests, f"{prefix}-{index}") for index in range(repeat)]
        text = [row for index in range(repeat) for row in rows(tests, f"{prefix}-{index}")]
        chapters.append(chapter(what, act(what, specimen(f"T{prefix}", material(kind)), *panels), rows=text))
    return report(number, *chapters)


def _corrected() -> Document:
    fixed = Test("2823-3", "Potassium", "4.30", "mmol/L", "3.50", "5.10")
    return report(
        312,
        chapter(CHEMISTRY, act(CHEMISTRY, measured(fixed, "k")), rows=[(("Potassium", "k"), "4,30")]),
        version=2,
        replaces=306,
        when="20260306090000+0100",
    )


DOCUMENTS: Final[dict[str, Document]] = {
    "bio-hemogramme": _count(),
    "bio-biochimie": _chemistry(),
    "bio-microbiologie": _microbiology(),
    "bio-types-de-valeurs": _types(),
    "bio-sous-traitance": _subcontracted(),
    "bio-partiel": _partial(),
    "bio-codes-en-attente": _pending_codes(),
    "bio-image": _image(),
    "bio-seconde-intention": _second_intention(),
    "bio-intervalles": _conditions(),
    "bio-soixante": large(),
    "bio-rectifie": _corrected(),
}
