"""Something that is kept while a browser does the next step: in the database, sealed, under a secret in a cookie."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson
from cryptography.fernet import Fernet, InvalidToken

from fhirserver.portal import browser
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Response

REGISTER: Final = "kept"


@dataclass(frozen=True)
class Keeping:
    """What one kind of step keeps: `name` of its cookie, and how long it `lasts`."""

    name: str
    lasts: timedelta

    def put(self, response: Response, row: Mapping[str, Any]) -> Response:
        """Keeps JSON values."""
        secret = secrets.token_urlsafe(32)
        sealed = self._fernet.encrypt(orjson.dumps(dict(row)))
        kept = {"sealed": sealed, "until": datetime.now(UTC) + self.lasts}
        services().store.register(REGISTER).put(self._key(secret), kept)
        return browser.set_cookie(response, self.name, secret)

    def find(self, *, take: bool = False) -> dict[str, Any] | None:
        """What is kept; `take`: no longer."""
        secret = browser.cookie(self.name)
        if not secret:
            return None
        rows, now = services().store.register(REGISTER), datetime.now(UTC)
        row = rows.take(self._key(secret), now) if take else rows.find(self._key(secret), now)
        try:
            found: dict[str, Any] | None = orjson.loads(self._fernet.decrypt(row["sealed"])) if row else None
        except InvalidToken:
            return None
        return found

    @property
    def _fernet(self) -> Fernet:
        return Fernet(services().derive("kept"))

    def _key(self, secret: str) -> str:
        return hashlib.sha256(f"{self.name}|{secret}".encode("utf-8", "surrogateescape")).hexdigest()
