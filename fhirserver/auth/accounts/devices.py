"""Devices that somebody logged in at: a cookie of 256 bits, kept as a digest. Who tries elsewhere is counted apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from fhirserver.auth.accounts import secretly

if TYPE_CHECKING:
    from fhirserver.store import Register, Store

REGISTER: Final = "devices"
LASTS: Final = timedelta(days=180)
_SEVERAL: Final = 4
"""Accounts that one browser is known to, such as a family's."""


class Devices:
    def __init__(self, store: Store) -> None:
        self._store = store

    def knows(self, cookie: str | None, account: str) -> bool:
        """Whether the account was logged in to at this device."""
        return self.found(cookie, account) is not None

    def found(self, cookie: str | None, account: str) -> str | None:
        """The name of the device, if the account was logged in to there: the same whatever else the cookie holds."""
        now = datetime.now(UTC)
        rows = [self._rows.find(secretly.key(each), now) for each in _tokens(cookie)]
        return next((str(row["_id"]) for row in rows if row is not None and row["account"] == account), None)

    def remember(self, cookie: str | None, account: str) -> str:
        """The cookie of the device from now on."""
        token = secretly.token()
        self._rows.put(secretly.key(token), {"account": account, "until": datetime.now(UTC) + LASTS})
        return ".".join([token, *_tokens(cookie)][:_SEVERAL])

    def count(self, account: str) -> int:
        """How many devices are known."""
        return len(self._rows.listed(datetime.now(UTC), account=account))

    def forget_all(self, account: str) -> None:
        """No device is known any longer."""
        self._rows.drop_all(account=account)

    @property
    def _rows(self) -> Register:
        return self._store.register(REGISTER, ("account",))


def _tokens(cookie: str | None) -> list[str]:
    return [each for each in (cookie or "").split(".") if len(each) == 43][:_SEVERAL]
