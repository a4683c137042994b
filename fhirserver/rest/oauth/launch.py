"""`POST /oauth/launch`: software registers the context in which it is about to open an app.

Whoever opens the app shows a token with the scope `launch`, and must see the record that it is about.
"""

from __future__ import annotations

from typing import Any, Final

import jsonschema
from flask import Blueprint, Response, request

from fhirserver.access import Access
from fhirserver.audit import Entity, Event
from fhirserver.auth.server.launch import LIFETIME, Launches
from fhirserver.errors import BadRequest, Forbidden, NotFound
from fhirserver.rest.edge import services
from fhirserver.rest.oauth.bearer import required
from fhirserver.rest.oauth.register import answer, body, told

PATH: Final = "/oauth/launch"
_ID: Final = {"type": "string", "pattern": r"^[A-Za-z0-9\-.]{1,64}$"}
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "patient": _ID,
        "encounter": _ID,
        "intent": {"type": "string", "maxLength": 100},
        "need_patient_banner": {"type": "boolean"},
    },
    "additionalProperties": False,
}
_VALIDATOR: Final = jsonschema.Draft202012Validator(SCHEMA)


def blueprint() -> Blueprint:
    routes = Blueprint("oauth-launch", __name__)
    routes.add_url_rule(PATH, "launch", told(launch, "invalid_request"), methods=["POST"])
    return routes


def launch() -> Response:
    """201 with `launch`, the value to give the app, and `expires_in` in seconds."""
    found = services()
    who = required(found, request, "launch").requester
    access = Access.of(who, found.clock())
    if "launch" not in who.scopes:
        found.trace(access, Event("launch", 403))
        raise Forbidden("The token does not have the scope launch.")
    context = body()
    for error in _VALIDATOR.iter_errors(context):
        raise BadRequest(
            f"{'/'.join(map(str, error.path)) or 'The body'} is not what a launch holds: {error.validator}."
        )
    view, seen = found.store.view(access), []
    for type_, name in (("Patient", "patient"), ("Encounter", "encounter")):
        if name in context:
            stored = view.read(type_, context[name])
            if stored is None or (type_ == "Encounter" and stored.pat != context.get("patient")):
                found.trace(access, Event("launch", 404))
                raise NotFound(f"There is no such {name}.")
            seen.append(Entity.of(stored))
    value = Launches(found.store).make(who, context)
    found.trace(access, Event("launch", 201, tuple(seen)))
    return answer(201, {"launch": value, "expires_in": int(LIFETIME.total_seconds())})
