from __future__ import annotations

from dataclasses import replace

import pytest

from fhirserver.production import checks_certificates, has_default_password, has_tls, refusals
from fhirserver.settings import Settings

FIT = Settings(
    environment="production",
    base_url="https://fhir.example/fhir",
    key_file="/keys/key.pem",
    mongo="mongodb://fhir:Xk2-long-and-random@db.example/?replicaSet=rs0&tls=true",
)


def test_fit_settings_are_not_refused() -> None:
    assert list(refusals(FIT)) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"base_url": ""}, "base_url"),
        ({"base_url": "http://fhir.example/fhir"}, "base_url"),
        ({"issuer": "http://fhir.example"}, "issuer"),
        ({"terminology_server": "http://tx.example/r4"}, "terminology_server"),
        ({"key_file": ""}, "key_file"),
        ({"smtp_host": "mail.example", "smtp_security": "none"}, "smtp_security"),
        ({"mongo": "mongodb://root:root@db.example/"}, "mongo"),
        ({"mongo": "mongodb://fhir:changeme@db.example/"}, "mongo"),
        ({"mongo": "mongodb://team%40x:team%40x@db.example/"}, "mongo"),
    ],
)
def test_production_refuses_by_name(change: dict[str, str], named: str) -> None:
    assert any(each.startswith(named) for each in refusals(replace(FIT, **change)))  # type: ignore[arg-type]
    assert list(refusals(replace(FIT, environment="development", **change))) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("uri", "tls", "checked"),
    [
        ("mongodb://db.example/", False, True),
        ("mongodb://db.example/?tls=true", True, True),
        ("mongodb://db.example/?ssl=true", True, True),
        ("mongodb://db.example/?TLS=TRUE&w=majority", True, True),
        ("mongodb+srv://db.example/", True, True),
        ("mongodb+srv://db.example/?tls=false", False, True),
        ("mongodb://db.example/?tls=true&tlsInsecure=true", True, False),
        ("mongodb://db.example/?tls=true&tlsAllowInvalidHostnames=true", True, False),
    ],
)
def test_tls_is_what_the_connection_string_says(uri: str, tls: bool, checked: bool) -> None:
    assert (has_tls(uri), checks_certificates(uri)) == (tls, checked)


def test_a_connection_without_credentials_has_no_password_to_know() -> None:
    assert not has_default_password("mongodb://db.example/")
    assert has_default_password("mongodb://fhir@db.example/")
