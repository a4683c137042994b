from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.errors import NotFound
from fhirserver.terminology.releases import BadRelease, add
from tests.terminology.build import codes_of, value_set, where
from tests.terminology.releases.build import terminology, zipped
from tests.terminology.releases.test_loinc import parts, values

if TYPE_CHECKING:
    from pathlib import Path

CIM = "http://hl7.org/fhir/sid/icd-10"
LIST = "Z01   |0|0|0|MAUX DE DRAGON|Maux de dragon\nZ010|0|1|3|ECAILLES|Écailles ternes\nZ0100|0|0|0||Écailles, aile\n"

CLASSES = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE ClaML SYSTEM "ClaML.dtd">
<ClaML version="2.0.0">
  <Title name="test" version="2026">Test</Title>
  <Modifier code="M4"><SubClass code=".0"/><SubClass code=".1"/></Modifier>
  <Modifier code="M5"><SubClass code="0"/><SubClass code="1"/></Modifier>
  <ModifierClass modifier="M4" code=".0"><SuperClass code="M4"/>
    <Rubric kind="preferred"><Label xml:lang="fr">avec feu</Label></Rubric></ModifierClass>
  <ModifierClass modifier="M4" code=".1"><SuperClass code="M4"/>
    <Rubric kind="preferred"><Label xml:lang="fr">sans feu</Label></Rubric></ModifierClass>
  <ModifierClass modifier="M5" code="0"><SuperClass code="M5"/>
    <Rubric kind="preferred"><Label xml:lang="fr">aile</Label></Rubric></ModifierClass>
  <ModifierClass modifier="M5" code="1"><SuperClass code="M5"/></ModifierClass>
  <Class kind="chapter" code="XXX"><SubClass code="Z01-Z09"/>
    <Rubric kind="preferred"><Label xml:lang="fr">Dragons</Label></Rubric></Class>
  <Class kind="block" code="Z01-Z09"><SuperClass code="XXX"/><SubClass code="Z01"/><ModifiedBy code="M4"/>
    <Rubric kind="preferred"><Label xml:lang="fr">Maux de
      dragon <Reference>(Z01-Z09)</Reference></Label></Rubric></Class>
  <Class kind="category" code="Z01"><SuperClass code="Z01-Z09"/>
    <Rubric kind="note"><Label xml:lang="fr">une note</Label></Rubric>
    <Rubric kind="preferred"><Label xml:lang="fr">Toux</Label></Rubric></Class>
  <Class kind="category" code="Z02"><SuperClass code="Z01-Z09"/><ExcludeModifier code="M4"/><SubClass code="Z02.3"/>
    <Rubric kind="preferred"><Label xml:lang="fr">Fièvre</Label></Rubric></Class>
  <Class kind="category" code="Z02.3"><SuperClass code="Z02"/>
    <ModifiedBy code="M5" all="false"><ValidModifierClass code="0"/></ModifiedBy>
    <Rubric kind="preferred"><Label xml:lang="fr">Fièvre haute</Label></Rubric></Class>
  <Class kind="category" code="Z03"><SuperClass code="Z01-Z09"/><ModifiedBy code="M5"/>
    <Rubric kind="preferred"><Label xml:lang="fr">Vertige</Label></Rubric></Class>
  <Class kind="category" code="Z04"><ModifiedBy code="M5"/></Class>
</ClaML>
"""


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-8-sig"])
def test_the_list_with_bars(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "LIBCIM10MULTI.TXT"
    file.write_bytes(LIST.encode(encoding))
    added = add("cim10", [file], tmp_path / "packages", release="2026")
    assert added.concepts == 3
    made = terminology(tmp_path / "packages")
    answer = made.lookup(CIM, "z01.0")
    assert parts(answer, "display")[0]["valueString"] == "Écailles ternes"
    assert parts(answer, "designation")[0]["part"][-1]["valueString"] == "ECAILLES"
    assert (values(answer, "parent"), values(answer, "child")) == (["Z01"], ["Z01.00"])
    assert (values(answer, "typeSsr"), values(answer, "typePsy")) == (["1"], ["3"])
    assert codes_of(made, value_set("urn:test:vs", where("concept", "is-a", "Z01", CIM))) == ["Z01", "Z01.0", "Z01.00"]


def test_claml_with_its_modifiers(tmp_path: Path) -> None:
    path = zipped(tmp_path / "CIM10_2026.zip", {"cim/cim10.xml": CLASSES, "cim/ClaML.dtd": "<!ELEMENT never (read)>"})
    add("cim10", [path], tmp_path / "packages")
    made = terminology(tmp_path / "packages")
    assert codes_of(made, value_set("urn:test:vs", {"system": CIM})) == [
        *("XXX", "Z01-Z09", "Z01", "Z01.0", "Z01.1", "Z02", "Z02.3", "Z02.30"),
        *("Z03", "Z03.0", "Z03.1", "Z03.00", "Z03.01", "Z03.10", "Z03.11", "Z04", "Z04.0", "Z04.1"),
    ]
    answer = made.lookup(CIM, "Z03.00")
    assert parts(answer, "display")[0]["valueString"] == "Vertige, avec feu, aile"
    assert values(answer, "parent") == ["Z03.0"]
    assert parts(made.lookup(CIM, "Z01-Z09"), "display")[0]["valueString"] == "Maux de dragon"
    assert values(made.lookup(CIM, "XXX"), "kind") == ["chapter"]
    assert made.subsumes({"system": CIM, "code": "XXX"}, {"system": CIM, "code": "Z02.30"}) == "subsumes"


def test_the_uri_of_codes_may_be_another(tmp_path: Path) -> None:
    file = tmp_path / "libcim10multi_2026.txt"
    file.write_text(LIST, encoding="utf-8")
    oid = "urn:oid:2.16.840.1.113883.6.3"
    add("cim10", [file], tmp_path / "packages", system=oid)
    made = terminology(tmp_path / "packages")
    assert parts(made.lookup(oid, "Z01"), "version")[0]["valueString"] == "2026"
    with pytest.raises(NotFound):
        made.lookup(CIM, "Z01")


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"cim.pdf": ""}, "a ClaML .xml or LIBCIM10MULTI.TXT is wanted"),
        ({"a.xml": "<ClaML><Class code='A'/>"}, "a.xml is not XML"),
        ({"a.xml": "<ClaML/>"}, "there is no concept in it"),
        ({"a.xml": "<ClaML/>", "b.xml": ""}, "has several such files: a.xml, b.xml"),
        ({"LIBCIM10MULTI.TXT": LIST + "Z02|0|0\n"}, "LIBCIM10MULTI.TXT, line 4: a code and five values"),
        ({"LIBCIM10MULTI.TXT": "1|0|0|0|a|b\n"}, "line 1: a code and five values"),
    ],
)
def test_what_is_laid_out_otherwise_is_refused_and_leaves_nothing(
    tmp_path: Path, files: dict[str, str | bytes], told: str
) -> None:
    folder = tmp_path / "packages"
    with pytest.raises(BadRelease) as caught:
        add("cim10", [zipped(tmp_path / "2026.zip", files)], folder)
    assert told in str(caught.value)
    assert not folder.exists() or list(folder.iterdir()) == []


def test_entities_of_a_classification_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret", encoding="utf-8")
    hostile = (
        f'<!DOCTYPE ClaML [<!ENTITY x SYSTEM "{secret.as_uri()}">]><ClaML><Class code="Z01" kind="category">'
        '<Rubric kind="preferred"><Label>a &x; b</Label></Rubric></Class></ClaML>'
    )
    add("cim10", [zipped(tmp_path / "2026.zip", {"a.xml": hostile})], tmp_path / "packages")
    shown = parts(terminology(tmp_path / "packages").lookup(CIM, "Z01"), "display")[0]["valueString"]
    assert "secret" not in shown


def test_the_year_must_be_known(tmp_path: Path) -> None:
    file = tmp_path / "LIBCIM10MULTI.TXT"
    file.write_text(LIST, encoding="utf-8")
    with pytest.raises(BadRelease, match="give --release"):
        add("cim10", [file], tmp_path / "packages")
    with pytest.raises(BadRelease, match="There is no file"):
        add("cim10", [tmp_path / "absent.zip"], tmp_path / "packages")
