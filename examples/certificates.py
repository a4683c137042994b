"""An authority for trying mutual TLS, and certificates that it signs, good for a day: real keys, real signatures."""

from __future__ import annotations

import base64
import ipaddress
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

if TYPE_CHECKING:
    from pathlib import Path

SUBJECT = "CN=logiciel.test,OU=1750000001,O=HOPITAL DE LA SIMULATION,C=FR"


class Pair(NamedTuple):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def header(self) -> dict[str, str]:
        """As a proxy tells it (RFC 9440)."""
        return {"Client-Cert": f":{base64.b64encode(self.der).decode()}:"}

    def stored(self, file: Path) -> Path:
        """Certificate and key, in one file in PEM that only its owner reads."""
        file.touch(mode=0o600)
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(self.certificate.public_bytes(Encoding.PEM) + key)
        return file


@cache
def authority(name: str = "CN=AC DE TEST,O=IGC DE TEST,C=FR") -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name.from_rfc4514_string(name)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        _builder(subject, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Pair(made.sign(key, hashes.SHA256()), key)


def issued(
    subject: str = SUBJECT, by: Pair | None = None, *, server: bool = False, expired: bool = False, own: bool = False
) -> Pair:
    """A certificate of a client, or of a server on the loopback; `own`: signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = by or authority()
    name = x509.Name.from_rfc4514_string(subject)
    use = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    built = _builder(name, name if own else issuer.certificate.subject, key.public_key(), expired=expired)
    built = built.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    built = built.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key((key if own else issuer.key).public_key()), critical=False
    )
    if server:
        here = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        built = built.add_extension(x509.SubjectAlternativeName(here), critical=False)
    return Pair(built.sign(key if own else issuer.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, expired: bool = False
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now - timedelta(days=1) if expired else now + timedelta(days=1))
    )
