"""Chains of traces: each record carries the hash of the one before, so that a change or a removal shows.

Now and then a worker anchors its chains: one record (`what`: `anchor`) names where each of them ends, and where the
anchors of the other workers are; the chains go on with a record that names the anchor. What is missing at the end of a
chain, or a whole chain, is missed by an anchor, and an anchor by the chains (`audit.verifying`).

A chain belongs to one thread of one worker: none waits for another. A record takes its place only when it has been
stored: `with chains.place() as place: store(place.link(record))`.
"""

from __future__ import annotations

import hashlib
import threading
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from fhirserver.errors import FhirError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

START: Final = "0" * 64
"""The `prev` of a chain's first record."""


class Place:
    """The next place of a chain. Linking again, when a transaction is run again, replaces the record linked before."""

    def __init__(self, chain: str, n: int, prev: str, anchor: str | None = None) -> None:
        self._chain, self._n, self._prev, self._anchor = chain, n, prev, anchor
        self.end: tuple[str, int, str] = (chain, n, prev)

    def link(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record with its place and its hash, ready to be stored; `anchor`: the latest there is, named once."""
        (linked,) = self.link_all([record])
        return linked

    def link_all(self, records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """As `link`, of records that are stored together, one after another."""
        found, n, prev, anchor = [], self._n, self._prev, self._anchor
        for record in records:
            place = {"_id": f"{self._chain}.{n:010}", "chain": self._chain, "n": n, "prev": prev}
            linked = {**place, **record, **({"anchor": anchor} if anchor else {})}
            linked["at"] = milliseconds(linked["at"])
            linked["hash"] = digest(linked)
            found.append(linked)
            n, prev, anchor = n + 1, linked["hash"], None
        self.end = (self._chain, n, prev)
        return found


class Chains:
    """The chains of this process, one a thread."""

    def __init__(self) -> None:
        self._own = threading.local()
        self._lock = threading.Lock()
        self._heads: dict[str, tuple[int, str]] = {}
        self._anchor: str | None = None

    @contextmanager
    def place(self) -> Iterator[Place]:
        """This thread's next place; it is taken when the block ends well.

        After a failure that leaves open whether the record was stored, a new chain begins.
        """
        anchor = self._anchor
        place = Place(*self._end(), anchor if anchor != getattr(self._own, "anchor", None) else None)
        try:
            yield place
        except FhirError as error:
            if error.status >= 500:
                self._own.end = None
            raise
        except BaseException:
            self._own.end = None
            raise
        self._own.end, self._own.anchor = place.end, anchor
        chain, n, prev = place.end
        if n:
            with self._lock:
                self._heads[chain] = (n - 1, prev)

    def heads(self) -> dict[str, tuple[int, str]]:
        """The chains that went on since this was asked last: the place and hash of the last record of each."""
        with self._lock:
            heads, self._heads = self._heads, {}
        return heads

    def heads_but(self, chain: str, n: int) -> None:
        """Forgets that a chain ends with a record, unless it went on: that of an anchor is no reason for another."""
        with self._lock:
            if self._heads.get(chain, (-1, ""))[0] == n:
                del self._heads[chain]

    def put_back(self, heads: dict[str, tuple[int, str]]) -> None:
        """Heads that could not be anchored."""
        with self._lock:
            self._heads = heads | self._heads

    def anchored(self, anchor: str) -> None:
        """Has each chain name an anchor (its id and hash) in its next record."""
        self._anchor = anchor

    def _end(self) -> tuple[str, int, str]:
        end: tuple[str, int, str] | None = getattr(self._own, "end", None)
        return end or (uuid.uuid4().hex, 0, START)


def digest(linked: dict[str, Any]) -> str:
    """SHA-256, in hexadecimal, over the record without its own hash, as JSON with sorted keys."""
    content = {key: value for key, value in linked.items() if key != "hash"}
    content["at"] = milliseconds(linked["at"])
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS | orjson.OPT_NAIVE_UTC)).hexdigest()


def milliseconds(at: datetime) -> datetime:
    """The instant as the database keeps it."""
    known = at if at.tzinfo else at.replace(tzinfo=UTC)
    return known.astimezone(UTC).replace(microsecond=at.microsecond // 1000 * 1000)
