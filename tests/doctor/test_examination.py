from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from fhirserver.auth import SigningKey
from fhirserver.cli import main
from fhirserver.doctor import Finding, examination
from fhirserver.doctor.database import _found
from fhirserver.settings import Settings
from fhirserver.store.condition import Condition, examine

if TYPE_CHECKING:
    from pathlib import Path

SOUND = Condition((7, 0, 5), embedded=False, members=3, authenticated=True, encrypted=True, skew=0.01)
PRODUCTION = Settings(environment="production", mongo="mongodb://db.example/?tls=true")


def found(settings: Settings) -> dict[tuple[str, str], str]:
    return {(each.level, each.subject): each.text for each in examination(settings)}


def test_a_running_database_tells_its_condition(embedded_uri: str) -> None:
    told = examine(embedded_uri, "doctor")
    assert told.embedded
    assert told.version >= (6,)
    assert told.authenticated
    assert abs(told.skew) < 1


def test_an_installation_for_trying_has_warnings_and_no_errors(embedded_uri: str, tmp_path: Path) -> None:
    SigningKey.in_folder(tmp_path, create=True)
    told = found(Settings(mongo=embedded_uri, embedded=str(tmp_path)))
    assert not [each for each in told if each[0] == "error"], told
    assert ("ok", "key_file") in told
    assert "encrypts" in told["warning", "mongo"]


def test_a_database_that_is_away_is_an_error(tmp_path: Path) -> None:
    told = found(Settings(mongo="mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=200", embedded=str(tmp_path)))
    assert "not reachable" in told["error", "mongo"]


def test_files_that_others_can_read_are_errors(tmp_path: Path) -> None:
    SigningKey.in_folder(tmp_path, create=True)
    (tmp_path / "signing-key.pem").chmod(0o644)
    tmp_path.chmod(0o755)
    told = found(Settings(embedded=str(tmp_path)))
    assert "chmod 600" in told["error", "key_file"]
    assert "chmod 700" in told["error", "embedded"]


@pytest.mark.parametrize(
    ("change", "level", "text"),
    [
        ({}, None, ""),
        ({"version": (6, 0, 1)}, "error", "too old"),
        ({"authenticated": False}, "error", "authorization"),
        ({"members": 1}, "error", "three"),
        ({"members": 0}, None, ""),
        ({"encrypted": None}, "warning", "encrypt its disks"),
        ({"skew": -4.0}, "error", "NTP"),
    ],
)
def test_what_a_database_should_not_be_in_production(change: dict[str, object], level: str | None, text: str) -> None:
    told: list[Finding] = [
        each
        for each in _found(PRODUCTION, SOUND._replace(**change))  # type: ignore[arg-type]
        if each.level != "ok"
    ]
    assert [each.level for each in told] == ([level] if level else [])
    assert all(text in each.text for each in told)


def test_who_does_not_listen_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        pacs = f"http://127.0.0.1:{port}/dicom-web"
        here = Settings(embedded=str(tmp_path), smtp_host="127.0.0.1", smtp_port=port, dicomweb_url=pacs)
        assert {("ok", "smtp_host"), ("ok", "dicomweb_url")} <= set(found(here))
    assert {("error", "smtp_host"), ("error", "dicomweb_url")} <= set(found(here))


def test_proxies_that_are_everybody_are_an_error(tmp_path: Path) -> None:
    assert ("error", "trusted_proxies") in found(Settings(embedded=str(tmp_path), trusted_proxies="0.0.0.0/0"))
    assert ("error", "trusted_proxies") in found(Settings(embedded=str(tmp_path), trusted_proxies="nowhere"))


def test_the_command_exits_with_1_for_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tmp_path.chmod(0o700)
    assert main(["doctor", "--data", str(tmp_path)]) == 0
    assert "warning settings" in capsys.readouterr().out
    tmp_path.chmod(0o755)
    assert main(["doctor", "--data", str(tmp_path), "--format", "json"]) == 1
    lines = [json.loads(each) for each in capsys.readouterr().out.splitlines()]
    assert {each["level"] for each in lines} >= {"error", "warning"}
