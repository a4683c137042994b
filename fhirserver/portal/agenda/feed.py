"""The link to a calendar: made and ended on the page of the agenda; followed by a calendar program, without a login.

Who has the link reads what the person who made it sees at that moment, of appointments alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from flask import Response, abort, request

from fhirserver.access import spaces
from fhirserver.espace.agenda.calendar import calendar
from fhirserver.portal.agenda import mine, telling
from fhirserver.portal.agenda.telling import TYPE
from fhirserver.portal.page import page
from fhirserver.portal.record.space import PERSONS, Space, access_of, opened
from fhirserver.rest.agenda.feeds import CLIENT, Feeds
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from flask import Blueprint

    from fhirserver.portal.record.space import Resource

BACK: Final = timedelta(days=31)
AHEAD: Final = timedelta(days=400)
"""What of the past and of the future a calendar holds."""
_PAGES: Final = 5
_COUNT: Final = "100"


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/dossier/<patient>/agenda/lien", "agenda_link", link, methods=["POST"])
    pages.add_url_rule("/agenda/<secret>.ics", "agenda_feed", follow)


def link(patient: str) -> Response:
    """Makes a link in the place of any before, and shows it this once; or ends it."""
    space, feeds = opened(patient, *PERSONS), Feeds(services().store)
    if request.form.get("decision") == "retirer":
        feeds.end(space.subject, access_of(space).now)
        return mine.done(space, "lien")
    if request.form.get("decision") != "faire":
        abort(400)
    secret = feeds.make(space.subject, access_of(space).now, details=request.form.get("details") == "oui")
    return page("agenda/link.html", link=f"{_root()}/agenda/{secret}.ics", here="agenda")


def follow(secret: str) -> Response:
    """The calendar; 404 for a link that never was, was ended, or is of a space that is not open."""
    found = Feeds(services().store).find(secret, services().clock())
    if found is None or found.subject.patient is None:
        abort(404)
    services().rates.of_client(replace(found.subject, client=f"{CLIENT}:{found.key}"))
    space = Space(found.subject, found.subject.patient)
    space.patient = space.read(f"Patient/{space.id}")
    if not _is_open(space):
        abort(404)
    text = calendar(_appointments(space), urlsplit(services().base).hostname or "localhost", details=found.details)
    tag = f'"{hashlib.sha256(text).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Referrer-Policy": "no-referrer"}
    if tag in [each.strip().removeprefix("W/") for each in request.headers.get("If-None-Match", "").split(",")]:
        return Response(status=304, headers=headers)
    headers["Content-Disposition"] = 'inline; filename="agenda.ics"'
    return Response(text, headers=headers, content_type="text/calendar; charset=utf-8")


def _appointments(space: Space) -> list[Resource]:
    now = access_of(space).now
    bounds = [("date", f"{sign}{telling.instant(at)}") for sign, at in (("ge", now - BACK), ("le", now + AHEAD))]
    found = space.search(TYPE, *bounds, ("_sort", "date"), ("_count", _COUNT))
    resources = found.resources
    for _ in range(_PAGES - 1):
        if not found.next:
            break
        found = space.search(TYPE, page=found.next)
        resources += found.resources
    return resources


def _is_open(space: Space) -> bool:
    row = services().spaces.row(space.id)
    states = [(name, since) for name, since in spaces.timeline(space.patient, row)]
    return spaces.state(states, access_of(space).now) == "open"


def _root() -> str:
    return services().base.removesuffix("/fhir")
