"""Logging out at the provider too (OpenID Connect RP-Initiated Logout): a link on the page after logging out here."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

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
    """After logging out: a page with the link, if the session came from a provider; the start page, else."""
    kept = _KEPT.find(take=True)
    url = _url(kept["provider"], kept["id_token"]) if kept else None
    if kept is None or url is None:
        return browser.set_cookie(browser.redirect("/"), _KEPT.name, "")
    response = page("federation/farewell.html", url=url, title=TITLES[kept["provider"]])
    return browser.set_cookie(response, _KEPT.name, "")


def _url(name: str, id_token: str) -> str | None:
    provider = services().providers.get(name)
    if provider is None:
        return None
    try:
        place = provider.metadata().logout
    except Unavailable:
        return None
    asked = {"id_token_hint": id_token, "post_logout_redirect_uri": services().base.removesuffix("/fhir") + "/"}
    state = {"state": "fin", "client_id": provider.registration.client_id}
    return None if place is None else f"{place}{'&' if '?' in place else '?'}{urlencode({**asked, **state})}"
