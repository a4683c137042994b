"""FranceConnect: an identity is linked to an account by its holder, and logs that account in from then on.

At each login the identity must be that of the record (strict traits). A login of one factor (`eidas1`) is the first
step only: the account's own second factor is asked for.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from fhirserver.auth.accounts.login import Passed
from fhirserver.auth.federation.assembly import FRANCECONNECT
from fhirserver.auth.federation.idtoken import Refused, meets
from fhirserver.auth.federation.links import Links, traits
from fhirserver.auth.federation.provider import Unavailable
from fhirserver.documents.cda import PatientTraits
from fhirserver.portal import browser, entering, farewell, login, tracing
from fhirserver.portal.account import RECENT
from fhirserver.portal.federation import opening
from fhirserver.portal.federation.opening import refused
from fhirserver.portal.page import page
from fhirserver.rest.documents.identity import disagreeing, held, stated
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from flask import Blueprint, Response

    from fhirserver.auth.accounts.account import Account
    from fhirserver.auth.federation.login import Returned

PATH: Final = "/compte/franceconnect"
_SUBJECT: Final = "FranceConnect est relié à votre espace de santé"
_TEXT: Final = (
    "FranceConnect permet désormais d’entrer dans votre espace de santé. Si ce n’est pas vous, connectez-vous, "
    "déliez FranceConnect, fermez toutes vos sessions et changez votre mot de passe sans tarder."
)
TWO_FACTORS: Final = "eidas2"


def routes(pages: Blueprint) -> None:
    pages.add_url_rule(PATH, "franceconnect", account_page)
    pages.add_url_rule(f"{PATH}/lier", "franceconnect_link", link, methods=["POST"])
    pages.add_url_rule(f"{PATH}/delier", "franceconnect_unlink", unlink, methods=["POST"])


def account_page() -> Response:
    """Whether FranceConnect is linked; the form to link or unlink it."""
    provider, account = opening.provider(FRANCECONNECT), entering.account_of_session()
    if account is None:
        return refused("no-record")
    try:
        away = [provider.metadata().authorization]
    except Unavailable:
        away = []
    since = _links().since(FRANCECONNECT, account.id)
    return page("federation/franceconnect.html", form_action=away, since=since)


def link() -> Response:
    """To FranceConnect, to link who logs in there to the account of this session."""
    session, account = browser.needed_session(), entering.account_of_session()
    if account is None:
        return refused("no-record")
    if session.at < datetime.now(UTC) - RECENT:
        raise browser.LoginNeeded(PATH, again=True)
    try:
        sent = opening.logins(FRANCECONNECT).begin({"link": account.id})
    except Refused as error:
        return refused(error.why, account)
    return browser.set_cookie(browser.redirect(sent.url), opening.COOKIE, sent.cookie)


def unlink() -> Response:
    account = entering.account_of_session()
    if account is not None and _links().drop(FRANCECONNECT, account.id):
        tracing.about("unlink", account, 200)
    return browser.redirect(PATH)


def enter(returned: Returned) -> Response:
    """Links the identity, or logs in the account that it is linked to."""
    if "link" in returned.onward:
        return _link(returned)
    known = _links().account(FRANCECONNECT, returned.subject)
    account = services().accounts.accounts.find(known) if known else None
    if account is None:
        return refused("unlinked")
    if not _is_holder(returned, account):
        return refused("traits", account)
    onward = returned.onward.get("suite", "")
    if meets(returned.acr, TWO_FACTORS):
        response = entering.enter(Passed(account, ("fed", "mfa"), onward, known=True))
    else:
        response = login.go_on(account, onward)
    return farewell.remember(response, FRANCECONNECT, returned.id_token)


def _link(returned: Returned) -> Response:
    session, account = browser.current_session(), entering.account_of_session()
    if session is None or account is None or account.id != returned.onward["link"]:
        return refused("other")
    if _own(account) is None:
        return refused("no-record", account)
    if not _is_holder(returned, account):
        return refused("traits", account)
    known = _links().account(FRANCECONNECT, returned.subject)
    if known is not None and services().accounts.accounts.find(known) is None:
        _links().drop(FRANCECONNECT, known)
    if not _links().add(FRANCECONNECT, returned.subject, account.id):
        return refused("taken", account)
    tracing.done("link", session.subject)
    if account.mail:
        services().accounts.post.send_aside("mail", account.mail, _SUBJECT, _TEXT)
    return browser.redirect(PATH)


def _is_holder(returned: Returned, account: Account) -> bool:
    """Whether the pivot identity is that of the account's own record."""
    patient = services().accounts.people.patient(_own(account) or "")
    if patient is None:
        return False
    told = traits(returned.claims)
    document = PatientTraits(**{**told, "given": tuple(told["given"])})
    return not disagreeing(stated(document), held(patient))


def _own(account: Account) -> str | None:
    return next((each.patient for each in account.records if each.related is None), None)


def _links() -> Links:
    return Links(services().store)
