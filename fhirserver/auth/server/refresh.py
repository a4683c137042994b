"""Refresh tokens (RFC 6749, 6): each is good once; one that comes again revokes the grant (RFC 9700, 4.14.2)."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError, InvalidScopeError

from fhirserver.auth import sessions
from fhirserver.auth.clients.client import digest
from fhirserver.auth.server import scopes
from fhirserver.auth.server.granting import Answer, TokenGranting
from fhirserver.auth.server.issuing import Standing

if TYPE_CHECKING:
    from fhirserver.auth.server.party import Party
    from fhirserver.store import Register, Store

REGISTER: Final = "refresh"


class Refresh(NamedTuple):
    key: str
    standing: Standing
    until: datetime
    used: bool


class Refreshes:
    """The refresh tokens of one server; the database holds a digest of each, used ones until their grant ends."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, standing: Standing, until: datetime) -> str:
        """A new refresh token."""
        token = secrets.token_urlsafe(32)
        row = {"standing": standing.described(), "grant": standing.grant, "until": until, "used": None}
        self._rows.add(digest(token), row)
        return token

    def find(self, token: str) -> Refresh | None:
        row = self._rows.find(digest(token), datetime.now(UTC))
        if row is None:
            return None
        return Refresh(row["_id"], Standing.written(row["standing"]), row["until"], row["used"] is not None)

    def use(self, found: Refresh) -> bool:
        """Takes a token: of several who do, one does."""
        return self._rows.change(found.key, {"used": datetime.now(UTC)}, used=None) is not None

    @property
    def _rows(self) -> Register:
        return self._store.register(REGISTER, ("grant",))


class RefreshGrant(TokenGranting):
    GRANT_TYPE = "refresh_token"

    def authenticate_token_endpoint_client(self) -> Party:
        """The client; a public one need not name itself, since its token does (RFC 6749, 3.2.1)."""
        shown = ("client_id", "client_secret", "client_assertion")
        if self.request.headers.get("Authorization") is None and not any(self.request.get(each) for each in shown):
            found = self.server.refreshes.find(self.request.get("refresh_token") or "")
            party = self.server.query_client(found.standing.client) if found is not None else None
            if party is not None and party.client.auth_method == "none":
                self.request.auth_method = "none"
                return party
        known: Party = super().authenticate_token_endpoint_client()
        return known

    def validate_token_request(self) -> None:
        party = self.authenticated()
        token = self.request.get("refresh_token")
        if token is None:
            raise InvalidRequestError("The refresh_token is missing.")
        found = self.server.refreshes.find(token)
        if found is None or found.standing.client != party.id:
            raise InvalidGrantError("The refresh_token is not valid: it has expired, or is not this client's.")
        if found.used:
            self._reused(found)
        if scopes.narrowed(found.standing.scopes, (self.request.get("scope") or "").split()) is None:
            raise InvalidScopeError("A refresh cannot widen what was granted.")
        if not self._lasts(found.standing):
            raise InvalidGrantError("What was granted is revoked or has ended.")
        self.request.refresh_token = found

    def create_token_response(self) -> Answer:
        found: Refresh = self.request.refresh_token
        if not self.server.refreshes.use(found):
            self._reused(found)
        standing = found.standing
        narrowed = scopes.narrowed(standing.scopes, (self.request.get("scope") or "").split())
        answer = self.answered(self.server.narrowed(standing, narrowed or ()))
        answer[1]["refresh_token"] = self.server.refreshes.add(standing._replace(nonce=None), found.until)
        return answer

    def _reused(self, found: Refresh) -> None:
        self.server.grants.revoke(found.standing.grant)
        raise InvalidGrantError("The refresh_token was used already: what was granted is revoked.")

    def _lasts(self, standing: Standing) -> bool:
        """Whether the grant is in force; without `offline_access`, while the person is logged in (SMART)."""
        if self.server.grants.find(standing.grant) is None:
            return False
        if "offline_access" in standing.scopes:
            return True
        rows = self.server.store.register(sessions.REGISTER)
        return rows.find(standing.login.session, datetime.now(UTC)) is not None
