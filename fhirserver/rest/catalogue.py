"""`/catalogue/api`: the catalogue of apps as JSON. Everybody with a token reads it; operators keep the register.

The same apps are Endpoints of FHIR (`auth.clients.catalogue`). Refusals are OperationOutcomes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, request

from fhirserver.access import Access, require
from fhirserver.audit import Entity, Event
from fhirserver.auth.clients.catalogue import categories
from fhirserver.auth.clients.desk import Desk
from fhirserver.errors import BadRequest, FhirError, Forbidden
from fhirserver.rest.edge import services
from fhirserver.rest.oauth.bearer import required
from fhirserver.rest.oauth.register import answer, body
from fhirserver.rest.routes import ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.auth.clients.client import Client

PATH: Final = "/catalogue/api"
_SHOWN: Final = ("client_name", "client_uri", "policy_uri", "tos_uri", "logo_uri", "initiate_login_uri")


def blueprint() -> Blueprint:
    routes = Blueprint("catalogue-api", __name__)
    for method, path, view in (
        ("GET", "/apps", apps),
        ("GET", "/clients", clients),
        ("POST", "/clients", add),
        ("GET", "/clients/<client_id>", show),
        ("PUT", "/clients/<client_id>", describe),
        ("POST", "/clients/<client_id>/decisions", decide),
    ):
        routes.add_url_rule(PATH + path, view.__name__, _traced(view), methods=[method])
    return routes


def apps(access: Access) -> tuple[int, Any]:
    """The referenced apps, of one `category` when it is given."""
    category = request.args.get("category")
    known = {each.code: each.display for each in categories()}
    if category is not None and category not in known:
        raise BadRequest(f"A category is one of {', '.join(known)}.")
    found = services().catalogue.apps(category)
    listed = [{"code": code, "display": display} for code, display in known.items()]
    return 200, {"categories": listed, "apps": [published(each) for each in found]}


def clients(access: Access) -> tuple[int, Any]:
    """The clients of a `status`, a hundred at a time: `after` is the last id of those before."""
    return 200, {"clients": _desk(access).listed(request.args.get("status"), request.args.get("after", ""))}


def show(access: Access, client_id: str) -> tuple[int, Any]:
    """One client, with what was decided of it."""
    return 200, _desk(access).show(client_id)


def add(access: Access) -> tuple[int, Any]:
    """201 with a new client, and its secrets that are told once. `client_id` is made up when it is not given."""
    return 201, _desk(access).add(body(), access.requester.id)


def describe(access: Access, client_id: str) -> tuple[int, Any]:
    """Puts other words of the catalogue, another establishment or another duty in the place of those before."""
    return 200, _desk(access).describe(client_id, body())


def decide(access: Access, client_id: str) -> tuple[int, Any]:
    """References, suspends or withdraws a client, with a `reason`."""
    return 200, _desk(access).decide(client_id, body(), access.requester.id)


def published(client: Client) -> dict[str, Any]:
    """What everybody reads of an app."""
    told = {name: client.metadata[name] for name in _SHOWN if name in client.metadata}
    return {"client_id": client.id, **told, "scope": client.metadata.get("scope", ""), **client.catalogue}


def _desk(access: Access) -> Desk:
    """Raises Forbidden for all but operators; the scopes of a narrow token must let it write Endpoints."""
    if access.requester.kind != "operator":
        raise Forbidden("The register of clients is kept by operators.")
    require(access.requester, "Endpoint", "u")
    return Desk(services().registration, services().catalogue)


def _traced(view: Callable[..., tuple[int, Any]]) -> Callable[..., Response]:
    """The view for who has a token, traced whatever it answers."""

    def traced(**path: str) -> Response:
        found = services()
        interaction = "catalogue" if request.method == "GET" else "register"
        access = Access.of(required(found, request, interaction).requester, found.clock())
        try:
            status, value = view(access, **path)
        except FhirError as error:
            found.trace(access, Event(interaction, error.status, about(path.get("client_id"))))
            raise
        found.trace(access, Event(interaction, status, about(value.get("client_id"))))
        return answer(status, value)

    return traced


def about(client_id: str | None) -> tuple[Entity, ...]:
    """What a trace tells of whom something was decided: the Endpoint that stands for the client in FHIR."""
    return (Entity("Endpoint", client_id),) if client_id is not None and ID.fullmatch(client_id) else ()
