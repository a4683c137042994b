"""Launches: the context in which software opens an app, behind an opaque value (SMART App Launch 2.2, "EHR launch").

The value is good for a few minutes, for whom it was made alone, and for one code.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.auth.clients.client import digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.access import Requester
    from fhirserver.store import Register, Store

REGISTER: Final = "launches"
LIFETIME: Final = timedelta(minutes=5)


class Launch(NamedTuple):
    """`context`: what the token answer tells: `patient`, `encounter`, `intent`, `need_patient_banner`, …"""

    key: str
    context: Mapping[str, Any]

    @property
    def patient(self) -> str | None:
        found = self.context.get("patient")
        return found if isinstance(found, str) else None


class Launches:
    """The launches of one server; the database holds a digest of each value."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def make(self, subject: Requester, context: Mapping[str, Any]) -> str:
        """The value of `launch` for an app that this person opens."""
        value = secrets.token_urlsafe(24)
        row = {"who": _who(subject), "context": dict(context), "until": datetime.now(UTC) + LIFETIME}
        self._rows.add(digest(value), row)
        return value

    def find(self, value: str, subject: Requester) -> Launch | None:
        """The launch, when this person made it."""
        row = self._rows.find(digest(value), datetime.now(UTC))
        return None if row is None or row["who"] != _who(subject) else Launch(row["_id"], row["context"])

    def use(self, launch: Launch) -> bool:
        """Takes it: of several who do, one does."""
        return self._rows.take(launch.key, datetime.now(UTC)) is not None

    @property
    def _rows(self) -> Register:
        return self._store.register(REGISTER)


def _who(subject: Requester) -> str:
    """The same person, however he came."""
    return f"rpps|{subject.rpps}" if subject.kind == "practitioner" and subject.rpps else f"{subject.kind}|{subject.id}"
