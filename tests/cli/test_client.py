from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access
from fhirserver.cli import main
from tests.application import application, applications, embedded_uri
from tests.auth.registrations import APP, ENTRY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.application import Application

__all__ = ["application", "applications", "embedded_uri"]


class Files:
    def __init__(self, folder: Path) -> None:
        self.app, self.entry = folder / "app.json", folder / "entry.json"
        self.app.write_text(json.dumps(APP), encoding="utf-8")
        self.entry.write_text(json.dumps(ENTRY), encoding="utf-8")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture(autouse=True)
def database(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FHIRSERVER_MONGO", application.services.settings.mongo)
    monkeypatch.setenv("FHIRSERVER_DATABASE", application.services.settings.database)


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_an_operator_adds_references_and_suspends_an_app(
    application: Application, files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["client", "add", str(files.app), "--id", "carnet", "--catalogue", str(files.entry)]) == 0
    made = told(capsys)
    assert (made["client_id"], made["status"]) == ("carnet", "submitted")
    assert made["registration_access_token"]
    assert main(["client", "reference", "carnet"]) == 0
    assert told(capsys)["status"] == "referenced"
    assert application.operator().get("Endpoint/carnet").json["status"] == "active"
    assert main(["client", "list", "--status", "referenced"]) == 0
    assert capsys.readouterr().out == f"carnet  referenced  {APP['client_name']}\n"
    assert main(["client", "suspend", "carnet", "--reason", "Incident"]) == 0
    assert told(capsys)["history"][-1]["by"] == "command line"
    assert application.operator().get("Endpoint/carnet").json["status"] == "suspended"
    traces = [*application.services.store.traces(Access.system("test"))]
    assert len([each for each in traces if each["what"] == "register"]) == 3


def test_a_system_is_appointed_to_its_establishment(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["client", "add", str(files.app), "--id", "lab"]) == 0
    capsys.readouterr()
    assert main(["client", "describe", "lab", "--organization", "750000001", "--resource-server"]) == 0
    found = told(capsys)
    assert (found["organization"], found["resource_server"]) == ("750000001", True)
    assert main(["client", "show", "lab"]) == 0
    assert told(capsys) == found


def test_what_cannot_be_done_is_said(files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["client", "add", str(files.app), "--id", "bare"]) == 0
    wrong = tmp_path / "wrong.json"
    wrong.write_text("{", encoding="utf-8")
    for line, words in (
        (["reference", "bare"], "publisher"),
        (["suspend", "bare"], "says why"),
        (["show", "nobody"], "no client"),
        (["list", "--status", "famous"], "A status is"),
        (["add", str(files.app), "--id", "bare"], "already"),
        (["add", str(wrong)], "not JSON"),
        (["add", str(tmp_path / "none.json")], "cannot read"),
        (["describe", "bare", "--organization", "1"], "FINESS"),
    ):
        assert main(["client", *line]) == 1, line
        assert words in capsys.readouterr().err
