"""`/oauth/register`: clients register themselves (RFC 7591) and manage what they registered (RFC 7592)."""

from __future__ import annotations

import re
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, request

from fhirserver import jsontext
from fhirserver.access import Access, Requester
from fhirserver.audit import Event
from fhirserver.auth.clients.metadata import InvalidMetadata
from fhirserver.auth.clients.registration import Registered
from fhirserver.errors import FhirError, Forbidden, TooLarge, Unauthenticated, UnsupportedMediaType
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fhirserver.auth.clients.client import Client
    from fhirserver.rest.services import Services

PATH: Final = "/oauth/register"
MOST_BYTES: Final = 200_000
_SUBMITTED: Final = "An operator has not looked at this client yet: in production it is refused until then."
_ERRORS: Final = {401: "invalid_token", 403: "access_denied", 429: "temporarily_unavailable"}


def blueprint() -> Blueprint:
    routes = Blueprint("oauth-register", __name__)
    for method, path, view in (
        ("POST", PATH, register),
        ("GET", f"{PATH}/<client_id>", show),
        ("PUT", f"{PATH}/<client_id>", change),
        ("DELETE", f"{PATH}/<client_id>", withdraw),
    ):
        routes.add_url_rule(path, view.__name__, told(view), methods=[method])
    return routes


def register() -> Response:
    """201 with the client and its registration access token, which are told once."""
    found = services()
    if not found.settings.open_registration:
        raise Forbidden("Clients do not register themselves here: ask the operator.")
    registered = found.registration.register(body())
    _trace(registered.client.id, 201)
    return answer(201, information(found, registered))


def show(client_id: str) -> Response:
    """The client as it is registered."""
    found = services()
    return answer(200, information(found, Registered(_managed(found, client_id))))


def change(client_id: str) -> Response:
    """The client as it is after the change."""
    found = services()
    registered = found.registration.change(_managed(found, client_id), body())
    found.catalogue.publish(client_id)
    _trace(client_id, 200)
    return answer(200, information(found, registered))


def withdraw(client_id: str) -> Response:
    """204: the client is no more, and its tokens are refused."""
    found = services()
    found.registration.withdraw(_managed(found, client_id))
    found.catalogue.publish(client_id)
    _trace(client_id, 204)
    return private(Response(status=204))


def _managed(found: Services, client_id: str) -> Client:
    """The client whose registration access token is shown; that another one is refused, is traced."""
    token = _token()
    try:
        return found.registration.managed(client_id, token)
    except Unauthenticated:
        if token:
            found.trace_nobody(Event("register", 401))
        raise


def information(found: Services, registered: Registered) -> dict[str, Any]:
    """The client information response (RFC 7591, section 3.2.1; RFC 7592, section 3)."""
    client = registered.client
    told: dict[str, Any] = {
        "client_id": client.id,
        "client_id_issued_at": int(client.history[0].at.timestamp()) if client.history else 0,
        **client.metadata,
        "status": client.status,
        "registration_client_uri": f"{found.base.removesuffix('/fhir')}{PATH}/{client.id}",
    }
    if registered.token is not None:
        told["registration_access_token"] = registered.token
    if registered.secret is not None:
        told |= {"client_secret": registered.secret, "client_secret_expires_at": 0}
    return told | ({"notice": _SUBMITTED} if client.status == "submitted" else {})


def body() -> dict[str, Any]:
    """The JSON object in the body. Raises UnsupportedMediaType, TooLarge, InvalidJson."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Send JSON: Content-Type: application/json.")
    content = request.stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise TooLarge(f"The body is larger than {MOST_BYTES} bytes, the most that is taken here.")
    return jsontext.parse_object(content)


def answer(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer that nobody keeps."""
    response = Response(jsontext.dump(value), status, dict(headers or {}), content_type="application/json")
    return private(response)


def private(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def told(view: Callable[..., Response], fallback: str = "invalid_client_metadata") -> Callable[..., Response]:
    """The view, whose errors become OAuth's: `error` and `error_description` in JSON."""

    @wraps(view)
    def safe(**path: str) -> Response:
        try:
            return view(**path)
        except InvalidMetadata as error:
            return answer(400, {"error": error.error, "error_description": _plain(error.text)})
        except FhirError as error:
            said = _ERRORS.get(error.status, fallback if error.status < 500 else "temporarily_unavailable")
            return answer(error.status, {"error": said, "error_description": _plain(error.text)}, error.headers)

    return safe


def _plain(text: str) -> str:
    """The text in the signs that `error_description` may have (RFC 6749, section 5.2)."""
    return re.sub(r"[^\x20\x21\x23-\x5b\x5d-\x7e]", "?", text)


def _token() -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _trace(client_id: str, status: int) -> None:
    found = services()
    who = Requester("system", f"client/{client_id}", client=client_id, purpose="HSYSADMIN")
    found.trace(Access.of(who, found.clock()), Event("register", status))
