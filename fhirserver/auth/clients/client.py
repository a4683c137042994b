"""A registered OAuth client (RFC 7591, section 2): an app of the catalogue, or a system of a hospital or laboratory."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.store import Register, Store

REGISTER: Final = "clients"
STATUSES: Final = ("submitted", "referenced", "suspended", "withdrawn")
"""A client registered by itself is `submitted`: it may be tried in development only. An operator references it."""
ALWAYS: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""The `until` of a row that stays."""


class Decision(NamedTuple):
    """A change of a client's status: who made it (`client` for itself), and why."""

    at: datetime
    status: str
    by: str
    reason: str = ""


class Client(NamedTuple):
    """`metadata`: as in RFC 7591 (`redirect_uris`, `grant_types`, `token_endpoint_auth_method`, `scope`, `jwks` or
    `jwks_uri`, `client_name`, `logo_uri`, …). `organization`: the FINESS number that a system acts for, set by an
    operator, never by the client. `origins`: where its pages may call from (CORS). `catalogue`: what people read of it
    (`catalogue.ENTRY`). `secret`, `management`: digests (`digest`) of a client secret and of the registration access
    token. `resource_server`: may ask about tokens that are not its own (RFC 7662). `until`: when it is forgotten unless
    it is referenced before."""

    id: str
    status: str
    metadata: Mapping[str, Any]
    organization: str | None = None
    origins: tuple[str, ...] = ()
    catalogue: Mapping[str, Any] = {}
    secret: str | None = None
    management: str | None = None
    history: tuple[Decision, ...] = ()
    resource_server: bool = False
    until: datetime = ALWAYS
    revision: int = 0

    @property
    def name(self) -> str:
        return str(self.metadata.get("client_name") or self.id)

    @property
    def scopes(self) -> tuple[str, ...]:
        """What it may be granted at all."""
        return tuple(str(self.metadata.get("scope", "")).split())

    @property
    def auth_method(self) -> str:
        """How it proves who it is at the token endpoint (RFC 7591, `token_endpoint_auth_method`)."""
        return str(self.metadata.get("token_endpoint_auth_method", "none"))

    @property
    def grant_types(self) -> tuple[str, ...]:
        return tuple(self.metadata.get("grant_types", ("authorization_code",)))

    def usable(self, production: bool) -> bool:
        """Whether it may be given tokens, and use those that it has."""
        return usable(self.status, production)

    def holds(self, secret: str) -> bool:
        """Whether this is its client secret."""
        return self.secret is not None and hmac.compare_digest(self.secret, digest(secret))

    def managed_by(self, token: str) -> bool:
        """Whether this is its registration access token (RFC 7592)."""
        return self.management is not None and hmac.compare_digest(self.management, digest(token))


class Clients:
    """The clients of one server; each method asks the database, so that a suspension holds at once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, id_: str, now: datetime) -> Client | None:
        row = self._rows.find(id_, now)
        return None if row is None else _client(row)

    def add(self, client: Client) -> None:
        """Stores a new client. Raises Conflict when there is one of this id."""
        if not self._rows.add(client.id, _row(client)):
            raise Conflict("There is a client of this id already.")

    def save(self, client: Client) -> None:
        """Stores a client in the place of one of the same id, whatever it is."""
        self._rows.put(client.id, _row(client))

    def replace(self, client: Client) -> Client:
        """Stores the next state of a client, which is returned. Raises Conflict when it was changed meanwhile."""
        changed = client._replace(revision=client.revision + 1)
        if self._rows.change(client.id, _row(changed), revision=client.revision) is None:
            raise Conflict("The client was changed meanwhile: look at it again.")
        return changed

    def listed(self, now: datetime, *, after: str = "", count: int = 100, **wanted: Any) -> list[Client]:
        """The next clients by id, such as those of a `status`, or with an origin (`origins`)."""
        return [_client(row) for row in self._rows.listed(now, after=after, count=count, **wanted)]

    @property
    def _rows(self) -> Register:
        return self._store.register(REGISTER, ("status", "origins"))


def usable(status: str | None, production: bool) -> bool:
    """Whether a client of that status may be given tokens, and use those that it has."""
    return status == "referenced" or (status == "submitted" and not production)


def digest(secret: str) -> str:
    """What is kept of a secret that the server made up, which is too long to be guessed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _row(client: Client) -> dict[str, Any]:
    row = client._asdict()
    del row["id"]
    return row | {"origins": list(client.origins), "history": [each._asdict() for each in client.history]}


def _client(row: Mapping[str, Any]) -> Client:
    fields = {name: row[name] for name in Client._fields if name in row}
    fields["origins"] = tuple(row.get("origins", ()))
    fields["history"] = tuple(Decision(**each) for each in row.get("history", ()))
    return Client(**{**fields, "id": row["_id"]})
