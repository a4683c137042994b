"""Small releases with invented content, laid out as the published ones are."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from fhirserver.spec import Definitions, installed
from fhirserver.terminology import Terminology

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SNAPSHOT = "SnomedCT_Test/Snapshot"
TABLES = "Loinc_9.9/LoincTable/Loinc.csv"
EXTRAS = "Loinc_9.9/AccessoryFiles"
AXES = "COMPONENT,PROPERTY,TIME_ASPCT,SYSTEM,SCALE_TYP,METHOD_TYP"

SYNONYM, FULL_NAME = "900000000000013009", "900000000000003001"
PREFERRED, ACCEPTABLE = "900000000000548007", "900000000000549004"
IS_A, INFERRED, STATED = "116680003", "900000000000011006", "900000000000010007"
AMERICAN, BRITISH, FRENCH = "900000000000509007", "900000000000508004", "10031000315102"


def zipped(path: Path, files: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def loinc_files() -> dict[str, str | bytes]:
    header = f'"LOINC_NUM",{AXES},"CLASS","STATUS","SHORTNAME","LONG_COMMON_NAME","DefinitionDescription"\r\n'
    rows = (
        '"1-8","Zinc","SCnc","Pt","Horn","Qn","","CHEM","ACTIVE","Zn Horn","Zinc in Horn, ""moles""","About\nzinc"\r\n'
        '"2-6","Copper","SCnc","Pt","Horn","Qn","","CHEM","DEPRECATED","","Copper in Horn",""\r\n'
        '"3-4","Moon phase","Find","Pt","Sky","Nom","","MISC","TRIAL","","Moon phase",""\r\n'
    )
    french = f"LOINC_NUM,{AXES},CLASS,SHORTNAME,LONG_COMMON_NAME,RELATEDNAMES2,LinguisticVariantDisplayName\n"
    return {
        TABLES: ("\ufeff" + header + rows).encode(),
        f"{EXTRAS}/PanelsAndForms/Loinc.csv": "never read",
        f"{EXTRAS}/LinguisticVariants/frCA8LinguisticVariant.csv": french + "1-8,,,,,,,,,,,Zinc (Québec)\n",
        f"{EXTRAS}/LinguisticVariants/frFR18LinguisticVariant.csv": french + '1-8,Zinc,SCnc,Pt,Corne,Qn,,,,,,""\n',
        f"{EXTRAS}/LinguisticVariants/deDE15LinguisticVariant.csv": french + "1-8,,,,,,,,,,,Zink\n",
        f"{EXTRAS}/PartFile/Part.csv": (
            "PartNumber,PartTypeName,PartName,PartDisplayName,Status\nLP1-1,COMPONENT,Metals,,ACTIVE\n"
        ),
        f"{EXTRAS}/ComponentHierarchyBySystem/ComponentHierarchyBySystem.csv": (
            "PATH_TO_ROOT,SEQUENCE,IMMEDIATE_PARENT,CODE,CODE_TEXT\n"
            ",1,,LP0-0,Root\nLP0-0,1,LP0-0,LP1-1,Metals\nLP0-0.LP1-1,1,LP1-1,1-8,Zinc\nLP0-0.LP1-1,2,LP1-1,2-6,Copper\n"
        ),
        f"{EXTRAS}/AnswerFile/AnswerList.csv": (
            "AnswerListId,AnswerListName,AnswerStringId,DisplayText\n"
            "LL1-9,Phases,LA1-0,New\nLL1-9,Phases,LA2-8,Full\nLL2-7,Elsewhere,,\n"
        ),
    }


def loinc(path: Path) -> Path:
    return zipped(path / "Loinc_9.9.zip", loinc_files())


def tabbed(header: str, *rows: str) -> str:
    return "\r\n".join(("\t".join(row.split("|"))) for row in (header, *rows)) + "\r\n"


def snomed_files() -> dict[str, str | bytes]:
    """thing(100) > creature(101) > (horse 102, unicorn 104); horned(103) > unicorn; 105 is inactive."""
    module, names = "900000000000207008", f"{SNAPSHOT}/Terminology"
    concepts = [
        f"{code}|20200131|{active}|{module}|{status}"
        for code, active, status in (
            ("100", 1, "900000000000074008"),
            ("101", 1, "900000000000074008"),
            ("102", 1, "900000000000074008"),
            ("103", 1, "900000000000074008"),
            ("104", 1, "900000000000073002"),
            ("105", 0, "900000000000074008"),
        )
    ]
    described = "id|effectiveTime|active|moduleId|conceptId|languageCode|typeId|term|caseSignificanceId"
    english = [
        f"{id}|20200131|{active}|{module}|{concept}|en|{kind}|{term}|900000000000448009"
        for id, active, concept, kind, term in (
            ("1001", 1, "100", FULL_NAME, "Thing (thing)"),
            ("1002", 1, "101", FULL_NAME, "Creature (thing)"),
            ("1003", 1, "101", SYNONYM, "Beast"),
            ("1004", 1, "101", SYNONYM, "Creature"),
            ("1005", 0, "101", SYNONYM, "Monster"),
            ("1006", 1, "102", SYNONYM, "Horse"),
            ("1007", 1, "103", SYNONYM, "Horned being"),
            ("1008", 1, "104", SYNONYM, "Unicorn"),
            ("1010", 1, "101", SYNONYM, 'Creature of "Albion"'),
        )
    ]
    french = [f"2001|20200131|1|{module}|104|fr|{SYNONYM}|Licorne dorée|900000000000448009"]
    grouped = "relationshipGroup|typeId|characteristicTypeId|modifierId"
    related = f"id|effectiveTime|active|moduleId|sourceId|destinationId|{grouped}"
    relations = [
        f"{number}|20200131|{active}|{module}|{source}|{target}|0|{kind}|{how}|900000000000451002"
        for number, (active, source, target, kind, how) in enumerate(
            (
                (1, "101", "100", IS_A, INFERRED),
                (1, "103", "100", IS_A, INFERRED),
                (1, "102", "101", IS_A, INFERRED),
                (1, "104", "101", IS_A, INFERRED),
                (1, "104", "103", IS_A, INFERRED),
                (0, "102", "103", IS_A, INFERRED),
                (1, "102", "103", IS_A, STATED),
                (1, "102", "103", "363698007", INFERRED),
            )
        )
    ]
    member = "id|effectiveTime|active|moduleId|refsetId|referencedComponentId|acceptabilityId"
    preferred = [
        f"x|20200131|1|{module}|{refset}|{description}|{how}"
        for refset, description, how in (
            (AMERICAN, "1004", PREFERRED),
            (AMERICAN, "1003", ACCEPTABLE),
            (BRITISH, "1010", PREFERRED),
            (BRITISH, "1004", PREFERRED),
            (FRENCH, "2001", PREFERRED),
        )
    ]
    concept = "id|effectiveTime|active|moduleId|definitionStatusId"
    return {
        f"{names}/sct2_Concept_Snapshot_INT_20200131.txt": tabbed(concept, *concepts),
        f"{names}/sct2_Description_Snapshot-en_INT_20200131.txt": tabbed(described, *english),
        f"{names}/sct2_Description_Snapshot-fr_INT_20200131.txt": tabbed(described, *french),
        f"{names}/sct2_Relationship_Snapshot_INT_20200131.txt": tabbed(related, *relations),
        f"{SNAPSHOT}/Refset/Language/der2_cRefset_LanguageSnapshot-en_INT_20200131.txt": tabbed(member, *preferred),
        "SnomedCT_Test/Full/Terminology/sct2_Concept_Full_INT_20200131.txt": "never read",
    }


def snomed(path: Path) -> Path:
    return zipped(path / "SnomedCT_InternationalRF2.zip", snomed_files())


def terminology(folder: Path) -> Terminology:
    return Terminology(definitions(folder))


def definitions(folder: Path) -> Definitions:
    return Definitions([*installed.load(folder), *Definitions.core().packages])
