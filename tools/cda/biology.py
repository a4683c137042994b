"""Biology reports (CR-BIO 2024.01): chapters, batteries, isolates, and results of every type of value."""

from __future__ import annotations

import textwrap
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tools.cda.header import BIOLOGIST, DOCTOR, LABORATORY, PRACTICE, Document, assigned, pdf
from tools.cda.xml import LOINC, code, el, entry, relation, section, table, templates

if TYPE_CHECKING:
    from collections.abc import Iterable


MODELS: Final = ("1.3.6.1.4.1.19376.1.3.3", "1.2.250.1.213.1.1.1.55|2024.01")
CHAPTER: Final = ("1.3.6.1.4.1.19376.1.3.3.2.1", "1.2.250.1.213.1.1.2.70")
SUB_CHAPTER: Final = ("1.3.6.1.4.1.19376.1.3.3.2.2", "1.2.250.1.213.1.1.2.71")
COPY: Final = ("1.2.250.1.213.1.1.2.243",)
SECOND_INTENTION: Final = ("1.2.250.1.213.1.1.2.60",)
ACT: Final = ("1.3.6.1.4.1.19376.1.3.1", "1.2.250.1.213.1.1.3.21")
SPECIMEN: Final = ("1.3.6.1.4.1.19376.1.3.1.2", "1.2.250.1.213.1.1.3.77")
RECEPTION: Final = ("1.3.6.1.4.1.19376.1.3.1.3", "1.2.250.1.213.1.1.3.107")
BATTERY: Final = ("1.3.6.1.4.1.19376.1.3.1.4", "1.2.250.1.213.1.1.3.78")
ISOLATE: Final = ("1.3.6.1.4.1.19376.1.3.1.5", "1.2.250.1.213.1.1.3.79")
RESULT: Final = ("1.3.6.1.4.1.19376.1.3.1.6", "1.2.250.1.213.1.1.3.80")
COMMENT: Final = ("2.16.840.1.113883.10.20.1.40", "1.3.6.1.4.1.19376.1.5.3.1.4.2", "1.2.250.1.213.1.1.3.32")
IMAGE: Final = ("2.16.840.1.113883.10.12.304", "1.2.250.1.213.1.1.3.103")
CLUSTER: Final = ("1.2.250.1.213.1.1.3.18",)
COPIED: Final = ("1.2.250.1.213.1.1.3.48.18",)
PRESCRIBER: Final = ("1.3.6.1.4.1.19376.1.3.3.1.6",)
VALIDATOR: Final = ("1.3.6.1.4.1.19376.1.3.3.1.5", "1.2.250.1.213.1.1.3.109")
EXECUTANT: Final = ("1.3.6.1.4.1.19376.1.3.3.1.7", "1.2.250.1.213.1.1.3.23")

INTERPRETATIONS: Final = "2.16.840.1.113883.5.83"
UCUM: Final = "2.16.840.1.113883.6.8"
REAGENTS: Final = "1.2.250.1.213.2.3.5"
PENDING: Final = "1.2.250.1.213.1.1.4.369"
"""Codes of examinations that wait for one of LOINC."""
LOCAL: Final = "1.2.250.1.213.99.7.6"
TAKEN: Final = "20260305071000+0100"
RECEIVED: Final = "20260305081500+0100"
DONE: Final = "20260305093000+0100"
BEFORE: Final = "20251204090000+0100"

HEMATOLOGY: Final = ("18723-7", "Hématologie")
CHEMISTRY: Final = ("18719-5", "Biochimie")
COAGULATION: Final = ("18720-3", "Coagulation")
SEROLOGY: Final = ("18727-8", "Sérologie")
MICROBIOLOGY: Final = ("18725-2", "Microbiologie")


@dataclass(frozen=True)
class Test:
    """An examination with a measured value: LOINC, name, value, unit, the limits of reference, last value."""

    code: str
    name: str
    value: str
    unit: str
    low: str | None = None
    high: str | None = None
    before: str | None = None


def amount(value: str, unit: str | None, *, other: tuple[str, str] | None = None, tag: str = "value") -> Any:
    """A PQ, with the same amount in another unit."""
    second = el("translation", value=other[0], code=other[1], codeSystem=UCUM, displayName=other[1]) if other else None
    return el(tag, second, type="PQ", value=value, unit=unit)


def limits(low: str | None, high: str | None, unit: str | None, *, tag: str = "value") -> Any:
    """An IVL_PQ."""
    ends = [el(name, value=end, unit=unit) for name, end in (("low", low), ("high", high)) if end is not None]
    return el(tag, ends, type="IVL_PQ")


def beyond(end: str, value: str, unit: str, *, inclusive: bool = False) -> Any:
    """An IVL_PQ with one end: less than, more than."""
    return el("value", el(end, value=value, unit=unit, inclusive=str(inclusive).lower()), type="IVL_PQ")


def reference(value: Any, *content: Any) -> Any:
    """The range of normal results."""
    inner = [*content, value, code("interpretationCode", "N", INTERPRETATIONS, "Normal")]
    return el("referenceRange", el("observationRange", inner, classCode="OBS", moodCode="EVN.CRT"), typeCode="REFV")


def coded(value: str, system: str, name: str, anchor: str | None, *translations: Any) -> Any:
    """The code of an examination, with the words of the narrative."""
    text = el("originalText", el("reference", value=f"#{anchor}")) if anchor else None
    return code("code", value, system, name, text, translations)


def result(
    what: Any,
    *content: Any,
    status: str = "completed",
    when: str | None = DONE,
    number: str | None = None,
    roots: Iterable[str] = RESULT,
) -> Any:
    """An observation; `content` holds everything that follows its time."""
    return el(
        "observation",
        templates(*roots),
        el("id", root=f"{LOCAL}.1", extension=number) if number else None,
        what,
        el("statusCode", code=status),
        el("effectiveTime", value=when) if when else None,
        content,
        classCode="OBS",
        moodCode="EVN",
    )


def measured(test: Test, anchor: str | None = None, *content: Any, other: tuple[str, str] | None = None) -> Any:
    """The result of a test, with interpretation, range of reference and the previous result."""
    flag = _flag(test)
    previous = []
    if test.before is not None:
        earlier = result(
            code("code", test.code, LOINC, test.name), amount(test.before, test.unit), when=BEFORE, roots=()
        )
        previous.append(relation("REFR", earlier))
    return result(
        coded(test.code, LOINC, test.name, anchor),
        amount(test.value, test.unit, other=other),
        code("interpretationCode", flag, INTERPRETATIONS, {"N": "Normal", "H": "Haut", "L": "Bas"}[flag]),
        content,
        previous,
        reference(limits(test.low, test.high, test.unit)) if test.low or test.high else None,
    )


def _flag(test: Test) -> str:
    if test.high is not None and float(test.value) > float(test.high):
        return "H"
    return "L" if test.low is not None and float(test.value) < float(test.low) else "N"


def battery(what: Any, *members: Any, status: str = "completed", when: str | None = DONE, outer: Any = ()) -> Any:
    """A battery of results."""
    return el(
        "organizer",
        templates(*BATTERY),
        what,
        el("statusCode", code=status),
        el("effectiveTime", value=when) if when else None,
        outer,
        [el("component", member, typeCode="COMP") for member in members],
        classCode="BATTERY",
        moodCode="EVN",
    )


def isolate(germ: Any, number: str, *members: Any, what: Any = None) -> Any:
    """A microorganism that grew, with what was found of it."""
    playing = el("specimenPlayingEntity", germ, classCode="MIC")
    role = el("specimenRole", el("id", root=f"{LOCAL}.2", extension=number), playing, classCode="SPEC")
    return el(
        "organizer",
        templates(*ISOLATE),
        what,
        el("statusCode", code="completed"),
        el("effectiveTime", value=DONE),
        el("specimen", role, typeCode="SPC"),
        [el("component", member) for member in members],
        classCode="CLUSTER",
        moodCode="EVN",
    )


def specimen(number: str, kind: Any, *, taken: str = TAKEN, received: str | None = RECEIVED, site: Any = None) -> Any:
    """A collection, and its reception."""
    role = el(
        "participantRole",
        el("id", root=f"{LOCAL}.3", extension=number),
        el("playingEntity", kind),
        classCode="SPEC",
    )
    reception = el(
        "act",
        templates(*RECEPTION),
        code("code", "SPRECEIVE", "1.3.5.1.4.1.19376.1.5.3.2", "Réception de l'échantillon"),
        el("effectiveTime", value=received),
        classCode="ACT",
        moodCode="EVN",
    )
    return el(
        "procedure",
        templates(*SPECIMEN),
        code("code", "33882-2", LOINC, "Prélèvement"),
        el("effectiveTime", value=taken),
        site,
        el("participant", role, typeCode="PRD"),
        relation("COMP", reception) if received else None,
        classCode="PROC",
        moodCode="EVN",
    )


def comment(anchor: str | None, words: str = "") -> Any:
    """A comment: in the narrative, or its own words."""
    text = el("text", el("reference", value=f"#{anchor}")) if anchor else el("text", words)
    return el(
        "act",
        templates(*COMMENT),
        code("code", "48767-8", LOINC, "Commentaire"),
        text,
        el("statusCode", code="completed"),
        classCode="ACT",
        moodCode="EVN",
    )


def about(statement: Any) -> Any:
    """A comment about what it is in."""
    return relation("SUBJ", statement, inverted=True)


def image(data: bytes, kind: str = "image/png") -> Any:
    """An illustration."""
    value = el("value", b64encode(data).decode(), mediaType=kind, representation="B64")
    return el("observationMedia", templates(*IMAGE), value, classCode="OBS", moodCode="EVN")


def participation(tag: str, who: Any, roots: Iterable[str], when: str = DONE, **attributes: str) -> Any:
    """A participant or performer of an entry."""
    return el(tag, templates(*roots), el("time", value=when), who, **attributes)


def act(what: tuple[str, str], *content: Any, status: str = "completed") -> Any:
    """The entry of a chapter; `content` are entryRelationships, or statements that become COMP."""
    relations = [each if each.tag.endswith(("entryRelationship", "performer", "participant", "author"))
                 else relation("COMP", each) for each in content]  # fmt: skip
    return el(
        "act",
        templates(*ACT),
        code("code", what[0], LOINC, what[1]),
        el("statusCode", code=status),
        relations,
        classCode="ACT",
        moodCode="EVN",
    )


def chapter(what: tuple[str, str], *content: Any, rows: Iterable[Iterable[Any]] = (), sub: bool = False) -> Any:
    """A chapter, with an act, or with sub-chapters."""
    text = [table(("Examen", "Résultat"), rows)] if rows else [el("paragraph", what[1])]
    inner = [
        entry(each) if each.tag.endswith(("}act", "}observation", "}organizer")) else el("component", each)
        for each in content
    ]
    return section(SUB_CHAPTER if sub else CHAPTER, code("code", what[0], LOINC, what[1]), what[1], text, inner)


def copy(data: bytes) -> Any:
    """The section with the report as PDF."""
    encoded = "\n".join(textwrap.wrap(b64encode(data).decode(), 76))
    media = el(
        "observationMedia",
        el("value", encoded, mediaType="application/pdf", representation="B64"),
        classCode="OBS",
        moodCode="EVN",
    )
    inner = el(
        "observation",
        templates(*COPIED),
        code("code", "69764-9", LOINC, "Document"),
        relation("COMP", media),
        classCode="OBS",
        moodCode="EVN",
    )
    organizer = el(
        "organizer",
        templates(*CLUSTER),
        el("statusCode", code="completed"),
        el("component", inner),
        classCode="CLUSTER",
        moodCode="EVN",
    )
    what = code("code", "55108-5", LOINC, "Document PDF copie")
    return section(COPY, what, "Copie du compte rendu", "Compte rendu au format PDF", entry(organizer))


def report(number: int, *chapters: Any, title: str = "Compte rendu", **differing: Any) -> Document:
    """A whole biology report around its chapters."""
    prescriber = el("associatedEntity", *assigned(DOCTOR, PRACTICE), classCode="PROV")
    header = [
        participation("participant", prescriber, PRESCRIBER, TAKEN, typeCode="REF"),
        el(
            "authenticator",
            templates(*VALIDATOR),
            el("time", value=DONE),
            el("signatureCode", code="S"),
            assigned(BIOLOGIST, LABORATORY),
        ),
        el("inFulfillmentOf", el("order", el("id", root=f"{LOCAL}.4", extension=f"ORD-{number}"))),
        *differing.pop("header", ()),
    ]
    settings: dict[str, Any] = {
        "models": MODELS,
        "author": BIOLOGIST,
        "structure": LABORATORY,
        "act": (CHEMISTRY[0], LOINC, CHEMISTRY[1]),
        "stay": ("AMB", "2.16.840.1.113883.5.4", "Ambulatoire"),
        "period": (TAKEN, DONE),
        **differing,
    }
    body = [*chapters, copy(pdf(title))]
    return Document(
        number,
        ("11502-2", "CR d'examens biologiques"),
        "Compte rendu d'examens biologiques",
        body,
        header=header,
        **settings,
    )


def rows(tests: Iterable[Test], prefix: str) -> list[Any]:
    """The rows of a narrative, their anchors `prefix-code`."""
    return [((each.name, f"{prefix}-{each.code}"), f"{each.value} {each.unit}") for each in tests]


def panel(what: tuple[str, str], tests: Iterable[Test], prefix: str) -> Any:
    """A battery of measured results."""
    members = [measured(each, f"{prefix}-{each.code}") for each in tests]
    return battery(code("code", what[0], LOINC, what[1]), *members)
