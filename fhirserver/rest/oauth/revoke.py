"""`POST /oauth/revoke` (RFC 7009): the grant behind the token ends, and the holder is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flask import Blueprint, Response

from fhirserver.access import Access
from fhirserver.auth.server.metadata import ENDPOINTS
from fhirserver.rest.edge import services
from fhirserver.rest.oauth.register import answer, private, told
from fhirserver.rest.oauth.token import asked, trace

if TYPE_CHECKING:
    from fhirserver.access import Requester


def blueprint() -> Blueprint:
    routes = Blueprint("oauth-revoke", __name__)
    path = ENDPOINTS["revocation_endpoint"]
    routes.add_url_rule(path, "revoke", told(revoke, "invalid_request"), methods=["POST"])
    return routes


def revoke() -> Response:
    """200 without a body, also for what is no token; 400 or 401 with `error`."""
    found = services()
    made = found.introspection.revoke(asked())
    if made.status >= 400 or made.interaction:
        made.interaction = "revoke"
        trace(found, made)
    if made.status == 200 and made.subject is not None and made.interaction and made.client is not None:
        tell(made.subject, made.subject.patient, made.client)
    if made.status == 200:
        return private(Response(status=200))
    return answer(made.status, made.body, made.headers)


def tell(by: Requester, patient: str | None, client_id: str) -> None:
    """Has the holder of the record that an app was let into told that it was shut out, by whom."""
    found = services()
    client = found.authorization_server.clients.find(client_id, datetime.now(UTC))
    if patient is not None:
        name = client.name if client is not None else client_id
        found.notices.revoked(Access.of(by, found.clock()), patient, name)
