"""What the authorisation server says of itself, and its public keys: for everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response

from fhirserver import jsontext
from fhirserver.auth.ring import ANNOUNCED
from fhirserver.auth.server.metadata import ENDPOINTS, metadata, openid_configuration
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from fhirserver.rest.services import Services

_AGE: Final = f"public, max-age={ANNOUNCED // 3}"
"""A key is published for longer than this before it signs."""


def blueprint() -> Blueprint:
    routes = Blueprint("oauth-wellknown", __name__)
    for path, view in (
        ("/.well-known/oauth-authorization-server", authorization_server),
        ("/.well-known/openid-configuration", openid),
        (ENDPOINTS["jwks_uri"], jwks),
    ):
        routes.add_url_rule(path, view.__name__, view, methods=["GET"])
    return routes


def public_base(found: Services) -> str:
    """The address of this server, below which `/oauth` lies."""
    return found.base.removesuffix("/fhir")


def authorization_server() -> Response:
    """RFC 8414."""
    found = services()
    return _public(metadata(found.authorization_server, public_base(found)))


def openid() -> Response:
    """OpenID Connect Discovery 1.0."""
    found = services()
    return _public(openid_configuration(found.authorization_server, public_base(found)))


def jwks() -> Response:
    """All keys that verify tokens (RFC 7517), the next one too."""
    return _public(services().keys.published())


def _public(value: Any) -> Response:
    response = Response(jsontext.dump(value), content_type="application/json")
    response.headers["Cache-Control"] = _AGE
    return response
