from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import pytest

from fhirserver.cli import main
from tests.serving import Answer, serve

if TYPE_CHECKING:
    from pathlib import Path


class Worked(NamedTuple):
    """The folder of a server that has ended, and what it answered about `place`."""

    folder: Path
    place: str
    before: Answer


BODY = b'{"resourceType":"Patient","name":[{"family":"Dupont"}],"multipleBirthInteger":2}'


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Worked:
    """Two workers, the demo family, a physician who looks and an operator who writes."""
    with serve(tmp_path_factory.mktemp("worked") / "data", "--demo", "--profiles", "core") as server:
        token = server.token("--operator")
        made = server.call("POST", "Patient", token, BODY)
        assert made.status == 201
        physician = server.token("--practitioner", "10000000018", "--profession", "G15_10")
        for path in ("Patient", "Patient/nothing", "Observation?status=final"):
            server.call("GET", path, physician)
        place = f"Patient/{made.json['id']}"
        return Worked(server.folder, place, server.call("GET", place, token))


def test_audit_verify_finds_a_whole_chain_after_real_work(worked: Worked, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "verify", "--embedded", str(worked.folder)]) == 0
    assert capsys.readouterr().out == "the chains of traces are whole\n"


def test_a_server_on_a_restored_database_gives_the_record_back_byte_for_byte(
    worked: Worked, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backup", str(tmp_path / "saved"), "--data", str(worked.folder)]) == 0
    assert main(["restore", str(tmp_path / "saved"), "--data", str(tmp_path / "two")]) == 0
    assert "restored" in capsys.readouterr().out
    with serve(tmp_path / "two", "--profiles", "core", "--workers", "1") as server:
        operator = server.token("--operator")
        after = server.call("GET", worked.place, operator)
        assert (after.body, after.headers["etag"]) == (worked.before.body, worked.before.headers["etag"])
        assert server.call("POST", "Patient", operator, BODY).status == 201
        for what, code in (("backup", "110106"), ("restore", "110107")):
            told = server.call("GET", f"AuditEvent?subtype={what}&type={code}", operator).json
            assert told["total"] == 1
            assert told["entry"][0]["resource"]["type"]["code"] == code
            assert "system:command line" in json.dumps(told["entry"][0]["resource"]["agent"])


def test_what_cannot_be_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restore", str(tmp_path), "--data", str(tmp_path / "new")]) == 1
    assert "holds no backup" in capsys.readouterr().err
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    assert main(["backup", str(tmp_path / "full"), "--data", str(tmp_path / "new")]) == 1
    assert "not empty" in capsys.readouterr().err
