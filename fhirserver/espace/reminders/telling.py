"""Tells persons what prevention proposes: once each reminder and period, by day where they live.

A register holds when each person is next to be looked at, so that a round looks at nobody else. Who is new, or whose
Patient was changed, comes into it by the time of that change. One worker at a time makes a round; what it was at when
it ended another does again, and nothing is told twice, since who tells claims it in the same transaction.

A person is looked at as he sees the record himself, but for what a minor keeps from the representatives: the notice is
for them too, and must not tell of it by what it leaves out.
"""

from __future__ import annotations

import logging
import time
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from fhirserver import jsontext
from fhirserver.access import Access, Requester, spaces
from fhirserver.audit import Entity, Event, news
from fhirserver.errors import Unavailable
from fhirserver.espace.ages import today
from fhirserver.espace.reminders import engine, reading
from fhirserver.search import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhirserver.audit import Chains
    from fhirserver.espace.reminders.engine import Reminder
    from fhirserver.espace.reminders.reading import Known
    from fhirserver.spec import Definitions
    from fhirserver.store import Register, Store, Stored, Transaction

Row = dict[str, Any]

REGISTER: Final = "reminders"
"""Rows `{_id: patient, due, seen}`: when to look next, and the change of the Patient that is known."""
WORK: Final = "reminders.work"
"""One row: `lease`, until when a worker is at it; `n`; `at`, up to which change Patients are known."""
TEXT: Final = "Prévention : {titles}. Parlez-en avec votre médecin ; si c’est déjà fait, dites-le à la page Prévention."
DAYTIME: Final = (9, 20)
"""Hours of the day between which persons are told, where they live."""
MOST: Final = timedelta(days=92)
"""So long after a look the next one is at the latest: tables change."""
SHUT: Final = timedelta(days=30)
_REASON: Final = "reminders"
_LEASE: Final = timedelta(minutes=5)
_OVERLAP: Final = timedelta(minutes=2)
"""A transaction that began before another may be there after it."""
_AT_ONCE: Final = 100
_LONGEST: Final = 20.0
"""Seconds after which a round begins nothing more."""
_log = logging.getLogger(__name__)


class Telling:
    """The reminders of one server. Methods raise Unavailable."""

    def __init__(self, store: Store, chains: Chains, definitions: Definitions) -> None:
        self._store, self._chains, self._definitions = store, chains, definitions
        self._rows: Register = store.register(REGISTER, by=("due",))
        self._work: Register = store.register(WORK)

    def round(self, now: datetime) -> int:
        """Looks at all who are due, unless another worker does or time is up; how many persons were told."""
        number = self._taken(now)
        if number is None:
            return 0
        until, told = time.monotonic() + _LONGEST, 0
        try:
            self._met(now, time.monotonic() + _LONGEST / 2)
            while time.monotonic() < until and (rows := self._rows.reached("due", now, count=_AT_ONCE)):
                for row in rows:
                    told += self._tried(row["_id"], now)
        finally:
            self._work.set("work", {"lease": now}, n=number)
        return told

    def _taken(self, now: datetime) -> int | None:
        """The number of the lease, None where another worker has it."""
        row = self._work.find("work", now)
        if row is None:
            return 1 if self._work.add("work", {"lease": now + _LEASE, "n": 1}) else None
        if row["lease"] > now:
            return None
        number = int(row["n"]) + 1
        taken = self._work.change("work", {"lease": now + _LEASE, "n": number}, n=row["n"])
        return number if taken is not None else None

    def _met(self, now: datetime, until: float) -> None:
        """Has those looked at whose Patients were written since the last round."""
        view = self._store.view(Access.system(_REASON, now))
        at = (self._work.find("work", now) or {}).get("at")
        asked = [("_sort", "_lastUpdated"), ("_count", str(_AT_ONCE)), ("_total", "none")]
        if at is not None:
            asked.append(("_lastUpdated", f"gt{(at - _OVERLAP).isoformat(timespec='milliseconds')}"))
        query, after = parse(self._definitions, "Patient", asked), None
        while time.monotonic() < until:
            page = view.search(query, after)
            there = self._rows.several(each.id for each in page.matches)
            for each in page.matches:
                self._noted(each, there.get(each.id), now)
            if page.matches and (at is None or at < page.matches[-1].last_updated):
                at = page.matches[-1].last_updated
                self._work.set("work", {"at": at})
            if page.after is None:
                return
            after = page.after

    def _noted(self, patient: Stored, row: Row | None, now: datetime) -> None:
        if row is None:
            self._rows.add(patient.id, {"due": now, "seen": patient.last_updated})
        elif row["seen"] < patient.last_updated:
            self._rows.set(patient.id, {"due": now, "seen": patient.last_updated})

    def _tried(self, patient: str, now: datetime) -> bool:
        """As `_looked`; one record that fails keeps nobody else from being told."""
        try:
            return self._looked(patient, now)
        except Unavailable:
            raise
        except Exception:
            _log.exception("unexpected fault in looking at the reminders of a person")
            self._rows.set(patient, {"due": now + timedelta(days=1)})
            return False

    def _looked(self, patient: str, now: datetime) -> bool:
        """Tells a person what is new, and notes when to look again; whether there was something."""
        found = self._store.view(Access.system(_REASON, now)).read("Patient", patient)
        if found is None or found.deleted:
            self._rows.drop(patient)
            return False
        zone = reading.of_patient(jsontext.parse_object(found.body)).zone
        if not DAYTIME[0] <= now.astimezone(ZoneInfo(zone)).hour < DAYTIME[1]:
            self._rows.set(patient, {"due": _morning(now, zone)})
            return False
        known = self._known(found, now)
        if known is None:
            self._rows.set(patient, {"due": now + SHUT})
            return False
        day = today(now, zone)
        proposed = engine.reminders(known.person, known.acts, known.answers, day)
        told = not known.silent and self._told(patient, [each for each in proposed if each.state in engine.SHOWN], now)
        self._rows.set(patient, {"due": _at(engine.next_look(proposed, day, MOST), zone)})
        return told

    def _known(self, patient: Stored, now: datetime) -> Known | None:
        """What the person sees of the record; None where there is no open space to tell of."""
        row = self._store.spaces.of([patient.id]).get(patient.id)
        states = [(name, since) for name, since in spaces.timeline(jsontext.parse_object(patient.body), row)]
        if spaces.state(states, now) != spaces.OPEN:
            return None
        holder = Requester("patient", f"patient/{patient.id}", patient.id, purpose="PATRQT", scopes=("patient/*.rs",))
        view = self._store.view(Access.of(holder, now))
        if view.read("Patient", patient.id) is None:
            return None
        return reading.known(view, self._definitions, patient, now, for_all=True)

    def _told(self, patient: str, proposed: Sequence[Reminder], now: datetime) -> bool:
        """Queues one notice of all that nobody told yet, with its trace; whether there was such."""
        if not proposed:
            return False
        access = Access.system(_REASON, now)
        keys = {f"{patient}|reminder|{each.key}|{each.period}": each for each in proposed}
        event = Event("operation", 200, (Entity("Patient", patient, None, patient),), query="Patient/$reminders")

        def work(tx: Transaction) -> bool:
            fresh = tx.claim(keys)
            if fresh:
                titles = " ; ".join(each.rule.title for key, each in keys.items() if key in fresh)
                tx.post([news.row("reminder", patient, access, text=TEXT.format(titles=titles))])
                tx.trace(place.link(event.record(access.requester, now)))
            return bool(fresh)

        with self._chains.place() as place:
            return self._store.transact(access, work)


def _at(day: date, zone: str) -> datetime:
    """The hour of a day at which persons are told somewhere."""
    return datetime(day.year, day.month, day.day, DAYTIME[0], tzinfo=ZoneInfo(zone))


def _morning(now: datetime, zone: str) -> datetime:
    """The next such hour after a moment at night."""
    here = now.astimezone(ZoneInfo(zone))
    return _at(here.date() + timedelta(days=here.hour >= DAYTIME[0]), zone)
