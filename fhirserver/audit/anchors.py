"""Anchors the chains of traces in one another, and throws away what is older than traces are kept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fhirserver.access import Access
from fhirserver.audit.chain import milliseconds

if TYPE_CHECKING:
    from datetime import datetime

    from fhirserver.audit.chain import Chains
    from fhirserver.store import Store

REGISTER: Final = "anchors"
_OVERLAP: Final = timedelta(hours=1)
_REASON: Final = "anchor"


class Anchors:
    """Anchors the chains of one process, named `instance`. `file`: where each anchor is written down, if anywhere."""

    def __init__(self, store: Store, chains: Chains, instance: str, file: str = "") -> None:
        self._store, self._chains, self._instance = store, chains, instance
        self._file = Path(file) if file else None
        self._rows = store.register(REGISTER)
        self._began = False

    def anchor(self, now: datetime) -> str | None:
        """Anchors what went on since the last anchor; its id and hash, None when nothing did. Raises Unavailable.

        The first anchor of a process names also where the chains of others ended, of those that have ended too.
        """
        heads = self._chains.heads()
        try:
            others = [row for row in self._rows.listed(now, count=1000) if row["_id"] != self._instance]
            named = dict(heads)
            if not self._began:
                since = max((row["at"] for row in others), default=None)
                named = self._store.heads(Access.system(_REASON), since and since - _OVERLAP) | named
            named |= {row["chain"]: (row["n"], row["hash"]) for row in others if row["at"] > now - _OVERLAP}
            if not heads and (self._began or not named):
                return None
            return self._written(named, now)
        except BaseException:
            self._chains.put_back(heads)
            raise

    def _written(self, heads: dict[str, tuple[int, str]], now: datetime) -> str:
        told = {chain: [*head] for chain, head in sorted(heads.items())}
        with self._chains.place() as place:
            record = place.link({"at": now, "what": "anchor", "heads": told})
            self._store.trace(record)
        self._chains.heads_but(record["chain"], record["n"])
        self._began = True
        row = {"chain": record["chain"], "n": record["n"], "hash": record["hash"], "at": now}
        self._rows.put(self._instance, {**row, "until": now + timedelta(days=1)})
        anchor = f"{record['_id']} {record['hash']}"
        self._chains.anchored(anchor)
        if self._file is not None:
            with self._file.open("a", encoding="ascii") as out:
                out.write(f"{now.isoformat(timespec='seconds')} {anchor}\n")
        return anchor


def purge(store: Store, chains: Chains, before: datetime, now: datetime) -> int:
    """Throws away the traces from before a moment, of each chain its beginning; how many chains that concerns.

    What is thrown away is told first, by a record that stays: `audit.verifying` goes by it. Raises Unavailable.
    """
    access, before, now = Access.system("retention"), milliseconds(before), milliseconds(now)
    ends = store.old_traces(access, before)
    known: dict[str, Any] = {}
    for each in store.landmarks(access):
        if each["what"] == "purge":
            known |= {chain: told for chain, told in each["chains"].items() if told[2] >= before}
    told = {chain: [n, prev, now] for chain, (n, prev) in ends.items()}
    if told:
        with chains.place() as place:
            store.trace(place.link({"at": now, "what": "purge", "before": before, "chains": {**known, **told}}))
    for chain, (end, *_) in {**known, **told}.items():
        store.forget_traces(access, chain, end)
    return len(ends)
