"""`python -m bench.opening`: how many spaces a second are opened of a file, beside a bare loop over the same Patients.

    python -m bench.opening [--persons 5000] [--mongo URI]

The bare loop inserts the resources alone, as many in a transaction, into a collection without indexes. The database is
another process; without `--mongo` it is the embedded one, which does not wait for the disk.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pymongo import MongoClient

from fhirserver.access import Access
from fhirserver.audit import Chains
from fhirserver.espace import insured
from fhirserver.espace.opening import AT_ONCE, Opening
from fhirserver.espace.space import Actor, Spaces
from fhirserver.spec import Definitions
from fhirserver.store import Embedded, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DATABASE: Final = "bench-opening"
_COLUMNS: Final = ("matricule", "family", "given", "birthdate", "sex", "postalcode")
_BORN: Final = date(1930, 1, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed of opening spaces for many.", allow_abbrev=False)
    parser.add_argument("--persons", type=int, default=5000)
    parser.add_argument("--mongo", metavar="URI", help="a replica set; default: the embedded database")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "insured.csv"
        with file.open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows([_COLUMNS, *_persons(options.persons)])
        embedded = None if options.mongo else Embedded(Path(folder) / "data", sync=False)
        try:
            measure(options.mongo or embedded.start(), file, options.persons)  # type: ignore[union-attr]
        finally:
            if embedded is not None:
                embedded.stop()


def measure(uri: str, file: Path, persons: int) -> None:
    """Prints persons a second of both, and their ratio."""
    now = datetime.now(UTC)
    store = Store(uri, _DATABASE, definitions=Definitions.core())
    actor = Actor("operator", Access.system("bench", now))
    try:
        chains = Chains()
        opened = _rate(persons, lambda: _opened(Opening(store, Spaces(store, chains), chains, actor), file, persons))
        bare = _rate(persons, lambda: _bare(uri, [insured.person(row, now).patient for row in insured.rows(file)]))
    finally:
        store.close()
        with MongoClient[dict[str, Any]](uri) as client:
            client.drop_database(_DATABASE)
    print(f"{persons} persons, {AT_ONCE} in a transaction: {opened:.0f} a second opened, {bare:.0f} bare inserts")
    print(f"ratio {opened / bare:.3f}")


def _rate(persons: int, work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return persons / (time.perf_counter() - start)


def _opened(opening: Opening, file: Path, persons: int) -> None:
    done = opening.run(file)
    if done.announced != persons:
        raise SystemExit(f"{done.announced} of {persons} were announced: {done.faults[:3]}")


def _bare(uri: str, patients: list[dict[str, Any]]) -> None:
    with MongoClient[dict[str, Any]](uri) as client, client.start_session() as session:
        collection = client[_DATABASE]["bare"]
        for begin in range(0, len(patients), AT_ONCE):
            with session.start_transaction():
                collection.insert_many(patients[begin : begin + AT_ONCE], session=session)


def _persons(count: int) -> Iterator[tuple[str, ...]]:
    for place in range(count):
        born = _BORN + timedelta(days=place * 7919 % 34_000)
        sex = place % 2 + 1
        number = f"{sex}{born:%y%m}{place % 95 + 1:02}{place % 1000:03}{place // 1000 % 1000:03}"
        key = 97 - int(number) % 97
        yield f"{number}{key:02}", f"Nom{place}", "Camille", str(born), ("male", "female")[sex - 1], "75011"


if __name__ == "__main__":
    main()
