from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_xml_files_are_validated_beside_json_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = '<Patient xmlns="http://hl7.org/fhir"><active value="true"/></Patient>'
    (tmp_path / "a.xml").write_text(good)
    (tmp_path / "b.json").write_text('{"resourceType": "Patient", "active": true}')
    (tmp_path / "c.txt").write_text("no resource")
    assert main(["validate", "--profiles", "core", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "a.xml: valid" in told
    assert "b.json: valid" in told
    assert "c.txt" not in told


def test_what_is_wrong_with_an_xml_file_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    misspelt, wrong = tmp_path / "a.xml", tmp_path / "b.XML"
    misspelt.write_text('<Patient xmlns="http://hl7.org/fhir">\n<activ value="true"/></Patient>')
    wrong.write_text('<Patient xmlns="http://hl7.org/fhir"><gender value="x"/></Patient>')
    assert main(["validate", "--profiles", "core", str(misspelt), str(wrong)]) == 1
    told = capsys.readouterr().out
    assert "a.xml: refused" in told
    assert "did you mean 'active'? (line 2)" in told
    assert "b.XML: refused" in told
    assert "Patient.gender" in told
