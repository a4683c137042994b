"""A login at an identity provider: the browser sent there, and who comes back (OpenID Connect Core, 3.1).

What is sent along (`state`, `nonce`, the PKCE verifier) is kept in the database until the browser is back, once, and
only for the browser that was sent: it holds a secret of its own in a cookie (RFC 9700, 4.7).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

from fhirserver.auth.federation import idtoken
from fhirserver.auth.federation.idtoken import Refused
from fhirserver.auth.federation.keys import BadSignature, header
from fhirserver.auth.federation.provider import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.auth.federation.provider import Provider
    from fhirserver.store import Register, Store

REGISTER: Final = "federation.logins"
MINUTES: Final = 15
"""How long a login at the provider may take."""
_ABROAD: Final = {"access_denied": "denied", "login_required": "denied", "consent_required": "denied"}


class Sent(NamedTuple):
    """`url`: where the browser goes; `cookie`: the secret that it keeps."""

    url: str
    cookie: str


class Returned(NamedTuple):
    """Who logged in. `claims`: the id token's, with what the provider says of the person (userinfo); `acr` as the
    provider attests it; `onward`: what was put in by whoever sent the browser; `id_token`: to log out with."""

    provider: str
    claims: Mapping[str, Any]
    acr: str
    id_token: str
    onward: Mapping[str, str]

    @property
    def subject(self) -> str:
        return str(self.claims["sub"])


class Logins:
    """Logins at one provider, which leads back to `redirect_uri`."""

    def __init__(self, store: Store, provider: Provider, redirect_uri: str) -> None:
        self._store, self._provider, self._redirect_uri = store, provider, redirect_uri

    def begin(self, onward: Mapping[str, str]) -> Sent:
        """Raises Refused (`unavailable`) while the provider cannot be reached."""
        registration = self._provider.registration
        try:
            metadata = self._provider.metadata()
        except Unavailable as error:
            raise Refused("unavailable", str(error)) from None
        state, cookie, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(4))
        row = {
            "provider": self._provider.name,
            "browser": _digest(cookie),
            "nonce": nonce,
            "verifier": verifier,
            "onward": dict(onward),
            "until": datetime.now(UTC) + timedelta(minutes=MINUTES),
        }
        self._rows.put(_digest(state), row)
        asked = {
            "response_type": "code",
            "client_id": registration.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": registration.scope,
            "state": state,
            "nonce": nonce,
            "acr_values": registration.acr,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in metadata.authorization else "?"
        return Sent(f"{metadata.authorization}{joint}{urlencode(asked)}", cookie)

    def finish(self, answer: Mapping[str, str], cookie: str | None) -> Returned:
        """Who logged in, by what the provider sent back with the browser. Raises Refused."""
        row = self._taken(answer.get("state"), cookie)
        try:
            self._judge_issuer(answer.get("iss"))
            if "error" in answer:
                raise Refused(_ABROAD.get(answer["error"], "provider"), "the provider answers with an error")
            return self._returned(row, answer.get("code", ""))
        except BadSignature as error:
            raise Refused("token", str(error)) from None
        except Unavailable as error:
            raise Refused("unavailable", str(error)) from None

    def _taken(self, state: str | None, cookie: str | None) -> dict[str, Any]:
        """What was kept of the login, which is used up, unless another browser or another provider comes."""
        expected = {"browser": _digest(cookie or ""), "provider": self._provider.name}
        row = self._rows.take(_digest(state or ""), datetime.now(UTC), **expected)
        if row is None:
            raise Refused("state", "no login at this provider is under way in this browser (state)")
        return row

    def _judge_issuer(self, issuer: str | None) -> None:
        """RFC 9207: the answer is of the provider that was asked."""
        needed = self._provider.metadata().names_itself
        if (issuer is None and needed) or (issuer is not None and issuer != self._provider.issuer):
            raise Refused("state", "the answer comes from another provider (iss)")

    def _returned(self, row: Mapping[str, Any], code: str) -> Returned:
        if not code:
            raise Refused("provider", "the provider sent no code")
        tokens = self._provider.tokens(code, row["verifier"], self._redirect_uri)
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise Refused("token", "the provider sent no id token or no access token")
        claims = self._provider.verified(id_token)
        idtoken.judge(claims, self._provider.registration, row["nonce"], str(header(id_token)["alg"]), access_token)
        told = self._provider.userinfo(access_token)
        if told.get("sub") != claims["sub"]:
            raise Refused("token", "what the provider says is of another person (sub)")
        joined = {**told, **claims}
        return Returned(self._provider.name, joined, str(claims["acr"]), id_token, row["onward"])

    @property
    def _rows(self) -> Register:
        return self._store.register(REGISTER)


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
