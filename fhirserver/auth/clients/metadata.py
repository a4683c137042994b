"""What a client may say of itself (RFC 7591, section 2), held to a schema and to what the schema cannot say.

What is not known here is left out, as RFC 7591 asks; the answer to a registration shows what was kept.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from jsonschema import Draft202012Validator

from fhirserver.access.scopes import parse
from fhirserver.auth.clients import keysets
from fhirserver.auth.fetching import LOOPBACK, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a grant type
GRANT_TYPES: Final = ("authorization_code", "refresh_token", "client_credentials", TOKEN_EXCHANGE)
SECRETS: Final = ("client_secret_basic", "client_secret_post")
CERTIFICATES: Final = ("tls_client_auth", "self_signed_tls_client_auth")
PLAIN_SCOPES: Final = frozenset(
    {
        "openid",
        "fhirUser",
        "profile",
        "launch",
        "launch/patient",
        "launch/encounter",
        "offline_access",
        "online_access",
    }
)
"""Scopes that are not about resources (SMART App Launch 2.2; OpenID Connect Core)."""
MOST_LOGO: Final = 100_000
"""Characters of a logo as `data:`."""

_URL: Final = {"type": "string", "minLength": 1, "maxLength": 2048}
LINE: Final = {
    "type": "string",
    "minLength": 1,
    "maxLength": 120,
    "pattern": r"\A[^\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069<>]+\Z",
}
_WORDS: Final = {"type": "string", "maxLength": 4000, "pattern": r"\A[\x21-\x7e]+( [\x21-\x7e]+)*\Z"}

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["client_name"],
    "properties": {
        "client_name": LINE,
        "redirect_uris": {"type": "array", "items": _URL, "minItems": 1, "maxItems": 10, "uniqueItems": True},
        "token_endpoint_auth_method": {"enum": ["none", "private_key_jwt", *SECRETS, *CERTIFICATES]},
        "grant_types": {"type": "array", "items": {"enum": list(GRANT_TYPES)}, "minItems": 1, "uniqueItems": True},
        "response_types": {"type": "array", "items": {"const": "code"}, "maxItems": 1},
        "application_type": {"enum": ["web", "native"]},
        "scope": _WORDS,
        "client_uri": _URL,
        "policy_uri": _URL,
        "tos_uri": _URL,
        "initiate_login_uri": _URL,
        "logo_uri": {"type": "string", "maxLength": MOST_LOGO},
        "contacts": {
            "type": "array",
            "items": {"type": "string", "maxLength": 254, "pattern": r"\A[^@\s<>]+@[^@\s<>]+\Z"},
            "maxItems": 5,
        },
        "jwks_uri": _URL,
        "jwks": {
            "type": "object",
            "required": ["keys"],
            "properties": {"keys": {"type": "array", "items": {"type": "object"}, "minItems": 1, "maxItems": 10}},
        },
        "software_id": {**LINE, "maxLength": 200},
        "software_version": {**LINE, "maxLength": 60},
        "tls_client_auth_subject_dn": {**LINE, "maxLength": 1000},
        "tls_client_certificate_bound_access_tokens": {"type": "boolean"},
        "psc_client_id": {**LINE, "maxLength": 200},
        "allowed_origins": {"type": "array", "items": _URL, "maxItems": 10, "uniqueItems": True},
    },
}
_VALIDATOR: Final = Draft202012Validator(SCHEMA)
_PAGES: Final = ("client_uri", "policy_uri", "tos_uri", "initiate_login_uri")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+")
_LOGO: Final = re.compile(r"data:image/(?:png|jpeg|webp);base64,([A-Za-z0-9+/]+={0,2})")
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f-\U0010ffff\\*<>\"{}|^`]")


class InvalidMetadata(Exception):
    """`error` is of RFC 7591, section 3.2.2; the text says what to change."""

    def __init__(self, text: str, error: str = "invalid_client_metadata") -> None:
        super().__init__(text)
        self.text, self.error = text, error


class Terms(NamedTuple):
    """What this server lets clients register. `secrets`: whether a shared secret will do."""

    production: bool = False
    secrets: bool = False


def checked(given: Mapping[str, Any], terms: Terms) -> dict[str, Any]:
    """The metadata to keep, with the defaults of RFC 7591 written out. Raises InvalidMetadata."""
    for fault in _VALIDATOR.iter_errors(dict(given)):
        place = ".".join(str(each) for each in fault.absolute_path) or "the metadata"
        raise InvalidMetadata(f"{place[:80]} is not as it must be ({fault.validator}).", _error(place))
    kept = {name: given[name] for name in SCHEMA["properties"] if name in given}
    kept.setdefault("token_endpoint_auth_method", "none")
    kept.setdefault("grant_types", ["authorization_code"])
    kept["response_types"] = ["code"] if "authorization_code" in kept["grant_types"] else []
    for text in _problems(kept, terms):
        raise InvalidMetadata(text)
    for uri in kept.get("redirect_uris", ()):
        if found := redirect_problem(uri, native=_public(kept)):
            raise InvalidMetadata(f"A redirect URI {found}.", "invalid_redirect_uri")
    return kept


def redirect_problem(uri: str, *, native: bool) -> str | None:
    """Why nothing may be redirected to a URI, None when it may be (RFC 8252, 7; RFC 9700, 4.1)."""
    if _UNSAFE.search(uri):
        return "must be ASCII without spaces, wildcards or other signs that are not of URIs"
    if "#" in uri:
        return "has no fragment"
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is not a URI"
    if parts.username is not None or parts.password is not None:
        return "names no user"
    if ".." in unquote(parts.path).split("/"):
        return "has no `..` in its path"
    if parts.scheme == "https":
        return None if host and port != 0 else "names a host"
    if parts.scheme == "http":
        return None if host in LOOPBACK else "must be https; http is for the loopback only"
    if not _SCHEME.fullmatch(parts.scheme) or not native:
        return "is https, http on the loopback or, for a public client, of a scheme such as fr.example.app"
    return None


def origins(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Where the client's pages may call from: what it says, and for a public client its redirect URIs' origins."""
    found = list(metadata.get("allowed_origins", ()))
    if _public(metadata):
        found += [origin for uri in metadata.get("redirect_uris", ()) if (origin := _origin(uri))]
    return tuple(dict.fromkeys(found))


def scope_problem(scope: str) -> str | None:
    """Why a scope cannot be registered, None when it can."""
    if scope in PLAIN_SCOPES or parse(scope) is not None:
        return None
    return f"the scope {scope[:80]!r} is not known here"


def _public(metadata: Mapping[str, Any]) -> bool:
    return str(metadata["token_endpoint_auth_method"]) == "none"


def _problems(kept: Mapping[str, Any], terms: Terms) -> Iterator[str]:
    yield from _of_grants(kept)
    yield from _of_keys(kept, terms)
    yield from _of_scopes(kept)
    for name in _PAGES:
        if name in kept and (found := refusal(kept[name], production=terms.production)):
            yield f"{name}: {found}."
    if "logo_uri" in kept and not _is_logo(kept["logo_uri"], terms):
        yield "logo_uri must be https, or a PNG, JPEG or WebP image as data:image/…;base64,… ."
    for origin in kept.get("allowed_origins", ()):
        if _origin(origin) != origin:
            yield "allowed_origins are such as https://app.example: no path, http on the loopback only."


def _of_grants(kept: Mapping[str, Any]) -> Iterator[str]:
    grants, method = kept["grant_types"], kept["token_endpoint_auth_method"]
    if "authorization_code" in grants and "redirect_uris" not in kept:
        yield "redirect_uris must be given for authorization_code."
    if "refresh_token" in grants and "authorization_code" not in grants:
        yield "refresh_token goes with authorization_code."
    if method == "none" and {"client_credentials", TOKEN_EXCHANGE} & set(grants):
        yield "A public client (token_endpoint_auth_method none) cannot use client_credentials or token exchange."


def _of_keys(kept: Mapping[str, Any], terms: Terms) -> Iterator[str]:
    method, given = kept["token_endpoint_auth_method"], [name for name in ("jwks", "jwks_uri") if name in kept]
    if method in SECRETS and not terms.secrets:
        yield "Shared secrets are not taken here: register with private_key_jwt."
    if len(given) > 1:
        yield "Give jwks or jwks_uri, not both."
    if method == "private_key_jwt" and not given:
        yield "private_key_jwt needs jwks or jwks_uri."
    if method == "tls_client_auth" and "tls_client_auth_subject_dn" not in kept:
        yield "tls_client_auth needs tls_client_auth_subject_dn."
    if method == "self_signed_tls_client_auth" and not given:
        yield "self_signed_tls_client_auth needs jwks or jwks_uri with its certificates (x5c)."
    if "jwks_uri" in kept and (found := refusal(kept["jwks_uri"], production=terms.production)):
        yield f"jwks_uri: {found}."
    if "jwks" in kept and method == "private_key_jwt":
        keys = kept["jwks"]["keys"]
        yield from (f"jwks: {found}." for each in keys if (found := keysets.problem(each)))
        if len({(each.get("kid"), each.get("kty")) for each in keys}) < len(keys):
            yield "jwks: two keys have the same kid."


def _of_scopes(kept: Mapping[str, Any]) -> Iterator[str]:
    scopes = str(kept.get("scope", "")).split()
    yield from (f"scope: {found}." for each in scopes if (found := scope_problem(each)))
    backend = any(each.startswith("system/") for each in scopes)
    if backend and not {"client_credentials", TOKEN_EXCHANGE} & set(kept["grant_types"]):
        yield "scope: system/… is for client_credentials."


def _is_logo(text: str, terms: Terms) -> bool:
    inline = _LOGO.fullmatch(text)
    if inline is None:
        return len(text) <= 2048 and refusal(text, production=terms.production) is None
    try:
        base64.b64decode(inline[1], validate=True)
    except binascii.Error:
        return False
    return True


def _origin(uri: str) -> str | None:
    """The origin of a URI as browsers write it, None of one that has none (a private scheme)."""
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or (parts.scheme != "https" and (parts.scheme != "http" or host not in LOOPBACK)):
        return None
    shown = f"[{host}]" if _is_v6(host) else host
    usual = port is None or port == {"https": 443, "http": 80}[parts.scheme]
    return f"{parts.scheme}://{shown}" + ("" if usual else f":{port}")


def _is_v6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False


def _error(place: str) -> str:
    return "invalid_redirect_uri" if place.startswith("redirect_uris") else "invalid_client_metadata"
