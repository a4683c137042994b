"""What the authorization and token endpoints refuse (RFC 6749, 7636, 9700), and tokens that are none (RFC 6750)."""

from __future__ import annotations

from typing import Final

from tools.conformance.building import Part, ask, case, check, header, status
from tools.conformance.smart.common import (
    CHALLENGE,
    REDIRECT,
    VERIFIER,
    described,
    error,
    form,
    registers,
    sends,
    smart,
)

_GOOD: Final = {
    "response_type": "code",
    "client_id": "${app}",
    "redirect_uri": REDIRECT,
    "state": "s-${run}",
    "aud": "${base}",
    "scope": "launch/patient patient/Observation.rs",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


def _authorize(changes: dict[str, str | None], more: str = "") -> Part:
    """Asks as an app sends a browser; what is None is left out."""
    said = {name: value for name, value in {**_GOOD, **changes}.items() if value is not None}
    query = "&".join(f"{name}={value}" for name, value in said.items())
    return ask("", url=f"${{authorization_endpoint}}?{query}{more}", headers={"Accept": "text/html"})


def _shown(name: str, requirement: str, changes: dict[str, str | None]) -> Part:
    """A page says what is wrong; nobody is led anywhere."""
    led = check("nobody is led anywhere", headerField="Location", operator="empty")
    return case(name, requirement, _authorize(changes), status(400, 401, 403), led)


def _told(name: str, requirement: str, changes: dict[str, str | None], wrong: str, more: str = "") -> Part:
    """The app is told at its redirect URI."""
    return case(
        name,
        requirement,
        _authorize(changes, more),
        status(302, 303),
        header("Location", f"{REDIRECT}?", "contains"),
        header("Location", f"error={wrong}", "contains"),
        header("Location", "code=", "notContains"),
    )


_AUTHORIZE: Final = smart(
    "authorize",
    "The authorization endpoint, before anybody is asked",
    case("what is right leads to a login", "SMART-authorize", _authorize({}), status(200, 302, 303),
         check("no error", headerField="Location", operator="notContains", value="error=")),
    _shown("no client", "SMART-redirect", {"client_id": None}),
    _shown("an unknown client", "SMART-redirect", {"client_id": "nobody-${run}"}),
    _shown("another redirect URI", "SMART-redirect", {"redirect_uri": "https://evil.example/cb"}),
    _shown("a longer redirect URI", "SMART-redirect", {"redirect_uri": f"{REDIRECT}/more"}),
    _shown("a subdomain of somebody else", "SMART-redirect", {"redirect_uri": "https://app.example.evil.example/cb"}),
    _shown("a redirect URI with a query", "SMART-redirect", {"redirect_uri": f"{REDIRECT}%3Fa=b"}),
    _shown("no redirect URI", "SMART-redirect", {"redirect_uri": None}),
    _told("no challenge", "SMART-pkce", {"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    _told("a plain challenge", "SMART-pkce", {"code_challenge_method": "plain"}, "invalid_request"),
    _told("a challenge that is too short", "SMART-pkce", {"code_challenge": "abc"}, "invalid_request"),
    _told("an implicit grant", "SMART-authorize", {"response_type": "token"}, "unsupported_response_type"),
    _told("no response type", "SMART-authorize", {"response_type": None}, "invalid_request"),
    _told("tokens for another server", "SMART-aud", {"aud": "https://elsewhere.example/fhir"}, "invalid_request"),
    _told("tokens for nobody", "SMART-aud", {"aud": None}, "invalid_request"),
    _told("no state", "SMART-authorize", {"state": None}, "invalid_request"),
    _told("scopes that nobody knows", "SMART-scopes", {"scope": "nonsense"}, "invalid_scope"),
    _told("a scope that it is not registered for", "SMART-scopes", {"scope": "patient/Condition.rs"}, "invalid_scope"),
    case("a redirect URI twice", "SMART-redirect", _authorize({}, "&redirect_uri=https://evil.example/cb"),
         status(400, 401, 403), check("nobody is led anywhere", headerField="Location", operator="empty")),
    _told("without a word, when nobody is logged in", "SMART-authorize", {}, "login_required", "&prompt=none"),
    case("the state comes back", "SMART-authorize", _authorize({"response_type": "token"}),
         header("Location", "state=s-${run}", "contains")),
    case("the answer names its issuer", "SMART-iss", _authorize({"response_type": "token"}),
         header("Location", "iss=http", "contains")),
    fixtures={"app-said": described()},
    setup=registers(),
)  # fmt: skip
_CODE: Final = {
    "grant_type": "authorization_code",
    "code": "nonsense",
    "redirect_uri": REDIRECT,
    "client_id": "${app}",
    "code_verifier": VERIFIER,
}
_INVALID_CLIENT: Final = ("invalid_client", "unauthorized_client")
_FORMS: Final = {
    "unknown-grant": form(grant_type="urn:nonsense", client_id="${app}"),
    "no-grant": form(client_id="${app}"),
    "password": form(grant_type="password", username="a", password="b", client_id="${app}"),
    "no-client": form(**{name: value for name, value in _CODE.items() if name != "client_id"}),
    "unknown-client": form(**{**_CODE, "client_id": "nobody-${run}"}),
    "unknown-code": form(**_CODE),
    "no-code": form(**{name: value for name, value in _CODE.items() if name != "code"}),
    "unknown-refresh": form(grant_type="refresh_token", refresh_token="nonsense", client_id="${app}"),
    "no-refresh": form(grant_type="refresh_token", client_id="${app}"),
    "public-credentials": form(grant_type="client_credentials", scope="system/*.rs", client_id="${app}"),
    "twice": type(form())(form(**_CODE) + "&grant_type=refresh_token"),
    "secret": form(**_CODE, client_secret="guessed"),
}
_TOKEN: Final = smart(
    "token",
    "What the token endpoint refuses",
    *(
        case(name, requirement, sends(source), *error(*names, codes=(400, 401)))
        for source, name, requirement, names in (
            ("unknown-grant", "a grant that there is not", "OAUTH-errors", ("unsupported_grant_type",)),
            ("no-grant", "no grant", "OAUTH-errors", ("invalid_request",)),
            ("password", "a password", "OAUTH-errors", ("unsupported_grant_type", "unauthorized_client")),
            ("no-client", "no client", "OAUTH-clients", ("invalid_client", "invalid_request")),
            ("unknown-client", "an unknown client", "OAUTH-clients", ("invalid_client",)),
            ("unknown-code", "a code that nobody gave", "OAUTH-errors", ("invalid_grant",)),
            ("no-code", "no code", "OAUTH-errors", ("invalid_request",)),
            ("unknown-refresh", "a refresh token that nobody gave", "OAUTH-errors", ("invalid_grant",)),
            ("no-refresh", "no refresh token", "OAUTH-errors", ("invalid_request",)),
            ("public-credentials", "a public client for itself", "SMART-backend", _INVALID_CLIENT),
            ("twice", "a parameter twice", "OAUTH-errors", ("invalid_request",)),
            ("secret", "a secret that it does not have", "OAUTH-clients", ("invalid_client", "invalid_grant")),
        )
    ),
    case("by GET", "OAUTH-errors",
         ask("", url="${token_endpoint}?grant_type=authorization_code"), status(400, 404, 405)),
    case("as JSON", "OAUTH-errors",
         ask("", url="${token_endpoint}", method="post", source="app-said", content="application/json"),
         status(400, 415)),
    case("in the address", "OAUTH-errors",
         sends("unknown-code", "${token_endpoint}?grant_type=authorization_code"), status(400)),
    case("no answer is kept", "OAUTH-no-store", sends("unknown-code"),
         header("Cache-Control", "no-store", "contains")),
    fixtures={"app-said": described(), **_FORMS},
    setup=registers(),
)  # fmt: skip
_CHALLENGE: Final = header("WWW-Authenticate", "Bearer", "contains")
_BEARER: Final = smart(
    "bearer",
    "Tokens that are none",
    case("no token", "ACCESS-token", ask("", url="Observation"), status(401), _CHALLENGE),
    *(
        case(name, "ACCESS-token", ask("", url="Observation", headers={"Authorization": value}), status(401),
             _CHALLENGE)
        for name, value in (
            ("nonsense", "Bearer nonsense"),
            ("an empty one", "Bearer "),
            ("a password", "Basic YTpi"),
            ("an unsigned one", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."),
        )
    ),
    case("it says that it does not hold", "ACCESS-token",
         ask("", url="Observation", headers={"Authorization": "Bearer nonsense"}),
         header("WWW-Authenticate", "invalid_token", "contains")),
    case("in the address", "ACCESS-token", ask("", url="Observation?access_token=nonsense"), status(400, 401)),
)  # fmt: skip
ENDPOINTS: Final = (_AUTHORIZE, _TOKEN, _BEARER)
