"""Tells what was changed in, or is missing from, the chains of traces.

Three kinds of records are about chains themselves (`Store.landmarks`): anchors, `{"what": "anchor", "heads": {chain:
[n, hash]}}`, and purges, `{"what": "purge", "before": …, "chains": {chain: [n, prev, at]}}`: of each chain the records
before the `n`-th were thrown away, for they were older than `before`; the `n`-th, if there is one, follows on `prev`.
Erasures, `{"what": "erasure", "mark": …, "records": [[id, digest], …], "seal": …}`: these records name somebody who was
erased no longer, and bear the mark as `erased`; they keep the `hash` that the next of their chain follows on, and their
content has the digest that the erasure says. `seal` is made with the server's key (`audit.erasures`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.audit.chain import START, digest
from fhirserver.settings import LEAST_TRACE_DAYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

LEAST_KEPT: Final = timedelta(days=LEAST_TRACE_DAYS)


class Fault(NamedTuple):
    """What is wrong with a chain, at its `n`-th record."""

    chain: str
    n: int
    text: str


class _Known:
    """What anchors and purges say."""

    def __init__(
        self, landmarks: Iterable[dict[str, Any]], sealed: Callable[[dict[str, Any]], bool], now: datetime
    ) -> None:
        self.anchors: dict[str, str] = {}
        self.heads: dict[str, tuple[int, str]] = {}
        self.purged: dict[str, tuple[int, str]] = {}
        self._before: dict[str, datetime] = {}
        self._named: dict[str, list[tuple[datetime, int]]] = {}
        self._purges: list[dict[str, Any]] = []
        self.erased: dict[str, tuple[str, str]] = {}
        self.faults: list[Fault] = []
        for each in sorted(landmarks, key=lambda each: str(each.get("at"))):
            try:
                self._learn(each, sealed)
            except (KeyError, TypeError, ValueError, AttributeError):
                self.faults.append(Fault(str(each["_id"]), 0, "the record was changed"))
        for each in self._purges:
            if each["at"] > now or each["at"] - each["before"] < LEAST_KEPT or self._is_early(each):
                self.faults.append(Fault(each["chain"], each["n"], "it purges what was not old enough"))
                continue
            self._later(self.purged, each["chains"])
            for chain in each["chains"]:
                self._before[chain] = max(each["before"], self._before.get(chain, each["before"]))

    def _is_early(self, purge: dict[str, Any]) -> bool:
        """Whether it goes beyond what was the end of a chain after the moment that it says all is older than."""
        return any(
            at >= purge["before"] and end + 1 < n
            for chain, (n, *_) in purge["chains"].items()
            for at, end in self._named.get(chain, ())
        )

    def _learn(self, each: dict[str, Any], sealed: Callable[[dict[str, Any]], bool]) -> None:
        if each["what"] == "anchor":
            self.anchors[each["_id"]] = each["hash"]
            self._later(self.heads, each["heads"])
            for chain, (n, _) in each["heads"].items():
                self._named.setdefault(chain, []).append((each["at"], n))
        elif each["what"] == "erasure":
            if not sealed(each):
                self.faults.append(Fault(each["chain"], each["n"], "it is no erasure of this server's"))
            self.erased |= {id_: (each["mark"], told) for id_, told in each["records"]}
        elif each["at"] and each["before"] and all(len(told) > 1 for told in each["chains"].values()):
            self._purges.append(each)

    def _later(self, known: dict[str, tuple[int, str]], told: dict[str, Any]) -> None:
        for chain, (n, hash_, *_) in told.items():
            if chain not in known or known[chain][0] < n:
                known[chain] = (n, hash_)

    def gone(self, chain: str, n: int) -> bool:
        """Whether a record was thrown away in due time."""
        return n < self.purged.get(chain, (0, ""))[0]

    def changed(self, record: dict[str, Any]) -> bool:
        """Whether a record does not say what it said, or what is left of it after an erasure."""
        try:
            content = digest(record)
        except (TypeError, ValueError):  # what is no JSON
            return True
        if "erased" not in record:
            return content != record.get("hash")
        return self.erased.get(record["_id"]) != (record["erased"], content)

    def _is_younger(self, chain: str, when: str) -> bool:
        """Whether a moment is after that which a chain was purged up to."""
        return bool(when) and datetime.fromisoformat(when) >= self._before[chain]

    def missed(self, named: str) -> Fault | None:
        """The fault of an anchor that is named, by its id and its hash, and is not there; the time that it was written
        down at may stand before."""
        *_, when, id_, hash_ = ["", "", *named.split()]
        chain, _, n = id_.partition(".")
        purged = n.isdigit() and self.gone(chain, int(n)) and not self._is_younger(chain, when)
        if self.anchors.get(id_) == hash_ or not n.isdigit() or purged:
            return None if n.isdigit() else Fault(chain, 0, "what is named as an anchor is none")
        return Fault(chain, int(n), "an anchor that was named is missing, or was changed")


def verify(
    records: Iterable[dict[str, Any]],
    landmarks: Iterable[dict[str, Any]] = (),
    named: Iterable[str] = (),
    sealed: Callable[[dict[str, Any]], bool] = lambda _: True,
    now: datetime | None = None,
) -> Iterator[Fault]:
    """The faults of records that come sorted by (`chain`, `n`). `landmarks`: those among them that are anchors and
    purges; `named`: anchors (`time id hash`) written down elsewhere; `sealed`: whether an erasure is the server's."""
    known = _Known(landmarks, sealed, now or datetime.now(UTC))
    yield from known.faults
    missing = dict(known.heads)
    chain, n, prev = "", 0, START
    for record in records:
        if not _is_placed(record):
            yield Fault(str(record["_id"]), 0, "the record was changed")
            continue
        if record["chain"] != chain:
            chain = record["chain"]
            n, prev = _begin(known, record)
        if record["n"] != n:
            yield Fault(record["chain"], n, f"{record['n'] - n} records are missing before record {record['n']}")
            n, prev = record["n"], record["prev"]
        if record["prev"] != prev or known.changed(record):
            yield Fault(record["chain"], n, "the record was changed")
        if missing.get(chain, (-1, ""))[0] == n and missing.pop(chain)[1] != record.get("hash"):
            yield Fault(chain, n, "it is not the record that an anchor names")
        if "anchor" in record and (fault := known.missed(str(record["anchor"]))):
            yield fault
        n, prev = n + 1, record.get("hash", "")
    yield from _ends(known, missing)
    yield from filter(None, map(known.missed, named))


def lasting(verified: Callable[[], Iterable[Fault]]) -> list[Fault]:
    """The faults that are found twice: what a server anchors or throws away meanwhile looks like one just once."""
    found = list(verified())
    again = set(verified()) if found else set()
    return [each for each in found if each in again]


def _is_placed(record: dict[str, Any]) -> bool:
    chain, n = record.get("chain"), record.get("n")
    placed = isinstance(chain, str) and isinstance(n, int) and record["_id"] == f"{chain}.{n:010}"
    return placed and isinstance(record.get("prev"), str)


def _begin(known: _Known, first: dict[str, Any]) -> tuple[int, str]:
    """Where a chain begins, by its first record: with 0, or where its purge ended or was interrupted."""
    n, prev = known.purged.get(first["chain"], (0, START))
    if first["n"] < n:
        return (0, START) if first["n"] == 0 else (first["n"], first["prev"])
    return n, prev


def _ends(known: _Known, missing: dict[str, tuple[int, str]]) -> Iterator[Fault]:
    for chain, (n, _) in missing.items():
        if not known.gone(chain, n):
            yield Fault(chain, n, "it is missing, with all that followed: an anchor names it")
