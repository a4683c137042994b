"""What happens to spaces, carried out: each transition in one transaction with its trace, and the person is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.access import Access, spaces
from fhirserver.access.zones import zone
from fhirserver.audit import Entity, Event, news
from fhirserver.errors import Conflict, NotFound
from fhirserver.espace import delays, machine
from fhirserver.espace.tables import ERASED
from fhirserver.search import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from fhirserver.audit import Chains, Origin
    from fhirserver.espace.machine import Row
    from fhirserver.espace.tables import Transition
    from fhirserver.spec import Definitions
    from fhirserver.store import Store, Transaction
    from fhirserver.store.spaces import Place

    Work = Callable[[Transaction], tuple[Row, list[Transition]]]

OF_AGE: Final = "come-of-age"
_REASON: Final = "state of a space"
_AT_ONCE: Final = 500
_LISTED: Final = 20_000
_TOGETHER: Final = 25
"""Spaces of a transaction (see `opening.AT_ONCE`)."""


class Actor(NamedTuple):
    """Who has something happen: `role` is a word of the table of transitions, `access` who he is for the trace."""

    role: str
    access: Access
    origin: Origin | None = None


class Spaces:
    """The spaces of one server. `take_over`: what else is done when the person comes of age, before it is recorded."""

    def __init__(self, store: Store, chains: Chains, take_over: Callable[[str], object] = str) -> None:
        self._store, self._chains, self._take_over = store, chains, take_over

    def row(self, patient: str) -> Row | None:
        """What is recorded of a space."""
        return self._store.spaces.of([patient]).get(patient)

    def happen(self, actor: Actor, patient: str, event: str, at: datetime | None = None) -> Row:
        """Has an event happen now, or (`at`) at a moment that is over; what time brought until then happens first.

        Raises NotFound, Conflict for what the state does not allow, Forbidden for who may not.
        """
        now = actor.access.now
        moment = min(at, now) if at is not None else now
        self._foreseen(patient, self.row(patient), now)

        def work(tx: Transaction) -> tuple[Row, list[Transition]]:
            facts = self._facts(tx, patient)
            before, brought = caught_up(tx.spaces.of([patient]).get(patient), facts, now)
            found = machine.allowed(before, event, actor.role, moment)
            made = machine.after(before, found, moment, actor.role, facts)
            self._told(tx, actor.access, patient, made, [*brought, found])
            tx.keep_spaces({patient: made})
            return made, [*brought, found]

        return self._traced(actor, f"Patient/$espace-{event}", patient, work)[0]

    def announce(
        self, actor: Actor, told: Mapping[str, datetime], facts: Mapping[str, Mapping[str, Any]], tx: Transaction
    ) -> list[str]:
        """Within a transaction, records that persons were told of the opening, each when; those who had none yet.

        `facts`: `zone` and `born` of each.
        """
        known = tx.spaces.of(told)
        rows: dict[str, Row] = {}
        for patient, at in told.items():
            if patient not in known:
                found = machine.allowed(None, "announce", actor.role, at)
                rows[patient] = machine.after(None, found, at, actor.role, facts[patient])
        if rows:
            tx.keep_spaces(rows, new=True)
        return sorted(rows)

    def bring(self, now: datetime) -> dict[str, int]:
        """Has happen what time brings until now, but for erasures; how often each event did. Raises Unavailable."""
        counts: dict[str, int] = {}
        for patients in self._due(now, _TOGETHER):
            for event in self._brought(patients, now):
                counts[event] = counts.get(event, 0) + 1
        return counts

    def deaths(self, definitions: Definitions, now: datetime) -> int:
        """Closes the spaces of whom their Patients call dead since; how many. Raises Unavailable."""
        actor, count = Actor(machine.TIME, Access.system(_REASON, now)), 0
        query = parse(definitions, "Patient", [("deceased", "true"), ("_sort", "_id"), ("_count", str(_AT_ONCE))])
        view, after = self._store.view(actor.access), None
        while True:
            page = view.search(query, after)
            rows = self._store.spaces.of(each.id for each in page.matches)
            for each in page.matches:
                since = spaces.timeline(jsontext.parse_object(each.body), None)[-1][1]
                last = rows.get(each.id, {}).get("log") or [{"to": ""}]
                if last[-1]["to"] == "deceased" or (since is not None and since > now):
                    continue
                try:
                    self.happen(actor, each.id, "die", since or now)
                    count += 1
                except (NotFound, Conflict):
                    continue
            if page.after is None:
                return count
            after = page.after

    def to_erase(self, now: datetime) -> list[str]:
        """The patients whose record time is to erase."""
        found = list[str]()
        for patients in self._due(now, _AT_ONCE):
            rows = self._store.spaces.of(patients)
            found += [patient for patient, row in rows.items() if erasing(row, now)]
        return found

    def _due(self, now: datetime, count: int) -> Iterator[list[str]]:
        """The patients whose space is to be looked at, some at once."""
        last: Place | None = None
        while places := self._store.spaces.due(now, _LISTED, last):
            last = places[-1]
            for start in range(0, len(places), count):
                yield [each.patient for each in places[start : start + count]]

    def _brought(self, patients: list[str], now: datetime) -> list[str]:
        """Has happen in one transaction, with its trace, what is due in these spaces: the events."""
        actor = Actor(machine.TIME, Access.system(_REASON, now))
        rows = self._store.spaces.of(patients)
        for patient in patients:
            self._foreseen(patient, rows.get(patient), now)

        def work(tx: Transaction) -> list[str]:
            made: dict[str, Row] = {}
            events: list[str] = []
            for patient, row in tx.spaces.of(patients).items():
                try:
                    after, brought = caught_up(row, self._facts(tx, patient), now)
                except (NotFound, Conflict):  # deleted, or merged into another record, whose space counts
                    continue
                if after is not None and brought:
                    made[patient] = after
                    self._told(tx, actor.access, patient, after, brought)
                    events += [each.event for each in brought]
            if made:
                tx.keep_spaces(made)
                entities = tuple(Entity("Patient", each, None, each) for each in made)
                event = Event("operation", 200, entities, query="Patient/$espace-due")
                tx.trace(place.link(event.record(actor.access.requester, now, actor.origin)))
            return events

        with self._store.large(()), self._chains.place() as place:
            return self._store.transact(actor.access, work)

    def _foreseen(self, patient: str, row: Row | None, now: datetime) -> None:
        """The space is taken over, where the person has come of age and it is not recorded yet."""
        if row is not None and row.get("log"):
            ahead = caught_up(row, {"zone": row["zone"], "born": row.get("born")}, now)[1]
            if any(each.event == OF_AGE for each in ahead):
                self._take_over(patient)

    def _traced(self, actor: Actor, query: str, patient: str, work: Work) -> tuple[Row, list[Transition]]:
        """One transaction, with a trace where something happened."""
        event = Event("operation", 200, (Entity("Patient", patient, None, patient),), query=query)

        def traced(tx: Transaction) -> tuple[Row, list[Transition]]:
            made, happened = work(tx)
            if happened:
                tx.trace(place.link(event.record(actor.access.requester, actor.access.now, actor.origin)))
            return made, happened

        with self._chains.place() as place:
            return self._store.transact(actor.access, traced)

    def _facts(self, tx: Transaction, patient: str) -> dict[str, Any]:
        """Where the person lives, and when he was born. Raises NotFound, Conflict for a merged record."""
        stored = tx.trusted(Access.system(_REASON)).read("Patient", patient)
        if stored is None or stored.deleted:
            raise NotFound(f"Patient/{patient} is not here.")
        if (merged := tx.merges.of(patient)) is not None:
            raise Conflict(f"Patient/{patient} was merged into Patient/{merged['into']}: the space is that one's.")
        resource = jsontext.parse_object(stored.body)
        return {"zone": zone(resource), "born": resource.get("birthDate")}

    def _told(
        self, tx: Transaction, access: Access, patient: str, row: Mapping[str, Any], happened: Iterable[Transition]
    ) -> None:
        """Queues what the person is told; who has no e-mail finds it in the record."""
        objection = delays.told("objection", row["log"][-1]["at"], row["zone"])
        texts = [each.told.replace("{objection}", objection) for each in happened if each.told]
        rows = [news.row("space", patient, access, text=each) for each in texts]
        if rows:
            tx.post(rows)


def due(spaces: Spaces, definitions: Definitions, now: datetime) -> dict[str, int]:
    """Has happen all that is due: by event, how often. Again: nothing more. Raises Unavailable."""
    dead = spaces.deaths(definitions, now)
    return spaces.bring(now) | ({"die": dead} if dead else {})


def caught_up(row: Row | None, facts: Mapping[str, Any], now: datetime) -> tuple[Row | None, list[Transition]]:
    """The row after all that time brought until a moment, each at its own, up to an erasure, which is not done here."""
    happened: list[Transition] = []
    while row is not None and row.get("log"):
        ahead = [(moment, event) for moment, event in machine.deadlines(row) if moment <= now]
        if not ahead:
            break
        moment, event = ahead[0]
        found = machine.allowed(row, event, machine.TIME, moment)
        if found.to == ERASED:
            break
        row = machine.after(row, found, moment, machine.TIME, facts)
        happened.append(found)
    return row, happened


def erasing(row: Mapping[str, Any], now: datetime) -> bool:
    """Whether time is to erase the record."""
    if not row.get("log"):
        return False
    return any(moment <= now and event in ("erase", "expire") for moment, event in machine.deadlines(row))
