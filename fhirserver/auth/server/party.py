"""A registered client as authlib asks about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from authlib.oauth2.rfc6749 import ClientMixin

from fhirserver.auth.server import scopes

if TYPE_CHECKING:
    from fhirserver.auth.clients.client import Client

_LOOPBACK: Final = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]))(?::([1-9][0-9]{0,4}))?((?:[/?][^#]*)?)")
_HIGHEST_PORT: Final = 65_535


class Party(ClientMixin):
    """`client` is the registration; the methods are authlib's."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.id = client.id

    def get_client_id(self) -> str:
        return self.id

    def get_default_redirect_uri(self) -> str:
        """None: each request says where its answer goes."""
        return ""

    def get_allowed_scope(self, scope: str | None) -> Any:
        """Of what is asked, what the client is registered for; None when that is nothing."""
        allowed = scopes.allowed(tuple((scope or "").split()), self.client.scopes)
        return " ".join(allowed) or None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Whether it is one of those registered, letter by letter; on loopback any port will do (RFC 8252, 7.3)."""
        registered = [each for each in self.client.metadata.get("redirect_uris", ()) if isinstance(each, str)]
        return redirect_uri in registered or any(_same_loopback(each, redirect_uri) for each in registered)

    def check_client_secret(self, client_secret: str) -> bool:
        return self.client.holds(client_secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == self.client.auth_method

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code" and self.check_grant_type("authorization_code")

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.client.grant_types


def _same_loopback(registered: str, asked: str) -> bool:
    """Whether they are one address of the machine itself, letter by letter but for the port."""
    one, other = _LOOPBACK.fullmatch(registered), _LOOPBACK.fullmatch(asked)
    if one is None or other is None or int(other[2] or 80) > _HIGHEST_PORT:
        return False
    return (one[1], one[3]) == (other[1], other[3])
