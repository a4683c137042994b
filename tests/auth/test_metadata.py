from __future__ import annotations

from typing import Any

import pytest

from fhirserver.auth.clients.metadata import PLAIN_SCOPES, InvalidMetadata, Terms, checked, origins, redirect_problem
from fhirserver.auth.server.scopes import SPECIAL
from tests.auth.registrations import APP, backend, ec_key, public, rsa_key

PNG = "data:image/png;base64,iVBORw0KGgo="

REFUSED: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("no name", {"client_name": None}, "invalid_client_metadata"),
    ("a name that is no text", {"client_name": 3}, "invalid_client_metadata"),
    ("a name with a line break at its end", {"client_name": "App\n"}, "invalid_client_metadata"),
    ("a name that turns the reading round", {"client_name": "App\u202egnp"}, "invalid_client_metadata"),
    ("a name with markup", {"client_name": "<b>App"}, "invalid_client_metadata"),
    ("a name beyond measure", {"client_name": "x" * 121}, "invalid_client_metadata"),
    ("no redirect URI", {"redirect_uris": None}, "invalid_client_metadata"),
    ("an empty list of redirect URIs", {"redirect_uris": []}, "invalid_redirect_uri"),
    (
        "too many redirect URIs",
        {"redirect_uris": [f"https://a.example/{n}" for n in range(11)]},
        "invalid_redirect_uri",
    ),
    ("a fragment", {"redirect_uris": ["https://a.example/cb#here"]}, "invalid_redirect_uri"),
    ("an empty fragment", {"redirect_uris": ["https://a.example/cb#"]}, "invalid_redirect_uri"),
    ("a wildcard", {"redirect_uris": ["https://*.example/cb"]}, "invalid_redirect_uri"),
    ("plain http", {"redirect_uris": ["http://a.example/cb"]}, "invalid_redirect_uri"),
    ("a host that looks like the loopback", {"redirect_uris": ["http://127.0.0.1.a.example/"]}, "invalid_redirect_uri"),
    ("script", {"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
    ("data", {"redirect_uris": ["data:text/html,x"]}, "invalid_redirect_uri"),
    ("a scheme without a dot", {"redirect_uris": ["myapp://cb"]}, "invalid_redirect_uri"),
    ("no scheme", {"redirect_uris": ["//a.example/cb"]}, "invalid_redirect_uri"),
    ("a user", {"redirect_uris": ["https://me@a.example/cb"]}, "invalid_redirect_uri"),
    ("no host", {"redirect_uris": ["https:///cb"]}, "invalid_redirect_uri"),
    ("steps upwards", {"redirect_uris": ["https://a.example/x/%2e%2e/cb"]}, "invalid_redirect_uri"),
    ("a backslash", {"redirect_uris": ["https://a.example\\@b.example/"]}, "invalid_redirect_uri"),
    ("a port that is none", {"redirect_uris": ["https://a.example:99999/"]}, "invalid_redirect_uri"),
    ("an unknown grant type", {"grant_types": ["password"]}, "invalid_client_metadata"),
    ("the implicit grant", {"grant_types": ["implicit"]}, "invalid_client_metadata"),
    ("a response type of the implicit grant", {"response_types": ["token"]}, "invalid_client_metadata"),
    ("refreshing alone", {"grant_types": ["refresh_token"]}, "invalid_client_metadata"),
    ("a public backend", {"grant_types": ["client_credentials"]}, "invalid_client_metadata"),
    ("a shared secret", {"token_endpoint_auth_method": "client_secret_basic"}, "invalid_client_metadata"),
    ("client_secret_jwt", {"token_endpoint_auth_method": "client_secret_jwt"}, "invalid_client_metadata"),
    ("an unknown scope", {"scope": "everything"}, "invalid_client_metadata"),
    ("a scope with letters out of order", {"scope": "patient/Observation.sr"}, "invalid_client_metadata"),
    ("a scope of a backend for an app", {"scope": "system/Patient.rs"}, "invalid_client_metadata"),
    ("scopes with two spaces", {"scope": "openid  fhirUser"}, "invalid_client_metadata"),
    ("scopes beyond measure", {"scope": "openid " * 600}, "invalid_client_metadata"),
    ("a page without TLS", {"client_uri": "http://a.example"}, "invalid_client_metadata"),
    ("a page of script", {"tos_uri": "javascript:alert(1)"}, "invalid_client_metadata"),
    (
        "a logo of a kind that can hold script",
        {"logo_uri": "data:image/svg+xml;base64,PHN2Zz4="},
        "invalid_client_metadata",
    ),
    ("a logo that is no base64", {"logo_uri": "data:image/png;base64,a"}, "invalid_client_metadata"),
    ("a logo beyond measure", {"logo_uri": PNG + "A" * 100_000}, "invalid_client_metadata"),
    ("a contact that is none", {"contacts": ["nobody"]}, "invalid_client_metadata"),
    ("an origin with a path", {"allowed_origins": ["https://a.example/"]}, "invalid_client_metadata"),
    ("any origin", {"allowed_origins": ["*"]}, "invalid_client_metadata"),
    ("the origin null", {"allowed_origins": ["null"]}, "invalid_client_metadata"),
)

BACKENDS_REFUSED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("no keys", {"jwks": None}),
    ("keys in two ways", {"jwks_uri": "https://lab.example/jwks"}),
    ("keys at an address without TLS", {"jwks": None, "jwks_uri": "http://lab.example/jwks"}),
    ("keys of the server's own network", {"jwks": None, "jwks_uri": "http://10.0.0.1/jwks"}),
    ("a private key", {"jwks": {"keys": [ec_key().as_dict(private=True)]}}),
    ("a shared key", {"jwks": {"keys": [{"kty": "oct", "kid": "x", "k": "AAAA"}]}}),
    ("a key without kid", {"jwks": {"keys": [{k: v for k, v in ec_key().as_dict().items() if k != "kid"}]}}),
    ("two keys of one kid", {"jwks": public(ec_key("same"), ec_key("same"))}),
    ("a curve of another algorithm", {"jwks": {"keys": [{**ec_key().as_dict(), "crv": "P-256"}]}}),
    ("an empty set", {"jwks": {"keys": []}}),
)  # fmt: skip


@pytest.mark.parametrize(("change", "error"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED])
def test_what_an_app_says_of_itself_is_held_to_the_rules(change: dict[str, Any], error: str) -> None:
    given = {name: value for name, value in {**APP, **change}.items() if value is not None}
    with pytest.raises(InvalidMetadata) as raised:
        checked(given, Terms())
    assert raised.value.error == error
    assert len(raised.value.text) < 300


@pytest.mark.parametrize("change", [each[1] for each in BACKENDS_REFUSED], ids=[each[0] for each in BACKENDS_REFUSED])
def test_the_keys_of_a_backend_are_held_to_the_rules(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidMetadata):
        checked(backend(**change), Terms())


def test_what_is_not_known_is_left_out_and_defaults_are_written_out() -> None:
    kept = checked({"client_name": "App", "redirect_uris": ["https://a.example/"], "colour": "red"}, Terms())
    assert kept == {
        "client_name": "App",
        "redirect_uris": ["https://a.example/"],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
    }


def test_a_backend_with_keys_of_both_kinds_is_taken() -> None:
    assert checked(backend(ec_key(), rsa_key()), Terms())["response_types"] == []


@pytest.mark.parametrize(
    "uri", ["https://a.example/cb?x=1", "http://127.0.0.1/cb", "http://[::1]:9000/cb", "fr.example.app:/cb"]
)
def test_redirect_uris_of_native_apps_are_taken(uri: str) -> None:
    assert redirect_problem(uri, native=True) is None


def test_a_private_scheme_is_for_public_clients() -> None:
    assert redirect_problem("fr.example.app:/cb", native=False)


def test_shared_secrets_are_taken_where_the_server_lets_them() -> None:
    given = APP | {"token_endpoint_auth_method": "client_secret_basic"}
    assert checked(given, Terms(secrets=True))["token_endpoint_auth_method"] == "client_secret_basic"


def test_in_production_not_even_the_loopback_is_plain_http() -> None:
    given = backend(jwks=None, jwks_uri="http://127.0.0.1:8000/jwks")
    assert checked(given, Terms())
    with pytest.raises(InvalidMetadata):
        checked(given, Terms(production=True))


def test_the_origins_of_a_public_app_are_those_of_its_redirect_uris() -> None:
    uris = ["https://A.example:443/cb", "https://a.example/other", "http://localhost:3000/", "fr.example.app:/cb"]
    public_app = checked(APP | {"redirect_uris": uris}, Terms())
    assert origins(public_app) == ("https://a.example", "http://localhost:3000")
    confidential = backend(redirect_uris=["https://b.example/cb"], allowed_origins=["https://c.example:8443"])
    assert origins(checked(confidential, Terms())) == ("https://c.example:8443",)


def test_the_scopes_that_may_be_registered_are_those_that_may_be_granted() -> None:
    assert set(SPECIAL) == PLAIN_SCOPES
