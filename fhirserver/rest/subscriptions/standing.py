"""As whom a subscriber is judged, when something is to be told: what was granted must still be in force."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from fhirserver.access import Requester
from fhirserver.auth.clients.client import Clients, usable
from fhirserver.auth.server.scopes import covers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.rest.services import Services

REVOKED: Final = "What was granted is revoked or has ended."
SUSPENDED: Final = "The app may not be used any longer."
ENDED: Final = "Who let the app in does not represent the person any longer."
NARROWED: Final = "The client is not registered for these scopes, or for this establishment, any longer."
OVER: Final = "The Subscription has ended."
UNGRANTED: Final = "No grant stands behind it."


class Ended(Exception):
    """Nothing is told to this subscriber any more; the text says why."""


def standing(services: Services, row: Mapping[str, Any], end: datetime | None) -> Requester:
    """The requester behind a subscriber's row, until its `end`. Raises Ended, Unavailable.

    A person's or professional's grant must be in force. A system's lasts as long as its token, a few minutes: what
    stands there is its registration.
    """
    if end is not None and services.clock() >= end:
        raise Ended(OVER)
    who = Requester.written(row["who"])
    production = services.settings.environment == "production"
    if row["grant"] is None:
        if production:
            raise Ended(UNGRANTED)
        return who
    if who.kind == "system":
        client = Clients(services.store).find(str(who.client), datetime.now(UTC))
        if client is None or not client.usable(production):
            raise Ended(SUSPENDED)
        if client.organization != who.organization or not all(covers(client.scopes, each) for each in who.scopes):
            raise Ended(NARROWED)
        return who
    use = services.grants.in_use(row["grant"])
    if use is None:
        raise Ended(REVOKED)
    if not usable(use.status, production):
        raise Ended(SUSPENDED)
    if not services.accounts.people.still_acts(who):
        raise Ended(ENDED)
    return who
