"""An account: an identifier, a password, second factors, and the records it leads to."""

from __future__ import annotations

import secrets
import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.store import Register, Store

REGISTER: Final = "accounts"
NAMES: Final = "account-names"
KINDS: Final = ("person", "operator", "agent")
STAFF: Final = frozenset({"operator", "agent"})
"""Kinds of accounts of the service: of its operators, and of agents of the health insurance."""


class Reach(NamedTuple):
    """A record that an account leads to: the holder's own, or that of whom the RelatedPerson `related` represents."""

    patient: str
    related: str | None = None


class Passkey(NamedTuple):
    """A WebAuthn credential: `id` base64url, `public` the COSE key, `signs`: how often it signed."""

    id: str
    public: bytes
    signs: int
    name: str
    at: datetime


class Account(NamedTuple):
    """`password`: an argon2id hash. `mail`, `phone`: proven addresses that one-time codes go to. `totp`: a sealed seed;
    `step`: the last time step that was used of it. `recovery`: digests of the codes that are left. `n` counts changes.
    """

    id: str
    kind: str
    login: str
    password: str
    at: datetime
    mail: str = ""
    phone: str = ""
    totp: str = ""
    step: int = 0
    passkeys: tuple[Passkey, ...] = ()
    recovery: tuple[str, ...] = ()
    records: tuple[Reach, ...] = ()
    n: int = 0

    @property
    def factors(self) -> tuple[str, ...]:
        """The second factors that are set up, the strongest first."""
        held = {"passkey": self.passkeys, "totp": self.totp, "mail": self.mail, "phone": self.phone}
        if self.kind in STAFF:
            held = {"passkey": self.passkeys, "totp": self.totp}
        return tuple(name for name, value in held.items() if value)


def folded(login: str) -> str:
    """One form of an identifier, however it is typed."""
    return unicodedata.normalize("NFKC", login).strip().casefold()


class Accounts:
    """The accounts of one server."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, kind: str, login: str, password: str, **more: Any) -> Account:
        """A new account. Raises Conflict when there is one of that identifier."""
        account = Account(secrets.token_urlsafe(16), kind, folded(login), password, _now(), **more)
        if not self._names.add(account.login, {"account": account.id}):
            raise Conflict("There is an account of that identifier.")
        self._rows.put(account.id, _row(account))
        return account

    def find(self, id_: str) -> Account | None:
        row = self._rows.find(id_, datetime.now(UTC))
        return None if row is None else _account(row)

    def named(self, login: str) -> Account | None:
        """The account of an identifier; as much is looked up where there is none."""
        row = self._names.find(folded(login), datetime.now(UTC))
        return self.find(row["account"] if row else "")

    def of_patient(self, patient: str) -> list[Account]:
        """The accounts that reach a person's record: his own, and those of representatives."""
        wanted: dict[str, Any] = {"records.patient": patient}
        return [_account(row) for row in self._rows.listed(datetime.now(UTC), **wanted)]

    def change(self, account: Account, **changes: Any) -> Account | None:
        """The account with other values; None when somebody changed it since it was read."""
        changed = account._replace(**changes, n=account.n + 1)
        row = self._rows.change(account.id, _row(changed), n=account.n)
        return None if row is None else _account(row)

    def insist(self, account: Account, **changes: Any) -> Account:
        """As `change`, whatever else changes meanwhile. Raises Conflict for an account that is gone."""
        held: Account | None = account
        while held is not None:
            changed = self.change(held, **changes)
            if changed is not None:
                return changed
            held = self.find(account.id)
        raise Conflict("There is no such account any longer.")

    def remove(self, account: Account) -> None:
        self._rows.drop(account.id)
        self._names.drop(account.login)

    @property
    def _rows(self) -> Register:
        return self._store.register(REGISTER, ("records.patient",))

    @property
    def _names(self) -> Register:
        return self._store.register(NAMES)


def _now() -> datetime:
    """Now, in the milliseconds that the database keeps."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _row(account: Account) -> dict[str, Any]:
    row = account._asdict()
    del row["id"]
    passkeys, records = [each._asdict() for each in account.passkeys], [each._asdict() for each in account.records]
    return {**row, "passkeys": passkeys, "records": records, "recovery": list(account.recovery)}


def _account(row: Mapping[str, Any]) -> Account:
    fields = {name: value for name, value in row.items() if name != "_id"}
    return Account(
        id=row["_id"],
        **fields
        | {
            "passkeys": tuple(Passkey(**each) for each in row["passkeys"]),
            "records": tuple(Reach(**each) for each in row["records"]),
            "recovery": tuple(row["recovery"]),
        },
    )
