"""What a server says of itself before anybody proves anything."""

from __future__ import annotations

from typing import Final

from tools.conformance.building import Part, ask, case, check, header, status
from tools.conformance.smart.common import DISCOVER, member, smart


def _says(name: str, requirement: str, path: str, value: str | None = None, operator: str = "contains") -> Part:
    return case(name, requirement, *DISCOVER, status(200), member(path, value, operator=operator))


_CONFIGURATION: Final = smart(
    "configuration",
    "The SMART configuration",
    case("it needs no token", "SMART-configuration", *DISCOVER, status(200),
         header("Content-Type", "application/json", "contains")),
    case("it is JSON whatever is accepted", "SMART-configuration",
         ask("", url=".well-known/smart-configuration", accept="json"), status(200),
         header("Content-Type", "application/json", "contains")),
    _says("where apps send people", "SMART-configuration", "authorization_endpoint", "http"),
    _says("where tokens are had", "SMART-configuration", "token_endpoint", "http"),
    _says("its issuer", "SMART-configuration", "issuer", "http"),
    _says("its keys", "SMART-configuration", "jwks_uri", "http"),
    _says("its grants", "SMART-configuration", "grant_types_supported[*]", "authorization_code"),
    _says("grants of backend services", "SMART-backend", "grant_types_supported[*]", "client_credentials"),
    _says("how clients prove who they are", "SMART-backend", "token_endpoint_auth_methods_supported[*]",
          "private_key_jwt"),
    _says("algorithms of that", "SMART-backend", "token_endpoint_auth_signing_alg_values_supported[*]", "ES384"),
    _says("challenges", "SMART-pkce", "code_challenge_methods_supported[*]", "S256"),
    _says("no plain challenges", "SMART-pkce", "code_challenge_methods_supported[*]", "plain", "notContains"),
    _says("what it can", "SMART-configuration", "capabilities[*]", "launch-standalone"),
    _says("scopes of version 2", "SMART-scopes", "capabilities[*]", "permission-v2"),
    _says("scopes", "SMART-scopes", "scopes_supported[*]", "launch/patient"),
    _says("that it gives codes", "SMART-configuration", "response_types_supported[*]", "code"),
    case("no implicit grants", "SMART-configuration", *DISCOVER,
         member("response_types_supported[*]", "token", operator="notContains")),
    case("pages of other origins may read it", "SMART-configuration",
         ask("", url=".well-known/smart-configuration", headers={"Origin": "https://app.example"}), status(200),
         header("Access-Control-Allow-Origin")),
)  # fmt: skip
_KEYS: Final = smart(
    "keys",
    "Keys, and the same in the words of OAuth and OpenID Connect",
    case("public keys", "SMART-keys", ask("", url="${jwks_uri}", accept="application/json"), status(200),
         member("keys[0].kty"), member("keys[0].kid")),
    case("no private ones", "SMART-keys", ask("", url="${jwks_uri}", accept="application/json"),
         check("no private part", path="$.keys[*].d", operator="empty"),
         check("no secret", path="$.keys[*].k", operator="empty")),
    case("metadata of OAuth", "SMART-metadata",
         ask("", url="${issuer}/.well-known/oauth-authorization-server", accept="application/json"), status(200),
         member("issuer", "${issuer}"), member("token_endpoint", "${token_endpoint}")),
    case("configuration of OpenID Connect", "SMART-metadata",
         ask("", url="${issuer}/.well-known/openid-configuration", accept="application/json"), status(200),
         member("issuer", "${issuer}"), member("jwks_uri", "${jwks_uri}")),
    case("it names itself in answers of the authorization endpoint", "SMART-iss",
         ask("", url="${issuer}/.well-known/oauth-authorization-server", accept="application/json"),
         member("authorization_response_iss_parameter_supported", "true")),
)  # fmt: skip
DISCOVERY: Final = (_CONFIGURATION, _KEYS)
