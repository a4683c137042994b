from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fhirserver.auth import SigningKey
from fhirserver.cli import COMMANDS, main
from tests.serving import COMMAND

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving import Served

SOUND = '{"resourceType":"Patient","birthDate":"1980-02-29"}'
BROKEN = '{"resourceType":"Patient","birthDate":"1981-02-29"}'


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(words)
    told = capsys.readouterr()
    return status, told.out, told.err


@pytest.mark.parametrize(("text", "status"), [(SOUND, 0), (BROKEN, 1), ("{", 1)])
def test_validate_answers_by_its_exit_status(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], text: str, status: int
) -> None:
    file = tmp_path / "patient.json"
    file.write_text(text)
    assert main(["validate", str(file), "--profiles", "core", "--format", "json"]) == status
    outcome = json.loads(capsysbinary.readouterr().out)
    assert outcome["resourceType"] == "OperationOutcome"
    assert any(issue["severity"] in ("error", "fatal") for issue in outcome["issue"]) == bool(status)


def test_validate_says_where_and_which_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "patient.json").write_text(BROKEN)
    (tmp_path / "sound.json").write_text(SOUND)
    status, told, _ = run(capsys, "validate", str(tmp_path), "--profiles", "core")
    assert status == 1
    assert "patient.json: refused" in told
    assert "error at Patient.birthDate" in told
    assert "sound.json: valid" in told


def test_validate_holds_to_a_profile_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "patient.json").write_text(SOUND)
    profile = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient-ins"
    status, told, _ = run(
        capsys, "validate", str(tmp_path / "patient.json"), "--profiles", "core", "--profile", profile
    )
    assert status == 1
    assert "Patient.identifier" in told


@pytest.mark.parametrize("words", [("absent.json",), (__file__, "--package", "absent.tgz")])
def test_validate_names_what_is_not_there(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    status, _, told = run(capsys, "validate", *words)
    assert status == 1
    assert "absent" in told


def test_validating_one_file_cold_needs_no_server_and_little_time(tmp_path: Path) -> None:
    (tmp_path / "patient.json").write_text(SOUND)
    script = (
        "import sys, time; from fhirserver.cli import main; status = main(sys.argv[1:]); "
        "print(time.process_time(), file=sys.stderr); "
        "assert not {'flask', 'pymongo', 'granian'} & set(sys.modules), 'too much was imported'; sys.exit(status)"
    )
    line = [sys.executable, "-c", script, "validate", str(tmp_path / "patient.json")]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert float(done.stderr) < 20, "1 s of processor time on a quiet machine"


def test_settings_are_listed_with_their_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    status, told, _ = run(capsys, "settings")
    assert status == 0
    assert "FHIRSERVER_TIMEZONE=UTC" in told


@pytest.mark.parametrize(
    "words",
    [
        ("--practitioner", "123", "--profession", "G15_10"),
        ("--practitioner", "10000000018"),
        ("--system", "HIS"),
        ("--operator", "--lifetime", "0"),
        ("--system", "HIS", "--organization", "x"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    SigningKey.in_folder(tmp_path, create=True)
    status, told, why = run(capsys, "token", "--data", str(tmp_path), *words)
    assert (status, told) == (1, "")
    assert why.startswith("fhirserver token: ")


def test_a_token_needs_a_folder_with_a_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "token", "--data", str(tmp_path), "--operator")[0] == 1


@pytest.mark.parametrize("name", ["--data", "--embedded"])
def test_the_folder_of_an_embedded_server_is_named_alike_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    SigningKey.in_folder(tmp_path, create=True)
    status, printed, _ = run(capsys, "token", name, str(tmp_path), "--operator")
    assert (status, printed.count(".")) == (0, 2)
    status, printed, _ = run(capsys, "audit", "verify", name, str(tmp_path / "new"))
    assert (status, printed) == (0, "the chains of traces are whole\n")


def test_keys_are_listed_and_rotated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kid = SigningKey.in_folder(tmp_path, create=True).kid
    assert run(capsys, "key", "list", "--data", str(tmp_path))[:2] == (0, f"{kid}  signs\n")
    status, printed, _ = run(capsys, "key", "rotate", "--data", str(tmp_path))
    assert (status, printed.count("\n")) == (0, 3)
    assert f"{kid}  signs until " in printed
    assert "  signs from " in printed
    printed = run(capsys, "key", "rotate", "--now", "--data", str(tmp_path))[1]
    assert kid not in printed
    assert printed.endswith("  signs\n")
    assert run(capsys, "token", "--data", str(tmp_path), "--operator")[0] == 0
    assert run(capsys, "key", "list", "--data", str(tmp_path / "absent"))[0] == 1


def test_production_prints_no_development_token(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    SigningKey.in_folder(tmp_path, create=True)
    monkeypatch.setenv("FHIRSERVER_ENVIRONMENT", "production")
    status, told, _ = run(capsys, "token", "--data", str(tmp_path), "--operator")
    assert (status, told) == (1, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_takes_no_abbreviation(command: str) -> None:
    for words, status in (([command, "--help"], 0), ([command, "--hel"], 2)):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == status


def test_load_stores_reports_the_rejected_and_goes_on(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good.ndjson").write_text(f'{SOUND}\n{{"resourceType":"Organization","id":"o1","name":"o"}}\n')
    (folder / "bad.json").write_text(BROKEN)
    (folder / "torn.json").write_text("{")
    line = ("load", str(folder), "--base", served.base, "--token", served.token("--operator"))
    status, told, _ = run(capsys, *line)
    assert status == 1
    assert told.startswith("2 resources stored, 2 rejected, 0 done before")
    lines = (tmp_path / "fhirserver-load.rejected.ndjson").read_text().splitlines()
    reasons = {json.loads(each)["origin"].rpartition("/")[2]: json.loads(each) for each in lines}
    assert set(reasons) == {"bad.json", "torn.json"}
    assert "birthDate" in reasons["bad.json"]["reason"]
    (folder / "bad.json").write_text(SOUND)
    assert run(capsys, *line)[1].startswith("1 resources stored, 1 rejected, 2 done before")


def test_load_tells_when_the_server_is_away(tmp_path: Path) -> None:
    """In a process of its own, as a user sees it."""
    (tmp_path / "a.json").write_text(SOUND)
    line = [COMMAND, "load", "a.json", "--base", "http://127.0.0.1:9/fhir", "--token", "t"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300)
    assert done.returncode == 1
    assert "does not answer" in done.stderr
    assert "Traceback" not in done.stderr
