"""Identities of FranceConnect that are linked to accounts here: by their holders, never by traits alone.

Kept as digests of the identity's `sub`, which FranceConnect makes for this server only.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.store import Register, Store

REGISTER: Final = "federation.links"
FRANCE: Final = "99100"
"""France among the countries of birth (code officiel géographique)."""


class Links:
    """The links of one server."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def account(self, provider: str, subject: str) -> str | None:
        """The account that an identity is linked to."""
        row = self._rows.find(_key(provider, subject), datetime.now(UTC))
        return None if row is None else str(row["account"])

    def add(self, provider: str, subject: str, account: str) -> bool:
        """Links an identity: whether it is linked to this account now. One identity leads to one account."""
        row = {"provider": provider, "account": account, "at": datetime.now(UTC)}
        return self._rows.add(_key(provider, subject), row) or self.account(provider, subject) == account

    def since(self, provider: str, account: str) -> datetime | None:
        """When an account was linked, None when it is not."""
        rows = self._rows.listed(datetime.now(UTC), count=1, account=account, provider=provider)
        return rows[0]["at"] if rows else None

    def drop(self, provider: str, account: str) -> bool:
        """Ends the links of an account: whether there were any."""
        return self._rows.drop_all(account=account, provider=provider) > 0

    @property
    def _rows(self) -> Register:
        return self._store.register(REGISTER, ("account",))


def _key(provider: str, subject: str) -> str:
    return hashlib.sha256(f"{provider}|{subject}".encode("utf-8", "surrogateescape")).hexdigest()


def traits(claims: Mapping[str, Any]) -> dict[str, Any]:
    """The pivot identity: `birth_name`, `given` (a list), `gender`, `birth_date`, and `birth_place`: a commune's code,
    or the country's, of who was born abroad."""
    told = {name: value for name, value in claims.items() if isinstance(value, str)}
    country = told.get("birthcountry", FRANCE)
    return {
        "birth_name": told.get("family_name", ""),
        "given": told.get("given_name", "").split(),
        "gender": told.get("gender"),
        "birth_date": told.get("birthdate"),
        "birth_place": (told.get("birthplace") if country == FRANCE else country) or None,
    }
