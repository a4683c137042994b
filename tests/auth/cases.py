"""What the authorisation server and the tokens are held to: each row is a request and the error that it must meet.

A change to None takes a parameter away. `{code}`, `{refresh}` and `{challenge}` stand for what a valid flow gave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tests.application import BASE
from tests.auth.flow import REDIRECT, VERIFIER, basic

if TYPE_CHECKING:
    from collections.abc import Mapping


class Authorization(NamedTuple):
    """A request to the authorization endpoint. `shown`: the error is a page, since no redirect may be trusted."""

    source: str
    what: str
    changes: dict[str, str | None]
    error: str
    shown: bool = False
    repeated: tuple[tuple[str, str], ...] = ()


class Exchange(NamedTuple):
    """A request to the token endpoint."""

    source: str
    what: str
    changes: dict[str, str | None]
    error: str
    status: int = 400
    headers: Mapping[str, str] = {}
    repeated: tuple[tuple[str, str], ...] = ()


class Bearer(NamedTuple):
    """A token at the FHIR base: `claims` and `header` that differ from those of a good one, signed by `key`."""

    source: str
    what: str
    claims: Mapping[str, Any] = {}
    header: Mapping[str, Any] = {}
    key: str = "own"


_43: Final = "a" * 43
AUTHORIZATIONS: Final = (
    Authorization("RFC 6749, 4.1.2.1", "no client", {"client_id": None}, "invalid_client", True),
    Authorization("RFC 6749, 4.1.2.1", "unknown client", {"client_id": "nobody"}, "invalid_client", True),
    Authorization("catalogue", "suspended client", {"client_id": "suspended"}, "invalid_client", True),
    Authorization("catalogue", "withdrawn client", {"client_id": "withdrawn"}, "invalid_client", True),
    Authorization("RFC 9700, 4.1", "no redirect_uri", {"redirect_uri": None}, "invalid_request", True),
    Authorization("RFC 9700, 4.1", "open redirect", {"redirect_uri": "https://evil.example/"}, "invalid_request", True),
    Authorization("RFC 9700, 4.1", "longer path", {"redirect_uri": f"{REDIRECT}/x"}, "invalid_request", True),
    Authorization("RFC 9700, 4.1", "added query", {"redirect_uri": f"{REDIRECT}?a=b"}, "invalid_request", True),
    Authorization("RFC 9700, 4.1", "added fragment", {"redirect_uri": f"{REDIRECT}#a"}, "invalid_request", True),
    Authorization("RFC 9700, 4.1", "parent path", {"redirect_uri": f"{REDIRECT}/../x"}, "invalid_request", True),
    Authorization("RFC 9700, 4.1", "other case", {"redirect_uri": REDIRECT.upper()}, "invalid_request", True),
    Authorization("RFC 9700, 4.1", "plain http", {"redirect_uri": "http://app.example/cb"}, "invalid_request", True),
    Authorization("RFC 9700, 4.1", "user info", {"redirect_uri": "https://app.example@evil.example/cb"},
                  "invalid_request", True),
    Authorization("RFC 9700, 4.1", "subdomain", {"redirect_uri": "https://app.example.evil.example/cb"},
                  "invalid_request", True),
    Authorization("RFC 9700, 4.1", "script", {"redirect_uri": "javascript:alert(1)"}, "invalid_request", True),
    Authorization("RFC 9700, 4.1", "quotes", {"redirect_uri": '"><script>'}, "invalid_request", True),
    Authorization("RFC 8252, 7.3", "port elsewhere than loopback", {"redirect_uri": "https://app.example:8443/cb"},
                  "invalid_request", True),
    Authorization("RFC 8252, 7.3", "loopback, other path",
                  {"client_id": "native", "redirect_uri": "http://127.0.0.1:7/other"}, "invalid_request", True),
    Authorization("RFC 8252, 7.3", "loopback in user info",
                  {"client_id": "native", "redirect_uri": "http://127.0.0.1:7@evil.example/cb"},
                  "invalid_request", True),
    Authorization("RFC 8252, 8.3", "localhost by name",
                  {"client_id": "native", "redirect_uri": "http://localhost:7/cb"}, "invalid_request", True),
    Authorization("RFC 8252, 7.3", "port that is none",
                  {"client_id": "native", "redirect_uri": "http://127.0.0.1:x/cb"}, "invalid_request", True),
    *(Authorization("RFC 8252, 7.3", f"loopback, not letter by letter: {uri!r}",
                    {"client_id": "native", "redirect_uri": uri}, "invalid_request", True)
      for uri in ("http://127.0.0.1:7/c\r\nb", "http://127.0.0.1:7/cb\n", " http://127.0.0.1:7/cb", "HTTP://127.0.0.1:7/cb",
                  "http://127.0.0.1:7/cb?", "http://127.0.0.1:/cb", "http://127.0.0.1:0/cb", "http://127.0.0.1:65536/cb",
                  "http://127.0.0.1:7/c\tb", "http://127.0.0.1:7/cb#")),
    Authorization("RFC 6749, 3.1", "repeated redirect_uri", {}, "invalid_request", True, (("redirect_uri", REDIRECT),)),
    Authorization("RFC 6749, 3.1", "repeated scope", {}, "invalid_request", True, (("scope", "openid"),)),
    Authorization("RFC 6749, 3.1", "repeated state", {}, "invalid_request", True, (("state", "other"),)),
    Authorization("RFC 6749, 3.1", "repeated client", {}, "invalid_request", True, (("client_id", "other"),)),
    Authorization("RFC 6749, 4.1.1", "no response_type", {"response_type": None}, "invalid_request"),
    Authorization("RFC 9700, 2.1.2", "implicit", {"response_type": "token"}, "unsupported_response_type"),
    Authorization("RFC 9700, 2.1.2", "hybrid", {"response_type": "code id_token"}, "unsupported_response_type"),
    Authorization("OIDC", "id token from the front", {"response_type": "id_token"}, "unsupported_response_type"),
    Authorization("RFC 6749, 4.1.1", "response_type of quotes", {"response_type": '"\\'}, "unsupported_response_type"),
    Authorization("RFC 6749, 4.1.2.1", "client for backends only", {"client_id": "backend"}, "unauthorized_client"),
    Authorization("SMART", "no state", {"state": None}, "invalid_request"),
    Authorization("RFC 6749, 3.1", "empty state", {"state": ""}, "invalid_request"),
    Authorization("SMART", "no aud", {"aud": None}, "invalid_request"),
    Authorization("SMART", "aud of another server", {"aud": "https://elsewhere.example/fhir"}, "invalid_request"),
    Authorization("SMART", "aud that begins alike", {"aud": f"{BASE}.evil.example"}, "invalid_request"),
    Authorization("RFC 7636, 4.4.1", "no challenge", {"code_challenge": None}, "invalid_request"),
    Authorization("RFC 9700, 4.8.2", "no PKCE at all", {"code_challenge": None, "code_challenge_method": None},
                  "invalid_request"),
    Authorization("RFC 9700, 4.8.2", "plain PKCE", {"code_challenge_method": "plain"}, "invalid_request"),
    Authorization("RFC 9700, 4.8.2", "PKCE without method: plain by default", {"code_challenge_method": None},
                  "invalid_request"),
    Authorization("RFC 7636, 4.3", "unknown method", {"code_challenge_method": "S512"}, "invalid_request"),
    Authorization("RFC 7636, 4.3", "method in small letters", {"code_challenge_method": "s256"}, "invalid_request"),
    Authorization("RFC 7636, 4.2", "short challenge", {"code_challenge": "a" * 42}, "invalid_request"),
    Authorization("RFC 7636, 4.2", "long challenge", {"code_challenge": "a" * 44}, "invalid_request"),
    Authorization("RFC 7636, 4.2", "challenge with padding", {"code_challenge": "a" * 42 + "="}, "invalid_request"),
    Authorization("RFC 6749, 3.3", "no scope", {"scope": None}, "invalid_scope"),
    Authorization("RFC 6749, 3.3", "unknown scope", {"scope": "everything"}, "invalid_scope"),
    Authorization("RFC 6749, 3.3", "scope beyond registration", {"scope": "system/*.cruds"}, "invalid_scope"),
    Authorization("SMART", "letters out of order", {"scope": "patient/Observation.sr"}, "invalid_scope"),
    Authorization("SMART", "type that is none", {"scope": "patient/Nonsense.rs"}, "invalid_scope"),
    Authorization("RFC 9101", "request object", {"request": "e30.e30."}, "request_not_supported"),
    Authorization("RFC 9101", "request by address", {"request_uri": "https://evil.example/r"},
                  "request_uri_not_supported"),
    Authorization("OAuth 2.0 Multiple Response Types", "fragment", {"response_mode": "fragment"}, "invalid_request"),
    Authorization("OAuth 2.0 Form Post", "form", {"response_mode": "form_post"}, "invalid_request"),
    Authorization("OIDC Core, 3.1.2.1", "unknown prompt", {"prompt": "dance"}, "invalid_request"),
    Authorization("OIDC Core, 3.1.2.1", "none and login", {"prompt": "none login"}, "invalid_request"),
    Authorization("OIDC Core, 3.1.2.1", "negative age", {"max_age": "-1"}, "invalid_request"),
    Authorization("OIDC Core, 3.1.2.6", "silently", {"prompt": "none"}, "consent_required"),
    Authorization("SMART", "unknown launch", {"launch": "made-up", "scope": "launch patient/*.rs"}, "invalid_request"),
)  # fmt: skip

CODE: Final[dict[str, str | None]] = {
    "grant_type": "authorization_code",
    "code": "{code}",
    "redirect_uri": REDIRECT,
    "client_id": "app",
    "code_verifier": VERIFIER,
}
REFRESH: Final[dict[str, str | None]] = {
    **dict.fromkeys(CODE),
    "grant_type": "refresh_token",
    "refresh_token": "{refresh}",
    "client_id": "app",
}
_GRANT, _CLIENT, _REQUEST = "invalid_grant", "invalid_client", "invalid_request"
EXCHANGES: Final = (
    Exchange("RFC 6749, 5.2", "no grant_type", {"grant_type": None}, _REQUEST),
    Exchange("RFC 6749, 5.2", "unknown grant_type", {"grant_type": "telepathy"}, "unsupported_grant_type"),
    Exchange("RFC 9700, 2.4", "password", {"grant_type": "password", "username": "a", "password": "b"},
             "unsupported_grant_type"),
    Exchange("RFC 9700, 2.1.2", "implicit", {"grant_type": "implicit"}, "unsupported_grant_type"),
    Exchange("RFC 6749, 4.1.3", "no code", {"code": None}, _REQUEST),
    Exchange("RFC 6749, 4.1.3", "unknown code", {"code": "made-up"}, _GRANT),
    Exchange("RFC 6749, 4.1.3", "code of surrogates", {"code": "\\ud800"}, _GRANT),
    Exchange("RFC 6749, 4.1.3", "no redirect_uri", {"redirect_uri": None}, _GRANT),
    Exchange("RFC 6749, 4.1.3", "other redirect_uri", {"redirect_uri": "https://app.example/other"}, _GRANT),
    Exchange("RFC 7636, 4.6", "no verifier", {"code_verifier": None}, _REQUEST),
    Exchange("RFC 7636, 4.6", "wrong verifier", {"code_verifier": _43}, _GRANT),
    Exchange("RFC 7636, 4.6", "challenge as verifier", {"code_verifier": "{challenge}"}, _GRANT),
    Exchange("RFC 7636, 4.1", "short verifier", {"code_verifier": "a" * 42}, _REQUEST),
    Exchange("RFC 7636, 4.1", "long verifier", {"code_verifier": "a" * 129}, _REQUEST),
    Exchange("RFC 7636, 4.1", "verifier of other letters", {"code_verifier": "é" * 43}, _REQUEST),
    Exchange("RFC 6749, 4.1.3", "no client", {"client_id": None}, _CLIENT),
    Exchange("RFC 6749, 4.1.3", "unknown client", {"client_id": "nobody"}, _CLIENT),
    Exchange("RFC 6749, 4.1.3", "code of another client", {"client_id": "native"}, _GRANT),
    Exchange("catalogue", "suspended client", {"client_id": "suspended"}, _CLIENT),
    Exchange("RFC 6749, 3.2.1", "confidential client that shows nothing", {"client_id": "secret"}, _CLIENT),
    Exchange("RFC 6749, 2.3.1", "wrong secret", {"client_id": None}, _CLIENT, 401,
             {"Authorization": basic("secret", "wrong")}),
    Exchange("RFC 6749, 2.3.1", "no secret", {"client_id": None}, _CLIENT, 401,
             {"Authorization": basic("secret", "")}),
    Exchange("RFC 6749, 2.3.1", "secret where none is registered", {"client_id": None}, _CLIENT, 401,
             {"Authorization": basic("app", "guess")}),
    Exchange("RFC 7617, 2", "no BASE64", {"client_id": None}, _CLIENT, 401, {"Authorization": "Basic !!!"}),
    Exchange("RFC 7617, 2", "no UTF-8", {"client_id": None}, _CLIENT, 401, {"Authorization": "Basic //79"}),
    Exchange("RFC 6749, 2.3.1", "secret in the body where the header is registered",
             {"client_id": "secret", "client_secret": "s3cret"}, _CLIENT),
    Exchange("RFC 6749, 2.3", "two ways at once", {"client_id": "secret", "client_secret": "s3cret"}, _REQUEST, 400,
             {"Authorization": basic("secret", "s3cret")}),
    Exchange("RFC 6749, 2.3", "other client in the body", {"client_id": "app"}, _REQUEST, 400,
             {"Authorization": basic("secret", "s3cret")}),
    Exchange("RFC 6749, 4.1.3", "code of another client, well proven", {"client_id": None}, _GRANT, 400,
             {"Authorization": basic("secret", "s3cret")}),
    Exchange("RFC 6749, 3.2", "repeated code", {}, _REQUEST, repeated=(("code", "other"),)),
    Exchange("RFC 6749, 3.2", "repeated grant_type", {}, _REQUEST, repeated=(("grant_type", "refresh_token"),)),
    Exchange("RFC 6749, 3.2", "repeated verifier", {}, _REQUEST, repeated=(("code_verifier", _43),)),
    Exchange("RFC 6749, 5.2", "grant type that is not registered", {"client_id": "backend"}, "unauthorized_client"),
    Exchange("RFC 6749, 6", "no refresh token", {**REFRESH, "refresh_token": None}, _REQUEST),
    Exchange("RFC 6749, 6", "unknown refresh token", {**REFRESH, "refresh_token": "made-up"}, _GRANT),
    Exchange("RFC 6749, 6", "code as refresh token", {**REFRESH, "refresh_token": "{code}"}, _GRANT),
    Exchange("RFC 6749, 6", "access token as refresh token", {**REFRESH, "refresh_token": "{access}"}, _GRANT),
    Exchange("RFC 6749, 6", "refresh token of another client", {**REFRESH, "client_id": "native"}, _GRANT),
    Exchange("RFC 6749, 6", "refresh by an unknown client", {**REFRESH, "client_id": "nobody"}, _CLIENT),
    Exchange("RFC 6749, 6", "other type at refresh", {**REFRESH, "scope": "patient/Condition.rs"}, "invalid_scope"),
    Exchange("RFC 6749, 6", "more letters at refresh", {**REFRESH, "scope": "patient/Observation.cruds"},
             "invalid_scope"),
    Exchange("RFC 6749, 6", "all types at refresh", {**REFRESH, "scope": "patient/*.rs"}, "invalid_scope"),
    Exchange("RFC 6749, 6", "higher level at refresh", {**REFRESH, "scope": "user/Observation.rs"}, "invalid_scope"),
    Exchange("RFC 6749, 6", "system level at refresh", {**REFRESH, "scope": "system/Observation.rs"}, "invalid_scope"),
    Exchange("RFC 6749, 6", "identity at refresh", {**REFRESH, "scope": "openid"}, "invalid_scope"),
    Exchange("RFC 6749, 6", "version 1 that is wider", {**REFRESH, "scope": "patient/Observation.*"}, "invalid_scope"),
    Exchange("RFC 6749, 6", "one of two that is wider",
             {**REFRESH, "scope": "patient/Observation.rs patient/Condition.rs"}, "invalid_scope"),
    Exchange("RFC 6749, 6", "nonsense at refresh", {**REFRESH, "scope": "é\\"}, "invalid_scope"),
)  # fmt: skip

BEARERS: Final = (
    Bearer("RFC 8725, 3.1", "alg none", header={"alg": "none"}, key="none"),
    Bearer("RFC 8725, 3.1", "alg None, in other letters", header={"alg": "NoNe"}, key="none"),
    Bearer("RFC 8725, 2.1", "public key as shared secret", header={"alg": "HS256"}, key="public"),
    Bearer("RFC 8725, 3.1", "other algorithm, same key", header={"alg": "PS256"}, key="own-pss"),
    Bearer("RFC 7515, 4.1.4", "another's key", key="other"),
    Bearer("RFC 7515, 4.1.4", "another's key under our name", key="other-named"),
    Bearer("RFC 7515, 4.1.4", "unknown name of a key", header={"kid": "unknown"}),
    Bearer("RFC 7515, 4.1.3", "key in the header", header={"jwk": "own"}, key="other-named"),
    Bearer("RFC 7515, 4.1.11", "unknown critical header", header={"crit": ["x"], "x": 1}),
    Bearer("RFC 9068, 4", "id token as access token", header={"typ": "JWT"}),
    Bearer("RFC 9068, 4", "no type", header={"typ": None}),
    Bearer("RFC 9068, 4", "other issuer", {"iss": "https://elsewhere.example"}),
    Bearer("RFC 9068, 4", "issuer with a slash", {"iss": "http://127.0.0.1:8080/"}),
    Bearer("RFC 9068, 4", "development's issuer", {"iss": "urn:fhirserver:development"}),
    Bearer("RFC 9068, 4", "no issuer", {"iss": None}),
    Bearer("RFC 9068, 4", "other audience", {"aud": "https://elsewhere.example/fhir"}),
    Bearer("RFC 9068, 4", "client as audience", {"aud": "app"}),
    Bearer("RFC 9068, 4", "no audience", {"aud": None}),
    Bearer("RFC 9068, 4", "expired", {"exp": 1_700_000_000}),
    Bearer("RFC 9068, 4", "no expiry", {"exp": None}),
    Bearer("RFC 9068, 4", "expiry that is text", {"exp": "tomorrow"}),
    Bearer("RFC 7519, 4.1.5", "not yet valid", {"nbf": 4_000_000_000}),
    Bearer("grant", "unknown grant", {"grant": "made-up"}),
    Bearer("grant", "no grant", {"grant": None}),
    Bearer("grant", "grant of another client", {"client_id": "native"}),
    Bearer("RFC 8705, 3", "bound, without certificate", {"cnf": {"x5t#S256": _43}}),
    Bearer("RFC 7800, 3", "bound in an unknown way", {"cnf": {"jkt": _43}}),
    Bearer("RFC 7800, 3", "bound by nonsense", {"cnf": "certificate"}),
)  # fmt: skip
