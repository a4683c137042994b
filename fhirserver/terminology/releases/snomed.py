"""SNOMED CT, from the zip of an edition in release format 2 (RF2): its snapshot.

Read are `sct2_Concept_Snapshot…`, `sct2_Description_Snapshot…`, `sct2_Relationship_Snapshot…` (inferred is-a only) and
`der2_cRefset_LanguageSnapshot…`, in all zips that are given: an extension goes with the international edition that it
extends. How FHIR sees SNOMED CT: https://hl7.org/fhir/R4/snomedct.html
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any, Final

from fhirserver.spec.systems import SNOMED
from fhirserver.terminology.releases.release import BadRelease
from fhirserver.terminology.releases.writer import Head

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fhirserver.terminology.releases.release import Member, Release
    from fhirserver.terminology.releases.writer import Writer

_MODULES: Final = {"INT": "900000000000207008", "FR1000315": "11000315107", "FR": "11000315107"}
"""The part of a file's name that says who publishes it -> the module of the edition."""
_IS_A: Final = "116680003"
_STATED: Final = "900000000000010007"
_FULL_NAME: Final = 900000000000003001
_SYNONYM: Final = 900000000000013009
_USES: Final = {_FULL_NAME: "Fully specified name", _SYNONYM: "Synonym"}
_PREFERRED: Final = "900000000000548007"
_BRITISH: Final = "900000000000508004"
_DEFINED: Final = "900000000000073002"
_NAME: Final = r"x?sct2_Concept_Snapshot_([A-Z0-9]+)_(\d{8})\.txt"
_TABLES: Final = """
create temp table kept (id integer primary key, active integer, module text, defined integer, since text);
create temp table description (id integer primary key, concept integer, kind integer, language text, term text);
create temp table preferred (id integer primary key, british integer);
"""


def head(release: Release, version: str | None) -> Head:
    """The version: edition and date of the files, or as given (`11000315107-20250621`). Raises BadRelease."""
    concepts = release.named(_NAME)
    if not concepts:
        raise BadRelease(
            f"{release.paths[0]} is not a release of SNOMED CT in format RF2: it has no sct2_Concept_Snapshot_….txt."
        )
    edition, date = _edition(concepts, version)
    properties = {
        "inactive": "boolean",
        "moduleId": "code",
        "sufficientlyDefined": "boolean",
        "effectiveTime": "dateTime",
    }
    uri = f"{SNOMED}/{edition}/version/{date}"
    return Head(SNOMED, uri, f"{edition}-{date}", "SNOMED CT", "is-a", properties, sensitive=False)


def _edition(concepts: list[Member], version: str | None) -> tuple[str, str]:
    if version:
        edition, _, date = version.partition("-")
        if not re.fullmatch(r"\d{6,18}-\d{8}", version):
            raise BadRelease(f"--release {version}: for SNOMED CT write the module and the date, 11000315107-20250621.")
        return edition, date
    named = [found for each in concepts if (found := re.search(_NAME, each.name, re.IGNORECASE))]
    chosen = max(named, key=lambda each: (each[1] != "INT", each[2]))
    if chosen[1] not in _MODULES:
        raise BadRelease(f"The edition {chosen[1]} is not known here: give --release MODULE-DATE.")
    return _MODULES[chosen[1]], chosen[2]


def fill(release: Release, writer: Writer) -> None:
    """All concepts, inactive ones too, with their active descriptions and who is directly above."""
    descriptions = release.named(r"x?sct2_Description_Snapshot.*\.txt")
    relationships = release.named(r"x?sct2_Relationship_Snapshot.*\.txt")
    if not descriptions or not relationships:
        raise BadRelease(f"{release.paths[0]} has no descriptions or no relationships: sct2_…_Snapshot….txt.")
    writer.stage.execute("commit")
    writer.stage.executescript(_TABLES)
    writer.stage.execute("begin")
    _stage(release, writer, descriptions)
    for number, group in itertools.groupby(_joined(writer), lambda row: row[0]):
        writer.add(_concept(number, list(group)))
    for member in relationships:
        columns = ("active", "sourceId", "destinationId", "typeId", "characteristicTypeId")
        for active, source, destination, kind, characteristic in release.table(member, *columns):
            if active == "1" and kind == _IS_A and characteristic != _STATED:
                writer.link(source, destination)


def _stage(release: Release, writer: Writer, descriptions: Iterable[Member]) -> None:
    for member in release.named(_NAME):
        columns = ("id", "active", "moduleId", "definitionStatusId", "effectiveTime")
        for id, active, module, status, since in release.table(member, *columns):
            writer.stage.execute(
                "insert or replace into kept values (?, ?, ?, ?, ?)",
                (_number(member, id), active == "1", module, status == _DEFINED, since),
            )
    for member in descriptions:
        _stage_descriptions(release, member, writer)
    for member in release.named(r"x?der2_cRefset_LanguageSnapshot.*\.txt"):
        _stage_preferred(release, member, writer)
    writer.stage.execute("create index temp.description_concept on description (concept)")


def _stage_descriptions(release: Release, member: Member, writer: Writer) -> None:
    columns = ("id", "active", "conceptId", "languageCode", "typeId", "term")
    for id, active, concept, language, kind, term in release.table(member, *columns):
        if active == "1":
            writer.stage.execute(
                "insert or replace into description values (?, ?, ?, ?, ?)",
                (_number(member, id), _number(member, concept), _number(member, kind), language, term),
            )


def _stage_preferred(release: Release, member: Member, writer: Writer) -> None:
    columns = ("active", "refsetId", "referencedComponentId", "acceptabilityId")
    for active, refset, component, acceptability in release.table(member, *columns):
        if active == "1" and acceptability == _PREFERRED:
            writer.stage.execute(
                "insert into preferred values (?, ?) "
                "on conflict do update set british = min(british, excluded.british)",
                (_number(member, component), refset == _BRITISH),
            )


def _number(member: Member, text: str) -> int:
    if not text.isdecimal():
        raise BadRelease(f"{member.name}: {text!r} is not an identifier of SNOMED CT.")
    return int(text)


def _joined(writer: Writer) -> Iterable[tuple[Any, ...]]:
    """A row for each description of each concept, preferred ones first; in the order of concepts."""
    cursor = writer.stage.cursor()
    return cursor.execute(
        "select kept.id, active, module, defined, since, kind, language, term, preferred.id is not null, british "
        "from kept left join description on concept = kept.id left join preferred on preferred.id = description.id "
        "order by kept.id, preferred.id is null, british, description.id"
    )


def _concept(number: int, rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    _, active, module, defined, since, *_ = rows[0]
    described = [(kind, language, term) for *_, kind, language, term, _, _ in rows if term]
    concept: dict[str, Any] = {"code": str(number)}
    display = _display(described)
    if display:
        concept["display"] = display
        described.sort(key=lambda each: each[0] == _FULL_NAME)
        concept["designation"] = [_designation(*each) for each in described]
    concept["property"] = [
        {"code": "moduleId", "valueCode": module},
        {"code": "effectiveTime", "valueDateTime": f"{since[:4]}-{since[4:6]}-{since[6:]}"},
        {"code": "sufficientlyDefined", "valueBoolean": bool(defined)},
        {"code": "inactive", "valueBoolean": not active},
    ]
    return concept


def _display(described: list[tuple[int, str, str]]) -> str | None:
    """The preferred English synonym, else any English term, else any: the first of them."""
    ranked = sorted(described, key=lambda each: (each[1] != "en", each[0] != _SYNONYM))
    return ranked[0][2] if ranked else None


def _designation(kind: int, language: str, term: str) -> dict[str, Any]:
    use = {"system": SNOMED, "code": str(kind), "display": _USES.get(kind, "Description")}
    return {"language": language, "use": use, "value": term}
