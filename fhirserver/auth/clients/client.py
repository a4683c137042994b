"""A registered OAuth client (RFC 7591, section 2): an app of the catalogue, or a system of a hospital or laboratory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from fhirserver.store import Register, Store

REGISTER: Final = "clients"
STATUSES: Final = ("submitted", "referenced", "suspended", "withdrawn")
"""A client registered by itself is `submitted`: it may be tried in development only. An operator references it."""


class Client(NamedTuple):
    """`metadata`: as in RFC 7591 (`redirect_uris`, `grant_types`, `token_endpoint_auth_method`, `scope`, `jwks` or
    `jwks_uri`, `client_name`, `logo_uri`, …). `organization`: the FINESS number that a system acts for, set by an
    operator, never by the client. `origins`: where its pages may call from (CORS)."""

    id: str
    status: str
    metadata: Mapping[str, Any]
    organization: str | None = None
    origins: tuple[str, ...] = ()
    catalogue: Mapping[str, Any] = {}


class Clients:
    """The clients of one server; each method asks the database, so that a suspension holds at once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, id_: str, now: datetime) -> Client | None:
        row = self._rows.find(id_, now)
        return None if row is None else _client(row)

    def save(self, client: Client) -> None:
        """Stores a client in the place of one of the same id."""
        self._rows.put(client.id, {**client._asdict(), "origins": list(client.origins)})

    @property
    def _rows(self) -> Register:
        return self._store.register(REGISTER, ("status",))


def _client(row: Mapping[str, Any]) -> Client:
    return Client(
        row["_id"], row["status"], row["metadata"], row["organization"], tuple(row["origins"]), row["catalogue"]
    )
