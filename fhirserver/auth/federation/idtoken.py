"""An id token judged (OpenID Connect Core, 3.1.3.7): whose it is, for whom, when, of which login, at which level."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.auth.federation.provider import Registration

LEEWAY: Final = 10
OLDEST: Final = 600
"""Seconds since an id token was issued: it is fetched at once."""
LEVELS: Final = ("eidas1", "eidas2", "eidas3")
"""From one factor to high (Règlement eIDAS): a level asked is met by any above it."""
_HASHES: Final = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


class Refused(Exception):
    """A login that is not accepted. `why`: one word for pages and traces; the text is for the log, and names nobody."""

    def __init__(self, why: str, text: str) -> None:
        super().__init__(text)
        self.why = why


def judge(claims: Mapping[str, Any], registration: Registration, nonce: str, algorithm: str, access_token: str) -> None:
    """Raises Refused unless the claims are of this login."""
    if claims.get("iss") != registration.issuer:
        raise Refused("token", "the id token comes from another issuer")
    _judge_audience(claims, registration.client_id)
    _judge_time(claims)
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise Refused("token", "the id token names nobody")
    told = claims.get("nonce")
    if not isinstance(told, str) or not hmac.compare_digest(told.encode(), nonce.encode()):
        raise Refused("token", "the id token is of another login (nonce)")
    if "at_hash" in claims and claims["at_hash"] != half_hash(access_token, algorithm):
        raise Refused("token", "the access token is not the one that the id token came with (at_hash)")
    if not meets(claims.get("acr"), registration.acr):
        raise Refused("acr", "the login is of a lower level than asked (acr)")


def meets(acr: Any, asked: str) -> bool:
    """Whether a level is the one asked, or above it."""
    return acr in LEVELS and LEVELS.index(acr) >= LEVELS.index(asked)


def half_hash(text: str, algorithm: str) -> str:
    """`at_hash`: the left half of the hash that the signature's algorithm names."""
    digest = _HASHES[algorithm[-3:]](text.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).decode().rstrip("=")


def _judge_audience(claims: Mapping[str, Any], client_id: str) -> None:
    audience = claims.get("aud")
    if (audience if isinstance(audience, list) else [audience]) != [client_id]:
        raise Refused("token", "the id token is for another audience")
    if claims.get("azp", client_id) != client_id:
        raise Refused("token", "the id token was issued to another party (azp)")


def _judge_time(claims: Mapping[str, Any]) -> None:
    now = time.time()
    if _instant(claims, "exp") + LEEWAY <= now:
        raise Refused("token", "the id token has expired")
    issued = _instant(claims, "iat")
    if max(issued, _instant(claims, "nbf", 0)) > now + LEEWAY or issued < now - OLDEST:
        raise Refused("token", "the id token was not issued just now")


def _instant(claims: Mapping[str, Any], name: str, default: float | None = None) -> float:
    value = claims.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused("token", f"the id token does not say when it was issued and when it ends ({name})")
    return value
