"""The erasure of a person: all that is here of him, and his name in the traces; told by a certificate.

Which records were erased is kept without naming them: by a digest of each id, made with the server's own key, so that a
backup from before can be brought to the same state (`again`). CSP R.1111-36; GDPR, article 17.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.access import Access
from fhirserver.audit import Event, erasures
from fhirserver.errors import NotFound, Unavailable
from fhirserver.validation import ins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from fhirserver.audit import Chains
    from fhirserver.espace.space import Actor
    from fhirserver.store import Register, Store

REGISTER: Final = "erasures"
_REASON: Final = "erasure"
_PASSES: Final = 10


class Certificate(NamedTuple):
    """What was erased: how many resources with their versions, accounts and codes, traces that name nobody any more,
    things that waited; `beside`: resources of other records that were about this person too, and stay."""

    number: str
    at: datetime
    resources: int
    accounts: int
    traces: int
    waiting: int
    beside: int


class Erasure:
    """`key`: the server's own for this (`derive(erasures.PURPOSE)`); `file`: where each erasure is written, if any."""

    def __init__(self, store: Store, chains: Chains, key: bytes, file: str = "") -> None:
        self._store, self._chains, self._key = store, chains, key
        self._file = Path(file) if file else None

    def erase(self, actor: Actor, patient: str, progress: Callable[[int], object] = int) -> Certificate:
        """Erases a person; broken off, it is begun again. Raises NotFound, Unavailable, Conflict for a merged one."""
        patients = self._store.family(patient)
        if not self._store.knows(patients):
            raise NotFound(f"Patient/{patient} is not here.")
        now = actor.access.now
        access = Access.system(_REASON, now)
        erasing = self._store.erasing(access, patients)
        numbers, people = self._numbers(access, patients), erasing.people()
        self._shut(access, patients)
        number = secrets.token_hex(8)
        self._keep(number, now, patients)
        accounts = erasing.accounts()
        beside, waiting = erasing.beside(), erasing.held(numbers) + erasing.waiting()
        count = self._all(erasing.resources, progress)
        self._forget(access, patients)
        pseudonym = erasures.Pseudonym(f"erased-{secrets.token_hex(12)}", patients, people)
        mark = secrets.token_hex(8)
        traces = self._all(
            lambda _: erasures.retell(self._store, self._chains, erasing, pseudonym, mark, self._key, now), int
        )
        erasing.end()
        self._trace(actor, number)
        return Certificate(number, now, count, accounts, traces, waiting, beside)

    def again(self, told: Iterable[dict[str, Any]], actor: Actor) -> Iterator[Certificate]:
        """Erases those of whom the list says that they were, and who are here: in a backup from before."""
        digests = {each for row in told for each in row["digests"]}
        for patient in sorted(set(self._store.everybody(Access.system(_REASON)))):
            if self._digest(patient) in digests and self._store.knows([patient]):
                root = self._root(patient)
                yield self.erase(actor, root)

    def listed(self, now: datetime) -> list[dict[str, Any]]:
        """What was erased here: `number`, `at`, `digests`."""
        found, after = list[dict[str, Any]](), ""
        while rows := self._rows.listed(now, after=after, count=1000):
            after = rows[-1]["_id"]
            found += [{"number": row["_id"], "at": _instant(row["at"]), "digests": row["digests"]} for row in rows]
        return found

    def _shut(self, access: Access, patients: Iterable[str]) -> None:
        """Nobody reads or feeds the record from now on; what waits for it finds it shut."""
        rows = {each: {"states": [{"state": "archived", "since": access.now}]} for each in patients}
        self._store.transact(access, lambda tx: tx.keep_spaces(rows))

    def _forget(self, access: Access, patients: list[str]) -> None:
        """The policies say to all workers that there is nobody any more, before they go."""
        self._store.transact(access, lambda tx: tx.rebuild(patients))

    def _all(self, step: Callable[[Callable[[int], object]], int], progress: Callable[[int], object]) -> int:
        """A step until nothing is left: what was under way when it began may have come since."""
        count = 0
        for _ in range(_PASSES):
            done = step(progress)
            count += done
            if not done:
                return count
        raise Unavailable("What is to be erased goes on being written: stop what writes it.")

    def _keep(self, number: str, now: datetime, patients: Iterable[str]) -> None:
        row = {"at": now, "digests": sorted(map(self._digest, patients))}
        self._rows.put(number, row)
        if self._file is not None:
            with self._file.open("a", encoding="ascii") as out:
                out.write(json.dumps({"number": number, **row, "at": _instant(now)}) + "\n")

    def _trace(self, actor: Actor, number: str) -> None:
        event = Event("operation", 200, query=f"Patient/$espace-erase {number}")
        with self._chains.place() as place:
            self._store.trace(place.link(event.record(actor.access.requester, actor.access.now, actor.origin)))

    def _numbers(self, access: Access, patients: Iterable[str]) -> frozenset[str]:
        """The national numbers of the Patients."""
        found = set()
        for each in patients:
            stored = self._store.view(access).read("Patient", each)
            if stored is not None and not stored.deleted:
                told = jsontext.parse_object(stored.body).get("identifier", ())
                found |= {str(one["value"]) for one in told if one.get("system") in ins.INS and one.get("value")}
        return frozenset(found)

    def _root(self, patient: str) -> str:
        while (into := self._store.merged_into(patient)) is not None:
            patient = into
        return patient

    def _digest(self, patient: str) -> str:
        return hmac.new(self._key, patient.encode(), hashlib.sha256).hexdigest()

    @property
    def _rows(self) -> Register:
        return self._store.register(REGISTER)


def _instant(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def due(erasure: Erasure, patients: Iterable[str], actor: Actor) -> int:
    """Erases whom time is to erase; how many."""
    count = 0
    for patient in patients:
        try:
            erasure.erase(actor, patient)
            count += 1
        except NotFound:
            continue
    return count
