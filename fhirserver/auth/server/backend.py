"""SMART Backend Services: `client_credentials` with `private_key_jwt` (SMART App Launch 2.2, "Backend Services").

The token stands for the system itself, of the establishment that an operator appointed it to; it lasts five minutes at
most, and is asked for anew rather than refreshed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError, InvalidScopeError, UnauthorizedClientError

from fhirserver.access import Requester
from fhirserver.auth.clients.assertion import ASSERTION_TYPE, Assertions, InvalidAssertion
from fhirserver.auth.server import scopes
from fhirserver.auth.server.granting import TokenGranting
from fhirserver.auth.server.issuing import Standing
from fhirserver.auth.server.server import BACKEND
from fhirserver.auth.tokens import LEEWAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.auth.clients.client import Client
    from fhirserver.auth.clients.keysets import KeySets
    from fhirserver.auth.server import AuthorizationServer, Party, Request

METHOD: Final = "private_key_jwt"
CHALLENGE: Final = 'Bearer realm="oauth", error="invalid_client"'
"""HTTP wants one with each 401 (RFC 9110, 11.6.1), though assertions have no scheme of their own."""


class RefusedAssertion(OAuth2Error):
    """The client did not prove who it is; the description says what to change (RFC 6749, section 5.2)."""

    error = "invalid_client"

    def __init__(self, description: str) -> None:
        super().__init__(description, status_code=401)

    def get_headers(self) -> list[tuple[str, str]]:
        headers: list[tuple[str, str]] = super().get_headers()
        return [*headers, ("WWW-Authenticate", CHALLENGE)]


class BackendGrant(TokenGranting):
    """The grant type `client_credentials`."""

    GRANT_TYPE = "client_credentials"

    def validate_token_request(self) -> None:
        """Raises OAuth2Error."""
        party = self.authenticated()
        if self.request.auth_method == "none":
            raise UnauthorizedClientError("A public client cannot act in its own name.")
        if party.client.organization is None:
            raise UnauthorizedClientError("No operator has said yet for which establishment the client acts.")
        if self.request.get("scope") is None:
            raise InvalidRequestError("The scope is missing.")

    def create_token_response(self) -> Any:
        """The token answer. Raises InvalidScopeError when nothing of what is asked may be granted."""
        party: Party = self.request.client  # type: ignore[assignment]
        asked = scopes.allowed(tuple((self.request.get("scope") or "").split()), party.client.scopes)
        granted = tuple(each for each in asked if each.startswith("system/"))
        if not granted:
            raise InvalidScopeError("The client is not registered for any of these scopes of the level system.")
        subject = requester(party.client, granted)
        until = datetime.now(UTC) + BACKEND + timedelta(seconds=LEEWAY_SECONDS)
        grant = self.server.grants.make(party.id, "", subject, until)
        return self.answered(Standing(grant.id, party.id, subject))


def requester(client: Client, granted: tuple[str, ...] = ()) -> Requester:
    """The system that a client is."""
    return Requester(
        "system",
        f"client/{client.id}",
        client=client.id,
        organization=client.organization,
        name=client.name,
        scopes=granted,
    )


def install(server: AuthorizationServer, keys: KeySets) -> None:
    """Lets clients of the server prove who they are by signed assertions, and backend services ask for tokens."""
    assertions = Assertions(server.store, keys, (f"{server.issuer}/oauth/token", server.issuer))

    def private_key_jwt(query_client: Callable[[str], Party | None], request: Request) -> Party | None:
        if request.get("client_assertion_type") is None and request.get("client_assertion") is None:
            return None
        if request.get("client_assertion_type") != ASSERTION_TYPE:
            raise RefusedAssertion(f"client_assertion_type must be {ASSERTION_TYPE}.")
        found: dict[str, Party] = {}

        def find(client_id: str) -> Client | None:
            party = query_client(client_id)
            if party is None:
                return None
            found[client_id] = party
            return party.client

        try:
            client = assertions.client(request.get("client_assertion") or "", find, request.get("client_id"))
        except InvalidAssertion as error:
            raise RefusedAssertion(str(error)) from None
        return found[client.id]

    server.register_client_auth_method(METHOD, private_key_jwt)
    server.auth_methods.insert(0, server.auth_methods.pop())  # an assertion is judged whatever else is shown
    server.register_grant(BackendGrant)
