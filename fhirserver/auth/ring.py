"""The keys that sign tokens, which change: one signs, the next is published already, former ones still verify.

The first is the server's own (`keys.SigningKey`), which goes on deriving other secrets when it signs no more. Further
keys lie in `signing-keys/` beside it: PEM files, and `ring.json`, a list of `{"kid", "file", "from", "until"}` in
seconds since 1970. A key signs from `from` on, until a later one does, and verifies before `until` (null: for good).
All workers read the folder anew when `ring.json` changes.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from fhirserver.auth.keys import KeyFileError, SigningKey, write_private

if TYPE_CHECKING:
    from collections.abc import Mapping

ALGORITHM: Final = "RS256"
FOLDER: Final = "signing-keys"
RING: Final = "ring.json"
ANNOUNCED: Final = 900
"""Seconds for which a new key is published before it signs: as long as JWKS may be cached (`Cache-Control`)."""
KEPT: Final = 3600
"""Seconds for which a key verifies after it ceased to sign: longer than any token lasts."""
_log = logging.getLogger(__name__)
_LOOKED: Final = 1.0
"""Seconds after which the folder is looked at again."""


class Ringed(NamedTuple):
    """A key of the ring; `since` and `until` in seconds since 1970."""

    key: SigningKey
    since: float
    until: float | None

    def verifies(self, now: float) -> bool:
        return self.until is None or now < self.until


class KeyRing:
    """The ring beside a key file; by itself (`KeyRing(key)`) it holds that key alone."""

    def __init__(self, key: SigningKey, folder: Path | None = None) -> None:
        self.root = key
        self._folder = folder
        self._lock = threading.Lock()
        self._state: tuple[float, int] | None = None
        self._looked = 0.0
        self._keys: tuple[Ringed, ...] = (Ringed(key, 0, None),)
        self._serving = False
        self._look()
        self._serving = True

    @classmethod
    def beside(cls, path: Path) -> KeyRing:
        """The ring of a key file. Raises KeyFileError."""
        return cls(SigningKey.open(path), path.parent / FOLDER)

    @property
    def keys(self) -> tuple[Ringed, ...]:
        """All that verify, by the time from which they sign."""
        now = time.time()
        if abs(now - self._looked) > _LOOKED:
            self._look()
        return tuple(each for each in self._keys if each.verifies(now))

    @property
    def current(self) -> SigningKey:
        """The one that signs."""
        now = time.time()
        signing = [each for each in self.keys if each.since <= now]
        if not signing:
            raise KeyFileError("No key of the ring signs.")
        return signing[-1].key

    def find(self, kid: str | None) -> SigningKey | None:
        """The key of that name, while it verifies. A token without a name is of the first key."""
        wanted = self.root.kid if kid is None else kid
        return next((each.key for each in self.keys if each.key.kid == wanted), None)

    def sign(self, claims: Mapping[str, Any], typ: str = "at+jwt") -> str:
        """The compact JWS of the claims."""
        return sign(claims, self.current, typ)

    def verified(self, token: str) -> tuple[dict[str, Any], str, str] | None:
        """Claims, `kid` and `typ` of a token that one of the keys signed; None for any other. Nothing else is looked
        at: whose it is, for whom and until when is for the caller to ask."""
        try:
            found = jwt.decode(token, self._named, algorithms=[ALGORITHM])
        except (JoseError, ValueError, LookupError, TypeError):
            return None
        kid = found.header.get("kid", self.root.kid)
        return dict(found.claims), str(kid), str(found.header.get("typ", ""))

    def published(self) -> dict[str, Any]:
        """The JWK Set (RFC 7517, 5): public keys only."""
        return {"keys": [_public(each.key) for each in self.keys]}

    def rotate(self, *, announced: float = ANNOUNCED, kept: float = KEPT) -> SigningKey:
        """Makes a new key, which signs in `announced` seconds; those before it verify `kept` seconds longer.

        With both 0, at once and alone: for a key that is no longer secret."""
        if self._folder is None:
            raise KeyFileError("This key has no folder beside it.")
        made, now = SigningKey(RSAKey.generate_key(2048)), time.time()
        since = now + announced
        with self._lock:
            self._read()
            before = [each._replace(until=_sooner(each.until, since + kept)) for each in self._keys]
            write_private(self._folder / f"{made.kid}.pem", made.jwk.as_pem(private=True))
            self._write([*(each for each in before if each.verifies(now)), Ringed(made, since, None)])
            self._read()
        return made

    def _named(self, token: Any) -> RSAKey:
        found = self.find(token.headers().get("kid"))
        if found is None:
            raise LookupError
        return found.jwk

    def _look(self) -> None:
        """Reads the folder if it changed since."""
        self._looked = time.time()
        if self._folder is None or (state := _state(self._folder / RING)) == self._state:
            return
        with self._lock:
            try:
                self._read()
            except KeyFileError as error:
                if not self._serving:
                    raise
                _log.error("%s The keys read before stay in use.", error)
            self._state = state

    def _read(self) -> None:
        folder = self._folder
        if folder is None or not (folder / RING).exists():
            return
        try:
            entries = json.loads((folder / RING).read_text(encoding="utf-8"))
            found = [
                Ringed(self._opened(folder, str(each["file"])), float(each["from"]), _instant(each["until"]))
                for each in entries
            ]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise KeyFileError(f"{folder / RING} cannot be used: {error}.") from None
        self._keys = tuple(sorted(found, key=lambda each: each.since))

    def _opened(self, folder: Path, file: str) -> SigningKey:
        if not file:
            return self.root
        known = next((each.key for each in self._keys if f"{each.key.kid}.pem" == file), None)
        return known or SigningKey.open(folder / Path(file).name)

    def _write(self, keys: list[Ringed]) -> None:
        if self._folder is None:
            return
        entries = [
            {
                "kid": each.key.kid,
                "file": "" if each.key.kid == self.root.kid else f"{each.key.kid}.pem",
                "from": each.since,
                "until": each.until,
            }
            for each in keys
        ]
        write_private(self._folder / RING, json.dumps(entries, indent=1).encode(), replace=True)


def sign(claims: Mapping[str, Any], key: SigningKey, typ: str = "at+jwt") -> str:
    """The compact JWS of the claims by one key."""
    return jwt.encode({"alg": ALGORITHM, "kid": key.kid, "typ": typ}, dict(claims), key.jwk)


def _public(key: SigningKey) -> dict[str, Any]:
    told = {name: value for name, value in key.jwk.as_dict(private=False).items() if name in ("kty", "n", "e")}
    return {**told, "use": "sig", "alg": ALGORITHM, "kid": key.kid}


def _instant(value: Any) -> float | None:
    return None if value is None else float(value)


def _sooner(until: float | None, other: float) -> float:
    return other if until is None else min(until, other)


def _state(path: Path) -> tuple[float, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime, found.st_ino
