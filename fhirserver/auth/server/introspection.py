"""What a token is (RFC 7662), and its end (RFC 7009). Both are for clients that prove who they are.

A client learns of its own tokens; of others' only a resource server does, which an operator appointed. Whatever token
is revoked, the grant behind it ends, and with it all its tokens, on the next request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError

from fhirserver.auth.server.request import Response
from fhirserver.errors import Forbidden, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.access import Requester
    from fhirserver.auth.server.request import Request
    from fhirserver.auth.server.server import AuthorizationServer
    from fhirserver.auth.tokens import TokenVerifier

_REGISTERED = (
    "iss",
    "sub",
    "aud",
    "iat",
    "nbf",
    "exp",
    "jti",
    "cnf",
    "act",
    "scope",
    "client_id",
    "fhirUser",
    "purpose_of_use",
)
_CONTEXT = ("patient", "encounter")


class _Found(NamedTuple):
    """A good token: whose it is, the grant behind it, for whom, and what is told of it."""

    client: str | None
    grant: str | None
    subject: Requester
    told: dict[str, Any]


class Introspection:
    """Answers about the tokens of one server. `verifier`: as of its resources; `acts`: whether who let the app in is
    still in his right, such as a representative."""

    def __init__(self, server: AuthorizationServer, verifier: TokenVerifier, acts: Callable[[Requester], bool]) -> None:
        self._server, self._verifier, self._acts = server, verifier, acts

    def introspect(self, request: Request) -> Response:
        """RFC 7662, section 2.2: `active`, and of an active token what it says."""
        return self._answered(request, self._introspected)

    def revoke(self, request: Request) -> Response:
        """RFC 7009, section 2.2: 200, also for what is no token."""
        return self._answered(request, self._revoked)

    def _answered(self, request: Request, work: Callable[[Request, str], Response]) -> Response:
        try:
            request.require_single()
            if request.get("token") is None:
                raise InvalidRequestError("The token is missing.")
            return work(request, request.get("token") or "")
        except OAuth2Error as error:
            return self._server.refusal(request, error)

    def _introspected(self, request: Request, token: str) -> Response:
        proven = [each for each in self._server.auth_methods if each != "none"]
        request.client = self._server.authenticate_client(request, proven, "introspect")
        found = self._access(token) or self._refresh(token)
        own = found is not None and found.client == request.client.id
        if found is None or not (own or request.client.client.resource_server) or not self._acts(found.subject):
            return Response(200, {"active": False}, client=request.client.id)
        return Response(200, {"active": True, **found.told}, client=request.client.id)

    def _revoked(self, request: Request, token: str) -> Response:
        request.client = self._server.authenticate_client(request, self._server.auth_methods, "revoke")
        found = self._access(token) or self._refresh(token, used=True)
        if found is None:
            return Response(200, {}, client=request.client.id)
        if found.client != request.client.id:
            raise InvalidGrantError("The token was issued to another client.")
        ended = found.grant is not None and self._server.grants.revoke(found.grant)
        interaction = "revoke" if ended else ""
        return Response(200, {}, interaction=interaction, subject=found.subject, client=request.client.id)

    def _access(self, token: str) -> _Found | None:
        try:
            requester, claims = self._verifier.verified(token, bound=False)
        except (Unauthenticated, Forbidden):
            return None
        told = {name: claims[name] for name in _REGISTERED if name in claims}
        told |= {"token_type": "Bearer", **({"patient": requester.patient} if requester.patient else {})}
        return _Found(claims.get("client_id"), claims.get("grant"), requester, told)

    def _refresh(self, token: str, *, used: bool = False) -> _Found | None:
        """A refresh token; one that was used already only where `used` ones count."""
        found = self._server.refreshes.find(token)
        if found is None or (found.used and not used):
            return None
        standing = found.standing
        if self._server.grants.find(standing.grant) is None or self._server.query_client(standing.client) is None:
            return None
        told = {
            "iss": self._server.issuer,
            "sub": standing.subject.id,
            "scope": " ".join(standing.scopes),
            "client_id": standing.client,
            "exp": int(found.until.timestamp()),
            **{name: standing.context[name] for name in _CONTEXT if name in standing.context},
        }
        return _Found(standing.client, standing.grant, standing.subject, told)
