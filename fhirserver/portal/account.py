"""`/compte`: second factors, password, recovery codes, sessions. What weakens or changes them needs a recent login."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from flask import abort, request

from fhirserver.auth.accounts import factors, throttle
from fhirserver.auth.accounts.account import STAFF
from fhirserver.auth.accounts.passwords import refusal
from fhirserver.auth.accounts.refused import Refused
from fhirserver.portal import browser, enrolling, tracing
from fhirserver.portal.language import N_, _
from fhirserver.portal.login import waiting
from fhirserver.portal.page import page
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from flask import Blueprint, Response

    from fhirserver.auth.accounts.account import Account
    from fhirserver.auth.sessions import Session

RECENT: Final = timedelta(minutes=10)
_SUBJECT: Final = "Vos moyens de connexion ont changé"
_TEXT: Final = (
    "{what} Si ce n’est pas vous, connectez-vous, fermez toutes vos sessions et changez votre mot de passe sans tarder."
)
_LAST: Final = N_("C’est votre seul second facteur : ajoutez-en un autre avant de le retirer.")
_BUSY: Final = N_("Votre compte est modifié ailleurs au même moment : recommencez.")


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/compte", "account", account)
    pages.add_url_rule("/compte/facteur", "factor", factor, methods=["GET", "POST"])
    pages.add_url_rule("/compte/facteur/code", "factor_code", factor_code, methods=["GET", "POST"])
    pages.add_url_rule("/compte/facteur/retrait", "factor_removal", factor_removal, methods=["POST"])
    pages.add_url_rule("/compte/cle", "passkey", passkey, methods=["GET", "POST"])
    pages.add_url_rule("/compte/secours", "recovery", recovery, methods=["POST"])
    pages.add_url_rule("/compte/mot-de-passe", "password", password, methods=["GET", "POST"])
    pages.add_url_rule("/compte/sessions", "sessions", sessions, methods=["POST"])
    pages.add_url_rule("/compte/appareils", "devices", devices, methods=["POST"])


def account() -> Response:
    return _overview(200)


def factor() -> Response:
    """The choice of another factor."""
    held = _recent()
    if request.method == "GET":
        return page("factor.html", options=_options(held), typed={})
    errors = dict[str, str]()
    method, address = enrolling.chosen(errors)
    if held.kind in STAFF and method != "totp":
        errors["moyen"] = _("Choisissez un moyen.")
    enrolments = services().accounts.enrolments
    token = enrolments.begin({"account": held.id, "login": held.login}, held.id)
    if not errors:
        try:
            enrolments.choose(token, method, address)
        except Refused as refused:
            errors["adresse"] = enrolling.told(refused)
    if errors:
        return page("factor.html", 422, errors=errors, options=_options(held), typed=request.form)
    return browser.set_cookie(browser.redirect("/compte/facteur/code"), enrolling.COOKIE, token)


def factor_code() -> Response:
    """The proof of the new factor."""
    held = _recent()
    room, token = services().accounts, browser.cookie(enrolling.COOKIE)
    try:
        begun = room.enrolments.find(token)["purpose"].get("account") == held.id
        if not begun:
            return browser.redirect("/compte/facteur")
        if request.method == "GET":
            return page("factor-code.html", shown=enrolling.shown(held.login), action="/compte/facteur/code")
        _begun, fields = room.enrolments.prove(token, request.form.get("code", "")[:40])
    except Refused as refused:
        if refused.why != "wrong":
            return browser.redirect("/compte/facteur")
        shown, errors = enrolling.shown(held.login), {"code": enrolling.WRONG}
        return page("factor-code.html", 401, errors=errors, shown=shown, action="/compte/facteur/code")
    _changed(held, "Un second facteur a été ajouté ou remplacé dans votre espace de santé.", **fields)
    return browser.set_cookie(browser.redirect("/compte"), enrolling.COOKIE, "")


def factor_removal() -> Response:
    """Takes a factor away, unless it is the last."""
    held, name = _recent(), request.form.get("moyen", "")
    empty: dict[str, Any] = {"mail": {"mail": ""}, "phone": {"phone": ""}, "totp": {"totp": "", "step": 0}}
    fields = empty.get(name)
    if name.startswith("passkey "):
        fields = {"passkeys": tuple(each for each in held.passkeys if each.id != name.partition(" ")[2])}
    if fields is None:
        abort(400)
    if not held._replace(**fields).factors:
        return _overview(409, {"": _LAST})
    _changed(held, "Un second facteur a été retiré de votre espace de santé.", **fields)
    return browser.redirect("/compte")


def passkey() -> Response:
    """Makes a passkey: the one page that needs a script."""
    held, room = _recent(), services().accounts
    if len(held.passkeys) >= factors.MOST_PASSKEYS:
        return _overview(409, {"": _("Vous avez déjà dix clés d’accès : retirez-en une.")})
    errors = {}
    if request.method == "POST":
        try:
            challenge = str(room.enrolments.find(browser.cookie(enrolling.COOKIE))["purpose"]["challenge"])
        except (Refused, KeyError):
            return browser.redirect("/compte/cle")
        room.enrolments.drop(browser.cookie(enrolling.COOKIE))
        name = request.form.get("nom", "").strip()[:50] or browser.device_name()
        made = factors.passkey_made(room.site, challenge, request.form.get("cle", ""), name)
        if made is not None and made.id not in [each.id for each in held.passkeys]:
            _changed(held, "Une clé d’accès a été ajoutée à votre espace de santé.", passkeys=(*held.passkeys, made))
            return browser.redirect("/compte")
        errors = {"": _("La clé d’accès n’a pas pu être enregistrée.")}
    question, challenge = factors.passkey_options(room.site, held.id, held.login, held.passkeys)
    token = room.enrolments.begin({"account": held.id, "challenge": challenge}, held.id)
    response = page("passkey.html", 422 if errors else 200, errors=errors, question=question)
    return browser.set_cookie(response, enrolling.COOKIE, token)


def recovery() -> Response:
    """New recovery codes; those before are void."""
    held = _recent()
    codes, digests = factors.recovery_codes(services().accounts.secrets)
    _changed(held, "De nouveaux codes de secours ont été créés pour votre espace de santé.", recovery=digests)
    return page("recovery-codes.html", codes=codes, onward="/compte")


def password() -> Response:
    """Another password; all other sessions end."""
    held, room = _recent(), services().accounts
    if request.method == "GET":
        return page("password.html")
    form, errors = request.form, dict[str, str]()
    wait = throttle.Throttle(services().store).spend(throttle.PAIR, "password", held.id)
    if wait:
        return page("password.html", 429, errors={"": waiting(wait)})
    if not room.passwords.verify(form.get("actuel", "")[:1000], held.password):
        errors["actuel"] = _("Ce n’est pas votre mot de passe.")
    new = form.get("mot-de-passe", "")[:1000]
    if text := refusal(new, own(held)):
        errors["mot-de-passe"] = text
    elif new != form.get("confirmation", "")[:1000]:
        errors["confirmation"] = _("Les deux mots de passe ne sont pas les mêmes.")
    if errors:
        return page("password.html", 422, errors=errors)
    throttle.Throttle(services().store).forget(throttle.PAIR, "password", held.id)
    session = browser.needed_session()
    _changed(held, "Le mot de passe de votre espace de santé a été changé.", password=room.passwords.hash(new))
    room.logins.end(held.id)
    services().sessions.close_all(held.id)
    return browser.open_session(browser.redirect("/compte"), session.subject, held.id, session.amr, session.acr)


def sessions() -> Response:
    """Ends one session, or all."""
    session = browser.needed_session()
    if request.form.get("session") == "toutes":
        services().accounts.logins.end(session.account)
        services().sessions.close_all(session.account)
        tracing.done("logout", session.subject)
        return browser.close_session(browser.redirect("/connexion"))
    services().sessions.end(session.account, request.form.get("session", ""))
    return browser.redirect("/compte")


def devices() -> Response:
    """No device is known any longer."""
    session = browser.needed_session()
    services().accounts.devices.forget_all(session.account)
    return browser.redirect("/compte")


def own(account: Account) -> tuple[str, ...]:
    """What a password may not be made of."""
    people = services().accounts.people
    told = [people.patient(each.patient) or {} for each in account.records]
    births = [str(each.get("birthDate", "")) for each in told]
    names = [subject.name for subject in people.subjects(account)]
    return (account.login, account.mail, *births, *(each.replace("-", "") for each in births), *names)


def _overview(status: int, errors: dict[str, str] | None = None) -> Response:
    session = browser.needed_session()
    found = services()
    return page(
        "account.html",
        status,
        return_to="/compte",
        errors=errors or {},
        account=found.accounts.accounts.find(session.account),
        devices=found.accounts.devices.count(session.account),
        device=_device,
        sessions=sorted(found.sessions.of(session.account), key=lambda each: each.seen, reverse=True),
    )


def _device(name: str) -> str:
    """What a browser is, as it was kept when it logged in."""
    program, _sur, system = name.partition(" sur ")
    if not system:
        return _(name or browser.UNKNOWN_DEVICE)
    return _("%(program)s sur %(system)s", program=program, system=system)


def _options(account: Account) -> list[tuple[str, str]]:
    return [each for each in enrolling.options() if account.kind not in STAFF or each[0] == "totp"]


def _recent() -> Account:
    """The account of a session that was opened a short while ago; else a new login is asked for."""
    session: Session = browser.needed_session()
    held = services().accounts.accounts.find(session.account)
    if held is None:
        abort(403)
    if datetime.now(UTC) - session.at > RECENT:
        raise browser.LoginNeeded(request.path if request.method == "GET" else "/compte", again=True)
    return held


def _changed(held: Account, what: str, **fields: Any) -> None:
    """Changes the account, and tells its owner."""
    room = services().accounts
    if room.accounts.change(held, **fields) is None:
        abort(409, _BUSY)
    tracing.done("account-change", browser.needed_session().subject)
    if held.mail:
        room.post.send_aside("mail", held.mail, _SUBJECT, _TEXT.format(what=what))
