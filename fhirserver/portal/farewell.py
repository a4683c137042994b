"""Logging out at the provider too (OpenID Connect RP-Initiated Logout): a form on the page after logging out here.

A form, not a link, so that no URL holds the id token."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from fhirserver.auth.federation.provider import Unavailable
from fhirserver.portal import browser
from fhirserver.portal.keeping import Keeping
from fhirserver.portal.page import page
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from flask import Response

TITLES: Final = {"psc": "Pro Santé Connect", "franceconnect": "FranceConnect"}
_KEPT: Final = Keeping("session-fournisseur", timedelta(hours=8))


def remember(response: Response, provider: str, id_token: str) -> Response:
    """Keeps what the provider wants to see at the end of the session that `response` opens."""
    return _KEPT.put(response, {"provider": provider, "id_token": id_token})


def page_or_home() -> Response:
    """After logging out: a page with the form, if the session came from a provider; the start page, else."""
    kept = _KEPT.find(take=True)
    url = _place(kept["provider"]) if kept else None
    if kept is None or url is None:
        return browser.set_cookie(browser.redirect("/"), _KEPT.name, "")
    name = kept["provider"]
    fields = {
        "id_token_hint": kept["id_token"],
        "client_id": services().providers[name].registration.client_id,
        "post_logout_redirect_uri": services().base.removesuffix("/fhir") + "/",
        "state": "fin",
    }
    response = page("federation/farewell.html", form_action=[url], url=url, fields=fields, title=TITLES[name])
    return browser.set_cookie(response, _KEPT.name, "")


def _place(name: str) -> str | None:
    """Where the provider logs people out."""
    provider = services().providers.get(name)
    try:
        return provider.metadata().logout if provider is not None else None
    except Unavailable:
        return None
