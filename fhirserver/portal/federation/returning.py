"""`/federation/NAME`: to the provider, and `/federation/NAME/retour`: back from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request

from fhirserver.auth.federation.assembly import PSC
from fhirserver.auth.federation.idtoken import Refused
from fhirserver.portal import browser
from fhirserver.portal.federation import linking, opening, situations

if TYPE_CHECKING:
    from flask import Blueprint, Response


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/federation/<name>", "federation", depart)
    pages.add_url_rule("/federation/<name>/retour", "federation_back", back)


def depart(name: str) -> Response:
    """To the provider. `suite`: where to go on afterwards, sealed."""
    return leave(name, {"suite": request.args.get("suite", "")[:4000]})


def leave(name: str, onward: dict[str, str]) -> Response:
    """To a provider, with what is to be known when the browser is back."""
    try:
        sent = opening.logins(name).begin(onward)
    except Refused as error:
        return opening.refused(error.why)
    return browser.set_cookie(browser.redirect(sent.url), opening.COOKIE, sent.cookie)


def back(name: str) -> Response:
    """Who logged in there, if all that came fits."""
    logins = opening.logins(name)
    try:
        returned = logins.finish(request.args.to_dict(), browser.cookie(opening.COOKIE))
    except Refused as error:
        return browser.set_cookie(opening.refused(error.why), opening.COOKIE, "")
    response = situations.enter(returned) if name == PSC else linking.enter(returned)
    return browser.set_cookie(response, opening.COOKIE, "")
