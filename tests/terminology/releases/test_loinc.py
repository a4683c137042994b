from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.spec import installed
from fhirserver.terminology import NotHere
from fhirserver.terminology.releases import BadRelease, add
from tests.terminology.build import NOW, codes_of
from tests.terminology.releases.build import AXES, EXTRAS, TABLES, loinc, loinc_files, terminology, zipped

if TYPE_CHECKING:
    from pathlib import Path

    from fhirserver.terminology import Terminology

LOINC = "http://loinc.org"


@pytest.fixture(name="made")
def made_(tmp_path: Path) -> Terminology:
    add("loinc", [loinc(tmp_path)], tmp_path / "packages")
    return terminology(tmp_path / "packages")


def parts(answer: dict[str, Any], name: str) -> list[Any]:
    return [each for each in answer["parameter"] if each["name"] == name]


def values(answer: dict[str, Any], name: str) -> list[Any]:
    found = []
    for each in parts(answer, "property"):
        code, value = each["part"]
        if code["valueCode"] == name:
            found.append(next(item for key, item in value.items() if key.startswith("value")))
    return found


def test_a_release_becomes_a_package(tmp_path: Path) -> None:
    added = add("loinc", [loinc(tmp_path)], tmp_path / "packages")
    assert (added.name, added.version, added.concepts, added.resources) == ("loinc", "9.9", 7, 2)
    assert installed.listed(tmp_path / "packages") == [added]
    assert added.told == "7 concepts"


def test_a_term_is_looked_up_with_its_axes(made: Terminology) -> None:
    answer = made.lookup(LOINC, "1-8")
    assert parts(answer, "name")[0]["valueString"] == "LOINC"
    assert parts(answer, "version")[0]["valueString"] == "9.9"
    assert parts(answer, "display")[0]["valueString"] == 'Zinc in Horn, "moles"'
    assert values(answer, "SYSTEM") == ["Horn"]
    assert values(answer, "CLASS") == ["CHEM"]
    assert values(answer, "definition") == ["About\nzinc"]
    assert values(answer, "parent") == ["LP1-1"]
    assert values(made.lookup(LOINC, "LP1-1"), "child") == ["1-8", "2-6"]
    assert values(made.lookup(LOINC, "2-6"), "inactive") == [True]


def test_french_displays_come_first_from_france(made: Terminology) -> None:
    assert parts(made.lookup(LOINC, "1-8", language="fr"), "display")[0]["valueString"] == "Zinc:SCnc:Pt:Corne:Qn"
    assert parts(made.lookup(LOINC, "1-8", language="fr-CA"), "display")[0]["valueString"] == "Zinc (Québec)"
    assert made.in_code_system([{"system": LOINC, "code": "1-8", "display": "zinc (québec)"}]).result


def test_codes_of_any_case_are_found_and_unknown_ones_refused(made: Terminology) -> None:
    assert made.in_code_system([{"system": LOINC, "code": "lp1-1"}]).result
    verdict = made.in_code_system([{"system": LOINC, "code": "1-9"}])
    assert (verdict.result, verdict.unknown) == (False, None)


def test_value_sets_of_loinc_are_judged_by_the_release(made: Terminology) -> None:
    bound = "http://hl7.org/fhir/ValueSet/observation-codes"
    assert made.holds(bound, LOINC, "3-4") is True
    assert made.holds(bound, LOINC, "3-5") is False
    assert codes_of(made, f"{LOINC}/vs") == ["1-8", "2-6", "3-4", "LP1-1", "LA1-0", "LA2-8", "LP0-0"]
    assert codes_of(made, f"{LOINC}/vs", filter="horn zin") == ["1-8"]
    assert codes_of(made, f"{LOINC}/vs", filter="quebec") == ["1-8"]
    assert codes_of(made, f"{LOINC}/vs", active_only=True, filter="cop") == []


def test_lists_of_answers_are_value_sets(made: Terminology) -> None:
    assert codes_of(made, f"{LOINC}/vs/LL1-9") == ["LA1-0", "LA2-8"]
    with pytest.raises(LookupError):
        _unknown(made)


def _unknown(made: Terminology) -> None:
    if made.finder.find("ValueSet", f"{LOINC}/vs/LL2-7") is None:
        raise LookupError


def test_another_version_is_not_said_to_be_this_one(made: Terminology) -> None:
    verdict = made.in_code_system([{"system": LOINC, "code": "1-8", "version": "1.0"}])
    assert verdict.unknown == f"{LOINC}|1.0"


def test_terms_alone_are_enough(tmp_path: Path) -> None:
    folder = tmp_path / "packages"
    add("loinc", [zipped(tmp_path / "x.zip", {"Loinc.csv": loinc_files()[TABLES]})], folder, release="9.8")
    assert codes_of(terminology(folder), f"{LOINC}/vs") == ["1-8", "2-6", "3-4"]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"readme.txt": "nothing"}, "Loinc.csv is wanted, and it has none"),
        ({"Loinc.csv": "LOINC_NUM,STATUS\n1,ACTIVE\n"}, "Loinc.csv has no column LONG_COMMON_NAME, COMPONENT"),
        ({"Loinc.csv": b"LOINC_NUM\xff\n"}, "Loinc.csv is not text in utf-8"),
        ({"a/Loinc.csv": "", "b/Loinc.csv": ""}, "it has 2: a/Loinc.csv, b/Loinc.csv"),
        ({"Loinc.csv": "x" * (1 << 20)}, "has a line of more than"),
        ({TABLES: loinc_files()[TABLES], f"{EXTRAS}/PartFile/Part.csv": "A,B\n"}, "Part.csv has no column PartNumber"),
        ({TABLES: f"LOINC_NUM,LONG_COMMON_NAME,STATUS,{AXES}\n"}, "there is no concept in it"),
    ],
)
def test_what_is_laid_out_otherwise_is_refused_and_leaves_nothing(
    tmp_path: Path, files: dict[str, str | bytes], told: str
) -> None:
    folder = tmp_path / "packages"
    with pytest.raises(BadRelease) as caught:
        add("loinc", [zipped(tmp_path / "Loinc_9.9.zip", files)], folder)
    assert told in str(caught.value)
    assert not folder.exists() or list(folder.iterdir()) == []


def test_a_version_must_be_known(tmp_path: Path) -> None:
    with pytest.raises(BadRelease, match="give --release"):
        add("loinc", [zipped(tmp_path / "x.zip", {"Loinc.csv": ""})], tmp_path)


def test_a_torn_file_leaves_nothing_and_the_version_before_stays(tmp_path: Path) -> None:
    folder = tmp_path / "packages"
    path = loinc(tmp_path)
    add("loinc", [path], folder)
    whole = path.read_bytes()
    middle = whole.index(b"LoincTable/Loinc.csv") + 60
    path.write_bytes(whole[:middle] + bytes(20) + whole[middle + 20 :])
    with pytest.raises(BadRelease, match=r"Loinc.csv cannot be read"):
        add("loinc", [path], folder)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadRelease):
        add("loinc", [path], folder, release="9.9")
    assert [each.name for each in folder.iterdir()] == ["loinc#9.9.sqlite"]
    assert terminology(folder).holds(f"{LOINC}/vs", LOINC, "1-8")


def test_a_system_in_tables_that_was_removed_is_no_longer_listed(made: Terminology, tmp_path: Path) -> None:
    assert made.in_code_system([{"system": LOINC, "code": "1-8"}]).result
    installed.remove("loinc", tmp_path / "packages")
    assert made.in_code_system([{"system": LOINC, "code": "3-4"}]).result, "an open file outlives its name"
    with pytest.raises(NotHere, match="just removed"):
        made.expand(f"{LOINC}/vs", now=NOW)


def test_a_head_without_concepts_does_not_hide_a_release(made: Terminology) -> None:
    head = {"resourceType": "CodeSystem", "url": LOINC, "status": "active", "content": "not-present"}
    assert made.bringing([head]).in_code_system([{"system": LOINC, "code": "1-8"}]).result


def test_a_forked_process_opens_the_tables_anew(made: Terminology, monkeypatch: pytest.MonkeyPatch) -> None:
    assert made.in_code_system([{"system": LOINC, "code": "1-8"}]).result
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert made.in_code_system([{"system": LOINC, "code": "2-6"}]).result
