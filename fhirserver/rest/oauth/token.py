"""`POST /oauth/token` (RFC 6749, 3.2), traced whatever it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from flask import Blueprint, Response, request

from fhirserver.access import Access, Requester
from fhirserver.audit import Event
from fhirserver.auth.server import Request
from fhirserver.auth.server.metadata import TOKEN
from fhirserver.errors import BadRequest, TooLarge
from fhirserver.rest.edge import services
from fhirserver.rest.exchange import FORM
from fhirserver.rest.oauth.certificate import certificate
from fhirserver.rest.oauth.register import answer, told

if TYPE_CHECKING:
    from fhirserver.auth.server import Response as Answer
    from fhirserver.rest.services import Services

MOST_BYTES: Final = 1 << 16


def blueprint() -> Blueprint:
    routes = Blueprint("oauth-token", __name__)
    routes.add_url_rule(TOKEN, "token", told(token, "invalid_request"), methods=["POST"])
    return routes


def token() -> Response:
    """200 with the tokens, 400 or 401 with `error` (RFC 6749, 5.2)."""
    found = services()
    made = found.authorization_server.token(asked())
    trace(found, made)
    return answer(made.status, made.body, {**made.headers, "Pragma": "no-cache"})


def asked() -> Request:
    """The request at hand as the authorisation server reads it. Raises BadRequest, TooLarge."""
    if request.query_string:
        raise BadRequest("Parameters belong into the body, not into the URL.")
    if request.mimetype != FORM:
        raise BadRequest(f"Send a form: Content-Type: {FORM}.")
    content = request.stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise TooLarge(f"The body is larger than {MOST_BYTES} bytes, the most that is taken here.")
    try:
        params = parse_qsl(content.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise BadRequest("The form is not UTF-8.") from None
    shown = certificate(request, services().settings)
    return Request(request.method, params, dict(request.headers), shown)


def trace(found: Services, made: Answer) -> None:
    """Traces what was given, or refused: without a subject it is the client's, if it is known."""
    who = made.subject
    if who is None and made.client is not None:
        who = Requester("system", f"client/{made.client}", client=made.client, purpose="HSYSADMIN")
    now = found.clock()
    access = Access.of(who, now) if who is not None else Access.system("authentication", now)
    patients = (who.patient,) if who is not None and who.patient else ()
    found.trace(access, Event(made.interaction, made.status, patients=patients))
