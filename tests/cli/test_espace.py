from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from fhirserver.cli import main
from tests.serving import serve

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

HEADER = "matricule,family,given,birthdate,sex,postalcode,informed\n"
LONG_AGO = (date.today() - timedelta(weeks=7)).isoformat()
LAST_WEEK = (date.today() - timedelta(weeks=1)).isoformat()


def test_opening_for_many_what_is_due_and_erasure_with_its_backup(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, list_ = str(tmp_path / "one"), tmp_path / "erased.ndjson"
    monkeypatch.setenv("FHIRSERVER_ERASURE_FILE", str(list_))
    with serve(tmp_path / "one", "--profiles", "core") as server:
        token = server.token("--operator")
        id = server.call("POST", "Patient", token, b'{"resourceType":"Patient","birthDate":"1980-05-01"}').json["id"]
    file = tmp_path / "insured.csv"
    rows = [f"180057512312345,Martin,Ada,1980-05-01,female,97410,{LONG_AGO}\n"]
    rows += [f"180057512312346,Petit,Zoé,1981-05-01,female,,{LAST_WEEK}\n", "1,Faux,Jean,1980-05-01,male,,\n"]
    file.write_text(HEADER + "".join(rows), "utf-8")

    def run(*words: str) -> tuple[int, str]:
        status = main([*words])
        told = capsys.readouterr()
        return status, told.out + told.err

    status, told = run("espace", "open", "--file", str(file), "--data", one)
    assert status == 1
    assert "line 4: matricule" in told
    assert "2 announced, 0 known before, 1 refused" in told
    (tmp_path / "insured.csv.journal").unlink()
    assert "0 announced, 2 known before" in run("espace", "open", "--file", str(file), "--data", one)[1]
    assert "open: 1, erase: 0" in run("espace", "due", "--data", one)[1]
    assert "erase: 0" in run("espace", "due", "--data", one)[1]

    assert run("backup", str(tmp_path / "saved"), "--data", one)[0] == 0
    status, told = run("espace", "erase", "--patient", id, "--data", one)
    assert status == 0
    assert "Certificate of erasure" in told
    assert id not in told + list_.read_text()
    assert run("espace", "erase", "--patient", id, "--data", one)[0] == 1
    assert run("audit", "verify", "--data", one)[0] == 0
    assert run("espace", "erased", "--data", one)[1] == list_.read_text()

    two = ("--data", str(tmp_path / "two"))
    key = ("--key-file", str(tmp_path / "one" / "signing-key.pem"))
    told = run("restore", str(tmp_path / "saved"), *two, "--erasures", str(list_), *key)[1]
    assert "1 of 1 erasures done again" in told
    assert run("espace", "erase", "--patient", id, *two, *key)[0] == 1
    assert run("audit", "verify", *two)[0] == 0


def test_a_file_that_cannot_be_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "insured.csv"
    file.write_text("nom\nMartin\n", "utf-8")
    with serve(tmp_path / "data", "--profiles", "core"):
        pass
    data = ("--data", str(tmp_path / "data"))
    assert main(["espace", "open", "--file", str(file), *data]) == 1
    assert "lacks the columns matricule" in capsys.readouterr().err
    assert main(["espace", "again", "--erasures", str(file), *data]) == 1
    assert "cannot be read as a list of erasures" in capsys.readouterr().err
