"""The keys of others (JWKS, RFC 7517), and signatures checked with them (RFC 7515): public keys only, never `none`.

An algorithm is accepted only when whoever asks names it, and only with a key of its kind, so that nobody's public key
is taken for a shared secret.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from joserfc import jwk, jws, jwt
from joserfc.errors import JoseError

from fhirserver.auth.fetching import Unfetchable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from fhirserver.auth.fetching import Fetcher

ASYMMETRIC: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
KIND: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC"}
FRESH: Final = 600.0
"""Seconds for which fetched keys hold."""
AGAIN: Final = 10.0
"""Seconds between two fetches, whatever tokens name and however the first ended."""
STALE: Final = 24 * 3600.0
"""Seconds for which keys that cannot be fetched anew hold at most."""
MOST_KEYS: Final = 50
MOST_TOKEN: Final = 32_768


class BadSignature(ValueError):
    """A token whose form, algorithm or signature is not what it must be; the text says which."""


def header(token: str) -> dict[str, Any]:
    """The protected header, not yet to be believed. Raises BadSignature."""
    if len(token) > MOST_TOKEN:
        raise BadSignature("The token is too long.")
    try:
        return dict(jws.extract_compact(token.encode("ascii")).headers())
    except (JoseError, ValueError, UnicodeError, TypeError, RecursionError):
        raise BadSignature("This is not a signed token (JWS).") from None


def verified(token: str, keys: Sequence[Mapping[str, Any]], algorithms: Collection[str]) -> dict[str, Any]:
    """The claims of a token signed with one of the keys, by one of the algorithms. Raises BadSignature."""
    told = header(token)
    algorithm, kid = told.get("alg"), told.get("kid")
    if algorithm not in algorithms or algorithm not in ASYMMETRIC:
        raise BadSignature("The algorithm of the signature is not accepted.")
    if "crit" in told or "b64" in told:
        raise BadSignature("The header of the token has extensions that are not understood.")
    fitting = [key for key in keys if _fits(key, algorithm, kid)]
    if len(fitting) != 1:
        raise BadSignature("No key, or more than one, is known by the token's kid.")
    try:
        key = jwk.import_key(dict(fitting[0]))
        return dict(jwt.decode(token, key, algorithms=[algorithm]).claims)
    except (JoseError, ValueError, TypeError, RecursionError):
        raise BadSignature("The signature is not valid.") from None


def public_keys(document: Any) -> list[dict[str, Any]]:
    """The asymmetric keys of a JWKS, of which what is private is left out. Raises BadSignature for another document."""
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or len(keys) > MOST_KEYS or not all(isinstance(each, dict) for each in keys):
        raise BadSignature("This is not a set of keys (JWKS).")
    private = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
    found = [each for each in keys if each.get("kty") in ("RSA", "EC") and each.get("use", "sig") == "sig"]
    return [{name: value for name, value in each.items() if name not in private} for each in found]


class RemoteKeys:
    """The keys behind a URL, kept a while; asked for anew, now and then, when a token names one that is not known.

    May be used by several threads."""

    def __init__(self, url: str, fetcher: Fetcher, clock: Callable[[], float] = time.monotonic) -> None:
        self._url, self._fetcher, self._clock = url, fetcher, clock
        self._keys: list[dict[str, Any]] = []
        self._fetched = self._tried = float("-inf")
        self._lock = threading.Lock()

    def verified(self, token: str, algorithms: Collection[str]) -> dict[str, Any]:
        """As `verified`. Raises BadSignature, and Unfetchable when there are no keys to check with."""
        kid = header(token).get("kid")
        return verified(token, self._holding(kid), algorithms)

    def _holding(self, kid: Any) -> list[dict[str, Any]]:
        """The keys, fetched when they are old or none bears the kid, though not again at once."""
        with self._lock:
            now = self._clock()
            missing = kid is not None and not any(each.get("kid") == kid for each in self._keys)
            if (missing or now - self._fetched >= FRESH) and now - self._tried >= AGAIN:
                self._fetch(now)
            if now - self._fetched >= STALE:
                raise Unfetchable("the keys cannot be fetched")
            return self._keys

    def _fetch(self, now: float) -> None:
        self._tried = now
        try:
            found = public_keys(self._fetcher.json(self._url).value)
        except (Unfetchable, BadSignature):
            return
        if found:
            self._keys, self._fetched = found, now


def _fits(key: Mapping[str, Any], algorithm: str, kid: Any) -> bool:
    if key.get("kty") != KIND[algorithm[:2]] or key.get("alg", algorithm) != algorithm:
        return False
    return kid is None or key.get("kid") == kid
