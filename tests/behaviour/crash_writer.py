"""Writes without end, and notes each write once it was acknowledged: `URI DATABASE NOTES ROUND`."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from tests.store.standin import access, open_store

if TYPE_CHECKING:
    from fhirserver.store import Store, Transaction

WRITERS = 3


def resource(id_: str, version: int) -> dict[str, Any]:
    subject = {"reference": f"Patient/{id_}"}
    return {"resourceType": "Observation", "id": id_, "subject": subject, "codes": [id_, f"v{version}"], "at": version}


def write(store: Store, notes: int, prefix: str) -> None:
    """Creates a resource with its twin, changes it, deletes every third: one transaction each."""
    for number in range(1_000_000):
        id_ = f"{prefix}-{number}"

        def first(tx: Transaction, id_: str = id_) -> None:
            tx.create(resource(id_, 1), id_, fresh=True)
            tx.create(resource(f"{id_}-twin", 1), f"{id_}-twin", fresh=True)
            tx.trace({"_id": f"{id_}/1"})

        def second(tx: Transaction, id_: str = id_) -> None:
            tx.update(resource(id_, 2), expected=1)
            tx.trace({"_id": f"{id_}/2"})

        def third(tx: Transaction, id_: str = id_) -> None:
            tx.delete("Observation", id_, expected=2)
            tx.trace({"_id": f"{id_}/3"})

        for version, work in enumerate((first, second, *((third,) if number % 3 == 0 else ())), 1):
            store.transact(access(), work)
            os.write(notes, f"{id_} {version}\n".encode())


def main(uri: str, database: str, notes: str, round_: str) -> None:
    store = open_store(uri, database)
    file = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for number in range(WRITERS):
        threading.Thread(target=write, args=(store, file, f"r{round_}-{number}")).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
