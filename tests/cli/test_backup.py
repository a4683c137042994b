from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fhirserver.cli import main
from tests.serving import serve

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_server_on_a_restored_database_gives_the_record_back_byte_for_byte(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = b'{"resourceType":"Patient","name":[{"family":"Dupont"}],"multipleBirthInteger":2}'
    with serve(tmp_path / "one", "--profiles", "core") as server:
        token = server.token("--operator")
        made = server.call("POST", "Patient", token, body)
        assert made.status == 201
        place = f"Patient/{made.json['id']}"
        before = server.call("GET", place, token)
    assert main(["backup", str(tmp_path / "saved"), "--data", str(tmp_path / "one")]) == 0
    assert main(["restore", str(tmp_path / "saved"), "--data", str(tmp_path / "two")]) == 0
    assert "restored" in capsys.readouterr().out
    with serve(tmp_path / "two", "--profiles", "core") as server:
        after = server.call("GET", place, server.token("--operator"))
        assert (after.body, after.headers["etag"]) == (before.body, before.headers["etag"])
        assert server.call("POST", "Patient", server.token("--operator"), body).status == 201
        for what in ("backup", "restore"):
            told = server.call("GET", f"AuditEvent?subtype={what}", server.token("--operator")).json
            assert told["total"] == 1
            assert "system:command line" in json.dumps(told["entry"][0]["resource"]["agent"])


def test_what_cannot_be_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restore", str(tmp_path), "--data", str(tmp_path / "new")]) == 1
    assert "holds no backup" in capsys.readouterr().err
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    assert main(["backup", str(tmp_path / "full"), "--data", str(tmp_path / "new")]) == 1
    assert "not empty" in capsys.readouterr().err
