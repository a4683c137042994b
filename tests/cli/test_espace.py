from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from joserfc.jwk import RSAKey
from pymongo import MongoClient

from fhirserver.cli import main
from fhirserver.espace import opening
from fhirserver.validation import ins
from tests.database import embedded_uri as embedded_uri

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADER = "matricule,family,given,birthdate,sex,postalcode,informed\n"
TODAY = datetime.now(UTC).date()


def matricule(number: int) -> str:
    body = f"1800575123{number:03}"
    return body + ins.key(body)


@pytest.fixture
def databases(
    embedded_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[MongoClient[dict[str, Any]], str, str]]:
    """A client, and the names of two databases; the commands use the first, with a key and a list of erasures."""
    (tmp_path / "key.pem").write_bytes(RSAKey.generate_key(2048).as_pem(private=True))
    (tmp_path / "key.pem").chmod(0o600)
    names = [f"test-{uuid.uuid4().hex[:12]}" for _ in range(2)]
    for name, value in (
        ("MONGO", embedded_uri),
        ("KEY_FILE", str(tmp_path / "key.pem")),
        ("ERASURE_FILE", str(tmp_path / "erased.ndjson")),
        ("DATABASE", names[0]),
    ):
        monkeypatch.setenv(f"FHIRSERVER_{name}", value)
    with MongoClient[dict[str, Any]](embedded_uri) as client:
        yield client, names[0], names[1]
        for name in names:
            client.drop_database(name)


def test_opening_for_many_what_is_due_and_erasure_with_its_backup(
    databases: tuple[MongoClient[dict[str, Any]], str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client, one, two = databases

    def run(*words: str) -> tuple[int, str]:
        status = main([*words])
        told = capsys.readouterr()
        return status, told.out + told.err

    file, list_ = tmp_path / "insured.csv", tmp_path / "erased.ndjson"
    rows = [f"{matricule(5)},Martin,Ada,1980-05-01,female,97410,{TODAY - timedelta(weeks=7)}\n"]
    rows.append(f"{matricule(6)},Petit,Zoé,1981-05-01,female,,{TODAY - timedelta(weeks=1)}\n")
    rows.append("1,Faux,Jean,1980-05-01,male,,\n")
    file.write_text(HEADER + "".join(rows), "utf-8")
    status, told = run("espace", "open", "--file", str(file))
    assert status == 1
    assert "line 4: matricule" in told
    assert "2 announced, 0 known before, 1 refused" in told
    (tmp_path / "insured.csv.journal").unlink()
    assert "0 announced, 2 known before" in run("espace", "open", "--file", str(file))[1]
    assert "open: 1, erase: 0" in run("espace", "due")[1]
    assert "open" not in run("espace", "due")[1]

    assert run("backup", str(tmp_path / "saved"))[0] == 0
    (found, *_) = client[one]["Patient"].find({}, {"_id": 1}).to_list()
    id = found["_id"]
    status, told = run("espace", "erase", "--patient", id)
    assert (status, "Certificate of erasure" in told) == (0, True)
    assert id not in told + list_.read_text()
    assert client[one]["Patient"].count_documents({}) == 1
    assert run("espace", "erase", "--patient", id)[0] == 1
    assert run("audit", "verify")[0] == 0
    assert run("espace", "erased")[1] == list_.read_text()

    monkeypatch.setenv("FHIRSERVER_DATABASE", two)
    assert "1 of 1 erasures done again" in run("restore", str(tmp_path / "saved"), "--erasures", str(list_))[1]
    assert client[two]["Patient"].find_one({"_id": id}) is None
    assert client[two]["Patient"].count_documents({}) == 1
    assert run("audit", "verify")[0] == 0


def test_an_opening_that_was_broken_off_goes_on_where_it_ended(
    databases: tuple[MongoClient[dict[str, Any]], str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client, name, _ = databases
    monkeypatch.setattr(opening, "AT_ONCE", 2)
    file = tmp_path / "insured.csv"
    lines = [f"{matricule(each)},Martin,Ada,1980-05-01,female,,\n" for each in range(5)]
    file.write_text(HEADER + "".join(lines), "utf-8")
    batch, calls = opening.Opening._batch, list[int]()

    def once(self: opening.Opening, rows: Any) -> Any:
        calls.append(len(rows))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return batch(self, rows)

    monkeypatch.setattr(opening.Opening, "_batch", once)
    assert main(["espace", "open", "--file", str(file)]) == 130
    assert client[name]["Patient"].count_documents({}) == 2
    steps: list[int] = []
    monkeypatch.setattr("tqdm.tqdm.update", lambda _, count: steps.append(count))
    assert main(["espace", "open", "--file", str(file)]) == 0
    assert "3 announced, 0 known before, 0 refused" in capsys.readouterr().out
    assert steps == [2, 2, 1]
    file.write_text(HEADER + "".join([*lines[:4], f"{matricule(9)},Martin,Ada,1980-05-01,female,,\n"]), "utf-8")
    assert main(["espace", "open", "--file", str(file)]) == 0
    assert "1 announced, 4 known before" in capsys.readouterr().out


@pytest.mark.usefixtures("databases")
def test_a_file_that_cannot_be_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "insured.csv"
    file.write_text("nom\nMartin\n", "utf-8")
    assert main(["espace", "open", "--file", str(file)]) == 1
    assert "lacks the columns matricule" in capsys.readouterr().err
    assert main(["espace", "again", "--erasures", str(file)]) == 1
    assert "cannot be read as a list of erasures" in capsys.readouterr().err
