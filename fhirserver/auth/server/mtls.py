"""Clients that prove who they are by their TLS certificate (RFC 8705, 2).

`tls_client_auth`: a certificate that an authority vouches for, of the subject that is registered (for a French
structure: IGC Santé, ORG AUTH_CLI). `self_signed_tls_client_auth`: one of those registered in `jwks` (`x5c`).
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from fhirserver.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fhirserver.auth.server.party import Party
    from fhirserver.auth.server.request import Request
    from fhirserver.auth.server.server import AuthorizationServer

BY_AUTHORITY: Final = "tls_client_auth"
SELF_SIGNED: Final = "self_signed_tls_client_auth"
_LONGEST: Final = 4


def register(server: AuthorizationServer, authorities: Sequence[x509.Certificate]) -> None:
    """Adds both ways; that by authority only where authorities are named."""
    if authorities:
        store = verification.Store(list(authorities))
        server.register_client_auth_method(BY_AUTHORITY, lambda query, request: _vouched(query, request, store))
    server.register_client_auth_method(SELF_SIGNED, _self_signed)


def authorities(file: str) -> list[x509.Certificate]:
    """The certificates of the setting `client_cert_authorities`; none of none. Raises SettingsError."""
    if not file:
        return []
    try:
        return x509.load_pem_x509_certificates(Path(file).read_bytes())
    except (OSError, ValueError):
        raise SettingsError("client_cert_authorities: is not a readable file of certificates in PEM.") from None


def _vouched(query: Callable[[str], Party | None], request: Request, store: verification.Store) -> Party | None:
    party, certificate = _asking(query, request, BY_AUTHORITY)
    if party is None or certificate is None:
        return None
    subject = party.client.metadata.get("tls_client_auth_subject_dn")
    if not isinstance(subject, str) or not _is_subject(certificate, subject):
        return None
    return party if _is_vouched(certificate, store) else None


def _self_signed(query: Callable[[str], Party | None], request: Request) -> Party | None:
    party, certificate = _asking(query, request, SELF_SIGNED)
    if party is None or certificate is None or not _is_current(certificate):
        return None
    return party if certificate.public_bytes(Encoding.DER) in _registered(party.client.metadata) else None


def _asking(
    query: Callable[[str], Party | None], request: Request, method: str
) -> tuple[Party | None, x509.Certificate | None]:
    """The client that says it is, if it is registered for the method, and the certificate that it shows."""
    client_id = request.get("client_id")
    if request.certificate is None or client_id is None:
        return None, None
    party = query(client_id)
    if party is None or not party.check_endpoint_auth_method(method, "token"):
        return None, None
    return party, x509.load_der_x509_certificate(request.certificate)


def _is_subject(certificate: x509.Certificate, text: str) -> bool:
    """Whether the subject is the one that a text of RFC 4514 names."""
    try:
        return x509.Name.from_rfc4514_string(text) == certificate.subject
    except ValueError:
        return False


def _is_vouched(certificate: x509.Certificate, store: verification.Store) -> bool:
    """Whether it is good now and signed by an authority. What a leaf may hold besides is left to the authority."""
    leaf, authority = verification.ExtensionPolicy.permit_all(), verification.ExtensionPolicy.webpki_defaults_ca()
    policy = (
        verification.PolicyBuilder()
        .store(store)
        .time(datetime.now(UTC))
        .max_chain_depth(_LONGEST)
        .extension_policies(ca_policy=authority, ee_policy=leaf)
    )
    try:
        policy.build_client_verifier().verify(certificate, [])
    except (verification.VerificationError, ValueError):
        return False
    return _may_be_client(certificate)


def _may_be_client(certificate: x509.Certificate) -> bool:
    try:
        uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    except ValueError:
        return False
    return ExtendedKeyUsageOID.CLIENT_AUTH in uses


def _is_current(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_before_utc <= datetime.now(UTC) < certificate.not_valid_after_utc


def _registered(metadata: Mapping[str, Any]) -> list[bytes]:
    """The certificates of a client, in DER: the first of each `x5c`."""
    keys = metadata.get("jwks", {}).get("keys", [])
    chains = [each.get("x5c") for each in keys if isinstance(each, dict)]
    found = [chain[0] for chain in chains if isinstance(chain, list) and chain and isinstance(chain[0], str)]
    return [der for text in found if (der := _der(text)) is not None]


def _der(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
