"""`POST /oauth/introspect` (RFC 7662)."""

from __future__ import annotations

from flask import Blueprint, Response

from fhirserver.auth.server.backend import CHALLENGE
from fhirserver.auth.server.metadata import ENDPOINTS
from fhirserver.rest.edge import services
from fhirserver.rest.oauth.register import answer, told
from fhirserver.rest.oauth.token import asked, trace


def blueprint() -> Blueprint:
    routes = Blueprint("oauth-introspect", __name__)
    path = ENDPOINTS["introspection_endpoint"]
    routes.add_url_rule(path, "introspect", told(introspect, "invalid_request"), methods=["POST"])
    return routes


def introspect() -> Response:
    """200 with `active`, 400 or 401 with `error`; who did not prove who he is, is traced."""
    found = services()
    made = found.introspection.introspect(asked())
    if made.error == "invalid_client":  # RFC 7662, section 2.3
        made.status = 401
        made.headers.setdefault("WWW-Authenticate", CHALLENGE)
    if made.status >= 400:
        made.interaction = "introspect"
        trace(found, made)
    return answer(made.status, made.body, made.headers)
