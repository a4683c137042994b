"""The token of a request: whom it stands for, within the bound of his requests, and still in his right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fhirserver.audit import Event
from fhirserver.errors import Unauthenticated
from fhirserver.rest.address import address
from fhirserver.rest.oauth.certificate import certificate

if TYPE_CHECKING:
    from flask import Request

    from fhirserver.auth.tokens import Verified
    from fhirserver.rest.services import Services

PATHS: Final = ("/fhir", "/catalogue/api/", "/accounts/api/", "/oauth/launch", "/oauth/userinfo")
"""Where requests are counted here; everywhere else by their address, whatever they show (`rest.guard`)."""
_ENDED: Final = "Who let the app in does not represent the person any longer."


def presented(services: Services, request: Request) -> Verified:
    """The good token that a request bears. Raises Unauthenticated, TooMany or Unavailable."""
    try:
        shown = certificate(request, services.settings)
        found = services.verifier.presented(request.headers.get("Authorization"), shown)
    except Unauthenticated:
        if "Authorization" in request.headers:  # without one the guard has counted it
            services.rates.of_address(address(request, services.settings.trusted_proxies))
        raise
    services.rates.of_client(found.requester)
    if "grant" in found.claims and not services.accounts.people.still_acts(found.requester):
        raise Unauthenticated(_ENDED, headers={"WWW-Authenticate": 'Bearer realm="fhir", error="invalid_token"'})
    return found


def required(services: Services, request: Request, interaction: str) -> Verified:
    """As `presented`; that a token was refused is traced, where one was shown."""
    try:
        return presented(services, request)
    except Unauthenticated:
        if "Authorization" in request.headers:
            services.trace_nobody(Event(interaction, 401))
        raise
