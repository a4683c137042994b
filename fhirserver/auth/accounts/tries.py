"""Tries of one thing, such as the second step of a login: each is counted before it is made, however many come."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from fhirserver.auth.accounts import secretly
from fhirserver.auth.accounts.refused import Refused

if TYPE_CHECKING:
    from fhirserver.store import Register

MOST: Final = 5
_RACES: Final = 50


def counted(rows: Register, key: str) -> dict[str, Any] | None:
    """The row with one try fewer; None when there is no such row, or no try left."""
    for _ in range(_RACES):
        row = rows.find(key, datetime.now(UTC))
        if row is None or row["tries"] >= MOST:
            return None
        changed = rows.change(key, {"tries": row["tries"] + 1}, tries=row["tries"])
        if changed is not None:
            return changed
    return None


def of(rows: Register, token: str | None) -> dict[str, Any]:
    """The row of a token, as `counted`. Raises Refused (`over`)."""
    row = counted(rows, secretly.key(token or ""))
    if row is None:
        raise Refused("over")
    return row
