"""What every grant type has in common: the client proves who it is by whatever way is registered, and is traced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from authlib.consts import default_json_headers
from authlib.oauth2.rfc6749 import InvalidRequestError, TokenEndpointMixin, UnauthorizedClientError
from authlib.oauth2.rfc6749.grants import BaseGrant

if TYPE_CHECKING:
    from fhirserver.auth.server.issuing import Standing
    from fhirserver.auth.server.party import Party
    from fhirserver.auth.server.request import Request
    from fhirserver.auth.server.server import AuthorizationServer

BOUND: Final = "tls_client_certificate_bound_access_tokens"
"""The metadata by which a client wants all its tokens bound (RFC 8705, 3.4): it gets none that anybody could use."""
Answer = tuple[int, dict[str, Any], list[tuple[str, str]]]


class Granting(BaseGrant):
    """`request` and `server` are authlib's, of our types; `standing` is what the answer was made of, for the trace."""

    request: Request
    server: AuthorizationServer
    standing: Standing | None = None

    @property
    def TOKEN_ENDPOINT_AUTH_METHODS(self) -> list[str]:  # noqa: N802 - authlib's name
        return self.server.auth_methods

    def authenticated(self) -> Party:
        """The client, which may use this grant type. Raises InvalidClientError, UnauthorizedClientError."""
        party: Party = self.authenticate_token_endpoint_client()
        self.request.client = party
        if not party.check_grant_type(str(self.GRANT_TYPE)):
            raise UnauthorizedClientError("The client is not registered for this grant type.")
        if party.client.metadata.get(BOUND) and self.request.certificate is None:
            raise InvalidRequestError("The client's tokens are bound to its certificate, and it shows none.")
        return party

    def answered(self, standing: Standing, *, lasting: bool = False) -> Answer:
        """The token answer, which the trace tells; `lasting` with a refresh token."""
        self.standing = standing
        return 200, self.server.issued(standing, self.request, lasting=lasting), list(default_json_headers)


class TokenGranting(Granting, TokenEndpointMixin):
    """A grant type of the token endpoint alone: make `validate_token_request` and `create_token_response`."""
