"""`/connexion/oubli`: another password, by a code that is mailed and a second proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import request

from fhirserver.auth.accounts.passwords import refusal
from fhirserver.auth.accounts.recovery import CHANGED, CHANGED_SUBJECT
from fhirserver.auth.accounts.refused import Refused
from fhirserver.portal import browser, tracing
from fhirserver.portal.language import N_, _
from fhirserver.portal.login import place, waiting
from fhirserver.portal.page import page
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from flask import Blueprint, Response

    from fhirserver.auth.accounts.account import Account

COOKIE: Final = "oubli"
_WRONG: Final = N_("L’un des deux codes ne convient pas, ou n’est plus valable.")
_OVER: Final = N_("La demande a expiré ou a été refusée trop de fois : recommencez.")


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/connexion/oubli", "forgotten", forgotten, methods=["GET", "POST"])
    pages.add_url_rule("/connexion/oubli/code", "forgotten_code", forgotten_code, methods=["GET", "POST"])


def forgotten() -> Response:
    if request.method == "GET":
        return page("forgotten.html")
    try:
        token = services().accounts.resets.begin(request.form.get("identifiant", "")[:200], place().address)
    except Refused as refused:
        return page("forgotten.html", 429, errors={"": waiting(refused.wait)})
    return browser.set_cookie(browser.redirect("/connexion/oubli/code"), COOKIE, token)


def forgotten_code() -> Response:
    """Both codes and the new password; all sessions end, and no device is known any longer."""
    if request.method == "GET":
        return page("forgotten-code.html")
    form, errors = request.form, dict[str, str]()
    new = form.get("mot-de-passe", "")[:1000]
    if text := refusal(new):
        errors["mot-de-passe"] = text
    elif new != form.get("confirmation", "")[:1000]:
        errors["confirmation"] = _("Les deux mots de passe ne sont pas les mêmes.")
    if errors:
        return page("forgotten-code.html", 422, errors=errors)
    try:
        account = services().accounts.resets.check(
            browser.cookie(COOKIE), form.get("code", "")[:40], form.get("second", "")[:40]
        )
    except Refused as refused:
        return _refused(refused)
    _renewed(account, new)
    return browser.set_cookie(page("forgotten-done.html"), COOKIE, "")


def _renewed(account: Account, new: str) -> None:
    found = services()
    room = found.accounts
    room.accounts.insist(account, password=room.passwords.hash(new))
    room.logins.end(account.id)
    found.sessions.close_all(account.id)
    room.devices.forget_all(account.id)
    tracing.about("password-reset", account)
    room.post.send_aside("mail", account.mail, CHANGED_SUBJECT, CHANGED)


def _refused(refused: Refused) -> Response:
    account = services().accounts.accounts.find(refused.account)
    tracing.refused("password-reset", account, 429 if refused.why == "wait" else 401)
    if refused.why == "over":
        return page("forgotten.html", 401, errors={"": _OVER})
    if refused.why == "wait":
        return page("forgotten-code.html", 429, errors={"": waiting(refused.wait)})
    return page("forgotten-code.html", 401, errors={"": _WRONG})
