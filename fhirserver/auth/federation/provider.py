"""An identity provider of OpenID Connect, as its discovery document describes it, and what it is asked.

The issuer is named by a setting; the document must name the same one, letter by letter, and so must its tokens.
"""

from __future__ import annotations

import base64
import threading
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

import orjson

from fhirserver.auth.federation.keys import ASYMMETRIC, BadSignature, RemoteKeys
from fhirserver.auth.fetching import Unfetchable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fhirserver.auth.fetching import Fetcher, Response

FRESH: Final = 3600.0
"""Seconds for which a discovery document holds."""
AGAIN: Final = 5.0
"""Seconds before a provider that did not answer is asked for its document again."""
JWT: Final = "application/jwt"
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")


class Unavailable(Exception):
    """The provider does not answer as it should; the text says what, and nothing of an answer."""


class Registration(NamedTuple):
    """How this server is known to a provider. `secret`: empty where its TLS certificate says who it is. `acr`: the
    least level that a login must have. `discovery`: path of the document below the issuer."""

    name: str
    issuer: str
    client_id: str
    secret: str
    scope: str
    acr: str
    discovery: str = "/.well-known/openid-configuration"


class Metadata(NamedTuple):
    """What of the discovery document is of use. `algorithms`: how tokens are signed; `names_itself`: whether answers to
    the browser bear `iss` (RFC 9207); `posts_secret`: whether a secret goes into the form."""

    authorization: str
    token: str
    userinfo: str
    keys: str
    introspection: str | None
    logout: str | None
    algorithms: tuple[str, ...]
    names_itself: bool
    posts_secret: bool


class Provider:
    """One provider. May be used by several threads. Methods raise Unavailable, and BadSignature where they say so."""

    def __init__(
        self, registration: Registration, fetcher: Fetcher, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.registration = registration
        self._fetcher, self._clock = fetcher, clock
        self._lock = threading.Lock()
        self._known: tuple[Metadata, RemoteKeys] | None = None
        self._asked = float("-inf")
        self._until = float("-inf")

    @property
    def name(self) -> str:
        return self.registration.name

    @property
    def issuer(self) -> str:
        return self.registration.issuer

    def metadata(self) -> Metadata:
        """As the provider says, asked for now and then; the last known while it does not answer."""
        return self._described()[0]

    def verified(self, token: str) -> dict[str, Any]:
        """The claims of a token that the provider signed. Raises BadSignature."""
        metadata, keys = self._described()
        try:
            return keys.verified(token, metadata.algorithms)
        except Unfetchable:
            raise Unavailable("the keys of the provider cannot be fetched") from None

    def tokens(self, code: str, verifier: str, redirect_uri: str) -> dict[str, Any]:
        """What the token endpoint answers to a code (RFC 6749, 4.1.3; RFC 7636, 4.5)."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        return self._object(self._post(self.metadata().token, form | {"code_verifier": verifier}))

    def userinfo(self, access_token: str) -> dict[str, Any]:
        """What the provider says of the person: JSON, or signed (OpenID Connect Core, 5.3.2). Raises BadSignature."""
        answer = self._ask("GET", self.metadata().userinfo, {"Authorization": f"Bearer {access_token}"})
        if answer.status == 200 and answer.media == JWT:
            claims = self.verified(answer.body.decode("ascii", "replace").strip())
            audience = claims.get("aud", self.registration.client_id)
            own = audience if isinstance(audience, list) else [audience]
            if claims.get("iss", self.issuer) != self.issuer or self.registration.client_id not in own:
                raise BadSignature("What the provider says of the person is meant for somebody else.")
            return claims
        return self._object(answer)

    def introspected(self, token: str) -> dict[str, Any]:
        """What the provider says of a token (RFC 7662)."""
        endpoint = self.metadata().introspection
        if endpoint is None:
            raise Unavailable("the provider offers no introspection")
        return self._object(self._post(endpoint, {"token": token}))

    def _post(self, url: str, form: Mapping[str, str]) -> Response:
        """A form, with what shows who this server is (RFC 6749, 2.3.1)."""
        client, secret = self.registration.client_id, self.registration.secret
        if secret and not self.metadata().posts_secret:
            pair = f"{quote(client, safe='')}:{quote(secret, safe='')}".encode()
            return self._ask("POST", url, {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}, form)
        shown = {"client_id": client, **({"client_secret": secret} if secret else {})}
        return self._ask("POST", url, None, {**form, **shown})

    def _ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, form: Mapping[str, str] | None = None
    ) -> Response:
        try:
            return self._fetcher.ask(method, url, headers, form)
        except Unfetchable as error:
            raise Unavailable(f"the provider cannot be reached: {error}") from None

    def _object(self, answer: Response) -> dict[str, Any]:
        if answer.status != 200:
            raise Unavailable(f"the provider answers with status {answer.status}")
        try:
            value = orjson.loads(answer.body)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise Unavailable("the provider does not answer with a JSON object")
        return value

    def _described(self) -> tuple[Metadata, RemoteKeys]:
        with self._lock:
            now = self._clock()
            if now >= self._until and now - self._asked >= AGAIN:
                self._asked = now
                try:
                    self._known = self._discovered()
                    self._until = now + FRESH
                except (Unfetchable, Unavailable):
                    if self._known is None:
                        raise Unavailable("the provider's discovery document cannot be had") from None
            if self._known is None:
                raise Unavailable("the provider's discovery document could not be had a moment ago")
            return self._known

    def _discovered(self) -> tuple[Metadata, RemoteKeys]:
        document = self._fetcher.json(self.issuer.rstrip("/") + self.registration.discovery).value
        metadata = described(document, self.issuer)
        if self._known is not None and self._known[0].keys == metadata.keys:
            return metadata, self._known[1]
        return metadata, RemoteKeys(metadata.keys, self._fetcher)


def described(document: Any, issuer: str) -> Metadata:
    """A discovery document (OpenID Connect Discovery, 3), which must be the issuer's own. Raises Unavailable."""
    if not isinstance(document, dict) or document.get("issuer") != issuer:
        raise Unavailable("the discovery document names another issuer")
    authorization, token, userinfo, keys = (document.get(name) for name in _ENDPOINTS)
    places = authorization, token, userinfo, keys
    if not all(isinstance(each, str) and each for each in places):
        raise Unavailable("the discovery document lacks an endpoint")
    signing = [
        each
        for name in ("id_token_signing_alg_values_supported", "userinfo_signing_alg_values_supported")
        for each in _list(document.get(name))
        if each in ASYMMETRIC
    ]
    methods = _list(document.get("token_endpoint_auth_methods_supported"))
    return Metadata(
        str(authorization),
        str(token),
        str(userinfo),
        str(keys),
        _text(document.get("introspection_endpoint")),
        _text(document.get("end_session_endpoint")),
        tuple(dict.fromkeys(signing)),
        document.get("authorization_response_iss_parameter_supported") is True,
        "client_secret_post" in methods,
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
