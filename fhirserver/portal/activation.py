"""`/activation`: from a provisional code and proofs to an account, and the person's space is open (CSP R.1111-28)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import request

from fhirserver.access import Access
from fhirserver.auth.accounts import factors
from fhirserver.auth.accounts.account import Reach
from fhirserver.auth.accounts.invitations import TooEarly
from fhirserver.auth.accounts.login import Passed
from fhirserver.auth.accounts.passwords import refusal
from fhirserver.auth.accounts.people import read_birth, read_matricule
from fhirserver.auth.accounts.refused import Refused
from fhirserver.errors import Conflict
from fhirserver.espace.space import Actor
from fhirserver.portal import browser, enrolling, entering, tracing
from fhirserver.portal.language import N_, _
from fhirserver.portal.login import place, waiting
from fhirserver.portal.page import page
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from flask import Blueprint, Response

    from fhirserver.auth.accounts.account import Account
    from fhirserver.auth.accounts.invitations import Invitation

_WRONG: Final = N_(
    "Le code, la date de naissance ou le numéro ne conviennent pas, ou le code n’est plus valable. "
    "Après cinq erreurs il est annulé : demandez-en un autre."
)
_OVER: Final = N_("L’activation a expiré : recommencez avec votre code.")


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/activation", "activate", activate, methods=["GET", "POST"])
    pages.add_url_rule("/activation/compte", "activate_account", account, methods=["GET", "POST"])
    pages.add_url_rule("/activation/code", "activate_code", code, methods=["GET", "POST"])
    pages.add_url_rule("/activation/relier", "activate_link", link, methods=["GET", "POST"])
    pages.add_url_rule("/activation/demande", "activate_ask", ask, methods=["GET", "POST"])


def activate() -> Response:
    """The code and the proofs."""
    if request.method == "GET":
        return page("activation.html")
    form, room = request.form, services().accounts
    birth, number = read_birth(form.get("naissance", "")), read_matricule(form.get("matricule", "")[:40])
    try:
        found = room.invitations.prove(form.get("code", "")[:40], birth, number, place().address)
    except TooEarly as early:
        return _first(429, {"": waiting(early.wait)})
    if found is None:
        tracing.refused("activate", None)
        return _first(401, {"": _WRONG})
    mine = _own_account()
    purpose = {"invitation": found.key, "account": mine.id if mine else ""}
    response = browser.redirect("/activation/relier" if mine else "/activation/compte")
    return browser.set_cookie(response, enrolling.COOKIE, room.enrolments.begin(purpose, found.key))


def account() -> Response:
    """Identifier, password and second factor of the new account."""
    try:
        found = _invitation()
    except Refused:
        return _first(401, {"": _OVER})
    if request.method == "GET":
        return _second(found, 200)
    room, errors = services().accounts, dict[str, str]()
    login, password = request.form.get("identifiant", "").strip(), request.form.get("mot-de-passe", "")[:1000]
    method, address = enrolling.chosen(errors)
    if not 3 <= len(login) <= 100 or not login.isprintable():
        errors["identifiant"] = _("L’identifiant doit avoir de 3 à 100 caractères.")
    elif room.accounts.named(login) is not None:
        errors["identifiant"] = _("Cet identifiant est déjà pris : choisissez-en un autre.")
    birth = str((room.people.patient(found.reach.patient) or {}).get("birthDate", ""))
    if text := refusal(password, (login, address, found.name, birth, birth.replace("-", ""))):
        errors["mot-de-passe"] = text
    elif password != request.form.get("confirmation", "")[:1000]:
        errors["confirmation"] = _("Les deux mots de passe ne sont pas les mêmes.")
    if errors:
        return _second(found, 422, errors)
    try:
        token = browser.cookie(enrolling.COOKIE)
        room.enrolments.choose(token, method, address, login=login, password=room.passwords.hash(password))
    except Refused as refused:
        return _second(found, 429 if refused.why == "wait" else 422, {"adresse": enrolling.told(refused)})
    return browser.redirect("/activation/code")


def code() -> Response:
    """The proof of the second factor; then everything is done at once."""
    room, token = services().accounts, browser.cookie(enrolling.COOKIE)
    try:
        found, kept = _invitation(), room.enrolments.find(token)
        if "password" not in kept["purpose"]:
            return browser.redirect("/activation/compte")
        if request.method == "GET":
            return _third(200)
        kept, fields = room.enrolments.prove(token, request.form.get("code", "")[:40])
    except Refused as refused:
        if refused.why == "wrong":
            return _third(401, {"code": enrolling.WRONG})
        return _first(401, {"": _OVER})
    return _made(found, kept["purpose"], fields)


def link() -> Response:
    """Another record for the account that is logged in, such as a second child's."""
    try:
        found, mine = _invitation(), _own_account()
        if mine is None:
            return browser.redirect("/activation/compte")
        if request.method == "GET":
            return page("activation-link.html", name=found.name)
    except Refused:
        return _first(401, {"": _OVER})
    if not services().accounts.invitations.take(found.key):
        return _first(401, {"": _OVER})
    changed = _with_record(mine, found.reach)
    _opened(found, changed)
    return browser.set_cookie(browser.redirect("/choisir"), enrolling.COOKIE, "")


def ask() -> Response:
    """A code for who has none, against the number of his Vitale card; the answer tells nobody what is known."""
    if request.method == "GET":
        return page("activation-ask.html", asked=False)
    form = request.form
    birth, number = read_birth(form.get("naissance", "")), read_matricule(form.get("matricule", "")[:40])
    try:
        services().accounts.invitations.ask(birth, number, form.get("carte", "")[:40], place().address)
    except TooEarly as early:
        return page("activation-ask.html", 429, asked=False, errors={"": waiting(early.wait)})
    return page("activation-ask.html", asked=True)


def _made(found: Invitation, purpose: dict[str, Any], fields: dict[str, Any]) -> Response:
    room = services().accounts
    codes, digests = factors.recovery_codes(room.secrets)
    try:
        made = room.accounts.add(
            "person", purpose["login"], purpose["password"], records=(found.reach,), recovery=digests, **fields
        )
    except Conflict:
        return _first(409, {"": _("Cet identifiant vient d’être pris : recommencez avec votre code.")})
    if not room.invitations.take(found.key):
        room.accounts.remove(made)
        return _first(401, {"": _OVER})
    _opened(found, made)
    entered = entering.enter(Passed(made, ("pwd", "otp", "mfa"), "", known=False))
    response = page("recovery-codes.html", codes=codes, onward=entered.headers.get("Location", "/compte"))
    for cookie in entered.headers.getlist("Set-Cookie"):
        response.headers.add("Set-Cookie", cookie)
    return browser.set_cookie(response, enrolling.COOKIE, "")


def _opened(found: Invitation, account: Account) -> None:
    if services().accounts.people.state(found.reach.patient) in ("announced", "opposed"):
        access = Access.system("activation of a space", services().clock())
        role = "representative" if found.reach.related else "holder"
        services().spaces.happen(Actor(role, access, services().origin), found.reach.patient, "activate")
    tracing.about("activate", account._replace(records=(Reach(found.reach.patient),)))


def _with_record(account: Account, reach: Reach) -> Account:
    accounts = services().accounts.accounts
    for _try in range(20):
        if reach in account.records:
            return account
        changed = accounts.change(account, records=(*account.records, reach))
        if changed is not None:
            return changed
        account = accounts.find(account.id) or account
    raise Conflict("The account is being changed elsewhere.")


def _invitation() -> Invitation:
    """The invitation that was proven in this browser. Raises Refused (`over`)."""
    room = services().accounts
    purpose = room.enrolments.find(browser.cookie(enrolling.COOKIE))["purpose"]
    found = room.invitations.find(str(purpose.get("invitation", "")))
    if found is None:
        raise Refused("over")
    return found


def _own_account() -> Account | None:
    session = browser.current_session()
    found = services().accounts.accounts.find(session.account) if session is not None else None
    return found if found is not None and found.kind == "person" else None


def _first(status: int, errors: dict[str, str]) -> Response:
    return page("activation.html", status, errors=errors)


def _second(found: Invitation, status: int, errors: dict[str, str] | None = None) -> Response:
    typed = {name: request.form.get(name, "") for name in ("identifiant", "adresse", "moyen")}
    return page(
        "activation-account.html",
        status,
        errors=errors or {},
        name=found.name,
        represents=found.reach.related is not None,
        options=enrolling.options(),
        typed=typed,
    )


def _third(status: int, errors: dict[str, str] | None = None) -> Response:
    try:
        shown = enrolling.shown("")
    except Refused:
        return _first(401, {"": _OVER})
    return page("factor-code.html", status, errors=errors or {}, shown=shown, action="/activation/code")
