"""A professional who logged in by Pro Santé Connect: as whom he acts, chosen where he has several situations."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from flask import request

from fhirserver.auth.federation.professional import NotAccepted, Professional, Situation, professional
from fhirserver.auth.tokens import DEFAULT_SCOPES
from fhirserver.portal import browser, entering, farewell, sealed, tracing
from fhirserver.portal.federation import wording
from fhirserver.portal.federation.opening import refused
from fhirserver.portal.keeping import Keeping
from fhirserver.portal.page import allow_forms_to, page
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from flask import Blueprint, Response

    from fhirserver.auth.federation.login import Returned

_KEPT: Final = Keeping("situation", timedelta(minutes=10))
_METHODS: Final = {"CARD": ("sc", "pin", "mfa"), "MOBILE": ("swk", "pin", "mfa")}
"""Authentication methods (RFC 8176) by `authMode`: the card, or the card on a telephone. Both take two factors."""


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/federation/psc/situation", "situation", situation, methods=["GET", "POST"])


def enter(returned: Returned) -> Response:
    """A session, or first the choice of a situation."""
    try:
        who = professional(returned.claims)
        if who.rpps is None:
            return refused("staff")
        if not who.situations and who.current is None:
            return refused("situation")
    except NotAccepted as error:
        return refused(error.why)
    amr = _METHODS.get(str(returned.claims.get("authMode", "")).upper(), ("mfa",))
    login = {"id_token": returned.id_token, "amr": list(amr), "onward": returned.onward.get("suite", "")}
    if len({(each.profession, each.organization, each.site) for each in who.situations}) > 1:
        return _KEPT.put(browser.redirect("/federation/psc/situation"), {**login, "who": _written(who)})
    return _entered(who, who.situation(), login)


def situation() -> Response:
    """The page of the choice, and what was chosen."""
    kept = _KEPT.find()
    if kept is None:
        return refused("state")
    who = _read(kept["who"])
    allow_forms_to(sealed.opened(kept["onward"]).origins)
    if request.method == "GET":
        choices = [(each, wording.profession(each.profession)) for each in who.situations]
        return page("federation/situation.html", choices=choices, current=who.current, name=who.name)
    chosen = next((each for each in who.situations if each.key == request.form.get("situation")), None)
    if chosen is None or _KEPT.find(take=True) is None:
        return refused("state")
    return browser.set_cookie(_entered(who, chosen, kept), _KEPT.name, "")


def _entered(who: Professional, chosen: Situation, login: dict[str, Any]) -> Response:
    try:
        subject = who.requester(chosen)
    except NotAccepted as error:
        return refused(error.why)
    linked = services().directory.practitioner(subject.rpps or "")
    subject = replace(subject, id=linked or subject.id, scopes=DEFAULT_SCOPES["practitioner"])
    onward = sealed.opened(login["onward"]).path if login["onward"] else "/"
    response = browser.redirect(onward)
    browser.open_session(response, subject, f"psc|{who.id}", tuple(login["amr"]), entering.ACR)
    tracing.done("login", subject)
    return farewell.remember(response, "psc", login["id_token"])


def _written(who: Professional) -> dict[str, Any]:
    current = list(who.current) if who.current else None
    return {**who._asdict(), "situations": [list(each) for each in who.situations], "current": current}


def _read(row: dict[str, Any]) -> Professional:
    current = Situation(*row["current"]) if row["current"] else None
    return Professional(
        **{**row, "situations": tuple(Situation(*each) for each in row["situations"]), "current": current}
    )
