"""A client proves who it is by a JWT that it signed: `private_key_jwt` (RFC 7523, section 3).

As SMART App Launch 2.2 asks ("Client Authentication: Asymmetric"): ES384 or RS384, a `kid`, at most five minutes, each
`jti` once. The audience is the token endpoint, or the issuer (RFC 7523bis), and nobody else.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.util import urlsafe_b64decode

from fhirserver.auth.clients.client import digest
from fhirserver.auth.clients.keysets import ALGORITHMS
from fhirserver.auth.fetching import Unfetchable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from fhirserver.auth.clients.client import Client
    from fhirserver.auth.clients.keysets import KeySets
    from fhirserver.store import Store

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST: Final = 300
"""Seconds from now to `exp`."""
LEEWAY: Final = 5
REGISTER: Final = "assertions"
_MOST: Final = 8192
_TYPES: Final = (None, "JWT", "jwt", "client-authentication+jwt")


class InvalidAssertion(Exception):
    """The assertion proves nothing; the text says why (RFC 6749, section 5.2: `invalid_client`)."""


class Assertions:
    """Judges assertions for one server. `audiences`: the token endpoint and the issuer."""

    def __init__(self, store: Store, keys: KeySets, audiences: Collection[str]) -> None:
        self._store, self._keys, self._audiences = store, keys, frozenset(audiences)

    def client(self, assertion: str, find: Callable[[str], Client | None], client_id: str | None = None) -> Client:
        """The client that made the assertion; `client_id`, when the request names one, must be the same.

        Raises InvalidAssertion.
        """
        if len(assertion) > _MOST:
            raise InvalidAssertion(f"The client assertion is longer than {_MOST} characters.")
        kid, algorithm = _header(assertion)
        named = _part(assertion, 1).get("iss")
        client = find(named) if isinstance(named, str) and named else None
        if client is None or (client_id is not None and client_id != client.id):
            raise InvalidAssertion("The client is not known, or the assertion is another's.")
        if client.auth_method != "private_key_jwt":
            raise InvalidAssertion("The client is not registered for private_key_jwt.")
        claims = self._verified(assertion, client, kid, algorithm)
        self._judge(claims, client)
        self._once(claims, client)
        return client

    def _verified(self, assertion: str, client: Client, kid: str, algorithm: str) -> dict[str, Any]:
        try:
            key = self._keys.find(client.metadata, kid, algorithm)
        except Unfetchable as error:
            raise InvalidAssertion(f"The keys of the client cannot be fetched: {error}.") from None
        if key is None:
            raise InvalidAssertion(f"The client has no key of this kid for {algorithm}.")
        try:
            return dict(jwt.decode(assertion, key, algorithms=[algorithm]).claims)
        except (JoseError, ValueError, TypeError):
            raise InvalidAssertion("The signature of the client assertion is not valid.") from None

    def _judge(self, claims: dict[str, Any], client: Client) -> None:
        now = time.time()
        if claims.get("iss") != client.id or claims.get("sub") != client.id:
            raise InvalidAssertion("iss and sub of the client assertion must both be the client_id.")
        audience = claims.get("aud")
        only = audience[0] if isinstance(audience, list) and len(audience) == 1 else audience
        if not isinstance(only, str) or only not in self._audiences:
            raise InvalidAssertion("aud of the client assertion must be this server's token endpoint.")
        expires = _instant(claims, "exp")
        if expires is None:
            raise InvalidAssertion("The client assertion must say when it ends (exp).")
        if expires + LEEWAY <= now:
            raise InvalidAssertion("The client assertion has expired.")
        if expires > now + LONGEST + LEEWAY:
            raise InvalidAssertion(f"exp of the client assertion is more than {LONGEST} seconds ahead.")
        if any((_instant(claims, each) or 0) > now + LEEWAY for each in ("nbf", "iat")):
            raise InvalidAssertion("The client assertion is not yet valid.")

    def _once(self, claims: dict[str, Any], client: Client) -> None:
        """One worker stores the `jti`, of however many that see it."""
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 0 < len(jti) <= 512:
            raise InvalidAssertion("The client assertion must have a jti of at most 512 characters.")
        until = datetime.fromtimestamp(float(claims["exp"]) + 2 * LEEWAY, UTC)
        if not self._store.register(REGISTER).add(digest(f"{client.id}\n{jti}"), {"until": until}):
            raise InvalidAssertion("The client assertion was used before (jti).")


def _header(assertion: str) -> tuple[str, str]:
    header = _part(assertion, 0)
    kid, algorithm = header.get("kid"), header.get("alg")
    if algorithm not in ALGORITHMS:
        raise InvalidAssertion(f"A client assertion is signed with {' or '.join(ALGORITHMS)}.")
    if not isinstance(kid, str) or not kid:
        raise InvalidAssertion("The client assertion does not name its key (kid).")
    if "crit" in header or header.get("typ") not in _TYPES:
        raise InvalidAssertion("The header of the client assertion says what is not known here (crit, typ).")
    return kid, str(algorithm)


def _part(assertion: str, index: int) -> dict[str, Any]:
    """A part of a compact JWS, as somebody wrote it."""
    parts = assertion.split(".")
    if len(parts) != 3:
        _malformed()
    try:
        value = orjson.loads(urlsafe_b64decode(parts[index].encode()))
    except ValueError:
        _malformed()
    return value if isinstance(value, dict) else _malformed()


def _malformed() -> NoReturn:
    raise InvalidAssertion("The client assertion is not a JWT.")


def _instant(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise InvalidAssertion(f"{name} of the client assertion is no number of seconds.")
    return float(value)
