from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyotp
import pytest

from fhirserver.cli import main
from fhirserver.settings import environment
from tests.application import opened
from tests.database import embedded_uri
from tests.portal.browser import Browser
from tests.portal.people import matricule, named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.application import Application

__all__ = ["embedded_uri"]

PASSWORD = "lampe tortue orage violon"


@pytest.fixture
def house(embedded_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    """A server, whose settings and key the command line finds."""
    with opened(embedded_uri, f"test-{uuid.uuid4().hex[:12]}", password_memory=64) as application:
        key = tmp_path / "key.pem"
        key.write_bytes(application.services.keys.root.jwk.as_pem(private=True))
        told = environment(application.services.settings) | {"FHIRSERVER_KEY_FILE": str(key)}
        for name in ("MONGO", "DATABASE", "KEY_FILE", "PASSWORD_MEMORY"):
            monkeypatch.setenv(f"FHIRSERVER_{name}", told[f"FHIRSERVER_{name}"])
        yield application


@pytest.mark.parametrize(("kind", "scope"), [("operator", "system/*.cruds"), ("agent", "espace")])
def test_who_works_for_the_service_logs_in_with_what_the_command_printed(
    house: Application, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, scope: str
) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n", encoding="utf-8")
    assert main(["account", "add", f"--{kind}", "revue", "--password-file", str(file)]) == 0
    said = capsys.readouterr().out
    totp = pyotp.parse_uri(re.findall(r"otpauth://\S+", said)[0])
    assert isinstance(totp, pyotp.TOTP)
    browser = Browser(house)
    page = browser.send(browser.get("/connexion"), "/connexion", {"identifiant": "revue", "mot-de-passe": PASSWORD})
    assert browser.send(page, "/connexion/code", code=totp.now()).path == "/compte"
    found = house.services.sessions.find(browser.cookie("session"))
    assert found is not None
    assert (found.subject.kind, found.subject.scopes) == ("operator", (scope,))
    assert browser.get("/operateur").path == ("/operateur" if kind == "operator" else "/operateur/espaces")
    assert browser.get("/compte").status == 200
    assert main(["account", "add", f"--{kind}", "Revue", "--password-file", str(file)]) == 1
    assert "There is an account" in capsys.readouterr().err
    assert main(["account", "remove", "--login", "revue"]) == 0
    assert house.services.sessions.find(browser.cookie("session")) is None
    assert main(["account", "remove", "--login", "revue"]) == 1


def test_an_easy_password_is_refused(house: Application, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "password"
    file.write_text("operator")
    assert main(["account", "add", "--operator", "x", "--password-file", str(file)]) == 1
    assert "au moins 12" in capsys.readouterr().err
    assert house.services.accounts.accounts.named("x") is None


def test_a_code_is_made_for_a_patient(house: Application, capsys: pytest.CaptureFixture[str]) -> None:
    number = matricule()
    id_ = house.operator().create(named("Claire", number=number))
    assert main(["account", "invite", "--patient", id_]) == 0
    code, _, until = capsys.readouterr().out.split()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", until)
    assert house.services.accounts.invitations.prove(code, "1984-02-29", number, "192.0.2.1")
    assert main(["account", "card", "--patient", id_, "--serial", "12345678"]) == 0
    assert main(["account", "invite", "--patient", "nobody"]) == 1
    assert "no such Patient" in capsys.readouterr().err


def test_a_server_tells_the_last_day_of_a_code_where_the_person_lives(
    house: Application, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the database does: the moment at which the code ends is of another day in UTC."""
    patient = named("Moana", number=matricule()) | {"address": [{"use": "home", "postalCode": "98714"}]}
    id_ = house.operator().create(patient)
    assert main(["account", "invite", "--patient", id_]) == 0
    expected = capsys.readouterr().out.split()[2]
    answers: list[dict[str, Any]] = []

    def post(options: Any, asked: dict[str, Any]) -> dict[str, Any]:
        caller = house.operator()
        headers = {"Authorization": f"Bearer {caller.token}"}
        answers.append(caller._client.post("/accounts/api/invitations", json=asked, headers=headers).get_json())
        return answers[-1]

    monkeypatch.setattr("fhirserver.cli.account._post", post)
    assert main(["account", "invite", "--patient", id_, "--base", "http://127.0.0.1:1/fhir"]) == 0
    code, _, until = capsys.readouterr().out.split()
    assert (code, until) == (answers[0]["code"], expected)
    ends = datetime.fromisoformat(answers[0]["ends"])
    assert until == (ends - timedelta(seconds=1)).astimezone(ZoneInfo("Pacific/Tahiti")).date().isoformat()
    assert until != ends.date().isoformat()


def test_letters_are_made_for_the_persons_of_a_file_as_it_opens_spaces(
    house: Application, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number = matricule()
    house.operator().create(named("Zoé", number=number))
    file, out = tmp_path / "insured.csv", tmp_path / "letters.csv"
    file.write_text(f"Matricule;family;given;birthdate;sex\n{number};Exemple;Zoé;1980-05-01;female\n", "utf-8")
    assert main(["account", "letters", "--out", str(out), "--file", str(file)]) == 0
    assert "1 letters, 0 refused" in capsys.readouterr().out
    file.write_text("number\n1\n")
    assert main(["account", "letters", "--out", str(tmp_path / "more.csv"), "--file", str(file)]) == 1
    assert "lacks the columns" in capsys.readouterr().err
