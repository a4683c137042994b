"""Breaking the glass from a page (CSP L.1111-17 I): of one record, for a reason, for a while.

The session stays as it is: an application that is let in meanwhile has nothing of it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from fhirserver.portal import browser
from fhirserver.portal.keeping import Keeping
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from flask import Response

    from fhirserver.access import Requester

PURPOSE: Final = "BTG"
LONGEST: Final = 500
"""Characters of a reason."""


def subject(who: Requester, patient: str) -> Requester:
    """As whom a record is asked for: the person of the session, in an emergency while one that he declared lasts."""
    if who.kind != "practitioner":
        return who
    kept = _kept().find()
    if kept is None or [kept["session"], kept["patient"]] != [_session(), patient]:
        return who
    issued, now = int(kept["issued"]), services().clock().timestamp()
    if not issued <= now < issued + services().settings.emergency_seconds:
        return who
    return declared(who, str(kept["reason"]), issued)


def declared(who: Requester, reason: str, issued: int | None = None) -> Requester:
    """A professional in an emergency, from now on unless `issued` says since when."""
    since = int(services().clock().timestamp()) if issued is None else issued
    return replace(who, purpose=PURPOSE, reason=reason, issued=since)


def begin(response: Response, patient: str, reason: str) -> Response:
    """From now on the record is asked for in an emergency, in this browser and session."""
    issued = int(services().clock().timestamp())
    kept = {"session": _session(), "patient": patient, "reason": reason, "issued": issued}
    return _kept().put(response, kept)


def _session() -> str:
    return browser.needed_session().key


def _kept() -> Keeping:
    return Keeping("urgence", timedelta(seconds=services().settings.emergency_seconds))
