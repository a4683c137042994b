"""Where operators keep the register of clients: what they send, and what they read, as JSON values.

The same over HTTP (`/catalogue/api/clients`) and on the command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.auth.clients.metadata import InvalidMetadata
from fhirserver.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.auth.clients.catalogue import Catalogue
    from fhirserver.auth.clients.client import Client
    from fhirserver.auth.clients.registration import Registration

FIELDS: Final = frozenset({"client_id", "metadata", "catalogue", "organization", "resource_server"})


class Desk(NamedTuple):
    """`by` in its methods is the operator, as the history of decisions names him."""

    registration: Registration
    catalogue: Catalogue

    def listed(self, status: str | None = None, after: str = "") -> list[dict[str, Any]]:
        """The next clients by id. Raises BadRequest."""
        return [kept(each) for each in self.catalogue.listed(status, after)]

    def show(self, client_id: str) -> dict[str, Any]:
        """Raises NotFound."""
        return kept(self.catalogue.client(client_id))

    def add(self, given: Mapping[str, Any], by: str) -> dict[str, Any]:
        """A new client, with the secrets that are told once. Raises BadRequest, Conflict."""
        _require_fields(given)
        try:
            made = self.registration.register(given.get("metadata") or {}, by=by, client_id=given.get("client_id"))
        except InvalidMetadata as error:
            raise BadRequest(error.text) from None
        told = kept(self._described(made.client, given)) | {"registration_access_token": made.token}
        return told | ({"client_secret": made.secret} if made.secret else {})

    def describe(self, client_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Puts other words of the catalogue, another establishment or another duty in the place of those before.

        Raises NotFound, BadRequest, Conflict.
        """
        _require_fields(given)
        if {"metadata", "client_id"} & given.keys():
            raise BadRequest("What a client says of itself is changed by itself (RFC 7592).")
        return kept(self._described(self.catalogue.client(client_id), given))

    def decide(self, client_id: str, given: Mapping[str, Any], by: str) -> dict[str, Any]:
        """References, suspends or withdraws a client. Raises NotFound, BadRequest, Conflict."""
        status, reason = given.get("status"), given.get("reason", "")
        if not isinstance(status, str) or not isinstance(reason, str) or given.keys() - {"status", "reason"}:
            raise BadRequest('Send {"status": …, "reason": …}, both text.')
        return kept(self.catalogue.decide(self.catalogue.client(client_id), status, by, reason))

    def _described(self, client: Client, given: Mapping[str, Any]) -> Client:
        if "catalogue" in given:
            client = self.catalogue.describe(client, given["catalogue"])
        if {"organization", "resource_server"} & given.keys():
            organization = given.get("organization", client.organization)
            duty = given.get("resource_server", client.resource_server)
            if not isinstance(organization, str | None) or not isinstance(duty, bool):
                raise BadRequest("organization is text or null, resource_server true or false.")
            client = self.catalogue.appoint(client, organization, resource_server=duty)
        return client


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


def _require_fields(given: Mapping[str, Any]) -> None:
    for name in given.keys() - FIELDS:
        raise BadRequest(f"{name[:80]!r} is none of {', '.join(sorted(FIELDS))}.")
    for name in ("metadata", "catalogue"):
        if not isinstance(given.get(name, {}), dict):
            raise BadRequest(f"{name} is an object.")
