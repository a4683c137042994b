"""What `fhirserver validate` reads and how it reports."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.cli import main
from tests.validation.test_ins import patient as identified
from tests.validation.test_single_faults import put

if TYPE_CHECKING:
    from pathlib import Path

SOUND = '{"resourceType": "Patient", "birthDate": "1980-02-29"}'
BROKEN = '{"resourceType": "Patient",\n  "birthDate": "1981-02-29"}'
XML = '<Patient xmlns="http://hl7.org/fhir">\n <birthDate value="1981-02-29"/></Patient>'


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    status = main(["validate", "--profiles", "core", *words])
    return status, capsys.readouterr().out


@pytest.mark.parametrize(("name", "text", "place"), [("a.json", BROKEN, "2, column 3"), ("a.xml", XML, "2, column 2")])
def test_line_and_column_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, place: str
) -> None:
    (tmp_path / name).write_text(text)
    status, told = run(capsys, str(tmp_path / name))
    assert status == 1
    assert f"error at Patient.birthDate (line {place}): '1981-02-29' is not a date of the calendar. [calendar]" in told


@pytest.mark.parametrize(("name", "text"), [("a.json", BROKEN), ("b.xml", XML)])
def test_the_json_report_names_the_file_and_the_line(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    assert main(["validate", "--profiles", "core", "--format", "json", str(tmp_path)]) == 1
    (report,) = map(json.loads, capsysbinary.readouterr().out.splitlines())
    assert report["extension"][0]["valueString"] == str(tmp_path / name)
    assert "(line 2, column" in next(each["diagnostics"] for each in report["issue"] if each["severity"] == "error")


def test_reports_come_in_french(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_text(BROKEN)
    (tmp_path / "b.json").write_text(SOUND)
    status, told = run(capsys, str(tmp_path), "--language", "fr")
    assert status == 1
    assert "a.json: refusé" in told
    assert "à Patient.birthDate (ligne 2, colonne 3): '1981-02-29' n'est pas une date du calendrier." in told
    assert "b.json: valide" in told
    assert told.endswith("2 fichiers, 1 refusés\n")


@pytest.mark.parametrize(("text", "status"), [(SOUND, 0), (BROKEN, 1), (XML, 1), ("{", 1), ("", 1)])
def test_a_dash_is_standard_input_in_either_format(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, text: str, status: int
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    found, told = run(capsys, "-")
    assert found == status
    assert told.startswith("-: valid" if not status else "-: refused")


def test_a_folder_is_searched_to_its_depths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for place in ("a/b/c.json", "a/d.xml", "e.txt"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(SOUND if place.endswith("json") else XML)
    status, told = run(capsys, str(tmp_path))
    assert (status, told.count(": valid\n"), told.count(": refused\n")) == (1, 1, 1)
    assert told.endswith("2 files, 1 refused\n")


@pytest.mark.parametrize(
    ("words", "change", "rule"),
    [
        (("--ins-key",), ("identifier.0.value", "285056912308400"), "[ins-key]"),
        (("--ins-production",), ("identifier.0.system", "urn:oid:1.2.250.1.213.1.4.10"), "[ins-test]"),
        ((), ("gender", "male"), "[ins-sex]"),
    ],
)
def test_the_rules_of_the_ins_are_switched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], change: tuple[str, Any], rule: str
) -> None:
    resource = identified()
    put(*change)(resource)
    (tmp_path / "a.json").write_text(json.dumps(resource))
    assert rule in run(capsys, str(tmp_path), *words)[1]
    assert rule not in run(capsys, str(tmp_path), "--no-ins-consistency")[1]
