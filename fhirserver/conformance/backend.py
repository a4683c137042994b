"""A backend service (SMART App Launch 2.2) for the role `system`: its token, and assertions to test with.

What the server wants to be asked, and where, is read from its `.well-known/smart-configuration`.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from fhirserver import jsontext
from fhirserver.conformance.operating import FORM
from fhirserver.conformance.wire import Wire
from fhirserver.errors import FhirError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROLE: Final = "system"
SCOPE: Final = "system/*.rs"
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_SECONDS: Final = 120
_ALGORITHMS: Final = {"EC": "ES384", "RSA": "RS384"}


class BackendError(RuntimeError):
    """Why the server gave no token, or the key cannot be used."""


class Backend:
    """`key`: its private key as a JWK, with a `kid`. Raises BackendError for a key that is none."""

    def __init__(self, id: str, key: Mapping[str, Any]) -> None:
        self.id = id
        try:
            self._key: ECKey | RSAKey = (ECKey if key.get("kty") == "EC" else RSAKey).import_key(dict(key))
        except (JoseError, ValueError) as error:
            raise BackendError(f"the key is no private JWK (EC P-384 or RSA): {error}") from None
        self._algorithm = _ALGORITHMS[str(key["kty"])]

    def token(self, base: str) -> str:
        """An access token for this role. Raises BackendError, WireError."""
        endpoint = token_endpoint(base)
        form = {
            "grant_type": "client_credentials",
            "scope": SCOPE,
            "client_assertion_type": _ASSERTION,
            "client_assertion": self.assertion(endpoint),
        }
        status, told = _sent("POST", endpoint, {"Content-Type": FORM, "Accept": "application/json"}, urlencode(form))
        if status != 200 or not isinstance(told.get("access_token"), str):
            said = told.get("error_description") or told.get("error") or ""
            raise BackendError(f"the token endpoint gave no token: {status} {said}")
        return str(told["access_token"])

    def variables(self, base: str) -> dict[str, str | Callable[[], str]]:
        """`client`, and assertions, new each time that they are used: a good one, and others wrong in one way each."""
        endpoint = token_endpoint(base)

        def now() -> int:
            return int(time.time())

        made: dict[str, Callable[[], str]] = {
            "assertion": lambda: self.assertion(endpoint),
            "assertionExpired": lambda: self.assertion(endpoint, exp=now() - 600),
            "assertionLong": lambda: self.assertion(endpoint, exp=now() + 86_400),
            "assertionOtherAudience": lambda: self.assertion("https://elsewhere.example/token"),
            "assertionOtherIssuer": lambda: self.assertion(endpoint, iss="somebody-else"),
            "assertionOtherSubject": lambda: self.assertion(endpoint, sub="somebody-else"),
            "assertionWithoutId": lambda: self.assertion(endpoint, jti=None),
            "assertionWithoutEnd": lambda: self.assertion(endpoint, exp=None),
            "assertionOtherKey": lambda: self._of_other_key(endpoint),
            "assertionUnknownKey": lambda: self.assertion(endpoint, kid="unknown"),
            "assertionHmac": lambda: self._by_secret(endpoint),
            "assertionUnsigned": lambda: self._unsigned(endpoint),
        }
        return {"client": self.id, **made}

    def assertion(self, audience: str, *, kid: str | None = None, **claims: Any) -> str:
        """A JWT by which the client proves who it is (RFC 7523); claims that are None are left out."""
        header = {"alg": self._algorithm, "kid": kid or self._key.kid, "typ": "JWT"}
        return jwt.encode(header, self._claims(audience, **claims), self._key, algorithms=[self._algorithm])

    def _claims(self, audience: str, **changes: Any) -> dict[str, Any]:
        said = {"iss": self.id, "sub": self.id, "aud": audience, "exp": int(time.time()) + _SECONDS}
        said |= {"iat": int(time.time()), "jti": secrets.token_urlsafe(16), **changes}
        return {name: value for name, value in said.items() if value is not None}

    def _of_other_key(self, audience: str) -> str:
        other = ECKey.generate_key("P-384")
        header = {"alg": "ES384", "kid": self._key.kid}
        return jwt.encode(header, self._claims(audience), other, algorithms=["ES384"])

    def _by_secret(self, audience: str) -> str:
        """Signed with the public key, as if that were a shared secret (RFC 8725, section 2.1)."""
        body = self.assertion(audience).split(".")[1]
        head = _encoded(jsontext.dump({"alg": "HS256", "kid": self._key.kid}))
        digest = hmac.digest(self._key.as_pem(private=False), f"{head}.{body}".encode(), "sha256")
        return f"{head}.{body}.{_encoded(digest)}"

    def _unsigned(self, audience: str) -> str:
        _, body, _ = self.assertion(audience).split(".")
        head = _encoded(jsontext.dump({"alg": "none"}))
        return f"{head}.{body}."


def new_key() -> dict[str, Any]:
    """A private key as a JWK."""
    return dict(ECKey.generate_key("P-384", {"kid": secrets.token_hex(8), "use": "sig"}).as_dict(private=True))


def public(key: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in key.items() if name != "d"}


def configuration(base: str) -> dict[str, Any]:
    """The server's `.well-known/smart-configuration`. Raises BackendError, WireError."""
    status, told = _sent("GET", f"{base}/.well-known/smart-configuration", {"Accept": "application/json"})
    if status != 200:
        raise BackendError(f"{base}/.well-known/smart-configuration is answered {status}")
    return told


def token_endpoint(base: str) -> str:
    found = configuration(base).get("token_endpoint")
    if not isinstance(found, str):
        raise BackendError("the smart-configuration names no token_endpoint")
    return found


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _sent(method: str, url: str, headers: Mapping[str, str], body: str | None = None) -> tuple[int, dict[str, Any]]:
    wire = Wire()
    try:
        answer = wire.send(method, url, headers, None if body is None else body.encode()).answer
    finally:
        wire.close()
    try:
        return answer.status, jsontext.parse_object(answer.content)
    except FhirError:
        raise BackendError(f"{url} answers {answer.status}, and no JSON") from None
