"""The client's TLS certificate, as proxies tell it, and what is no certificate."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask, request

from examples.certificates import issued
from fhirserver.auth.federation.assembly import providers
from fhirserver.auth.server.mtls import authorities
from fhirserver.rest.oauth.certificate import certificate
from fhirserver.settings import Settings, SettingsError, load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PAIR = issued()
STANDARD = PAIR.header["Client-Cert"]
PEM = quote(PAIR.certificate.public_bytes(Encoding.PEM).decode())
BEHIND = Settings(trusted_proxies="10.0.0.0/8", client_cert_header="Client-Cert")


def told(settings: Settings, headers: Sequence[tuple[str, str]], peer: str = "10.1.2.3") -> bytes | None:
    with Flask(__name__).test_request_context(headers=list(headers), environ_base={"REMOTE_ADDR": peer}):
        return certificate(request, settings)


def test_a_trusted_proxy_tells_the_certificate() -> None:
    assert told(BEHIND, [("client-cert", STANDARD)]) == PAIR.der
    other = replace(BEHIND, client_cert_header="X-SSL-Client-Cert")
    assert told(other, [("X-SSL-Client-Cert", PEM)]) == PAIR.der


@pytest.mark.parametrize(
    ("settings", "headers", "peer"),
    [
        (BEHIND, [("Client-Cert", STANDARD)], "192.0.2.1"),
        (replace(BEHIND, client_cert_header=""), [("Client-Cert", STANDARD)], "10.1.2.3"),
        (replace(BEHIND, trusted_proxies=""), [("Client-Cert", STANDARD)], "10.1.2.3"),
        (BEHIND, [("X-SSL-Client-Cert", PEM)], "10.1.2.3"),
        (BEHIND, [("Client-Cert", STANDARD), ("Client-Cert", STANDARD)], "10.1.2.3"),
        (BEHIND, [("Client-Cert", f"{STANDARD}, {STANDARD}")], "10.1.2.3"),
        (BEHIND, [("Client-Cert", STANDARD.strip(":"))], "10.1.2.3"),
        (BEHIND, [("Client-Cert", ":" + STANDARD[1:40] + ":")], "10.1.2.3"),
        (BEHIND, [("Client-Cert", ":é:".encode().decode("latin-1"))], "10.1.2.3"),
        (BEHIND, [("Client-Cert", "::")], "10.1.2.3"),
        (BEHIND, [("Client-Cert", "")], "10.1.2.3"),
        (BEHIND, [("Client-Cert", ":" + "A" * 20_000 + ":")], "10.1.2.3"),
        (replace(BEHIND, client_cert_header="X-Cert"), [("X-Cert", "%00%ff")], "10.1.2.3"),
        (replace(BEHIND, client_cert_header="X-Cert"), [("X-Cert", STANDARD)], "10.1.2.3"),
    ],
)
def test_anything_else_is_no_certificate(settings: Settings, headers: list[tuple[str, str]], peer: str) -> None:
    assert told(settings, headers, peer) is None


PSC = {"psc_issuer": "https://psc.example", "psc_client_id": "x", "psc_secret_file": "secret"}


@pytest.mark.parametrize(
    "changed",
    [
        {"psc_issuer": "http://psc.example"},
        {"psc_issuer": "psc.example"},
        {"psc_client_id": ""},
        {"psc_secret_file": ""},
        {"psc_issuer": "https://127.0.0.1:9090/psc", "environment": "production"},
        {"psc_issuer": "http://127.0.0.1:9090/psc", "environment": "production"},
        {"psc_issuer": "https://localhost/psc", "environment": "production"},
        {"psc_acr": "high"},
        {"client_cert_header": "Client-Cert"},
    ],
)
def test_settings_that_trust_too_much_are_refused(changed: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        load(environ={}, **(PSC | changed))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    settings = load(environ={}, **PSC)
    with pytest.raises(SettingsError):
        providers(replace(settings, psc_secret_file=str(tmp_path / "none")))
    with pytest.raises(SettingsError):
        providers(replace(settings, psc_certificate_file=str(tmp_path / "none"), psc_secret_file=""))
    with pytest.raises(SettingsError):
        authorities(str(tmp_path / "none"))
