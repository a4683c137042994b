"""The secret links to somebody's calendar: made, found, ended. The database holds a digest of each secret alone."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.access import Requester

if TYPE_CHECKING:
    from datetime import datetime

    from fhirserver.store import Register, Store

REGISTER: Final = "agenda-feeds"
SCOPES: Final = ("patient/Appointment.rs", "patient/Patient.r")
"""All that a link reaches."""
CLIENT: Final = "agenda-feed"
"""As what the trace names the program that follows the link."""
_LONGEST: Final = 100


class Feed(NamedTuple):
    """`key`: the digest of the secret; `subject`: in whose name it reads; `details`: whether it says more than when."""

    key: str
    subject: Requester
    details: bool
    at: datetime


class Feeds:
    """The links of one server: of each record one for each person who reads it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def make(self, subject: Requester, now: datetime, *, details: bool) -> str:
        """A new link in the place of the one that there may have been; its secret, which is told this once."""
        self.end(subject, now)
        secret = secrets.token_urlsafe(32)
        narrow = Requester(subject.kind, subject.id, patient=subject.patient, purpose=subject.purpose, scopes=SCOPES)
        row = {"who": narrow.described(), "id": subject.id, "patient": subject.patient, "details": details, "at": now}
        self._rows.put(_digest(secret), row)
        return secret

    def of(self, subject: Requester, now: datetime) -> Feed | None:
        """The link of a person to a record."""
        rows = self._rows.listed(now, patient=subject.patient)
        return next((_feed(each) for each in rows if each["id"] == subject.id), None)

    def find(self, secret: str, now: datetime) -> Feed | None:
        """The link of a secret; None of one that never was, or was ended."""
        row = self._rows.find(_digest(secret), now) if len(secret) <= _LONGEST else None
        return None if row is None else _feed(row)

    def end(self, subject: Requester, now: datetime) -> bool:
        """Ends the link of a person to a record: whether there was one."""
        found = self.of(subject, now)
        return found is not None and self._rows.drop(found.key)

    @property
    def _rows(self) -> Register:
        return self._store.register(REGISTER, ("patient",))


def _feed(row: dict[str, object]) -> Feed:
    who, at = row["who"], row["at"]
    assert isinstance(who, dict)  # noqa: S101 - as `make` stored it
    return Feed(str(row["_id"]), Requester.written({**who, "client": CLIENT}), bool(row["details"]), at)  # type: ignore[arg-type]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
