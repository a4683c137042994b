"""Spaces for many at once: the persons of a file, each made a Patient if there is none, and announced.

A batch is one transaction with its trace. Beside the file stand `FILE.journal`, which says of the file of a digest how
many rows are done, and `FILE.refused`, the rows that were refused, by line. Who breaks off between a batch and its
journal goes through that batch again: persons are known by their number, so nobody is announced twice.
"""

from __future__ import annotations

import hashlib
import json
import time
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.access.zones import zone
from fhirserver.audit import Entity, Event
from fhirserver.errors import FhirError, Unavailable
from fhirserver.espace import insured
from fhirserver.search import parse
from fhirserver.store import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from fhirserver.audit import Chains
    from fhirserver.espace.insured import Person, Row
    from fhirserver.espace.space import Actor, Spaces
    from fhirserver.store import Store, Transaction

AT_ONCE: Final = 25
"""Persons of a transaction: each touches some forty pages of indexes, held in the cache until it ends. Of 200 it was
full where 15,000 persons were there already, and the embedded database stood still."""
PAUSES: Final = (1.0, 5.0, 20.0, 60.0)
"""Seconds after which a batch is tried again."""
_FOUND: Final = 1000
Number = tuple[str, str]


class Done(NamedTuple):
    announced: int
    known: int
    faults: list[str]


class Opening:
    """Announces spaces, `AT_ONCE` in a transaction."""

    def __init__(self, store: Store, spaces: Spaces, chains: Chains, actor: Actor) -> None:
        self._store, self._spaces, self._chains, self._actor = store, spaces, chains, actor

    def total(self, file: Path) -> int:
        """Rows of the file. Raises ValueError where columns are missing, OSError."""
        return sum(1 for _ in insured.rows(file))

    def run(self, file: Path, progress: Callable[[int], object] = int) -> Done:
        """Announces all of the file; who is known is left as he is. Raises ValueError, OSError, Unavailable."""
        done = Done(0, 0, [])
        journal, refused = (file.with_name(f"{file.name}.{each}") for each in ("journal", "refused"))
        digest = _digest(file)
        begin = _position(journal, digest)
        if not begin:
            refused.unlink(missing_ok=True)
        rows = insured.rows(file)
        progress(sum(1 for _ in islice(rows, begin)))
        while some := list(islice(rows, AT_ONCE)):
            now = self._patiently(some)
            if now.faults:
                with refused.open("a", encoding="utf-8") as out:
                    out.writelines(f"{each}\n" for each in now.faults)
            done = Done(done.announced + now.announced, done.known + now.known, done.faults + now.faults)
            begin += len(some)
            _keep(journal, {"file": digest, "rows": begin})
            progress(len(some))
        return done

    def _patiently(self, rows: Sequence[Row]) -> Done:
        """A batch, again while the database does not answer: what it stored nevertheless is known by then."""
        for pause in PAUSES:
            try:
                return self._batch(rows)
            except Unavailable:
                time.sleep(pause)
        return self._batch(rows)

    def _batch(self, rows: Sequence[Row]) -> Done:
        people: dict[Number, Person] = {}
        faults, twice = list[str](), 0
        for row in rows:
            try:
                each = insured.person(row, self._actor.access.now)
                first = people.setdefault(each.number, each)
                if first is not each:
                    _same(each, first.patient)
                    twice += 1
            except ValueError as error:
                faults.append(f"line {row.line}: {error}")
        done = self._announced(people)
        return Done(done.announced, done.known + twice, faults + done.faults)

    def _announced(self, people: dict[Number, Person]) -> Done:
        """In one transaction; when the store refuses it, in two, until it is known by whom it is refused."""
        if not people:
            return Done(0, 0, [])
        try:
            with self._store.large({"Patient"}):
                return self._together(people)
        except FhirError as error:
            if error.status >= 500:
                raise
            if len(people) == 1:
                return Done(0, 0, [f"line {each.line}: {error}" for each in people.values()])
        every = list(people.items())
        half = len(every) // 2
        one, other = self._announced(dict(every[:half])), self._announced(dict(every[half:]))
        return Done(one.announced + other.announced, one.known + other.known, one.faults + other.faults)

    def _together(self, people: dict[Number, Person]) -> Done:
        ids = {number: new_id() for number in people}
        actor = self._actor

        def work(tx: Transaction) -> Done:
            tx.lock(f"Patient#{value}" for _, value in people)  # as who stores a Patient with this number
            known, faults = self._known(tx, people), list[str]()
            told: dict[str, datetime] = {}
            facts: dict[str, dict[str, Any]] = {}
            for number, each in people.items():
                id_, resource = known.get(number, (ids[number], each.patient))
                try:
                    _same(each, resource)
                except ValueError as error:
                    faults.append(f"line {each.line}: {error}")
                    continue
                if number not in known:
                    tx.create(each.patient, id_, fresh=True)
                told[id_] = each.informed
                facts[id_] = {"zone": zone(resource), "born": resource.get("birthDate")}
            made = self._spaces.announce(actor, told, facts, tx)
            if made:
                entities = tuple(Entity("Patient", each, None, each) for each in made)
                event = Event("operation", 200, entities, query="Patient/$espace-open")
                tx.trace(place.link(event.record(actor.access.requester, actor.access.now, actor.origin)))
            return Done(len(made), len(told) - len(made), faults)

        with self._chains.place() as place:
            return self._store.transact(actor.access, work)

    def _known(self, tx: Transaction, people: dict[Number, Person]) -> dict[Number, tuple[str, dict[str, Any]]]:
        """The Patients in use who bear one of these numbers, each with its id. The numbers are the only condition that
        an index can serve, so it does, however many Patients there are."""
        found: dict[Number, tuple[str, dict[str, Any]]] = {}
        sought = ",".join("|".join(each) for each in people)
        asked = [("identifier", sought), ("active:not", "false"), ("_count", str(_FOUND)), ("_total", "none")]
        for stored in tx.view.search(parse(self._store.definitions, "Patient", asked)).matches:
            resource = jsontext.parse_object(stored.body)
            for each in resource.get("identifier", ()):
                found.setdefault((each.get("system"), each.get("value")), (stored.id, resource))
        return found


def _same(each: Person, known: dict[str, Any]) -> None:
    """Raises ValueError when the person was born on another day than who is known by the number."""
    born = known.get("birthDate")
    if born and not each.patient["birthDate"].startswith(born):
        raise ValueError("the number is known already, of somebody born on another day")


def _digest(file: Path) -> str:
    """By which a file is known: one that was corrected is another, which is gone through from the beginning."""
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def _position(journal: Path, digest: str) -> int:
    """How many rows were done already of the file of this digest."""
    try:
        known = json.loads(journal.read_text("ascii"))
        return int(known["rows"]) if known["file"] == digest else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _keep(journal: Path, told: dict[str, Any]) -> None:
    """Whole or not at all."""
    draft = journal.with_name(f"{journal.name}.new")
    draft.write_text(json.dumps(told), "ascii")
    draft.replace(journal)
