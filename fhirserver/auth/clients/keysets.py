"""The public keys of clients (RFC 7517): inline in their registration, or at the address that it names.

What was fetched is kept for a while; when a signature names a key that is not in it, it is fetched again once, but not
more often than every few seconds.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from fhirserver.auth.fetching import Unfetchable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fhirserver.auth.fetching import Fetcher

ALGORITHMS: Final = ("ES384", "RS384")
"""SMART App Launch 2.2, "Client Authentication: Asymmetric"."""
DEFAULT_AGE: Final = 300
LONGEST_AGE: Final = 900
AGAIN_AFTER: Final = 10.0
"""Seconds between two fetches of one address."""
MOST_KEYS: Final = 20
_KEPT: Final = 1000
Key = ECKey | RSAKey


class _Kept:
    """What is known of one address; `lock` is held while it is fetched, so that it is done once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.keys: list[Any] = []
        self.until = 0.0
        self.asked = -AGAIN_AFTER


class KeySets:
    """The keys of clients, for one process; may be used by several threads."""

    def __init__(self, fetcher: Fetcher, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetcher, self._clock = fetcher, clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, metadata: Mapping[str, Any], kid: str, algorithm: str) -> Key | None:
        """The client's key of this id for signatures of this algorithm. Raises Unfetchable."""
        if isinstance(inline := metadata.get("jwks"), dict):
            return chosen(inline.get("keys", []), kid, algorithm)
        url = metadata.get("jwks_uri")
        return self._fetched(url, kid, algorithm) if isinstance(url, str) else None

    def _fetched(self, url: str, kid: str, algorithm: str) -> Key | None:
        kept = self._of(url)
        with kept.lock:
            now = self._clock()
            if now >= kept.until:
                self._fetch(url, kept)
            found = chosen(kept.keys, kid, algorithm)
            if found is None and self._clock() - kept.asked >= AGAIN_AFTER:
                self._fetch(url, kept)
                found = chosen(kept.keys, kid, algorithm)
            return found

    def _fetch(self, url: str, kept: _Kept) -> None:
        now = self._clock()
        if now - kept.asked < AGAIN_AFTER and not kept.keys:
            raise Unfetchable("the address did not answer a moment ago")
        kept.asked = now
        kept.keys, kept.until = [], 0.0
        value, age = self._fetcher.json(url)
        keys = value.get("keys") if isinstance(value, dict) else None
        if not isinstance(keys, list) or len(keys) > MOST_KEYS:
            raise Unfetchable(f"it is no JWK Set of at most {MOST_KEYS} keys")
        kept.keys = keys
        kept.until = now + min(max(DEFAULT_AGE if age is None else age, AGAIN_AFTER), LONGEST_AGE)

    def _of(self, url: str) -> _Kept:
        with self._lock:
            kept = self._kept.setdefault(url, _Kept())
            self._kept.move_to_end(url)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return kept


def chosen(keys: list[Any], kid: str, algorithm: str) -> Key | None:
    """The one key of that id which is fit for the algorithm; None when there is none, or more than one."""
    found = [each for each in keys if isinstance(each, dict) and each.get("kid") == kid]
    usable = [key for each in found if (key := _key(each, algorithm)) is not None]
    return usable[0] if len(usable) == 1 else None


def problem(key: Any) -> str | None:
    """Why a JWK cannot be a client's, None when it can."""
    if not isinstance(key, dict) or not isinstance(key.get("kid"), str) or not key["kid"]:
        return "a key has no kid"
    if "d" in key or key.get("kty") == "oct":
        return f"the key {key['kid'][:80]!r} is not a public one"
    if not any(_key(key, each) for each in ALGORITHMS):
        return f"the key {key['kid'][:80]!r} is neither an EC key on P-384 (ES384) nor RSA of 2048 bits or more (RS384)"
    return None


def _key(jwk: dict[str, Any], algorithm: str) -> Key | None:
    if jwk.get("alg", algorithm) != algorithm or jwk.get("use", "sig") != "sig" or "d" in jwk:
        return None
    uses = jwk.get("key_ops", ["verify"])
    if not isinstance(uses, list) or "verify" not in uses:
        return None
    try:
        if algorithm == "ES384" and jwk.get("kty") == "EC" and jwk.get("crv") == "P-384":
            return ECKey.import_key(jwk)
        if algorithm == "RS384" and jwk.get("kty") == "RSA":
            key = RSAKey.import_key(jwk)
            return key if 2048 <= key.raw_value.key_size <= 8192 else None
    except (JoseError, ValueError, TypeError):
        return None
    return None
