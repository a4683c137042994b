"""Who the pages of the service are for; for all others they are not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import abort, g

from fhirserver.access import permits
from fhirserver.portal import browser
from fhirserver.portal.record.space import Space
from fhirserver.rest.operations.espace import is_agent

if TYPE_CHECKING:
    from fhirserver.auth.sessions import Session

PATH: Final = "/operateur"
ACR: Final = "eidas2"
"""Two factors."""


def operator() -> Session:
    """The session of an operator, who came by two factors; the page of 404 for others."""
    session = browser.needed_session()
    if not is_operator(session):
        abort(404)
    g.page_context = {"operator": True}
    return session


def member() -> Session:
    """The session of an operator or of an agent; the page of 404 for others."""
    session = browser.needed_session()
    agent = is_agent(session.subject) and session.acr >= ACR
    if not agent and not is_operator(session):
        abort(404)
    g.page_context = {"operator": not agent}
    return session


def is_operator(session: Session | None) -> bool:
    """Whether it is an operator's; an agent of the health insurance is none."""
    if session is None or session.subject.kind != "operator" or session.acr < ACR:
        return False
    return permits(session.subject, "Patient", "u")


def api(session: Session) -> Space:
    """The API, as the one of the session may use it."""
    return Space(session.subject)
