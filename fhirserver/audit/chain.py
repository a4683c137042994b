"""Chains of traces: each record carries the hash of the one before, so that a change or a removal shows.

A chain belongs to one thread of one worker: none waits for another. A record takes its place only when it has been
stored: `with chains.place() as place: store(place.link(record))`.
"""

from __future__ import annotations

import hashlib
import threading
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.errors import FhirError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

START: Final = "0" * 64
"""The `prev` of a chain's first record."""


class Fault(NamedTuple):
    """What is wrong with a chain, at its `n`-th record."""

    chain: str
    n: int
    text: str


class Place:
    """The next place of a chain. Linking again, when a transaction is run again, replaces the record linked before."""

    def __init__(self, chain: str, n: int, prev: str) -> None:
        self._chain, self._n, self._prev = chain, n, prev
        self.end: tuple[str, int, str] = (chain, n, prev)

    def link(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record with its place and its hash, ready to be stored."""
        linked = {
            "_id": f"{self._chain}.{self._n:010}",
            "chain": self._chain,
            "n": self._n,
            "prev": self._prev,
            **record,
        }
        linked["at"] = _milliseconds(linked["at"])
        linked["hash"] = digest(linked)
        self.end = (self._chain, self._n + 1, linked["hash"])
        return linked


class Chains:
    """The chains of this process, one a thread."""

    def __init__(self) -> None:
        self._own = threading.local()

    @contextmanager
    def place(self) -> Iterator[Place]:
        """This thread's next place; it is taken when the block ends well.

        After a failure that leaves open whether the record was stored, a new chain begins.
        """
        place = Place(*self._end())
        try:
            yield place
        except FhirError as error:
            if error.status >= 500:
                self._own.end = None
            raise
        except BaseException:
            self._own.end = None
            raise
        self._own.end = place.end

    def _end(self) -> tuple[str, int, str]:
        end: tuple[str, int, str] | None = getattr(self._own, "end", None)
        return end or (uuid.uuid4().hex, 0, START)


def digest(linked: dict[str, Any]) -> str:
    """SHA-256, in hexadecimal, over the record without its own hash, as JSON with sorted keys."""
    content = {key: _plain(value) for key, value in sorted(linked.items()) if key != "hash"}
    return hashlib.sha256(jsontext.dump(content)).hexdigest()


def verify(records: Iterable[dict[str, Any]]) -> Iterator[Fault]:
    """The faults of records that come sorted by (`chain`, `n`)."""
    chain, n, prev = None, 0, START
    for record in records:
        if record["chain"] != chain:
            chain, n, prev = record["chain"], 0, START
        if record["n"] != n:
            yield Fault(record["chain"], n, f"{record['n'] - n} records are missing before record {record['n']}")
            n, prev = record["n"], record["prev"]
        if record["prev"] != prev or digest(record) != record.get("hash"):
            yield Fault(record["chain"], n, "the record was changed")
        n, prev = n + 1, record.get("hash", "")


def _milliseconds(at: datetime) -> datetime:
    """The instant as the database keeps it."""
    return at.astimezone(UTC).replace(microsecond=at.microsecond // 1000 * 1000)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return _milliseconds(value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in sorted(value.items())}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
