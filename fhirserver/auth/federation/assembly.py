"""The providers that the settings name, and what they let the authorisation server do."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fhirserver.auth.federation.provider import Provider, Registration
from fhirserver.auth.federation.subject import SubjectTokens
from fhirserver.auth.fetching import Fetcher
from fhirserver.auth.server import mtls
from fhirserver.auth.server.exchange import exchange
from fhirserver.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.auth.server import AuthorizationServer
    from fhirserver.settings import Settings

PSC: Final = "psc"
FRANCECONNECT: Final = "franceconnect"
PSC_SCOPE: Final = "openid scope_all"
FRANCECONNECT_SCOPE: Final = "openid given_name family_name birthdate gender birthplace birthcountry"


def providers(settings: Settings) -> dict[str, Provider]:
    """By name. Raises SettingsError when a file cannot be read."""
    found = {}
    if settings.psc_issuer:
        found[PSC] = Provider(_psc(settings), _fetcher(settings, settings.psc_certificate_file))
    if settings.franceconnect_issuer:
        found[FRANCECONNECT] = Provider(_franceconnect(settings), _fetcher(settings, ""))
    return found


def install(
    server: AuthorizationServer, settings: Settings, psc: Provider | None, linked: Callable[[str], str | None]
) -> None:
    """Lets clients prove who they are by TLS certificates, where a proxy tells these, and exchange tokens of `psc`.

    Raises SettingsError.
    """
    authorities = mtls.authorities(settings.client_cert_authorities)
    if not settings.client_cert_header:
        return
    mtls.register(server, authorities)
    if psc is not None:
        audiences = (server.issuer, server.audience, f"{server.issuer}/oauth/token")
        server.register_grant(exchange(SubjectTokens(psc, settings.psc_subject_tokens, audiences), linked))


def _psc(settings: Settings) -> Registration:
    return Registration(
        PSC,
        settings.psc_issuer,
        settings.psc_client_id,
        _secret("psc_secret_file", settings.psc_secret_file),
        PSC_SCOPE,
        settings.psc_acr,
        settings.psc_discovery,
    )


def _franceconnect(settings: Settings) -> Registration:
    return Registration(
        FRANCECONNECT,
        settings.franceconnect_issuer,
        settings.franceconnect_client_id,
        _secret("franceconnect_secret_file", settings.franceconnect_secret_file),
        FRANCECONNECT_SCOPE,
        settings.franceconnect_acr,
    )


def _fetcher(settings: Settings, certificate: str) -> Fetcher:
    context = ssl.create_default_context()
    if certificate:
        try:
            context.load_cert_chain(certificate)
        except (OSError, ssl.SSLError):
            raise SettingsError("psc_certificate_file: holds no certificate with its key in PEM.") from None
    return Fetcher(production=settings.environment == "production", context=context)


def _secret(name: str, file: str) -> str:
    if not file:
        return ""
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        raise SettingsError(f"{name}: cannot be read.") from None
