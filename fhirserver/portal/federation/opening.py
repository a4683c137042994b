"""What logins at providers share: where they lead back to, and what is refused, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import abort

from fhirserver.auth.federation.login import Logins
from fhirserver.portal import tracing
from fhirserver.portal.federation import wording
from fhirserver.portal.language import _
from fhirserver.portal.page import error_page
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from flask import Response

    from fhirserver.auth.accounts.account import Account
    from fhirserver.auth.federation.provider import Provider

COOKIE: Final = "fournisseur"
"""The cookie of a login under way: its browser has it."""


def provider(name: str) -> Provider:
    """A provider that the settings name; 404 otherwise."""
    found = services().providers.get(name)
    return found if found is not None else abort(404)


def logins(name: str) -> Logins:
    root = services().base.removesuffix("/fhir")
    return Logins(services().store, provider(name), f"{root}/federation/{name}/retour")


def refused(why: str, account: Account | None = None) -> Response:
    """A login that is not accepted, as a page, traced; in the holder's record too, where an account was named."""
    status = wording.STATUS.get(why, 403)
    tracing.refused("login-refused", account, status)
    return error_page(status, wording.REFUSED.get(why, wording.REFUSED["provider"]), _("Connexion impossible"))
