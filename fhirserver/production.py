"""What the settings may not say in production: the server does not start, and `fhirserver doctor` names it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.settings import Settings

DEFAULT_PASSWORDS: Final = frozenset(
    {"", "admin", "changeme", "example", "fhir", "fhirserver", "mongo", "mongodb", "pass", "password", "root", "secret"}
)
"""Passwords that examples and images ship with."""


def refusals(settings: Settings) -> Iterator[str]:
    """What must be changed, each in a sentence that names the setting; nothing outside production."""
    if settings.environment != "production":
        return
    if not settings.base_url.startswith("https://"):
        yield "base_url must be the public FHIR base, and begin with https://."
    if not settings.key_file:
        yield "key_file must name the key that signs tokens; a key made by the server is one for development."
    for each in dataclasses.fields(settings):
        value = getattr(settings, each.name)
        if isinstance(value, str) and value.startswith("http://"):
            yield f"{each.name} is spoken to without TLS: it must begin with https://."
    if settings.smtp_host and settings.smtp_security == "none":
        yield "smtp_security must be starttls or tls: e-mails would travel in the clear."
    if settings.mongo and has_default_password(settings.mongo):
        yield "mongo has a password that everybody knows: choose another."


def has_default_password(uri: str) -> bool:
    """Whether the password of a connection string is one of `DEFAULT_PASSWORDS`, or its user's name."""
    credentials, at, _ = uri.partition("://")[2].rpartition("@")
    user, _, password = credentials.partition(":")
    return bool(at) and unquote(password).lower() in DEFAULT_PASSWORDS | {unquote(user).lower()}


def has_tls(uri: str) -> bool:
    """Whether a connection string asks for TLS: by its options, or by the scheme `mongodb+srv`."""
    options = {name.lower(): value.lower() for name, _, value in _options(uri)}
    asked = options.get("tls", options.get("ssl"))
    return asked == "true" or (asked is None and uri.startswith("mongodb+srv://"))


def checks_certificates(uri: str) -> bool:
    """Whether nothing in a connection string waives the check of the database's certificate."""
    waived = {"tlsinsecure", "tlsallowinvalidcertificates", "tlsallowinvalidhostnames"}
    return not any(name.lower() in waived and value.lower() == "true" for name, _, value in _options(uri))


def _options(uri: str) -> list[tuple[str, str, str]]:
    return [each.partition("=") for each in urlsplit(uri).query.split("&") if each]
