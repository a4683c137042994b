"""How often one may try: budgets that several workers share, which lock nobody out but who tries.

A budget is of a place (an address, a known device) or of an account *at* a place. After `free` failures each next try
has to wait twice as long as the one before; a try that comes too early is not counted, so that a flood does not prolong
the wait. The count is forgotten when nothing failed for a while.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from fhirserver.store import Register, Store

REGISTER: Final = "attempts"
_FIRST: Final = timedelta(seconds=15)
_KEPT: Final = timedelta(days=1)
_RACES: Final = 50


class Budget(NamedTuple):
    """`free` tries without a wait; the wait is never longer than `longest`; forgotten after `window`."""

    name: str
    free: int
    longest: timedelta
    window: timedelta


PAIR: Final = Budget("pair", 5, timedelta(minutes=15), timedelta(hours=1))
ADDRESS: Final = Budget("address", 50, timedelta(minutes=5), timedelta(hours=1))
DEVICE: Final = Budget("device", 10, timedelta(minutes=5), timedelta(hours=1))
SECOND: Final = Budget("second", 20, timedelta(hours=1), timedelta(days=1))
"""Guesses of short codes for an account whose password is known: at one known device, or at all other places."""
ATTACK: Final = Budget("attack", 20, timedelta(0), timedelta(hours=1))
"""Failures of an account at unknown devices: beyond, what the password was worth is told after the second factor."""
PROOFS: Final = Budget("proofs", 10, timedelta(minutes=15), timedelta(hours=1))
MESSAGES: Final = Budget("messages", 5, timedelta(minutes=15), timedelta(hours=1))


class Throttle:
    def __init__(self, store: Store) -> None:
        self._store = store

    def spend(self, budget: Budget, *of: str) -> timedelta:
        """Counts a try before it is made; the wait that is left when it is too early and was not counted."""
        key = _key(budget, of)
        for _ in range(_RACES):
            now = datetime.now(UTC)
            row = self._rows.find(key, now)
            if row is None:
                if self._rows.add(key, {"n": 1, "last": now, "until": now + _KEPT}):
                    return timedelta(0)
                if self._rows.find(key, now) is None:  # past its time, and not yet thrown away
                    self._rows.drop(key)
                continue
            spent = _spent(budget, row["n"], row["last"], now)
            left: timedelta = row["last"] + _wait(budget, spent) - now
            if left > timedelta(0):
                return left
            counted = {"n": spent + 1, "last": now, "until": now + _KEPT}
            if self._rows.change(key, counted, n=row["n"], last=row["last"]):
                return timedelta(0)
        return _FIRST

    def spent(self, budget: Budget, *of: str) -> int:
        """How many tries were counted."""
        now = datetime.now(UTC)
        row = self._rows.find(_key(budget, of), now)
        return 0 if row is None else _spent(budget, row["n"], row["last"], now)

    def forget(self, budget: Budget, *of: str) -> None:
        """It went well: the count begins anew."""
        self._rows.drop(_key(budget, of))

    def refund(self, budget: Budget, *of: str) -> None:
        """One try went well: it does not count, those before do."""
        key = _key(budget, of)
        row = self._rows.find(key, datetime.now(UTC))
        if row is not None and row["n"] > 0:
            self._rows.set(key, {"n": row["n"] - 1}, n=row["n"])

    @property
    def _rows(self) -> Register:
        return self._store.register(REGISTER)


def _spent(budget: Budget, n: int, last: datetime, now: datetime) -> int:
    return 0 if now - last > budget.window else n


def _wait(budget: Budget, spent: int) -> timedelta:
    if spent < budget.free:
        return timedelta(0)
    doubled: int = 1 << min(spent - budget.free, 20)
    return min(_FIRST * doubled, budget.longest)


def _key(budget: Budget, of: tuple[str, ...]) -> str:
    """The register names no account and no address in the clear."""
    return hashlib.sha256("\x00".join((budget.name, *of)).encode("utf-8", "surrogateescape")).hexdigest()
