from __future__ import annotations

from typing import Any

import pytest

from fhirserver import settings
from fhirserver.auth.accounts.passwords import Passwords, refusal
from fhirserver.settings import SettingsError

OWN = ("claire.exemple", "claire@exemple.fr", "1984-02-29", "19840229", "Claire EXEMPLE")


@pytest.mark.parametrize(
    "password",
    [
        "court",
        "onze lettre",
        "motdepasse123!",
        "Motdepasse2026",
        "azertyuiop12",
        "123456789012",
        "qwertyuiop!!",
        "aaaaaaaaaaaaaaaa",
        "abababababab",
        "passwordpassword",
        "Bonjour2026!!",
        "abcdefghijkl",
        "monespacesante1",
        "x" * 129,
        "claire.exemple12",
        "claire@exemple.fr",
        "Exemple19840229",
    ],
)
def test_what_is_easy_to_guess_is_no_password(password: str) -> None:
    assert refusal(password, OWN)


@pytest.mark.parametrize(
    "password",
    [
        "lampe tortue orage violon",
        "9f#Kq2!vTz8m",
        "été à la mer, pluie en août",
        "correcte cheval pile agrafe",
        "密码密碼很長的一句話呢吧",
    ],
)
def test_length_counts_and_not_kinds_of_characters(password: str) -> None:
    assert refusal(password, OWN) is None


def test_a_password_is_the_same_however_the_keyboard_writes_it() -> None:
    passwords = Passwords(64, 1)
    known = passwords.hash("é" * 6 + "abcdef")
    assert passwords.verify("e\u0301" * 6 + "abcdef", known)
    assert not passwords.verify("e" * 6 + "abcdef", known)


def test_hashes_are_argon2id_of_the_parameters_of_the_settings() -> None:
    default = Passwords.of(settings.load(environ={}))
    known = default.hash("lampe tortue orage violon")
    assert known.startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    assert default.verify("lampe tortue orage violon", known)
    assert Passwords(64, 1).is_stale(known)
    assert not default.is_stale(known)


@pytest.mark.parametrize("known", [None, "", "no hash", "$argon2id$broken"])
def test_what_is_no_hash_matches_nothing(known: str | None) -> None:
    assert not Passwords(64, 1).verify("lampe tortue orage violon", known)


@pytest.mark.parametrize(
    "given",
    [
        {"password_memory": 1024, "environment": "production"},
        {"password_memory": 19456, "password_passes": 1, "environment": "production"},
        {"password_passes": 0},
        {"sms_url": "ftp://gateway"},
        {"session_hours": 0},
    ],
)
def test_settings_that_weaken_accounts_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        settings.load(environ={}, **given)
    settings.load(environ={}, environment="production", password_memory=19_456, password_passes=2)
