"""`/oauth/userinfo` (OpenID Connect Core, 5.3): who the token stands for, for tokens with `openid`."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response, request

from fhirserver.access import Access
from fhirserver.audit import Event
from fhirserver.errors import Forbidden
from fhirserver.rest.edge import services
from fhirserver.rest.oauth.bearer import required
from fhirserver.rest.oauth.register import answer, told

PATH: Final = "/oauth/userinfo"


def blueprint() -> Blueprint:
    routes = Blueprint("oauth-userinfo", __name__)
    routes.add_url_rule(PATH, "userinfo", told(userinfo, "invalid_request"), methods=["GET", "POST"])
    return routes


def userinfo() -> Response:
    """200 with `sub`, and by the scopes `fhirUser` and `name`."""
    found = services()
    token = required(found, request, "userinfo")
    who = token.requester
    access = Access.of(who, found.clock())
    if "openid" not in who.scopes:
        found.trace(access, Event("userinfo", 403))
        challenge = 'Bearer realm="fhir", error="insufficient_scope", scope="openid"'
        raise Forbidden("The token does not have the scope openid.", headers={"WWW-Authenticate": challenge})
    person: dict[str, Any] = {"sub": who.id}
    if "fhirUser" in who.scopes and token.claims.get("fhirUser"):
        person["fhirUser"] = token.claims["fhirUser"]
    if "profile" in who.scopes and who.name:
        person["name"] = who.name
    found.trace(access, Event("userinfo", 200))
    return answer(200, person)
