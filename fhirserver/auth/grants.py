"""What somebody granted a client: a subject, its scopes, until it is revoked or ends. Tokens name their grant.

Revoking the grant refuses its tokens on the next request (`TokenVerifier`), whatever they still say.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.access import Requester
from fhirserver.auth.clients import client as registered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.store import Register, Store

REGISTER: Final = "grants"
NOTED: Final = timedelta(minutes=1)
"""How old the note of a last use may be."""


class Grant(NamedTuple):
    """`subject`: whom the tokens stand for, with the scopes that were granted. `account`: as of the session that
    granted it (empty for a backend service). `used`: when a token of it was last issued or seen, by and large."""

    id: str
    client: str
    account: str
    subject: Requester
    at: datetime
    used: datetime | None = None
    ended: datetime | None = None


class Use(NamedTuple):
    """A grant that a token uses: its client, and the client's status (None: the client is gone)."""

    client: str
    status: str | None


class Grants:
    """The grants of one server."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def make(self, client: str, account: str, subject: Requester, until: datetime) -> Grant:
        """A new grant, of no effect from `until` on."""
        grant = Grant(secrets.token_urlsafe(16), client, account, subject, datetime.now(UTC))
        row = {**grant._asdict(), "subject": subject.described(), "until": until, "patient": subject.patient}
        row.pop("id")
        self._rows.add(grant.id, row)
        return grant

    def find(self, id_: str) -> Grant | None:
        """The grant if it is in force."""
        row = self._rows.find(id_, datetime.now(UTC))
        return None if row is None or row["ended"] else _grant(row)

    def prolong(self, id_: str, until: datetime) -> datetime | None:
        """Moves the end of a grant in force, which is in use now; None when it is not in force."""
        row = self._rows.change(id_, {"until": until, "used": datetime.now(UTC)}, ended=None)
        return None if row is None else until

    def in_use(self, id_: str) -> Use | None:
        """Whether the grant is in force and its client may be used, in one round trip; its use is noted by and large.

        What each request asks (`TokenVerifier`)."""
        now = datetime.now(UTC)
        found = self._rows.beside(id_, now, registered.REGISTER, "client")
        if found is None or found[0]["ended"]:
            return None
        grant, client = found
        if grant["used"] is None or now - grant["used"] > NOTED:
            self._rows.set(id_, {"used": now}, ended=None)
        return Use(grant["client"], None if client is None else str(client["status"]))

    def of(self, account: str) -> list[Grant]:
        """The grants of an account that are in force."""
        rows = self._rows.listed(datetime.now(UTC), count=1000, account=account, ended=None)
        return [_grant(row) for row in rows]

    def revoke(self, id_: str) -> bool:
        """Ends a grant: whether it was in force."""
        return self._rows.change(id_, {"ended": datetime.now(UTC)}, ended=None) is not None

    @property
    def _rows(self) -> Register:
        return self._store.register(REGISTER, ("account", "client"))


def _grant(row: Mapping[str, Any]) -> Grant:
    subject = Requester.written(row["subject"])
    return Grant(row["_id"], row["client"], row["account"], subject, row["at"], row["used"], row["ended"])
