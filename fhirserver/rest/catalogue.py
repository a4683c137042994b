"""`/catalogue/api`: the catalogue of apps as JSON. Everybody with a token reads it; operators keep the register.

The same apps are Endpoints of FHIR (`auth.clients.catalogue`). Refusals are OperationOutcomes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, request

from fhirserver.access import Access, require
from fhirserver.audit import Event
from fhirserver.auth.clients.catalogue import categories
from fhirserver.auth.clients.metadata import InvalidMetadata
from fhirserver.errors import BadRequest, FhirError, Forbidden
from fhirserver.rest.edge import services
from fhirserver.rest.oauth.certificate import certificate
from fhirserver.rest.oauth.register import answer, body, information

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.auth.clients.client import Client

PATH: Final = "/catalogue/api"
_SHOWN: Final = ("client_name", "client_uri", "policy_uri", "tos_uri", "logo_uri", "initiate_login_uri")
_FIELDS: Final = frozenset({"client_id", "metadata", "catalogue", "organization", "resource_server"})


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
    _require_operator(access)
    found = services().catalogue.listed(request.args.get("status"), request.args.get("after", ""))
    return 200, {"clients": [kept(each) for each in found]}


def show(access: Access, client_id: str) -> tuple[int, Any]:
    """One client, with what was decided of it."""
    _require_operator(access)
    return 200, kept(services().catalogue.client(client_id))


def add(access: Access) -> tuple[int, Any]:
    """201 with a new client, and its secrets that are told once. `client_id` is made up when it is not given."""
    _require_operator(access)
    given, found = _given(), services()
    registered = found.registration.register(
        given.get("metadata") or {}, by=access.requester.id, client_id=given.get("client_id")
    )
    client = _described(registered.client, given)
    return 201, kept(client) | {
        name: value
        for name, value in information(found, registered._replace(client=client)).items()
        if name in ("registration_access_token", "registration_client_uri", "client_secret")
    }


def describe(access: Access, client_id: str) -> tuple[int, Any]:
    """Puts other words of the catalogue, another establishment or another duty in the place of those before."""
    _require_operator(access)
    given = _given()
    if {"metadata", "client_id"} & given.keys():
        raise BadRequest("What a client says of itself is changed by itself (RFC 7592).")
    return 200, kept(_described(services().catalogue.client(client_id), given))


def decide(access: Access, client_id: str) -> tuple[int, Any]:
    """References, suspends or withdraws a client, with a `reason`."""
    _require_operator(access)
    given = body()
    status, reason = given.get("status"), given.get("reason", "")
    if not isinstance(status, str) or not isinstance(reason, str) or given.keys() - {"status", "reason"}:
        raise BadRequest('Send {"status": …, "reason": …}, both text.')
    catalogue = services().catalogue
    return 200, kept(catalogue.decide(catalogue.client(client_id), status, access.requester.id, reason))


def published(client: Client) -> dict[str, Any]:
    """What everybody reads of an app."""
    told = {name: client.metadata[name] for name in _SHOWN if name in client.metadata}
    return {"client_id": client.id, **told, "scope": client.metadata.get("scope", ""), **client.catalogue}


def kept(client: Client) -> dict[str, Any]:
    """What operators read of a client: all but its secrets."""
    return {
        "client_id": client.id,
        "status": client.status,
        "metadata": dict(client.metadata),
        "catalogue": dict(client.catalogue),
        "organization": client.organization,
        "resource_server": client.resource_server,
        "origins": list(client.origins),
        "history": [{**each._asdict(), "at": each.at.isoformat()} for each in client.history],
    }


def _described(client: Client, given: dict[str, Any]) -> Client:
    catalogue = services().catalogue
    if "catalogue" in given:
        client = catalogue.describe(client, given["catalogue"])
    if {"organization", "resource_server"} & given.keys():
        organization = given.get("organization", client.organization)
        duty = given.get("resource_server", client.resource_server)
        if not isinstance(organization, str | None) or not isinstance(duty, bool):
            raise BadRequest("organization is text or null, resource_server true or false.")
        client = catalogue.appoint(client, organization, resource_server=duty)
    return client


def _given() -> dict[str, Any]:
    given = body()
    for name in given.keys() - _FIELDS:
        raise BadRequest(f"{name[:80]!r} is none of {', '.join(sorted(_FIELDS))}.")
    for name in ("metadata", "catalogue"):
        if not isinstance(given.get(name, {}), dict):
            raise BadRequest(f"{name} is an object.")
    return given


def _require_operator(access: Access) -> None:
    """Raises Forbidden; the scopes of a narrow token must let it write Endpoints."""
    if access.requester.kind != "operator":
        raise Forbidden("The register of clients is kept by operators.")
    require(access.requester, "Endpoint", "u")


def _traced(view: Callable[..., tuple[int, Any]]) -> Callable[..., Response]:
    """The view for who has a token, traced whatever it answers."""

    def traced(**path: str) -> Response:
        found = services()
        shown = certificate(request, found.settings)
        requester = found.verifier.requester(request.headers.get("Authorization"), shown)
        found.rates.of_client(requester)
        access = Access.of(requester, found.clock())
        interaction = "catalogue" if request.method == "GET" else "register"
        try:
            status, value = view(access, **path)
        except InvalidMetadata as error:
            found.trace(access, Event(interaction, 400))
            raise BadRequest(error.text) from None
        except FhirError as error:
            found.trace(access, Event(interaction, error.status))
            raise
        found.trace(access, Event(interaction, status))
        return answer(status, value)

    return traced
