"""What a simulated provider answers: the authorization code flow of OpenID Connect, as plain functions of requests."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CODE_SECONDS: Final = 60
TOKEN_SECONDS: Final = 120
CLIENTS: Final = {"fhirserver": "secret-de-la-simulation", "logiciel": "secret-du-logiciel"}
"""Who may ask, with the secret: the server, and the software of a hospital."""


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: Mapping[str, str]


class Ask(NamedTuple):
    """A request: `args` of the query and, for a POST, of the form."""

    method: str
    path: str
    args: Mapping[str, str]
    headers: Mapping[str, str]


class Provider:
    """One provider below `base`, whose own URL is its issuer. `people`: claims by the name of the login."""

    algorithm = "RS256"
    signed_userinfo = False
    acr = "eidas1"

    def __init__(self, name: str, base: str, people: Mapping[str, Mapping[str, Any]]) -> None:
        self.name, self.issuer, self.people = name, f"{base}/{name}", people
        self.clients = dict(CLIENTS)
        self.key = self.new_key()
        self._codes: dict[str, dict[str, Any]] = {}
        self._tokens: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def new_key(self) -> RSAKey | ECKey:
        kid = secrets.token_hex(4)
        if self.algorithm.startswith("ES"):
            return ECKey.generate_key("P-256", {"kid": kid, "use": "sig"})
        return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})

    def answer(self, ask: Ask) -> Answer:
        """What is at a path below the issuer."""
        found: Mapping[str, Callable[[Ask], Answer]] = {
            "/.well-known/openid-configuration": self.discovery,
            "/.well-known/wallet-openid-configuration": self.discovery,
            "/jwks": self.jwks,
            "/authorize": self.authorize,
            "/token": self.token,
            "/userinfo": self.userinfo,
            "/introspect": self.introspect,
            "/logout": self.logout,
        }
        handler = found.get(ask.path)
        return handler(ask) if handler else _json(404, {"error": "not_found"})

    def discovery(self, _ask: Ask) -> Answer:
        return _json(200, self.document())

    def document(self) -> dict[str, Any]:
        places = {
            "authorization_endpoint": "authorize",
            "token_endpoint": "token",
            "userinfo_endpoint": "userinfo",
            "jwks_uri": "jwks",
            "introspection_endpoint": "introspect",
            "end_session_endpoint": "logout",
        }
        return {
            "issuer": self.issuer,
            **{name: f"{self.issuer}/{path}" for name, path in places.items()},
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": [self.algorithm],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "acr_values_supported": ["eidas1", "eidas2", "eidas3"],
            "authorization_response_iss_parameter_supported": True,
        }

    def jwks(self, _ask: Ask) -> Answer:
        return _json(200, {"keys": [self.key.as_dict(private=False)]})

    def authorize(self, ask: Ask) -> Answer:
        """Asks who logs in, unless `login_hint` says it; then back to the client."""
        if ask.args.get("client_id") not in self.clients or not _is_loopback(ask.args.get("redirect_uri", "")):
            return _page(400, "Ce client ou son adresse de retour n’est pas connu de la simulation.")
        who = ask.args.get("login_hint", "")
        if who not in self.people:
            return _page(200, self._form(ask.args))
        return self.back(ask.args, {"code": self.code(ask.args, who)})

    def code(self, args: Mapping[str, str], who: str) -> str:
        code = secrets.token_urlsafe(24)
        with self._lock:
            self._codes[code] = {**args, "who": who, "until": time.time() + CODE_SECONDS}
        return code

    def back(self, args: Mapping[str, str], told: Mapping[str, str]) -> Answer:
        """The redirect to the client (RFC 6749, 4.1.2; RFC 9207)."""
        sent = {**told, "state": args.get("state", ""), "iss": self.issuer}
        return Answer(302, b"", {"Location": f"{args['redirect_uri']}?{urlencode(sent)}"})

    def token(self, ask: Ask) -> Answer:
        client = self._client(ask.args)
        if client is None:
            return _json(401, {"error": "invalid_client"})
        with self._lock:
            asked = self._codes.pop(ask.args.get("code", ""), None)
        if asked is None or asked["until"] < time.time() or not _fits(asked, ask.args, client):
            return _json(400, {"error": "invalid_grant"})
        access = self.access_token(asked)
        with self._lock:
            self._tokens[access] = {**asked, "until": time.time() + TOKEN_SECONDS}
        answer = {"access_token": access, "id_token": self.id_token(asked, access)}
        return _json(200, {**answer, "token_type": "Bearer", "expires_in": TOKEN_SECONDS})

    def access_token(self, asked: Mapping[str, Any]) -> str:
        """A JWT that names the person and the client, as Pro Santé Connect makes it."""
        who, now = self.people[asked["who"]], int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": who["sub"],
            "typ": "Bearer",
            "azp": asked["client_id"],
            "client_id": asked["client_id"],
            "preferred_username": who.get("preferred_username", ""),
            "acr": self.acr,
            "scope": asked.get("scope", ""),
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "jti": secrets.token_hex(8),
        }
        return self.signed(claims)

    def id_token(self, asked: Mapping[str, Any], access: str) -> str:
        return self.signed(self.id_claims(asked, access))

    def id_claims(self, asked: Mapping[str, Any], access: str) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": self.issuer,
            "sub": self.people[asked["who"]]["sub"],
            "aud": asked["client_id"],
            "azp": asked["client_id"],
            "nonce": asked.get("nonce", ""),
            "acr": asked.get("acr_values") or self.acr,
            "auth_time": now,
            "iat": now,
            "exp": now + 60,
            "at_hash": _half(access),
        }

    def signed(self, claims: Mapping[str, Any]) -> str:
        header = {"alg": self.algorithm, "kid": self.key.kid}
        return jwt.encode(header, dict(claims), self.key, algorithms=[self.algorithm])

    def userinfo(self, ask: Ask) -> Answer:
        asked = self._of(ask.headers.get("authorization", "").removeprefix("Bearer "))
        if asked is None:
            return _json(401, {"error": "invalid_token"})
        told = self.told(asked)
        if not self.signed_userinfo:
            return _json(200, told)
        body = self.signed({**told, "iss": self.issuer, "aud": asked["client_id"]})
        return Answer(200, body.encode(), {"Content-Type": "application/jwt"})

    def told(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What is said of the person."""
        return dict(self.people[asked["who"]])

    def introspect(self, ask: Ask) -> Answer:
        """RFC 7662."""
        if self._client(ask.args) is None:
            return _json(401, {"error": "invalid_client"})
        asked = self._of(ask.args.get("token", ""))
        if asked is None:
            return _json(200, {"active": False})
        who = self.people[asked["who"]]
        told = {"active": True, "iss": self.issuer, "sub": who["sub"], "client_id": asked["client_id"]}
        known = {"typ": "Bearer", "azp": asked["client_id"], "acr": self.acr, "exp": int(asked["until"])}
        return _json(200, {**told, **known, "preferred_username": who.get("preferred_username", "")})

    def logout(self, ask: Ask) -> Answer:
        """RP-initiated logout: back to a loopback address, or a page."""
        to = ask.args.get("post_logout_redirect_uri", "")
        if not _is_loopback(to) or not ask.args.get("id_token_hint"):
            return _page(200, "Vous êtes déconnecté de la simulation.")
        return Answer(302, b"", {"Location": f"{to}?{urlencode({'state': ask.args.get('state', '')})}"})

    def _client(self, args: Mapping[str, str]) -> str | None:
        known = self.clients.get(args.get("client_id", ""))
        return args["client_id"] if known is not None and known == args.get("client_secret") else None

    def _of(self, token: str) -> dict[str, Any] | None:
        with self._lock:
            found = self._tokens.get(token)
        return found if found is not None and found["until"] > time.time() else None

    def _form(self, args: Mapping[str, str]) -> str:
        hidden = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in args.items()
            if name != "login_hint"
        )
        buttons = "".join(f'<p><button name="login_hint" value="{name}">{name}</button>' for name in self.people)
        return f'<form action="{self.issuer}/authorize">{hidden}{buttons}</form>'


class FranceConnect(Provider):
    """Signs with ES256, signs what it says of the person, and has opaque access tokens."""

    algorithm = "ES256"
    signed_userinfo = True

    def access_token(self, asked: Mapping[str, Any]) -> str:
        return secrets.token_urlsafe(32)


def parsed(query: str) -> dict[str, str]:
    return dict(parse_qsl(query, keep_blank_values=True))


def _fits(asked: Mapping[str, Any], args: Mapping[str, str], client: str) -> bool:
    """Whether a code is redeemed by whom it was made for (RFC 7636, 4.6)."""
    challenge = asked.get("code_challenge")
    made = _bare(hashlib.sha256(args.get("code_verifier", "").encode()).digest())
    same = asked["client_id"] == client and asked["redirect_uri"] == args.get("redirect_uri")
    return same and (challenge is None or challenge == made)


def _half(token: str) -> str:
    return _bare(hashlib.sha256(token.encode()).digest()[:16])


def _bare(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _is_loopback(url: str) -> bool:
    try:
        return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
    except ValueError:
        return False


def _json(status: int, value: Mapping[str, Any]) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def _page(status: int, content: str) -> Answer:
    body = (
        '<!doctype html><html lang="fr"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<link rel="icon" href="data:,"><title>Simulation</title><body>{content}</body></html>'
    )
    return Answer(status, body.encode(), {"Content-Type": "text/html; charset=utf-8"})
