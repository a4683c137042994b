"""The TLS certificate of a client, as the proxy before the server tells it (RFC 9440).

TLS ends at a proxy, which puts the certificate into a header, and takes away any that a client sent. The header is
believed only of a peer that `trusted_proxies` names, and only the one that `client_cert_header` names.
"""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fhirserver.rest.address import from_trusted

if TYPE_CHECKING:
    from flask import Request

    from fhirserver.settings import Settings

STANDARD: Final = "Client-Cert"
"""A structured field, a byte sequence: `:base64 of the DER:`. Any other header holds PEM, percent-encoded (nginx:
`$ssl_client_escaped_cert`)."""
_MOST: Final = 16_384


def certificate(request: Request, settings: Settings) -> bytes | None:
    """The certificate in DER, None when there is none, or none that is believed."""
    name = settings.client_cert_header
    if not name or not from_trusted(request, settings.trusted_proxies):
        return None
    sent = request.headers.getlist(name)
    if len(sent) != 1 or not 0 < len(sent[0]) <= _MOST:
        return None
    return _standard(sent[0]) if name.lower() == STANDARD.lower() else _pem(sent[0])


@lru_cache(maxsize=1024)
def _standard(text: str) -> bytes | None:
    text = text.strip()
    if len(text) < 2 or text[0] != ":" or text[-1] != ":":
        return None
    try:
        return x509.load_der_x509_certificate(base64.b64decode(text[1:-1], validate=True)).public_bytes(Encoding.DER)
    except (ValueError, binascii.Error):
        return None


@lru_cache(maxsize=1024)
def _pem(text: str) -> bytes | None:
    try:
        return x509.load_pem_x509_certificate(unquote(text).encode("ascii")).public_bytes(Encoding.DER)
    except ValueError:
        return None
