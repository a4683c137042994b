"""Browser sessions: who logged in, how, and until when. Kept in the database; the cookie is a random secret.

The database holds a digest of the secret, so that who reads the database cannot act as anybody. Session time is real
time, as token time is.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.access import Requester

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.store import Register, Store

REGISTER: Final = "sessions"
IDLE: Final = timedelta(minutes=20)
LONGEST: Final = timedelta(hours=8)


class Session(NamedTuple):
    """`subject`: who logged in, with all scopes of his kind (`auth.tokens.DEFAULT_SCOPES`). `account`: key of what he
    logged in with (`patient account id`, `psc|SubjectNameID`, …), so that all his sessions can be ended. `amr`: the
    authentication methods (RFC 8176); `acr`: `eidas2` for two factors, `eidas1` for one. `csrf`: what forms send back.
    `device`: the browser in two words, for the list of the person's sessions.
    """

    key: str
    subject: Requester
    account: str
    amr: tuple[str, ...]
    acr: str
    at: datetime
    seen: datetime
    csrf: str
    device: str = ""


class Sessions:
    """The sessions of one server."""

    def __init__(self, store: Store, idle: timedelta = IDLE, longest: timedelta = LONGEST) -> None:
        self._store, self._idle, self._longest = store, idle, longest

    def open(self, subject: Requester, account: str, amr: tuple[str, ...], acr: str, device: str = "") -> str:
        """A new session; the secret for the cookie. A login always makes a new one (session fixation, ASVS 3.2.1)."""
        secret, now = secrets.token_urlsafe(32), datetime.now(UTC)
        row = {
            "who": subject.described(),
            "account": account,
            "amr": list(amr),
            "acr": acr,
            "at": now,
            "seen": now,
            "csrf": secrets.token_urlsafe(32),
            "device": device,
            "until": now + self._idle,
        }
        self._rows.put(_key(secret), row)
        return secret

    def find(self, secret: str | None) -> Session | None:
        """The session of a cookie that still lasts; it lasts longer by being used."""
        if not secret:
            return None
        now = datetime.now(UTC)
        row = self._rows.find(_key(secret), now)
        if row is None:
            return None
        if now - row["seen"] > self._idle / 10:
            until = min(now + self._idle, row["at"] + self._longest)
            row = self._rows.change(row["_id"], {"seen": now, "until": until}, account=row["account"])
        return None if row is None else _session(row)

    def close(self, secret: str | None) -> None:
        """Ends a session: logging out."""
        if secret:
            self._rows.drop(_key(secret))

    def of(self, account: str) -> list[Session]:
        """The sessions of an account that last."""
        return [_session(row) for row in self._rows.listed(datetime.now(UTC), account=account)]

    def end(self, account: str, key: str) -> None:
        """Ends a session of an account, by its key."""
        self._rows.drop_all(account=account, _id=key)

    def act_for(self, session: Session, subject: Requester) -> str | None:
        """A session in its place, of the same login, for another of the account's records; the new secret, None where
        the session was ended meanwhile."""
        if not self._rows.drop(session.key):
            return None
        secret = self.open(subject, session.account, session.amr, session.acr, session.device)
        self._rows.set(
            _key(secret), {"at": session.at, "until": min(datetime.now(UTC) + self._idle, session.at + self._longest)}
        )
        return secret

    def close_all(self, account: str) -> int:
        """Ends all sessions of an account: its password changed, it was locked or closed. How many there were."""
        return self._rows.drop_all(account=account)

    @property
    def _rows(self) -> Register:
        return self._store.register(REGISTER, ("account",))


def _session(row: Mapping[str, Any]) -> Session:
    who, amr = Requester.written(row["who"]), tuple(row["amr"])
    times = row["at"], row["seen"]
    return Session(row["_id"], who, row["account"], amr, row["acr"], *times, row["csrf"], row.get("device", ""))


def _key(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
