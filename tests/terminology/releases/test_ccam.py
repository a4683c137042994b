from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from fhirserver.spec.files import BadPackage
from fhirserver.spec.installed import Conflict
from fhirserver.terminology.releases import BadRelease, add
from tests.terminology.releases.build import terminology
from tests.terminology.releases.test_loinc import parts, values

if TYPE_CHECKING:
    from pathlib import Path

CCAM = "urn:oid:1.2.250.1.213.2.5"
ACTS = (
    "Code;Libellé;Libellé court;Parent;Date fin;Tarif\n01;Dragons;;;;\nZZAA001;Brossage d’écailles;Brossage;01;;3\n"
    "ZZAA002;Polissage;;01;20200101;\n;;;;;\n"
)


@pytest.mark.parametrize(("separator", "encoding"), [(";", "utf-8"), ("\t", "cp1252"), (",", "utf-8-sig")])
def test_a_table_of_acts(tmp_path: Path, separator: str, encoding: str) -> None:
    file = tmp_path / "ccam_v75.csv"
    file.write_bytes(ACTS.replace(";", separator).encode(encoding))
    added = add("ccam", [file], tmp_path / "packages")
    assert (added.version, added.concepts) == ("75", 3)
    made = terminology(tmp_path / "packages")
    answer = made.lookup(CCAM, "ZZAA001")
    assert parts(answer, "display")[0]["valueString"] == "Brossage d’écailles"
    assert parts(answer, "designation")[0]["part"][-1]["valueString"] == "Brossage"
    assert values(answer, "parent") == ["01"]
    assert values(made.lookup(CCAM, "ZZAA002"), "inactive") == [True]
    assert not made.in_code_system([{"system": CCAM, "code": "ZZAA003"}]).result


def test_another_version_is_added_when_the_first_was_removed(tmp_path: Path) -> None:
    file = tmp_path / "acts.csv"
    file.write_text(ACTS, encoding="utf-8")
    add("ccam", [file], tmp_path / "packages", release="75")
    add("ccam", [file], tmp_path / "packages", release="75")
    with pytest.raises(Conflict, match="ccam 75 is installed; remove it before you add 76"):
        add("ccam", [file], tmp_path / "packages", release="76")
    with pytest.raises(BadPackage, match="cannot be the version"):
        add("ccam", [file], tmp_path / "packages", release="../76")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no column code, libelle"),
        ("code;prix\nA;1\n", "has no column libelle"),
        ("code;libelle\n", "there is no concept in it"),
        ('code;libelle\nA;"x\0"\n' + "A;" + "x" * 140_000 + "\n", "acts_v1.csv, line"),
    ],
)
def test_what_is_laid_out_otherwise_is_refused_and_leaves_nothing(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "acts_v1.csv"
    file.write_text(text, encoding="utf-8")
    folder = tmp_path / "packages"
    with pytest.raises(BadRelease) as caught:
        add("ccam", [file], folder)
    assert told in str(caught.value)
    assert not folder.exists() or list(folder.iterdir()) == []


def test_one_release_at_a_time_is_added(tmp_path: Path) -> None:
    file = tmp_path / "acts_v1.csv"
    file.write_text(ACTS, encoding="utf-8")
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "ccam#1.partial").write_bytes(b"of a process that was killed")
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(Conflict, match="Another release is being added"):
        add("ccam", [file], folder)
    os.close(handle)
    add("ccam", [file], folder)
    assert [each.name for each in folder.iterdir()] == ["ccam#1.sqlite"]


def test_the_version_must_be_known(tmp_path: Path) -> None:
    file = tmp_path / "acts.csv"
    file.write_text(ACTS, encoding="utf-8")
    with pytest.raises(BadRelease, match="give --release"):
        add("ccam", [file], tmp_path / "packages")
