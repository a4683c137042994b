"""One trace, compact: who did what to which resources, for what purpose, with what outcome.

Source: CSP R.1111-43 (every action traced with date, time and identity); IHE BALP for what an AuditEvent tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.access import keys
from fhirserver.access.acl import HIDDEN_FROM_PATIENT, HIDDEN_FROM_REPRESENTATIVES
from fhirserver.search import terms
from fhirserver.store.traces import ENTITIES as ENTITIES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from fhirserver.access import Delegate, Requester
    from fhirserver.store import Stored


_LONGEST_NAME: Final = 100
NOBODY: Final = {"kind": "nobody", "id": "unknown"}
"""Who sent a token that is not accepted."""


class Shown(NamedTuple):
    """Something of a patient that an answer showed. `secret`: only what a minor keeps from the representatives;
    `unannounced`: only what the person is not to see before it is announced (`INVISIBLE_PATIENT`)."""

    patient: str
    secret: bool = False
    unannounced: bool = False


class Entity(NamedTuple):
    """A resource touched: its version is None where none was reached. `secret`, `unannounced` as of `Shown`."""

    type: str
    id: str
    version: int | None = None
    patient: str | None = None
    secret: bool = False
    unannounced: bool = False

    @classmethod
    def of(cls, stored: Stored) -> Entity:
        return cls(stored.type, stored.id, stored.version, stored.pat, *_kept(stored))

    @property
    def kept(self) -> str:
        """From whom it is kept: `s` from representatives, `u` from the person until it is announced."""
        return ("s" if self.secret else "") + ("u" if self.unannounced else "")

    def fact(self) -> dict[str, Any]:
        return _present({"r": f"{self.type}/{self.id}", "v": self.version, "p": self.patient})


class Origin(NamedTuple):
    """Where a request came from: the client's address, and the id of the request."""

    address: str
    request: str


def shown(found: Iterable[Stored]) -> tuple[Shown, ...]:
    """What of whom is shown, each patient once."""
    return _joined(Shown(each.pat, *_kept(each)) for each in found if each.pat is not None)


def _joined(each: Iterable[Shown]) -> tuple[Shown, ...]:
    known: dict[str, Shown] = {}
    for one in each:
        before = known.get(one.patient, Shown(one.patient, secret=True, unannounced=True))
        known[one.patient] = Shown(one.patient, before.secret and one.secret, before.unannounced and one.unannounced)
    return tuple(known.values())


def _kept(stored: Stored) -> tuple[bool, bool]:
    labels = (*stored.acl.get("labels", ()), *stored.above)
    return HIDDEN_FROM_REPRESENTATIVES in labels, HIDDEN_FROM_PATIENT in labels


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
        return _joined([*self.found, *(Shown(str(each.patient), each.secret, each.unannounced) for each in reached)])

    def record(self, requester: Requester, now: datetime, origin: Origin | None = None) -> dict[str, Any]:
        """The document to store, without its place in a chain. Absent facts are absent keys.

        `at`, `what` (the interaction), `status`, `who`, `purpose`; `reason`: why the glass was broken; `entities…`
        (`many`: more than one); `pats`: the patients concerned (`several`: more than one), a person's own record in all
        that he does; `own`: the holder did it, and it concerns nobody else; `query`; `addr`, `req`: the origin.
        `secret`, `unannounced`: patients of whom only that was shown which is kept from the representatives, or from
        the person.
        """
        patients = {*self.patients, *(each.patient for each in self.entities if each.patient)}
        if requester.kind == "patient" and requester.patient:
            patients.add(requester.patient)
        shown = self.shown
        record: dict[str, Any] = {
            "at": now,
            "what": self.interaction,
            "status": self.status,
            "who": _who(requester),
            "purpose": requester.purpose,
            "reason": requester.reason or None,
            **self._entities(),
            "many": len(self.entities) > 1 or None,
            "secret": sorted(each.patient for each in shown if each.secret) or None,
            "unannounced": sorted(each.patient for each in shown if each.unannounced) or None,
            "pats": sorted(patients) or None,
            "several": len(patients) > 1 or None,
            "own": (requester.id in {f"patient/{each}" for each in patients} and len(patients) == 1) or None,
            "query": self.query or None,
            **_from(origin),
        }
        return _present(record)

    def of_nobody(self, now: datetime, origin: Origin | None = None) -> dict[str, Any]:
        """The record of a refusal to who could not say who he is."""
        known = {"at": now, "what": self.interaction, "status": self.status, "who": dict(NOBODY), "purpose": "HOPERAT"}
        return known | _from(origin)

    def _entities(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for each in self.entities:
            found.setdefault(f"{ENTITIES}_{each.kept}" if each.kept else ENTITIES, []).append(each.fact())
        return found


def _from(origin: Origin | None) -> dict[str, Any]:
    if origin is None:
        return {}
    return _present({"addr": texted(origin.address) if origin.address else None, "req": origin.request})


def texted(value: str) -> str:
    """A text as it is searched (`dr dupont^Dr Dupont`); what it was written as is behind the last `^`, if any."""
    return terms.string("", value[:_LONGEST_NAME].replace("^", " "))[1:]


def written(text: str) -> str:
    """The text that `texted` was made of."""
    return text.rpartition("^")[2]


def _who(requester: Requester) -> dict[str, Any]:
    """`ref`: a literal reference to the person; `alt`: his id without capitals, where it has any; `name` as `texted`.

    `delegate`: who acted under the professional's responsibility.
    """
    delegate = requester.delegate
    return _present(
        {
            "kind": requester.kind,
            "id": requester.id,
            "alt": _alternative(requester.id),
            "ref": _reference(requester),
            "rpps": requester.rpps,
            "name": requester.name and texted(requester.name),
            "profession": requester.profession,
            "organization": requester.organization,
            "client": requester.client,
            "delegate": delegate and _present(_delegate(delegate)),
        }
    )


def _delegate(who: Delegate) -> dict[str, Any]:
    return {"id": who.id, "alt": _alternative(who.id), "rpps": who.rpps, "name": who.name and texted(who.name)}


def _alternative(id: str) -> str | None:
    searched = terms.short(id.casefold())
    return searched if searched != id else None


def _reference(requester: Requester) -> str | None:
    if requester.kind == "patient" and requester.patient:
        return f"Patient/{requester.patient}"
    place = keys.local(requester.id)
    return "/".join(place) if place and place[0] in ("Practitioner", "PractitionerRole", "RelatedPerson") else None


def _present(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: fact for name, fact in facts.items() if fact is not None}
