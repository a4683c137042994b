"""Signed bearer tokens (JWT, RFC 7519 and RFC 9068) to Requesters.

Claims beyond the registered ones: `scope` (SMART scopes), `purpose_of_use` (v3-PurposeOfUse), and `requester`:
`{"kind": …, "patient": …, "rpps": …, "profession": …, "organization": …, "client": …}`.
Staff who act under a professional's responsibility stand in `act` (RFC 8693): `{"sub": …, "rpps": …, "name": …}`.
Who breaks the glass (`BTG`) says why in `purpose_of_use_reason` (Pro Santé Connect: Mode_Acces_Raison); the token of an
emergency is good for a while only.
"""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from joserfc import jwt
from joserfc.errors import JoseError

from fhirserver.access import Delegate, Requester, tables
from fhirserver.errors import Forbidden, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.auth.keys import SigningKey

ALGORITHM: Final = "RS256"
DEVELOPMENT_ISSUER: Final = "urn:fhirserver:development"
LEEWAY_SECONDS: Final = 5
EMERGENCY_SECONDS: Final = 3600
REGULATION: Final = "ETREAT"
"""The purpose of a SAMU's regulating physician, whose call is reason enough."""

DEFAULT_SCOPES: Final[Mapping[str, tuple[str, ...]]] = {
    "patient": ("patient/*.cruds", "user/*.cruds"),
    "representative": ("patient/*.cruds", "user/*.cruds"),
    "practitioner": ("user/*.cruds",),
    "system": ("system/*.cruds",),
    "operator": ("system/*.cruds",),
}
"""All that each kind of requester may hold."""

_CACHE_SIZE: Final = 10_000
_FIELDS: Final = ("patient", "rpps", "profession", "organization", "client", "name")


class _Known(NamedTuple):
    requester: Requester
    expires: float
    ended: str


def sign(claims: Mapping[str, Any], key: SigningKey) -> str:
    """The compact JWS of the claims."""
    return jwt.encode({"alg": ALGORITHM, "kid": key.kid, "typ": "at+jwt"}, dict(claims), key.jwk)


def development_claims(
    requester: Requester, *, issuer: str = DEVELOPMENT_ISSUER, lifetime: int = 3600, audience: str | None = None
) -> dict[str, Any]:
    """Claims of a development token that lasts `lifetime` seconds; no scope given: all that its kind may hold."""
    now = int(time.time())
    described = {name: getattr(requester, name) for name in _FIELDS if getattr(requester, name) is not None}
    acting = _told(requester.delegate)
    return {
        **({"act": acting} if acting else {}),
        "iss": issuer,
        "aud": audience or issuer,
        "sub": requester.id,
        "iat": now,
        "exp": now + lifetime,
        "jti": uuid.uuid4().hex,
        "scope": " ".join(requester.scopes or DEFAULT_SCOPES[requester.kind]),
        "purpose_of_use": requester.purpose,
        "requester": {"kind": requester.kind, **described},
        **({"purpose_of_use_reason": requester.reason} if requester.reason else {}),
        "development": True,
    }


class TokenVerifier:
    """Checks signature, issuer, audience and time; a verified token is remembered until it expires.

    Token time is real time, whatever `FHIRSERVER_CLOCK` says: the test clock moves the law, not the keys.
    """

    def __init__(
        self,
        key: SigningKey,
        *,
        issuer: str,
        audience: str,
        development: bool,
        emergency: float = EMERGENCY_SECONDS,
    ) -> None:
        self._key = key
        self.issuer = issuer
        self._audience = audience
        self._development = development
        self._emergency = emergency
        self._known: dict[bytes, _Known] = {}
        self._lock = threading.Lock()

    def requester(self, authorization: str | None) -> Requester:
        """The Requester of an `Authorization` header. Raises Unauthenticated with its challenge (RFC 6750, 3)."""
        if not authorization:
            raise Unauthenticated("Send a bearer token: Authorization: Bearer …", headers=_challenge())
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated(
                "The Authorization header must be: Bearer TOKEN.", headers=_challenge("invalid_request")
            )
        return self._verified(token.strip())

    def _verified(self, token: str) -> Requester:
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        known = self._known.get(digest)
        if known is None:
            known = self._verify(token)
            with self._lock:
                if len(self._known) >= _CACHE_SIZE:
                    self._known.clear()
                self._known[digest] = known
        if known.expires + LEEWAY_SECONDS <= time.time():
            raise _refused(known.ended)
        return known.requester

    def _verify(self, token: str) -> _Known:
        try:
            claims = jwt.decode(token, self._key.jwk, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError):
            raise _refused("The token's signature or form is not valid.") from None
        if claims.get("iss") != self.issuer:
            raise _refused("The token comes from another issuer.")
        audience = claims.get("aud")
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            raise _refused("The token is meant for another audience.")
        if claims.get("development") and not self._development:
            raise _refused("Development tokens are refused in production.")
        not_before, expires = claims.get("nbf", 0), claims.get("exp")
        if not isinstance(expires, int | float) or not isinstance(not_before, int | float):
            raise _refused("The token has no valid time span (exp, nbf).")
        if not_before - LEEWAY_SECONDS > time.time():
            raise _refused("The token is not yet valid.")
        return self._limited(_requester(claims), float(expires), claims)

    def _limited(self, requester: Requester, expires: float, claims: Mapping[str, Any]) -> _Known:
        """An emergency gives access for a while from the token's issue; breaking the glass takes a reason."""
        if requester.kind != "practitioner" or tables.purpose(requester.purpose).family != "emergency":
            return _Known(requester, expires, "The token has expired.")
        issued, reason = claims.get("iat"), claims.get("purpose_of_use_reason")
        if not isinstance(issued, int | float):
            raise _refused("The token of an emergency must say when it was issued (iat).")
        if reason is not None and not isinstance(reason, str):
            raise _refused("A claim of the token is not text.")
        reason = (reason or "").strip() or None
        if reason is None and requester.purpose != REGULATION:
            raise Forbidden(
                "Breaking the glass takes a reason: the claim purpose_of_use_reason of the token. The person and the "
                "médecin traitant are told of it."
            )
        limited = replace(requester, reason=reason, issued=int(issued))
        text = f"The emergency has ended: it gives access for {self._emergency:g} seconds from the token's issue."
        return _Known(limited, min(expires, issued + self._emergency), text)


def _requester(claims: Mapping[str, Any]) -> Requester:
    described = claims.get("requester")
    if not isinstance(described, dict) or described.get("kind") not in DEFAULT_SCOPES:
        raise _refused("The token does not say what kind of requester it stands for.")
    fields = {name: described.get(name) for name in _FIELDS}
    scope, purpose, subject = claims.get("scope", ""), claims.get("purpose_of_use", "TREAT"), claims.get("sub")
    texts = [*fields.values(), scope, purpose, subject]
    if not all(value is None or isinstance(value, str) for value in texts) or not subject:
        raise _refused("A claim of the token is not text.")
    if described["kind"] in ("patient", "representative") and not fields["patient"]:
        raise _refused("The token names no patient.")
    if described["kind"] == "practitioner" and not fields["rpps"]:
        raise _refused("The token names no professional.")
    scopes, delegate = tuple(scope.split()), _delegate(claims, described["kind"])
    return Requester(kind=described["kind"], id=subject, purpose=purpose, scopes=scopes, delegate=delegate, **fields)


def _told(delegate: Delegate | None) -> dict[str, str]:
    """The claim `act` of whom acts in somebody's place."""
    if delegate is None:
        return {}
    told = {"sub": delegate.id, "rpps": delegate.rpps, "name": delegate.name}
    return {name: value for name, value in told.items() if value is not None}


def _delegate(claims: Mapping[str, Any], kind: str) -> Delegate | None:
    """Who acts, where it is not the subject. Those who acted before (`act` within `act`) have no part in it."""
    acting = claims.get("act")
    if acting is None:
        return None
    if kind != "practitioner":
        raise _refused("Only a professional has somebody act in his place (act).")
    values: list[Any] = [acting.get(name) for name in ("sub", "rpps", "name")] if isinstance(acting, dict) else []
    if not values or not values[0] or not all(value is None or isinstance(value, str) for value in values):
        raise _refused('The claim act must name who acts: {"sub": …}, and rpps and name as text.')
    return Delegate(*values)


def _refused(text: str) -> Unauthenticated:
    return Unauthenticated(text, headers=_challenge("invalid_token"))


def _challenge(error: str | None = None) -> dict[str, str]:
    value = 'Bearer realm="fhir"' + (f', error="{error}"' if error else "")
    return {"WWW-Authenticate": value}
