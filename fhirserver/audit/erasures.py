"""What is left of traces that named somebody who was erased: who did what when, to nobody any more.

An erasure is told in a record of the chain before the records are changed: by it `audit.verifying` takes just these,
changed in just this way, for whole. Its seal is made with the server's key, so that nobody else can tell of one.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.audit.chain import digest
from fhirserver.audit.record import ENTITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from fhirserver.audit.chain import Chains
    from fhirserver.store import Store
    from fhirserver.store.erasing import Erasing

Record = dict[str, Any]

PURPOSE: Final = "erasures"
"""What the key of seals is derived for."""
_AT_ONCE: Final = 2000


class Pseudonym:
    """A name in the place of a person's ids; nothing leads back. `people`: references to him and his relations."""

    def __init__(self, name: str, patients: Iterable[str], people: Iterable[str]) -> None:
        self._name, self._patients, self._people = name, frozenset(patients), frozenset(people)

    def left(self, record: Record, mark: str) -> Record:
        """The record without the person, in its place of the chain. What he asked for, and from where, is not kept."""
        kept = {name: value for name, value in record.items() if name != "reason"} | {"erased": mark}
        for name in ("pats", "secret", "unannounced"):
            if name in record:
                kept[name] = sorted({self._instead(each) for each in record[name]})
        for name in record:
            if name.startswith(ENTITIES):
                kept[name] = [self._entity(each) for each in record[name]]
        if self._is_of_him(record):
            type_ = str(record["who"].get("ref", "RelatedPerson/")).partition("/")[0]
            kept["who"] = {"kind": record["who"]["kind"], "id": f"{type_}/{self._name}", "ref": f"{type_}/{self._name}"}
            kept.pop("addr", None)
        if "query" in record:
            kept["query"] = self._query(str(record["query"]))
        return kept

    def _is_of_him(self, record: Record) -> bool:
        """Whether he did it, or who represents him; where an erasure was broken off the relations are gone."""
        alone = record["who"]["kind"] == "representative" and self._patients.issuperset(record["pats"])
        return alone or record["who"].get("ref") in self._people

    def _instead(self, patient: str) -> str:
        return self._name if patient in self._patients else patient

    def _entity(self, entity: Record) -> Record:
        type_ = entity["r"].partition("/")[0]
        reference = f"{type_}/{self._name}" if entity["r"] in self._people else entity["r"]
        return entity | {"r": reference} | ({"p": self._instead(entity["p"])} if "p" in entity else {})

    def _query(self, query: str) -> str:
        """Its path; what was searched for may tell who he is."""
        path = query.partition("?")[0].split(" ")[0]
        if "=" in path:
            return ""
        return "/".join(self._instead(each) for each in path.split("/"))


def retell(
    store: Store, chains: Chains, erasing: Erasing, pseudonym: Pseudonym, mark: str, key: bytes, now: datetime
) -> int:
    """Changes the traces of an erasure, each some after their record; how many. Raises Unavailable."""
    count, batch = 0, list[Record]()
    for each in erasing.traces():
        batch.append(pseudonym.left(each, mark))
        if len(batch) >= _AT_ONCE:
            count += _retold(store, chains, erasing, batch, mark, key, now)
            batch = []
    return count + (_retold(store, chains, erasing, batch, mark, key, now) if batch else 0)


def sealed(key: bytes) -> Callable[[Record], bool]:
    """Tells whether the record of an erasure was made with this key."""
    return lambda record: hmac.compare_digest(_seal(key, record["mark"], record["records"]), str(record.get("seal")))


def _retold(
    store: Store, chains: Chains, erasing: Erasing, batch: list[Record], mark: str, key: bytes, now: datetime
) -> int:
    told = [[each["_id"], digest(each)] for each in batch]
    with chains.place() as place:
        record = {"at": now, "what": "erasure", "mark": mark, "records": told, "seal": _seal(key, mark, told)}
        store.trace(place.link(record))
    erasing.retell(batch)
    return len(batch)


def _seal(key: bytes, mark: str, told: Any) -> str:
    content = hashlib.sha256(jsontext.dump([mark, [list(each) for each in told]])).digest()
    return hmac.new(key, content, hashlib.sha256).hexdigest()
