"""Something that is kept while a browser does the next step: in the database, under a secret in a cookie."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

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
        secret = secrets.token_urlsafe(32)
        services().store.register(REGISTER).put(self._key(secret), {**row, "until": datetime.now(UTC) + self.lasts})
        return browser.set_cookie(response, self.name, secret)

    def find(self, *, take: bool = False) -> dict[str, Any] | None:
        """What is kept; `take`: no longer."""
        secret = browser.cookie(self.name)
        if not secret:
            return None
        rows, now = services().store.register(REGISTER), datetime.now(UTC)
        return rows.take(self._key(secret), now) if take else rows.find(self._key(secret), now)

    def _key(self, secret: str) -> str:
        return hashlib.sha256(f"{self.name}|{secret}".encode("utf-8", "surrogateescape")).hexdigest()
