"""Access tokens of Pro Santé Connect that a client brings, to act for a professional: judged, and whose they are.

As the guide of the Agence du numérique en santé asks (Sécurisation du transport, API Pro Santé connectée): the provider
is asked whether the token is active, and who it is (userinfo); or its signature is checked here (setting).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.auth.federation.idtoken import LEEWAY, meets
from fhirserver.auth.federation.keys import BadSignature, header
from fhirserver.auth.federation.professional import NotAccepted, Professional, professional

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from fhirserver.auth.federation.provider import Provider

BY_INTROSPECTION: Final = "introspection"
DEFAULT_AUDIENCE: Final = "account"
"""Audience of the provider's access tokens where it sets no other (Keycloak)."""
_TYPES: Final = (None, "JWT", "jwt", "at+jwt", "application/at+jwt")


class InvalidToken(Exception):
    """A token that is not accepted; the text says why."""


class Told(NamedTuple):
    """Whose token it is. `client`: to whom the provider gave it; `may_act`: who may act with it (RFC 8693, 4.4)."""

    professional: Professional
    client: str | None
    acr: str
    subject: str
    may_act: Mapping[str, Any] | None


class SubjectTokens:
    """Judges tokens of one provider. `audiences`: what a token may be meant for, besides for this server's own client
    there, when it names an audience at all."""

    def __init__(self, provider: Provider, judged: str, audiences: Collection[str]) -> None:
        self._provider, self._judged = provider, judged
        self._audiences = frozenset({*audiences, provider.registration.client_id, DEFAULT_AUDIENCE})

    def told(self, token: str) -> Told:
        """Raises InvalidToken, or Unavailable when the provider cannot be asked."""
        try:
            claims = self._introspected(token) if self._judged == BY_INTROSPECTION else self._verified(token)
            self._judge(claims)
            who = self._provider.userinfo(token)
            if who.get("sub") != claims.get("sub"):
                raise InvalidToken("What the provider says of the person is of another one.")
            found = professional(who)
        except (BadSignature, NotAccepted) as error:
            raise InvalidToken(str(error)) from None
        client = claims.get("azp") or claims.get("client_id")
        may_act = claims.get("may_act")
        return Told(
            found,
            client if isinstance(client, str) else None,
            str(claims["acr"]),
            str(claims["sub"]),
            may_act if isinstance(may_act, dict) else None,
        )

    def _introspected(self, token: str) -> dict[str, Any]:
        claims = self._provider.introspected(token)
        if claims.get("active") is not True:
            raise InvalidToken("The provider says that the token is not active.")
        return {"iss": self._provider.issuer, **claims}

    def _verified(self, token: str) -> dict[str, Any]:
        if header(token).get("typ") not in _TYPES:
            raise InvalidToken("The token is no access token.")
        claims = self._provider.verified(token)
        if not isinstance(claims.get("exp"), int | float):
            raise InvalidToken("The token does not say when it ends.")
        return claims

    def _judge(self, claims: Mapping[str, Any]) -> None:
        now = time.time()
        if claims.get("iss") != self._provider.issuer:
            raise InvalidToken("The token comes from another issuer.")
        if claims.get("typ", "Bearer") != "Bearer":
            raise InvalidToken("The token is no access token.")
        audience = claims.get("aud", DEFAULT_AUDIENCE)
        if self._audiences.isdisjoint(audience if isinstance(audience, list) else [str(audience)]):
            raise InvalidToken("The token is meant for another audience.")
        expires, before = claims.get("exp", now + 1), claims.get("nbf", 0)
        if not isinstance(expires, int | float) or not isinstance(before, int | float):
            raise InvalidToken("The token has no valid time span.")
        if expires <= now or before > now + LEEWAY:
            raise InvalidToken("The token has expired, or is not yet valid.")
        if not isinstance(claims.get("sub"), str):
            raise InvalidToken("The token names nobody.")
        if not meets(claims.get("acr"), self._provider.registration.acr):
            raise InvalidToken("The professional logged in at a lower level than this server asks (acr).")
