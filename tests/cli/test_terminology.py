from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.cli import main
from tests.terminology.releases.build import loinc, snomed

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    status = main([str(word) for word in words])
    told = capsys.readouterr()
    return status, told.out, told.err


def test_a_release_is_added_listed_and_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    added = run(capsys, "terminology", "add", "--kind", "loinc", loinc(tmp_path), "--data", data)
    assert added == (0, "added loinc 9.9: 7 concepts\n", "")
    assert run(capsys, "package", "list", "--data", data)[1] == "loinc 9.9: 7 concepts\n"
    assert run(capsys, "package", "remove", "loinc", "--data", data)[1] == "removed loinc 9.9\n"
    assert list((data / "packages").iterdir()) == []


def test_what_cannot_be_added_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = snomed(tmp_path)
    status, out, told = run(capsys, "terminology", "add", "--kind", "loinc", path, "--data", tmp_path)
    assert (status, out) == (1, "")
    assert told.startswith(f"fhirserver terminology: {path} does not tell the version of LOINC")
    (tmp_path / "packages").write_text("in the way", encoding="utf-8")
    status, _, told = run(capsys, "terminology", "add", "--kind", "snomed", path, "--data", tmp_path)
    assert status == 1
    assert "packages" in told


def test_progress_is_shown_on_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    status, _, told = run(capsys, "terminology", "add", "--kind", "snomed", snomed(tmp_path), "--data", tmp_path)
    assert status == 0
    assert "snomed: 100%" in told
