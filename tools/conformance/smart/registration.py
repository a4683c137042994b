"""Apps that register themselves (RFC 7591, RFC 7592)."""

from __future__ import annotations

from typing import Any, Final

from tools.conformance.building import Part, Text, ask, case, header, status
from tools.conformance.smart.common import REDIRECT, described, error, member, registers, smart

_RIGHT: Final = {"Authorization": "Bearer ${right}"}
_PRIVATE: Final = {"kty": "EC", "crv": "P-384", "kid": "k", "x": "AA", "y": "AA", "d": "AA"}
_WRONG: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "no-name": ("no name", {"client_name": None}),
    "no-redirect": ("no redirect URI", {"redirect_uris": None}),
    "plain": ("a redirect URI without TLS", {"redirect_uris": ["http://app.example/cb"]}),
    "fragment": ("a redirect URI with a fragment", {"redirect_uris": [f"{REDIRECT}#a"]}),
    "wildcard": ("a redirect URI with a wildcard", {"redirect_uris": ["https://*.example/cb"]}),
    "script": ("a redirect URI that runs", {"redirect_uris": ["javascript:alert(1)"]}),
    "parent": ("a redirect URI that climbs", {"redirect_uris": ["https://app.example/a/../cb"]}),
    "scope": ("a scope that there is not", {"scope": "nonsense"}),
    "method": ("a way to prove oneself that there is not", {"token_endpoint_auth_method": "nonsense"}),
    "keyless": ("a key to prove oneself with, and none given", {"token_endpoint_auth_method": "private_key_jwt"}),
    "private": (
        "a private key",
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [_PRIVATE]}},
    ),
    "implicit": ("an implicit grant", {"grant_types": ["implicit"]}),
    "statement": ("a software statement", {"software_statement": "eyJhbGciOiJub25lIn0.e30."}),
    "names": ("several names of the wrong kind", {"client_name": ["a", "b"]}),
}
_ERRORS: Final = (
    "invalid_redirect_uri",
    "invalid_client_metadata",
    "invalid_software_statement",
    "unapproved_software_statement",
)


def _register(source: str) -> Part:
    return ask("", url="${registration_endpoint}", method="post", source=source, content="application/json",
               accept="application/json")  # fmt: skip


def _own(method: str, **more: Any) -> Part:
    return ask("", url="${place}", method=method, accept="application/json", **{"headers": _RIGHT, **more})


_OWN: Final = smart(
    "registration",
    "An app registers itself, and looks after that",
    case("it gets an id", "OAUTH-registration", *registers(), member("client_id"), member("client_id_issued_at")),
    case("what it said", "OAUTH-registration", *registers(), member("client_name", "Essai ${run}"),
         member("redirect_uris[0]", REDIRECT)),
    case("no answer is kept", "OAUTH-registration", *registers(), header("Cache-Control", "no-store", "contains")),
    case("another id each time", "OAUTH-registration", *registers(), _register("app-said"), status(201),
         member("client_id", "${app}", operator="notEquals")),
    case("what it says beyond the table is left out", "OAUTH-registration", _register("more"), status(201),
         member("client_id"), {"assert": {"description": "it is left out", "warningOnly": False,
                                          "path": "$.nonsense", "operator": "empty"}}),
    case("it reads it", "OAUTH-management", *registers(), _own("get"), status(200), member("client_id", "${app}")),
    case("it replaces it", "OAUTH-management", *registers(),
         _own("put", source="renamed", content="application/json"), status(200),
         member("client_name", "Renommé ${run}")),
    case("it withdraws it", "OAUTH-management", *registers(), _own("delete"), status(204),
         _own("get"), status(401)),
    case("nobody else reads it", "OAUTH-management", *registers(), _own("get", headers={}), status(401)),
    case("nor with another token", "OAUTH-management", *registers(),
         _own("get", headers={"Authorization": "Bearer nonsense"}), status(401)),
    fixtures={
        "app-said": described(),
        "renamed": described(client_id="${app}", client_name="Renommé ${run}"),
        "more": described(nonsense=True),
    },
)  # fmt: skip
_REFUSED: Final = smart(
    "registration-refused",
    "What no app may register",
    *(case(text, "OAUTH-registration-refused", _register(key), *error(*_ERRORS)) for key, (text, _) in _WRONG.items()),
    case("no JSON", "OAUTH-registration-refused", _register("broken"), status(400)),
    case("no object", "OAUTH-registration-refused", _register("list"), status(400)),
    fixtures={
        **{key: described(**changes) for key, (_, changes) in _WRONG.items()},
        "broken": Text("{nonsense"),
        "list": Text("[]"),
    },
)
REGISTRATION: Final = (_OWN, _REFUSED)
