"""`/compte/applications`: the apps that somebody let in, what each may do, when it last did, and how to end it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from flask import Response, request

from fhirserver.access import Access
from fhirserver.audit import Event
from fhirserver.auth.clients.client import Client, Clients
from fhirserver.portal import browser
from fhirserver.portal.catalogue.listing import lines
from fhirserver.portal.language import _
from fhirserver.portal.page import page
from fhirserver.rest.catalogue import about
from fhirserver.rest.edge import services
from fhirserver.rest.oauth.revoke import tell

if TYPE_CHECKING:
    from flask import Blueprint

    from fhirserver.auth.grants import Grant
    from fhirserver.portal.consent import wording

PATH: Final = "/compte/applications"


class Granted(NamedTuple):
    """A grant as its page shows it."""

    grant: Grant
    app: Client
    lines: list[wording.Item]


def routes(pages: Blueprint) -> None:
    pages.add_url_rule(PATH, "my_apps", apps)
    pages.add_url_rule(f"{PATH}/retrait", "my_apps_revoke", revoke, methods=["POST"])


def apps() -> Response:
    session = browser.needed_session()
    return page("catalogue/mine.html", granted=granted(session.account), ended=request.args.get("retrait") == "1")


def revoke() -> Response:
    """Ends what was granted: the app is refused on its next request."""
    session, found = browser.needed_session(), services()
    asked = request.form.get("grant", "")
    grant = next((each for each in found.grants.of(session.account) if each.id == asked), None)
    if grant is not None and found.grants.revoke(grant.id):
        concerned = (grant.subject.patient,) if grant.subject.patient else ()
        event = Event("revoke", 200, about(grant.client), patients=concerned)
        found.trace(Access.of(session.subject, found.clock()), event)
        tell(session.subject, grant.subject.patient, grant.client)
    return browser.redirect(f"{PATH}?retrait=1")


def granted(account: str) -> list[Granted]:
    """What an account let in, the last first."""
    found, now = services(), datetime.now(UTC)
    if not account:
        return []
    clients = Clients(found.store)
    shown = []
    for each in sorted(found.grants.of(account), key=lambda each: each.at, reverse=True):
        client = clients.find(each.client, now) or Client(
            each.client, "withdrawn", {"client_name": _("Application retirée")}
        )
        shown.append(Granted(each, client, lines(each.subject.scopes)))
    return shown
