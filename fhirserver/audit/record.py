"""One trace, compact: who did what to which resources, for what purpose, with what outcome.

Source: CSP R.1111-43 (every action traced with date, time and identity); IHE BALP for what an AuditEvent tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from fhirserver.access import Requester


class Entity(NamedTuple):
    """A resource touched: its version is None where none was reached."""

    type: str
    id: str
    version: int | None = None
    patient: str | None = None


class Event(NamedTuple):
    """An interaction by its FHIR name (`read`, `search-type`, `create`, …) and the HTTP status it ended with."""

    interaction: str
    status: int
    entities: tuple[Entity, ...] = ()
    query: str | None = None
    patients: tuple[str, ...] = ()

    def record(self, requester: Requester, now: datetime) -> dict[str, Any]:
        """The document to store, without its place in a chain. Absent facts are absent keys."""
        patients = sorted({*self.patients, *(each.patient for each in self.entities if each.patient)})
        who = {
            "kind": requester.kind,
            "id": requester.id,
            "rpps": requester.rpps,
            "profession": requester.profession,
            "organization": requester.organization,
            "client": requester.client,
        }
        record: dict[str, Any] = {
            "at": now,
            "what": self.interaction,
            "status": self.status,
            "who": {key: value for key, value in who.items() if value is not None},
            "purpose": requester.purpose,
        }
        if self.entities:
            record["entities"] = [[*each] for each in self.entities]
        if patients:
            record["pats"] = patients
        if self.query:
            record["query"] = self.query
        return record
