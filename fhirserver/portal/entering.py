"""From a login that went well to a session: for the one record, or for the one that is chosen of several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import abort, request

from fhirserver.auth.accounts.people import SHUT
from fhirserver.auth.accounts.refused import Refused
from fhirserver.portal import browser, sealed, tracing
from fhirserver.portal.language import N_, _
from fhirserver.portal.page import allow_forms_to, error_page, page
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from flask import Blueprint, Response

    from fhirserver.access import Requester
    from fhirserver.auth.accounts.account import Account, Reach
    from fhirserver.auth.accounts.login import Passed
    from fhirserver.auth.accounts.people import Subject

CHOICE: Final = "choix"
DEVICE: Final = "appareil"
ACR: Final = "eidas2"
NOTHING: Final = N_(
    "Votre compte ne mène à aucun dossier ouvert. "
    "Un représentant n’a plus accès au dossier à la majorité de l’enfant, ou à la fin de la mesure de protection."
)


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/choisir", "choose", choose, methods=["GET", "POST"])


def enter(passed: Passed) -> Response:
    """A session, or first the choice of whom to act for."""
    subjects = services().accounts.people.subjects(passed.account)
    if not subjects:
        return error_page(403, NOTHING, _("Aucun dossier"))
    if len(subjects) == 1:
        return _entered(passed, subjects[0])
    response = browser.redirect("/choisir")
    return browser.set_cookie(response, CHOICE, services().accounts.logins.choose_later(passed))


def choose() -> Response:
    """For whom to act: after the login, or later in the same session."""
    logins = services().accounts.logins
    try:
        passed = logins.choosing(browser.cookie(CHOICE))
    except Refused:
        return _change()
    allow_forms_to(sealed.opened(passed.onward).origins)
    subjects = services().accounts.people.subjects(passed.account)
    if request.method == "GET":
        return _page(subjects)
    chosen = _chosen(subjects)
    try:
        return browser.set_cookie(_entered(logins.choosing(browser.cookie(CHOICE), done=True), chosen), CHOICE, "")
    except Refused:
        return browser.redirect("/connexion")


def account_of_session() -> Account | None:
    """The account that the session was opened with, where it is one of this server's own."""
    session = browser.needed_session()
    return services().accounts.accounts.find(session.account)


def _change() -> Response:
    session, account = browser.needed_session(), account_of_session()
    subjects = services().accounts.people.subjects(account) if account is not None else []
    if request.method == "GET":
        return _page(subjects)
    chosen = _chosen(subjects)
    secret = services().sessions.act_for(session, chosen.requester)
    if secret is None:
        raise browser.LoginNeeded("/choisir")
    tracing.done("choose", chosen.requester)
    return browser.set_cookie(browser.redirect("/dossier"), browser.SESSION, secret)


def _page(subjects: list[Subject]) -> Response:
    return page("choose.html", choices=[(value(each.reach), each) for each in subjects])


def _chosen(subjects: list[Subject]) -> Subject:
    found = next((each for each in subjects if value(each.reach) == request.form.get("dossier")), None)
    if found is None:
        abort(400)
    return found


def _entered(passed: Passed, subject: Subject) -> Response:
    found, onward = services(), sealed.opened(passed.onward)
    response = browser.redirect(space_of(subject.requester) or onward.path)
    browser.open_session(response, subject.requester, passed.account.id, passed.amr, ACR)
    if not passed.known:
        cookie = found.accounts.devices.remember(browser.cookie(DEVICE), passed.account.id)
        browser.set_cookie(response, DEVICE, cookie, 180 * 86_400)
    tracing.done("login", subject.requester)
    return response


def space_of(who: Requester) -> str:
    """Where a space is that shows nothing but its state: suspended, or put away. Empty of others."""
    people = services().accounts.people
    shut = who.is_person and who.patient is not None and people.state(who.patient) in SHUT
    return "/compte/espace" if shut else ""


def value(reach: Reach) -> str:
    return f"{reach.patient}/{reach.related or ''}"
