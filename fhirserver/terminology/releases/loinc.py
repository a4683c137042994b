"""LOINC, from the zip that loinc.org publishes (`Loinc_2.80.zip`): terms, and parts, answers, French where there.

Read are `Loinc.csv`, `Part.csv`, `ComponentHierarchyBySystem.csv`, `AnswerList.csv` and the French ones of
`*LinguisticVariant.csv`. How FHIR sees LOINC: https://hl7.org/fhir/R4/loinc.html
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any, Final

from fhirserver.spec.systems import LOINC
from fhirserver.terminology.releases.release import BadRelease
from fhirserver.terminology.releases.writer import Head

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.terminology.releases.release import Member, Release
    from fhirserver.terminology.releases.writer import Writer

_PROPERTIES: Final = (
    "STATUS",
    "COMPONENT",
    "PROPERTY",
    "TIME_ASPCT",
    "SYSTEM",
    "SCALE_TYP",
    "METHOD_TYP",
    "CLASS",
    "CLASSTYPE",
    "ORDER_OBS",
    "EXAMPLE_UCUM_UNITS",
)
_AXES: Final = ("COMPONENT", "PROPERTY", "TIME_ASPCT", "SYSTEM", "SCALE_TYP", "METHOD_TYP")
_VARIANT: Final = r"(fr)([A-Z]{2})\d+LinguisticVariant\.csv"


def head(release: Release, version: str | None) -> Head:
    """The version is in the name of the zip, or of a folder in it. Raises BadRelease when it is not."""
    names = [str(path.name) for path in release.paths] + [each.name for each in release.named(r"Loinc\.csv")]
    found = version or next((text[1] for name in names if (text := re.search(r"Loinc_(\d+\.\d+)", name, re.I))), None)
    if not found:
        raise BadRelease(f"{release.paths[0]} does not tell the version of LOINC in its name: give --release.")
    properties = dict.fromkeys(_PROPERTIES, "string") | {"inactive": "boolean"}
    return Head(LOINC, found, found, "LOINC", "is-a", properties, sensitive=False)


def fill(release: Release, writer: Writer) -> None:
    """All terms, then the parts and answers that the release has."""
    table = r"LoincTable/Loinc\.csv"  # the panels come with another Loinc.csv, of a part of the terms
    main = release.one(table if release.named(table) else r"Loinc\.csv", "Loinc.csv")
    _stage_french(release, writer)
    for row in release.rows(main, "LOINC_NUM", "LONG_COMMON_NAME", "STATUS", *_AXES):
        writer.add(_term(row, writer))
    for member in release.named(r"Part\.csv")[:1]:
        for row in release.rows(member, "PartNumber", "PartName", "PartDisplayName", "Status"):
            writer.add(_plain(row["PartNumber"], row["PartDisplayName"] or row["PartName"], row["Status"]))
    for member in release.named(r"AnswerList\.csv")[:1]:
        _answers(release, member, writer)
    for member in release.named(r"(ComponentHierarchyBySystem|MultiAxialHierarchy)\.csv")[:1]:
        for row in release.rows(member, "IMMEDIATE_PARENT", "CODE", "CODE_TEXT"):
            writer.add(_plain(row["CODE"], row["CODE_TEXT"], "ACTIVE"))
            if row["IMMEDIATE_PARENT"]:
                writer.link(row["CODE"], row["IMMEDIATE_PARENT"])


def _stage_french(release: Release, writer: Writer) -> None:
    writer.stage.execute("create temp table french (code text, language text, value text)")
    for member in release.named(_VARIANT):
        named = re.search(_VARIANT, member.name, re.IGNORECASE)
        language = f"{named[1].lower()}-{named[2].upper()}" if named else "fr"
        for row in release.rows(member, "LOINC_NUM", *_AXES):
            value = row.get("LinguisticVariantDisplayName") or row.get("LONG_COMMON_NAME") or _axes(row)
            if value:
                writer.stage.execute("insert into french values (?, ?, ?)", (row["LOINC_NUM"], language, value))
    writer.stage.execute("create index temp.french_code on french (code)")


def _axes(row: dict[str, str]) -> str:
    """`Sodium:SCnc:Pt:Ser/Plas:Qn`; empty where nothing is translated."""
    return ":".join(row[axis] for axis in _AXES if row[axis])


def _term(row: dict[str, str], writer: Writer) -> dict[str, Any]:
    code = row["LOINC_NUM"]
    french = writer.stage.execute(
        "select language, value from french where code = ? order by language <> 'fr-FR', rowid", (code,)
    )
    designations = [{"language": language, "value": value} for language, value in french]
    if row.get("SHORTNAME"):
        designations.append({"language": "en", "value": row["SHORTNAME"]})
    concept = _plain(code, row["LONG_COMMON_NAME"], row["STATUS"])
    concept["property"] = [{"code": "STATUS", "valueString": row["STATUS"]}] + [
        {"code": name, "valueString": row[name]} for name in _PROPERTIES[1:] if row.get(name)
    ]
    if row["STATUS"] == "DEPRECATED":
        concept["property"].append({"code": "inactive", "valueBoolean": True})
    if designations:
        concept["designation"] = designations
    if row.get("DefinitionDescription"):
        concept["definition"] = row["DefinitionDescription"]
    return concept


def _plain(code: str, display: str, status: str) -> dict[str, Any]:
    concept: dict[str, Any] = {"code": code, "display": display or code}
    if status in ("DEPRECATED", "INACTIVE"):
        concept["property"] = [{"code": "inactive", "valueBoolean": True}]
    return concept


def _answers(release: Release, member: Member, writer: Writer) -> None:
    """Answers are concepts; each list of answers is a value set of its own URL."""
    rows = release.rows(member, "AnswerListId", "AnswerListName", "AnswerStringId", "DisplayText")
    for (list_id, name), answers in itertools.groupby(rows, lambda row: (row["AnswerListId"], row["AnswerListName"])):
        listed = [(row["AnswerStringId"], row["DisplayText"]) for row in answers if row["AnswerStringId"]]
        for code, display in listed:
            writer.add(_plain(code, display, "ACTIVE"))
        if listed:
            writer.resource(_value_set(list_id, name, listed))


def _value_set(list_id: str, name: str, answers: list[tuple[str, str]]) -> dict[str, Any]:
    listed: Iterator[dict[str, str]] = ({"code": code, "display": display} for code, display in dict(answers).items())
    return {
        "resourceType": "ValueSet",
        "id": list_id.lower(),
        "url": f"{LOINC}/vs/{list_id}",
        "title": name,
        "status": "active",
        "compose": {"include": [{"system": LOINC, "concept": list(listed)}]},
    }
