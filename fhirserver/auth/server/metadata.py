"""What the server says of itself: RFC 8414, OpenID Connect Discovery 1.0, SMART App Launch 2.2. Only what is true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.auth.clients.metadata import CERTIFICATES
from fhirserver.auth.ring import ALGORITHM
from fhirserver.auth.server.scopes import SPECIAL

if TYPE_CHECKING:
    from fhirserver.auth.server.server import AuthorizationServer

AUTHORIZE: Final = "/oauth/authorize"
TOKEN: Final = "/oauth/token"  # noqa: S105 - a path
ENDPOINTS: Final = {
    "authorization_endpoint": AUTHORIZE,
    "token_endpoint": TOKEN,
    "introspection_endpoint": "/oauth/introspect",
    "revocation_endpoint": "/oauth/revoke",
    "registration_endpoint": "/oauth/register",
    "management_endpoint": "/compte/applications",
    "jwks_uri": "/oauth/jwks",
}
SIGNING: Final = ("ES384", "RS384")
"""By what algorithms clients sign assertions (SMART App Launch 2.2, "Asymmetric Authentication")."""
CAPABILITIES: Final = (
    "launch-standalone",
    "launch-ehr",
    "authorize-post",
    "client-public",
    "client-confidential-asymmetric",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-patient",
    "context-banner",
    "sso-openid-connect",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
)


def metadata(server: AuthorizationServer, base: str) -> dict[str, Any]:
    """RFC 8414, 2. `base`: the public address of this server, without /fhir."""
    signed = [each for each in server.auth_methods if each.endswith("_jwt")]
    return {
        "issuer": server.issuer,
        **{name: base + path for name, path in ENDPOINTS.items() if name != "management_endpoint"},
        "scopes_supported": scopes_supported(),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(server.grant_types),
        "token_endpoint_auth_methods_supported": list(server.auth_methods),
        "tls_client_certificate_bound_access_tokens": any(each in CERTIFICATES for each in server.auth_methods),
        **({"token_endpoint_auth_signing_alg_values_supported": list(SIGNING)} if signed else {}),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "ui_locales_supported": ["fr"],
    }


def openid_configuration(server: AuthorizationServer, base: str) -> dict[str, Any]:
    """OpenID Connect Discovery 1.0, 3."""
    return metadata(server, base) | {
        "userinfo_endpoint": f"{base}/oauth/userinfo",
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "acr_values_supported": ["eidas2"],
        "claims_supported": [
            *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "at_hash"),
            *("fhirUser", "name"),
        ],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
    }


def smart_configuration(server: AuthorizationServer, base: str) -> dict[str, Any]:
    """SMART App Launch 2.2, "Conformance"."""
    secret = ["client-confidential-symmetric"] if "client_secret_basic" in server.auth_methods else []
    told = metadata(server, base)
    left = ("response_modes_supported", "ui_locales_supported", "authorization_response_iss_parameter_supported")
    return {name: value for name, value in told.items() if name not in left} | {
        "management_endpoint": base + ENDPOINTS["management_endpoint"],
        "userinfo_endpoint": f"{base}/oauth/userinfo",
        "capabilities": sorted([*CAPABILITIES, *secret]),
    }


def scopes_supported() -> list[str]:
    return [*SPECIAL, "patient/*.cruds", "user/*.cruds", "system/*.cruds"]
