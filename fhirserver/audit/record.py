"""One trace, compact: who did what to which resources, for what purpose, with what outcome.

Source: CSP R.1111-43 (every action traced with date, time and identity); IHE BALP for what an AuditEvent tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from fhirserver.access.acl import HIDDEN_FROM_REPRESENTATIVES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from fhirserver.access import Requester
    from fhirserver.store import Stored


class Shown(NamedTuple):
    """Something of a patient that an answer showed. `secret`: only what a minor keeps from the representatives."""

    patient: str
    secret: bool = False


class Entity(NamedTuple):
    """A resource touched: its version is None where none was reached. `secret` as of `Shown`."""

    type: str
    id: str
    version: int | None = None
    patient: str | None = None
    secret: bool = False

    @classmethod
    def of(cls, stored: Stored) -> Entity:
        return cls(stored.type, stored.id, stored.version, stored.pat, _is_secret(stored))


def shown(found: Iterable[Stored]) -> tuple[Shown, ...]:
    """What of whom is shown, each patient once."""
    return _joined(Shown(each.pat, _is_secret(each)) for each in found if each.pat is not None)


def _joined(each: Iterable[Shown]) -> tuple[Shown, ...]:
    secret: dict[str, bool] = {}
    for patient, hidden in each:
        secret[patient] = secret.get(patient, True) and hidden
    return tuple(Shown(patient, hidden) for patient, hidden in secret.items())


def _is_secret(stored: Stored) -> bool:
    return HIDDEN_FROM_REPRESENTATIVES in stored.acl.get("labels", ())


class Event(NamedTuple):
    """An interaction by its FHIR name (`read`, `search-type`, `create`, …) and the HTTP status it ended with.

    `found`: what a search showed, whose trace names no resources but the query.
    """

    interaction: str
    status: int
    entities: tuple[Entity, ...] = ()
    query: str | None = None
    patients: tuple[str, ...] = ()
    found: tuple[Shown, ...] = ()

    @property
    def shown(self) -> tuple[Shown, ...]:
        """Of whom something was shown."""
        if self.status >= 400:
            return ()
        reached = (each for each in self.entities if each.patient is not None and each.version is not None)
        return _joined([*self.found, *(Shown(str(each.patient), each.secret) for each in reached)])

    def record(self, requester: Requester, now: datetime) -> dict[str, Any]:
        """The document to store, without its place in a chain. Absent facts are absent keys.

        `delegate`: who acted under the professional's responsibility. `reason`: why the glass was broken. `secret`:
        patients of whom only that was shown which a minor keeps from the representatives.
        """
        patients = sorted({*self.patients, *(each.patient for each in self.entities if each.patient)})
        who = {
            "kind": requester.kind,
            "id": requester.id,
            "rpps": requester.rpps,
            "profession": requester.profession,
            "organization": requester.organization,
            "client": requester.client,
            "delegate": requester.delegate and _present(requester.delegate._asdict()),
        }
        record: dict[str, Any] = {
            "at": now,
            "what": self.interaction,
            "status": self.status,
            "who": _present(who),
            "purpose": requester.purpose,
        }
        if requester.reason:
            record["reason"] = requester.reason
        if self.entities:
            record["entities"] = [[*each[:4]] for each in self.entities]
        if hidden := sorted({each.patient for each in self.shown if each.secret}):
            record["secret"] = hidden
        if patients:
            record["pats"] = patients
        if self.query:
            record["query"] = self.query
        return record


def _present(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: fact for name, fact in facts.items() if fact is not None}
