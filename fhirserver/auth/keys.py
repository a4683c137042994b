"""The server's own RSA key: it signs tokens (with those of `ring`), and other secrets are derived from it."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc.jwk import RSAKey

if TYPE_CHECKING:
    from pathlib import Path

KEY_FILE: Final = "signing-key.pem"


class KeyFileError(ValueError):
    """A key file that is missing, unreadable or not an RSA private key."""


class SigningKey:
    """An RSA private key of 2048 bits or more (RFC 7518, section 3.3)."""

    def __init__(self, key: RSAKey) -> None:
        self.jwk = key
        self.kid: str = key.thumbprint()

    @classmethod
    def open(cls, path: Path) -> SigningKey:
        """The key in a PEM file. Raises KeyFileError."""
        try:
            key = RSAKey.import_key(path.read_bytes())
        except OSError as error:
            raise KeyFileError(f"Cannot read the key file {path}: {error.strerror}.") from None
        except ValueError:
            raise KeyFileError(f"{path} does not hold an RSA private key in PEM.") from None
        if not key.is_private or key.raw_value.key_size < 2048:
            raise KeyFileError(f"{path} must hold an RSA private key of at least 2048 bits.")
        return cls(key)

    @classmethod
    def in_folder(cls, folder: Path, *, create: bool = False) -> SigningKey:
        """The key of an embedded server's folder; with `create`, made when there is none (file mode 0600)."""
        path = folder / KEY_FILE
        if create and not path.exists():
            write_private(path, RSAKey.generate_key(2048).as_pem(private=True))
        return cls.open(path)

    def derive(self, purpose: str) -> bytes:
        """32 bytes for another purpose, base64url, that do not reveal the key (RFC 5869)."""
        key = self.jwk.private_key
        if key is None:
            raise KeyFileError("A private key is needed.")
        secret = key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        derived = HKDF(hashes.SHA256(), 32, salt=None, info=purpose.encode()).derive(secret)
        return base64.urlsafe_b64encode(derived)


def write_private(path: Path, content: bytes, *, replace: bool = False) -> None:
    """Writes a file that only its owner reads, whole or not at all; over another one only with `replace`."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    if replace:
        draft.replace(path)
        return
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()
