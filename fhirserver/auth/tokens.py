"""Signed bearer tokens (JWT, RFC 7519 and RFC 9068) to Requesters.

Claims beyond the registered ones: `scope` (SMART scopes), `purpose_of_use` (v3-PurposeOfUse), and `requester`:
`{"kind": …, "patient": …, "rpps": …, "profession": …, "organization": …, "client": …}`.
Staff who act under a professional's responsibility stand in `act` (RFC 8693): `{"sub": …, "rpps": …, "name": …}`.
Who breaks the glass (`BTG`) says why in `purpose_of_use_reason` (Pro Santé Connect: Mode_Acces_Raison); the token of an
emergency is good for a while only.
"""

from __future__ import annotations

import base64
import hashlib
import threading
import time
import uuid
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.access import Delegate, Requester, tables
from fhirserver.auth.clients.client import usable
from fhirserver.auth.ring import KeyRing
from fhirserver.errors import Forbidden, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.auth.grants import Grants
    from fhirserver.auth.keys import SigningKey

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


_TYPES: Final = ("at+jwt", "application/at+jwt")


class Verified(NamedTuple):
    """A good token: for whom, and its claims."""

    requester: Requester
    claims: Mapping[str, Any]


class _Known(NamedTuple):
    requester: Requester
    expires: float
    ended: str
    claims: Mapping[str, Any] = {}
    kid: str = ""


def access_claims(requester: Requester, *, issuer: str, audience: str, lifetime: int) -> dict[str, Any]:
    """Claims of an access token for a requester that lasts `lifetime` seconds."""
    now = int(time.time())
    described = {name: getattr(requester, name) for name in _FIELDS if getattr(requester, name) is not None}
    acting = _told(requester.delegate)
    return {
        **({"act": acting} if acting else {}),
        "iss": issuer,
        "aud": audience,
        "sub": requester.id,
        "iat": now,
        "exp": now + lifetime,
        "jti": uuid.uuid4().hex,
        "scope": " ".join(requester.scopes),
        "purpose_of_use": requester.purpose,
        "requester": {"kind": requester.kind, **described},
        **({"purpose_of_use_reason": requester.reason} if requester.reason else {}),
    }


def development_claims(
    requester: Requester, *, issuer: str = DEVELOPMENT_ISSUER, lifetime: int = 3600, audience: str | None = None
) -> dict[str, Any]:
    """Claims of a development token that lasts `lifetime` seconds; no scope given: all that its kind may hold."""
    whole = replace(requester, scopes=requester.scopes or DEFAULT_SCOPES[requester.kind])
    claims = access_claims(whole, issuer=issuer, audience=audience or issuer, lifetime=lifetime)
    return {**claims, "development": True}


class TokenVerifier:
    """Checks signature, issuer, audience and time; a verified token is remembered until it expires. What may change
    before then is asked at each request: the key, the grant, the client.

    `issuer` with its `audience` is accepted, and each issuer of `also` with one of its own. Without `grants` a token
    that names a grant is refused. Token time is real time, whatever `FHIRSERVER_CLOCK` says: the test clock moves the
    law, not the keys.
    """

    def __init__(
        self,
        keys: KeyRing | SigningKey,
        *,
        issuer: str,
        audience: str,
        development: bool,
        emergency: float = EMERGENCY_SECONDS,
        also: Mapping[str, frozenset[str]] | None = None,
        grants: Grants | None = None,
    ) -> None:
        self._keys = keys if isinstance(keys, KeyRing) else KeyRing(keys)
        self.issuer = issuer
        self._audiences = {**(also or {})}
        self._audiences[issuer] = self._audiences.get(issuer, frozenset()) | {audience}
        self._development = development
        self._emergency = emergency
        self._grants = grants
        self._known: dict[bytes, _Known] = {}
        self._lock = threading.Lock()

    def with_grants(self, grants: Grants) -> TokenVerifier:
        """The same for the grants of another database."""
        made = copy(self)
        made._grants, made._known, made._lock = grants, {}, threading.Lock()
        return made

    def requester(self, authorization: str | None, certificate: bytes | None = None) -> Requester:
        """The Requester of an `Authorization` header; `certificate` (DER) is what the client showed in TLS.

        Raises Unauthenticated with its challenge (RFC 6750, 3), or Unavailable.
        """
        return self.presented(authorization, certificate).requester

    def presented(self, authorization: str | None, certificate: bytes | None = None) -> Verified:
        """As `requester`, with the token's claims."""
        if not authorization:
            raise Unauthenticated("Send a bearer token: Authorization: Bearer …", headers=_challenge())
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated(
                "The Authorization header must be: Bearer TOKEN.", headers=_challenge("invalid_request")
            )
        return self.verified(token.strip(), certificate)

    def verified(self, token: str, certificate: bytes | None = None, *, bound: bool = True) -> Verified:
        """What a token says, while it is good. Raises Unauthenticated. `bound=False`: who holds it is not asked (for
        introspection)."""
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
        self._check(known, certificate if bound else None, bound)
        return Verified(known.requester, known.claims)

    def _check(self, known: _Known, certificate: bytes | None, bound: bool) -> None:
        """What may have changed since the token was verified, and who holds it."""
        if self._keys.find(known.kid) is None:
            raise _refused("The token's key is no longer in use.")
        confirmation = known.claims.get("cnf")
        if bound and confirmation is not None:
            wanted = confirmation.get("x5t#S256") if isinstance(confirmation, dict) else None
            if certificate is None or wanted != thumbprint(certificate):
                raise _refused("The token is bound to a client certificate that this connection does not show.")
        grant = known.claims.get("grant")
        if grant is None:
            return
        use = self._grants.in_use(str(grant)) if self._grants is not None else None
        if use is None or use.client != known.claims.get("client_id"):
            raise _refused("What was granted is revoked or has ended.")
        if not usable(use.status, not self._development):
            raise _refused("The app may not be used any longer.")

    def _verify(self, token: str) -> _Known:
        found = self._keys.verified(token)
        if found is None:
            raise _refused("The token's signature or form is not valid.")
        claims, kid, typ = found
        if typ.lower() not in _TYPES:
            raise _refused("The token is no access token.")
        audience = claims.get("aud")
        accepted = self._audiences.get(str(claims.get("iss")))
        if accepted is None:
            raise _refused("The token comes from another issuer.")
        if accepted.isdisjoint(map(str, audience if isinstance(audience, list) else [audience])):
            raise _refused("The token is meant for another audience.")
        if claims.get("development") and not self._development:
            raise _refused("Development tokens are refused in production.")
        if not claims.get("development") and claims.get("grant") is None:
            raise _refused("The token does not say what was granted.")
        not_before, expires = claims.get("nbf", 0), claims.get("exp")
        if not isinstance(expires, int | float) or not isinstance(not_before, int | float):
            raise _refused("The token has no valid time span (exp, nbf).")
        if not_before - LEEWAY_SECONDS > time.time():
            raise _refused("The token is not yet valid.")
        return self._limited(_requester(claims), float(expires), claims)._replace(claims=claims, kid=kid)

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
    if not isinstance(described, dict) or str(described.get("kind")) not in DEFAULT_SCOPES:
        raise _refused("The token does not say what kind of requester it stands for.")
    fields = {name: described.get(name) for name in _FIELDS}
    scope, purpose, subject = claims.get("scope") or "", claims.get("purpose_of_use", "TREAT"), claims.get("sub")
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


def thumbprint(certificate: bytes) -> str:
    """`x5t#S256` of a certificate in DER (RFC 8705, 3.1)."""
    return base64.urlsafe_b64encode(hashlib.sha256(certificate).digest()).decode().rstrip("=")


def _refused(text: str) -> Unauthenticated:
    return Unauthenticated(text, headers=_challenge("invalid_token"))


def _challenge(error: str | None = None) -> dict[str, str]:
    value = 'Bearer realm="fhir"' + (f', error="{error}"' if error else "")
    return {"WWW-Authenticate": value}
