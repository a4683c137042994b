"""Passwords: argon2id (RFC 9106, OWASP), and which of them are taken (ASVS 2.1, NIST SP 800-63B, 5.1.1.2).

Length counts, not kinds of characters. What is commonest, made of one's own data, of a row of keys or of few different
characters is refused.
"""

from __future__ import annotations

import secrets
import unicodedata
from functools import cached_property
from typing import TYPE_CHECKING, Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fhirserver.settings import Settings

SHORTEST: Final = 12
LONGEST: Final = 128
_FEW: Final = 5
_ROWS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "azertyuiopqsdfghjklmwxcvbn",
    "qwertyuiopasdfghjklzxcvbnm",
    "1234567890",
)
_COMMON: Final = (
    *("motdepasse", "password", "passw0rd", "azerty", "qwerty", "qwertz", "bonjour", "soleil", "doudou", "chouchou"),
    *("iloveyou", "jetaime", "letmein", "welcome", "bienvenue", "administrateur", "administrator", "admin", "secret"),
    *("marseille", "paris", "france", "football", "liverpool", "princess", "princesse", "dragon", "monkey", "loulou"),
    *(
        "nicolas",
        "camille",
        "superman",
        "batman",
        "pokemon",
        "starwars",
        "sunshine",
        "trustno1",
        "changeme",
        "chocolat",
    ),
    *("changezmoi", "sante", "monespacesante", "ameli", "docteur", "medecin", "hopital", "vitale", "test", "demo"),
)
"""Words that the commonest passwords are made of: one of them with digits and signs around it is no password."""


class Passwords:
    """Hashes with the parameters of the settings; of others it verifies too, and says that they are to be renewed."""

    def __init__(self, memory: int, passes: int) -> None:
        """`memory` in KiB."""
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory, parallelism=1, type=Type.ID)

    @classmethod
    def of(cls, settings: Settings) -> Passwords:
        return cls(settings.password_memory, settings.password_passes)

    def hash(self, password: str) -> str:
        return self._hasher.hash(_plain(password))

    def verify(self, password: str, known: str | None) -> bool:
        """Whether it is that password; takes as long where there is none to compare with."""
        try:
            return self._hasher.verify(known or self._decoy, _plain(password)[:LONGEST]) and known is not None
        except (VerificationError, InvalidHashError):
            return False

    def is_stale(self, known: str) -> bool:
        """Whether it was hashed with other parameters."""
        return self._hasher.check_needs_rehash(known)

    @cached_property
    def _decoy(self) -> str:
        return self._hasher.hash(secrets.token_urlsafe(32))


def refusal(password: str, own: Iterable[str] = ()) -> str | None:
    """Why a password is not taken, in French; None when it is. `own`: identifier, name, e-mail, dates of the person."""
    plain = _plain(password)
    if len(plain) < SHORTEST:
        return f"Le mot de passe doit avoir au moins {SHORTEST} caractères."
    if len(plain) > LONGEST:
        return f"Le mot de passe doit avoir au plus {LONGEST} caractères."
    folded = _folded(plain)
    if len(_without(folded, (part for each in own for part in _parts(each)))) < min(len(folded), SHORTEST / 2):
        return "Le mot de passe ne doit pas être fait de votre nom, de votre identifiant ou de vos dates."
    if len(set(folded)) < _FEW or _is_common(folded):
        return "Ce mot de passe est trop facile à deviner : choisissez par exemple quatre mots sans rapport entre eux."
    return None


def _is_common(folded: str) -> bool:
    letters = "".join(each for each in folded if each.isalpha())
    if any(folded in row * 3 or folded in row[::-1] * 3 for row in _ROWS):
        return True
    rest = _without(letters, _COMMON)
    return (len(rest) < 3 and letters != rest) or any(letters in row or letters in row[::-1] for row in _ROWS)


def _without(text: str, words: Iterable[str]) -> str:
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "")
    return text


def _parts(text: str) -> set[str]:
    """A name or an address, and its words, as far as they are long enough to tell of."""
    folded = _folded(text)
    return {each for each in (folded, folded.partition("@")[0], *folded.split()) if len(each) >= 4}


def _plain(password: str) -> str:
    """One form of what different keyboards write differently (RFC 8265)."""
    return unicodedata.normalize("NFC", password)


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in decomposed if not unicodedata.combining(each))
