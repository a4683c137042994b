"""Who visits the pages of a record, logged in without the way through the login."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.access import Requester
from fhirserver.auth import tokens
from tests.portal.browser import Browser

if TYPE_CHECKING:
    from tests.application import Application


def logged_in(application: Application, subject: Requester) -> Browser:
    """A browser with a session of somebody's."""
    found = Browser(application)
    secret = application.services.sessions.open(subject, f"account-{subject.id}", ("pwd", "otp"), "eidas2")
    found.client.set_cookie("session", secret)
    return found


def holder(id: str) -> Requester:
    scopes = tokens.DEFAULT_SCOPES["patient"]
    return Requester("patient", f"patient/{id}", patient=id, purpose="PATRQT", scopes=scopes, name="Claire EXEMPLE")


def representative(id: str, related: str = "parent") -> Requester:
    scopes = tokens.DEFAULT_SCOPES["representative"]
    return Requester("representative", f"RelatedPerson/{related}", patient=id, purpose="PATRQT", scopes=scopes)


def professional(rpps: str, organization: str | None = None, **more: Any) -> Requester:
    scopes = tokens.DEFAULT_SCOPES["practitioner"]
    return Requester(
        "practitioner",
        f"practitioner/{rpps}",
        rpps=rpps,
        profession="G15_10",
        organization=organization,
        scopes=scopes,
        name="Dominique SOIGNANT",
        **more,
    )


def patient_named(application: Application, given: str) -> str:
    """The id of somebody of the demo family."""
    return application.operator().search("Patient", given=given).ids[0]
