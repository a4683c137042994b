from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.mail import Mailer, Undelivered, is_address, mailer_of
from fhirserver.settings import Settings, SettingsError, load
from tests.mail.server import Box, certificate, smtp_server

if TYPE_CHECKING:
    from pathlib import Path

SENDER = "espace@sante.example"


def test_an_e_mail_arrives_as_it_was_written() -> None:
    with smtp_server(Box()) as box:
        Mailer("127.0.0.1", box.port, SENDER, "none").send("marie@exemple.fr", "À lire", "Un code : 123456\n")
    (mail,) = box.messages
    assert (mail["From"], mail["To"], mail["Subject"]) == (SENDER, "marie@exemple.fr", "À lire")
    assert mail.get_content().replace("\r\n", "\n") == "Un code : 123456\n"
    assert mail["Message-ID"].endswith("@sante.example>")
    assert mail["Auto-Submitted"] == "auto-generated"


def test_an_e_mail_goes_over_tls_after_a_login(tmp_path: Path) -> None:
    files = certificate(tmp_path)
    with smtp_server(Box(), files, "secret") as box:
        mailer = Mailer("127.0.0.1", box.port, SENDER, user="espace", password="secret", authorities=str(files[0]))
        mailer.send("marie@exemple.fr", "Bonjour", "…")
    assert box.recipients == ["marie@exemple.fr"]


def test_nothing_is_sent_to_a_server_that_nobody_vouches_for(tmp_path: Path) -> None:
    with smtp_server(Box(), certificate(tmp_path)) as box, pytest.raises(Undelivered) as refused:
        Mailer("127.0.0.1", box.port, SENDER).send("marie@exemple.fr", "Bonjour", "…")
    assert not refused.value.lasting
    assert not box.messages


def test_nothing_is_sent_in_the_clear_where_tls_is_asked_for() -> None:
    with smtp_server(Box()) as box, pytest.raises(Undelivered):
        Mailer("127.0.0.1", box.port, SENDER).send("marie@exemple.fr", "Bonjour", "…")
    assert not box.messages


def test_a_wrong_password_is_told_and_may_be_right_another_time(tmp_path: Path) -> None:
    files = certificate(tmp_path)
    with smtp_server(Box(), files, "secret") as box, pytest.raises(Undelivered) as refused:
        Mailer("127.0.0.1", box.port, SENDER, "starttls", "espace", "other", str(files[0])).send(
            "marie@exemple.fr", "Bonjour", "…"
        )
    assert not refused.value.lasting


@pytest.mark.parametrize("address", ["unknown@exemple.fr", "nobody", "a@b.fr\nBcc: c@d.fr", "a b@exemple.fr", ""])
def test_an_address_that_is_refused_stays_so_and_is_not_repeated(address: str) -> None:
    with smtp_server(Box()) as box, pytest.raises(Undelivered) as refused:
        Mailer("127.0.0.1", box.port, SENDER, "none").send(address, "Bonjour", "…")
    assert refused.value.lasting
    assert "exemple" not in str(refused.value)
    assert not box.messages


def test_a_server_that_is_away_or_busy_may_take_it_another_time() -> None:
    with smtp_server(Box()) as box:
        box.refusals = ["451 busy"]
        with pytest.raises(Undelivered, match="451") as busy:
            Mailer("127.0.0.1", box.port, SENDER, "none").send("marie@exemple.fr", "Bonjour", "…")
    with pytest.raises(Undelivered) as away:
        Mailer("127.0.0.1", box.port, SENDER, "none").send("marie@exemple.fr", "Bonjour", "…")
    assert not busy.value.lasting
    assert not away.value.lasting


@pytest.mark.parametrize("text", ["nom@exemple.fr", "a.b+c@mail.sante.gouv.fr", "root@localhost"])
def test_addresses_are_known(text: str) -> None:
    assert is_address(text)


def test_settings_make_the_mailer(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("secret\n")
    assert mailer_of(Settings()) is None
    made = mailer_of(Settings(smtp_host="mail.example", smtp_from=SENDER, smtp_password_file=str(file)))
    assert made == Mailer("mail.example", 587, SENDER, password="secret")
    with pytest.raises(SettingsError, match="smtp_password_file"):
        mailer_of(Settings(smtp_host="mail.example", smtp_from=SENDER, smtp_password_file=str(tmp_path / "absent")))


@pytest.mark.parametrize(("name", "value"), [("SMTP_FROM", ""), ("SMTP_SECURITY", "ssl"), ("SMTP_PORT", "70000")])
def test_settings_that_cannot_send_are_named(name: str, value: str) -> None:
    given = {"FHIRSERVER_SMTP_HOST": "mail.example", "FHIRSERVER_SMTP_FROM": SENDER, f"FHIRSERVER_{name}": value}
    with pytest.raises(SettingsError, match=name.lower()):
        load(environ=given)
