"""`/connexion`: identifier and password, then a second factor; `/deconnexion`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import request

from fhirserver.auth.accounts.login import Place
from fhirserver.auth.accounts.post import CHANNELS, masked
from fhirserver.auth.accounts.refused import Refused
from fhirserver.portal import browser, entering, farewell, sealed, tracing
from fhirserver.portal.language import N_, _, of_number
from fhirserver.portal.page import allow_forms_to, page
from fhirserver.rest.address import address
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from datetime import timedelta

    from flask import Blueprint, Response

    from fhirserver.auth.accounts.account import Account
    from fhirserver.auth.accounts.login import Pending

STEP: Final = "etape"
_WRONG: Final = N_("Identifiant ou mot de passe incorrect.")
_WRONG_CODE: Final = N_("Ce code ne convient pas, ou il n’est plus valable.")
_OVER: Final = N_("Votre connexion a expiré ou a été refusée trop de fois : recommencez.")
_UNSENT: Final = N_("Le code n’a pas pu être envoyé. Réessayez, ou choisissez un autre moyen.")
_WAYS: Final = {"mail": N_("par courriel à %(address)s"), "phone": N_("par message au %(address)s")}


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/connexion", "login", login, methods=["GET", "POST"])
    pages.add_url_rule("/connexion/code", "second", second, methods=["GET", "POST"])
    pages.add_url_rule("/connexion/envoi", "send_code", send_code, methods=["POST"])
    pages.add_url_rule("/deconnexion", "logout", logout, methods=["POST"])


def place() -> Place:
    """Where the request comes from, as tries are counted."""
    return Place(address(request, services().settings.trusted_proxies), browser.cookie(entering.DEVICE))


def waiting(wait: timedelta) -> str:
    """How long to wait, in words."""
    minutes = -(-int(wait.total_seconds()) // 60)
    told = of_number(
        "Trop de tentatives. Réessayez dans %(minutes)s minute.",
        "Trop de tentatives. Réessayez dans %(minutes)s minutes.",
        minutes,
    )
    return told % {"minutes": minutes}


def login() -> Response:
    """The first step. `suite`: where to go on, sealed."""
    onward = request.values.get("suite", "")
    if request.method == "GET":
        if browser.current_session() is not None and not request.args.get("neuf"):
            return browser.redirect(sealed.opened(onward).path)
        return _first(onward, 200)
    logins = services().accounts.logins
    typed = request.form.get("identifiant", "")[:200]
    try:
        token = logins.begin(typed, request.form.get("mot-de-passe", "")[:1000], place(), onward)
        _send_first(token)
    except Refused as refused:
        if refused.why == "unsent":
            return browser.set_cookie(browser.redirect("/connexion/code?envoi=echec"), STEP, token)
        tracing.refused("login-refused", _account(refused), 429 if refused.why == "wait" else 401)
        if refused.why == "wait":
            return _first(onward, 429, {"": waiting(refused.wait)}, typed)
        return _first(onward, 401, {"": _WRONG}, typed)
    return browser.set_cookie(browser.redirect("/connexion/code"), STEP, token)


def go_on(account: Account, onward: str) -> Response:
    """To the second step, of who took the first one elsewhere. `onward` is sealed."""
    token = services().accounts.logins.go_on(account, place(), onward)
    try:
        _send_first(token)
    except Refused:
        return browser.set_cookie(browser.redirect("/connexion/code?envoi=echec"), STEP, token)
    return browser.set_cookie(browser.redirect("/connexion/code"), STEP, token)


def second() -> Response:
    """The second step: a code as it is typed, or a passkey's answer."""
    logins, token = services().accounts.logins, browser.cookie(STEP)
    try:
        pending = logins.pending(token)
        if request.method == "GET":
            errors = {"": _UNSENT} if request.args.get("envoi") == "echec" else {}
            return _second(pending, 200, errors)
        passed = logins.finish(token, request.form.get("code", "")[:100], request.form.get("cle", ""))
    except Refused as refused:
        return _refused(refused)
    return browser.set_cookie(entering.enter(passed), STEP, "")


def send_code() -> Response:
    """Sends another code, by the way that is chosen."""
    logins, token = services().accounts.logins, browser.cookie(STEP)
    try:
        pending = logins.pending(token)
        logins.send_code(token, "phone" if request.form.get("moyen") == "phone" else "mail")
    except Refused as refused:
        if refused.why == "over":
            return _refused(refused)
        text = _UNSENT if refused.why == "unsent" else waiting(refused.wait)
        return _second(pending, 503 if refused.why == "unsent" else 429, {"": text})
    return browser.redirect("/connexion/code")


def logout() -> Response:
    session = browser.current_session()
    if session is not None:
        tracing.done("logout", session.subject)
    return browser.close_session(farewell.page_or_home())


def _send_first(token: str) -> None:
    """Who has nothing but an address gets his code at once."""
    logins = services().accounts.logins
    account = logins.account(logins.pending(token))
    way = account.factors[0] if account is not None and account.factors else "mail"
    if way in CHANNELS:
        logins.send_code(token, way)


def _first(onward: str, status: int, errors: dict[str, str] | None = None, typed: str = "") -> Response:
    allow_forms_to(sealed.opened(onward).origins)
    return page("login.html", status, onward=onward, errors=errors or {}, typed=typed)


def _second(pending: Pending, status: int, errors: dict[str, str] | None = None) -> Response:
    allow_forms_to(sealed.opened(pending.onward).origins)
    logins = services().accounts.logins
    account = logins.account(pending)
    question = logins.question(browser.cookie(STEP)) if account is not None and account.passkeys else None
    return page(
        "second.html",
        status,
        errors=errors or {},
        ways=_ways(account),
        held=_held(account),
        question=question,
        return_to="/connexion/code",
    )


def _ways(account: Account | None) -> list[tuple[str, str]]:
    """The ways to get a code, as far as they may be told."""
    post = services().accounts.post
    if account is None:
        return [("mail", _("par courriel"))] if "mail" in post.channels else []
    return [
        (each, _(_WAYS[each], address=masked(each, getattr(account, each))))
        for each in post.channels
        if each in account.factors
    ]


def _held(account: Account | None) -> tuple[str, ...]:
    return account.factors if account is not None else ("totp", "mail")


def _refused(refused: Refused) -> Response:
    tracing.refused("login-refused", _account(refused), 429 if refused.why == "wait" else 401)
    if refused.why == "over":
        return browser.set_cookie(_first("", 401, {"": _OVER}), STEP, "")
    try:
        pending = services().accounts.logins.pending(browser.cookie(STEP))
    except Refused:
        return browser.set_cookie(_first("", 401, {"": _OVER}), STEP, "")
    text = waiting(refused.wait) if refused.why == "wait" else _WRONG_CODE
    return _second(pending, 429 if refused.why == "wait" else 401, {"code": text})


def _account(refused: Refused) -> Account | None:
    return services().accounts.accounts.find(refused.account)
