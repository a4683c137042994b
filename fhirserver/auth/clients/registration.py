"""Dynamic registration (RFC 7591) and its management by the client itself (RFC 7592).

Who registers himself is `submitted`: an operator looks at it and references it. A referenced client that changes what
was looked at is `submitted` again; its keys and contacts it may change freely.
"""

from __future__ import annotations

import re
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.auth.clients import metadata as metadata_
from fhirserver.auth.clients.client import ALWAYS, Client, Clients, Decision, digest
from fhirserver.errors import Forbidden, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.auth.clients.metadata import Terms

KEPT: Final = timedelta(days=90)
"""How long a client that registered itself waits to be referenced."""
FREE: Final = frozenset({"jwks", "jwks_uri", "contacts", "software_version"})
"""What a referenced client may change without being looked at again."""
ITSELF: Final = "client"
_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")


class Registered(NamedTuple):
    """A client with the secrets that are told once."""

    client: Client
    token: str | None = None
    secret: str | None = None


class Registration:
    """Registers clients of one server."""

    def __init__(self, clients: Clients, terms: Terms) -> None:
        self._clients, self._terms = clients, terms

    def register(self, given: Mapping[str, Any], *, by: str = ITSELF, client_id: object = None) -> Registered:
        """A new client; `by` and `client_id` when an operator adds it. Raises InvalidMetadata, Conflict."""
        if "software_statement" in given:
            text = "Software statements are not taken here: register without one."
            raise metadata_.InvalidMetadata(text, "unapproved_software_statement")
        if client_id is not None and not (isinstance(client_id, str) and _ID.fullmatch(client_id)):
            raise metadata_.InvalidMetadata("A client_id is 1 to 64 of A-Z, a-z, 0-9, `-` and `.`.")
        kept, now = metadata_.checked(given, self._terms), datetime.now(UTC)
        token, secret = secrets.token_urlsafe(32), _secret(kept)
        client = Client(
            client_id or str(uuid.uuid4()),
            "submitted",
            kept,
            origins=metadata_.origins(kept),
            secret=secret and digest(secret),
            management=digest(token),
            history=(Decision(now, "submitted", by),),
            until=now + KEPT if by == ITSELF else ALWAYS,
        )
        self._clients.add(client)
        return Registered(client, token, secret)

    def managed(self, client_id: str, token: str | None) -> Client:
        """The client that this registration access token manages.

        Raises Unauthenticated, the same for an unknown client and for another's token.
        """
        client = self._clients.find(client_id, datetime.now(UTC)) if token else None
        if client is None or not client.managed_by(token or "") or client.status == "withdrawn":
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            raise Unauthenticated("The registration access token is not valid here.", headers=challenge)
        return client

    def change(self, client: Client, given: Mapping[str, Any]) -> Registered:
        """Puts other metadata in the place of what the client says of itself (RFC 7592, section 2.2).

        Raises InvalidMetadata, Forbidden for a suspended client, Conflict.
        """
        if client.status == "suspended":
            raise Forbidden("The client is suspended: an operator must decide first.")
        if given.get("client_id") != client.id:
            raise metadata_.InvalidMetadata("client_id must be the client's own.")
        if "client_secret" in given and not client.holds(str(given["client_secret"])):
            raise metadata_.InvalidMetadata("client_secret is given by the server.")
        kept, now = metadata_.checked(given, self._terms), datetime.now(UTC)
        secret = None if client.secret else _secret(kept)
        keeps = client.secret if kept["token_endpoint_auth_method"] in metadata_.SECRETS else None
        changed = client._replace(
            metadata=kept, origins=metadata_.origins(kept), secret=digest(secret) if secret else keeps
        )
        if client.status == "referenced" and _reviewed(kept) != _reviewed(client.metadata):
            decision = Decision(now, "submitted", ITSELF, "Its registration was changed.")
            changed = changed._replace(status="submitted", history=(*client.history, decision))
        return Registered(self._clients.replace(changed), None, secret)

    def withdraw(self, client: Client) -> Client:
        """Ends the registration (RFC 7592, section 2.3); the id is not given again."""
        decision = Decision(datetime.now(UTC), "withdrawn", ITSELF)
        ended = client._replace(status="withdrawn", management=None, secret=None, until=ALWAYS)
        return self._clients.replace(ended._replace(history=(*client.history, decision)))


def _reviewed(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metadata.items() if name not in FREE}


def _secret(kept: Mapping[str, Any]) -> str | None:
    return secrets.token_urlsafe(32) if kept["token_endpoint_auth_method"] in metadata_.SECRETS else None
