"""Spaces for many at once: a file of insured persons, each made a Patient if there is none, and announced.

Columns: `matricule` (15 characters), `family`, `given`, `birthdate` (AAAA-MM-JJ), `sex` (`male` or `female`); where
wanted `system` (urn:oid of the number; default: the INS-NIR), `birthplace` (INSEE code), `postalcode`, `email`,
`informed` (the day on which the information was sent; default: now). It goes on where it ended, and a person is
announced once.
"""

from __future__ import annotations

import csv
import hashlib
import json
from datetime import UTC, date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.access.zones import zone
from fhirserver.audit import Entity, Event
from fhirserver.search import parse
from fhirserver.store import new_id as new_id
from fhirserver.validation import ins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from fhirserver.audit import Chains
    from fhirserver.espace.space import Actor, Spaces
    from fhirserver.store import Store, Stored, Transaction

NEEDED: Final = ("matricule", "family", "given", "birthdate", "sex")
AT_ONCE: Final = 200
_BIRTH_PLACE: Final = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
_COMMUNE: Final = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code"
Resource = dict[str, Any]


class Person(NamedTuple):
    """A row: the number, the Patient that it makes, and when the information was sent."""

    number: tuple[str, str]
    patient: Resource
    informed: datetime


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
        with file.open(encoding="utf-8-sig", newline="") as text:
            return sum(1 for _ in _rows(text))

    def run(self, file: Path, progress: Callable[[int], object] = int) -> Done:
        """Announces all of the file; who is known is left as he is. Raises ValueError, OSError, Unavailable."""
        announced = known = 0
        faults: list[str] = []
        journal = file.with_name(f"{file.name}.journal")
        digest = _digest(file)
        begin = _position(journal, digest)
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = enumerate(_rows(text), 2)
            progress(sum(1 for _ in islice(rows, begin)))
            while some := list(islice(rows, AT_ONCE)):
                people = [each for line, row in some if (each := self._person(line, row, faults)) is not None]
                made = self._announced(people, faults)
                announced, known = announced + made, known + len(people) - made
                begin += len(some)
                journal.write_text(json.dumps({"file": digest, "rows": begin}), "ascii")
                progress(len(some))
        return Done(announced, known, faults)

    def _person(self, line: int, row: dict[str, str], faults: list[str]) -> Person | None:
        try:
            return person(row, self._actor.access.now)
        except ValueError as error:
            faults.append(f"line {line}: {error}")
            return None

    def _announced(self, people: list[Person], faults: list[str]) -> int:
        wanted = {each.number: each for each in people}
        ids = {number: new_id() for number in wanted}
        if not wanted:
            return 0
        with self._store.large({"Patient"}), self._chains.place() as place:

            def work(tx: Transaction) -> int:
                tx.lock(f"Patient#{value}" for _, value in wanted)  # as who stores a Patient with this number
                found = self._known(tx, wanted)
                told: dict[str, datetime] = {}
                facts: dict[str, dict[str, Any]] = {}
                touched = []
                for number, each in wanted.items():
                    stored = found.get(number) or tx.create(each.patient, ids[number], fresh=True)
                    told[stored.id] = each.informed
                    resource = jsontext.parse_object(stored.body) if number in found else each.patient
                    facts[stored.id] = {"zone": zone(resource), "born": resource.get("birthDate")}
                    touched.append(Entity("Patient", stored.id, None, stored.id))
                made = self._spaces.announce(self._actor, told, facts, tx)
                if made:
                    entities = tuple(each for each in touched if each.id in set(made))
                    event = Event("operation", 200, entities, query="Patient/$espace-open")
                    access = self._actor.access
                    tx.trace(place.link(event.record(access.requester, access.now, self._actor.origin)))
                return len(made)

            return self._store.transact(self._actor.access, work)

    def _known(self, tx: Transaction, numbers: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Stored]:
        """The Patients in use who bear one of these numbers, each sought by itself: so an index serves, however many
        Patients there are."""
        found = {}
        for number in numbers:
            asked = [("identifier", "|".join(number)), ("active:not", "false"), ("_count", "1"), ("_total", "none")]
            if matches := tx.view.search(parse(self._store.definitions, "Patient", asked)).matches:
                found[number] = matches[0]
        return found


def person(row: dict[str, str], now: datetime) -> Person:
    """What a row says. Raises ValueError that tells what to change."""
    told = {name: (value or "").strip() for name, value in row.items() if name}
    for name in NEEDED:
        if not told.get(name):
            raise ValueError(f"{name} is missing")
    system, number = told.get("system") or ins.NIR, told["matricule"].replace(" ", "").upper()
    if system not in ins.INS:
        raise ValueError(f"system {system!r} is none of {', '.join(sorted(ins.INS))}")
    if len(number) != 15 or not number.isalnum() or not number.isascii():
        raise ValueError("matricule is a number of 13 characters and its key of two digits")
    if told["sex"] not in ("male", "female"):
        raise ValueError("sex is male or female")
    try:
        born = date.fromisoformat(told["birthdate"])
        informed = now if not told.get("informed") else datetime.fromisoformat(told["informed"])
    except ValueError:
        raise ValueError("birthdate and informed are dates such as 1980-05-01") from None
    informed = informed if informed.tzinfo else informed.replace(hour=12, tzinfo=UTC)
    if informed > now or born > now.date():
        raise ValueError("birthdate and informed are not in the future")
    return Person((system, number), _patient(told, (system, number)), informed)


def _patient(told: dict[str, str], number: tuple[str, str]) -> Resource:
    made: Resource = {
        "resourceType": "Patient",
        "active": True,
        "identifier": [{"use": "official", "system": number[0], "value": number[1]}],
        "name": [{"use": "official", "family": told["family"][:200], "given": told["given"][:200].split()}],
        "gender": told["sex"],
        "birthDate": told["birthdate"],
    }
    if told.get("birthplace"):
        commune = {"url": _COMMUNE, "valueCoding": {"code": told["birthplace"][:10]}}
        made["extension"] = [{"url": _BIRTH_PLACE, "valueAddress": {"extension": [commune]}}]
    if told.get("postalcode"):
        made["address"] = [{"use": "home", "postalCode": told["postalcode"][:20], "country": "FR"}]
    if told.get("email"):
        made["telecom"] = [{"system": "email", "value": told["email"][:200]}]
    return made


def _rows(text: Iterable[str]) -> Iterator[dict[str, str]]:
    reader = csv.DictReader(text)
    if missing := [name for name in NEEDED if name not in (reader.fieldnames or ())]:
        raise ValueError(f"the file lacks the columns {', '.join(missing)}")
    yield from reader


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
