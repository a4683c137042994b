"""Clients for tests: their keys, what they register, and the assertions by which they prove who they are."""

from __future__ import annotations

import time
import uuid
from functools import cache
from typing import TYPE_CHECKING, Any

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

if TYPE_CHECKING:
    from fhirserver.auth.clients.client import Client
    from tests.application import Application

Key = ECKey | RSAKey

APP: dict[str, Any] = {
    "client_name": "Carnet de tension",
    "redirect_uris": ["https://app.example/cb"],
    "grant_types": ["authorization_code", "refresh_token"],
    "scope": "launch/patient openid fhirUser offline_access patient/Observation.rs",
}
ENTRY: dict[str, Any] = {
    "publisher": "Éditions du Tensiomètre",
    "purpose": "Suivre sa tension au quotidien.",
    "categories": ["mesures", "suivi"],
    "hosting": {"host": "Hébergeur Exemple", "hds": True},
}


@cache
def ec_key(kid: str = "ec-1") -> ECKey:
    return ECKey.generate_key("P-384", {"kid": kid, "alg": "ES384", "use": "sig"})


@cache
def rsa_key(kid: str = "rsa-1") -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "alg": "RS384", "use": "sig"})


def public(*keys: Key) -> dict[str, Any]:
    """The JWK Set of these keys."""
    return {"keys": [each.as_dict(private=False) for each in keys]}


def backend(*keys: Key, scope: str = "system/*.rs", **changed: Any) -> dict[str, Any]:
    """The metadata of a backend service."""
    metadata = {
        "client_name": "Laboratoire Exemple",
        "token_endpoint_auth_method": "private_key_jwt",
        "grant_types": ["client_credentials"],
        "scope": scope,
        "jwks": public(*(keys or (ec_key(), rsa_key()))),
    }
    return {name: value for name, value in {**metadata, **changed}.items() if value is not None}


def stored(application: Application, metadata: dict[str, Any], status: str = "referenced", **fields: Any) -> Client:
    """A client with this metadata, however it came there."""
    made = application.services.registration.register(metadata, by="test").client
    client = made._replace(status=status, **fields)
    application.services.registration._clients.save(client)
    return client


def assertion(
    client_id: str, audience: Any, key: Key | None = None, header: dict[str, Any] | None = None, **claims: Any
) -> str:
    """A client assertion; a claim that is None is left out."""
    key = key or ec_key()
    algorithm = "ES384" if isinstance(key, ECKey) else "RS384"
    now = int(time.time())
    said = {"iss": client_id, "sub": client_id, "aud": audience, "exp": now + 120, "jti": uuid.uuid4().hex, **claims}
    told = {"alg": algorithm, "kid": key.kid, "typ": "JWT", **(header or {})}
    return jwt.encode(
        {name: value for name, value in told.items() if value is not None},
        {name: value for name, value in said.items() if value is not None},
        key,
        algorithms=["ES384", "RS384", "ES256", "RS256", "PS384", "HS384"],
    )
