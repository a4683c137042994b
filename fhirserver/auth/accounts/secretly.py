"""What the accounts keep under the server's own secrets: codes as digests, TOTP seeds sealed."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Final

from cryptography.fernet import Fernet

if TYPE_CHECKING:
    from collections.abc import Callable

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: nothing that is read as something else."""
_READ_AS: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


class Secrets:
    """`derive`: a secret of the server for a purpose."""

    def __init__(self, derive: Callable[[str], bytes]) -> None:
        self._derive = derive

    def digest(self, purpose: str, text: str) -> str:
        """What is stored in the place of a secret that is short, so that the database alone does not tell it."""
        return hmac.new(
            self._derive(f"account-{purpose}"), text.encode("utf-8", "surrogateescape"), "sha256"
        ).hexdigest()

    def is_digest(self, purpose: str, text: str, known: str) -> bool:
        return hmac.compare_digest(self.digest(purpose, text), known)

    def seal(self, text: str) -> str:
        return Fernet(self._derive("account-seal")).encrypt(text.encode()).decode()

    def unseal(self, sealed: str) -> str:
        return Fernet(self._derive("account-seal")).decrypt(sealed.encode()).decode()


def token() -> str:
    """256 bits for a cookie."""
    return secrets.token_urlsafe(32)


def key(token: str) -> str:
    """What a token is stored under."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def digits() -> str:
    """A one-time code: six digits."""
    return f"{secrets.randbelow(1_000_000):06}"


def words(groups: int = 2, size: int = 5) -> str:
    """A code to be copied from paper, such as `7K2QX-04MND`: five bits a character."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(size)) for _ in range(groups))


def read(typed: str) -> str:
    """A code as it was typed: without spaces and hyphens, O read as 0, I and L as 1."""
    return typed.strip().upper().translate(_READ_AS)
