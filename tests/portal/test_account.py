from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import TYPE_CHECKING, Any

import pyotp
import pytest

from fhirserver.auth.accounts import secretly, throttle
from fhirserver.auth.accounts.login import Passed, Place
from fhirserver.auth.accounts.refused import Refused
from fhirserver.auth.sessions import REGISTER
from fhirserver.store import Register
from tests.portal.browser import Browser
from tests.portal.people import PASSWORD, Authenticator, code_for, first_step, log_in, mailed, named, person

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.auth.accounts.account import Account
    from tests.application import Application
    from tests.mail.server import Box
    from tests.portal.people import Person

NEW = "cinq autres mots bien choisis"


@pytest.fixture(autouse=True)
def no_tries(house: Application) -> None:
    tries = throttle.Throttle(house.services.store)
    for budget in (throttle.PROOFS, throttle.ADDRESS):
        tries.forget(budget, "127.0.0.1")


def account(house: Application, who: Person) -> Account:
    found = house.services.accounts.accounts.find(who.account.id)
    assert found is not None
    return found


def grow_old(house: Application, browser: Browser) -> None:
    """The login was eleven minutes ago."""
    found = house.services.sessions.find(browser.cookie("session"))
    assert found is not None
    earlier = datetime.now(UTC) - timedelta(minutes=11)
    house.services.store.register(REGISTER).change(found.key, {"at": earlier})


def test_an_app_is_added_and_the_mailbox_removed(house: Application, mailbox: Box) -> None:
    who = person(house)
    browser = log_in(house, who, mailbox)
    page = browser.send(browser.get("/compte/facteur"), "/compte/facteur", moyen="totp")
    seed = page.html.partition('Clé\u00a0: <span class="code">')[2].partition("<")[0]
    assert browser.send(page, "/compte/facteur/code", code=pyotp.TOTP(seed).now()).path == "/compte"
    assert account(house, who).factors == ("totp", "mail")
    assert "a été ajouté" in _last_mail(mailbox, who, "a été ajouté")
    done = browser.post("/compte/facteur/retrait", _remove(browser, "mail"))
    assert done.status == 200
    assert account(house, who).factors == ("totp",)
    last = browser.post("/compte/facteur/retrait", _remove(browser, "totp"))
    assert last.status == 409
    assert account(house, who).factors == ("totp",)


def test_another_mailbox_is_proven_before_it_counts(house: Application, mailbox: Box) -> None:
    who = person(house)
    browser = log_in(house, who, mailbox)
    typed = {"moyen": "mail", "adresse": f"new.{who.login}@exemple.fr"}
    page = browser.send(browser.get("/compte/facteur"), "/compte/facteur", typed)
    assert browser.send(page, "/compte/facteur/code", code="000000x").status == 401
    assert account(house, who).mail == who.account.mail
    browser.send(page, "/compte/facteur/code", code=code_for(mailbox, typed["adresse"]))
    assert account(house, who).mail == typed["adresse"]


def test_a_passkey_is_added_and_removed(house: Application, mailbox: Box) -> None:
    who, key = person(house), Authenticator()
    browser = log_in(house, who, mailbox)
    page = browser.get("/compte/cle")
    options = unescape(page.html.partition('data-create="')[2].partition('"')[0])
    made = browser.send(page, "/compte/cle", cle=key.create(options), nom="<b>clé</b>")
    assert made.path == "/compte"
    assert "<b>clé" not in made.html
    assert [each.name for each in account(house, who).passkeys] == ["<b>clé</b>"]
    assert browser.send(page, "/compte/cle", cle=key.create(options)).path == "/compte/cle"
    assert len(account(house, who).passkeys) == 1
    id_ = account(house, who).passkeys[0].id
    browser.post("/compte/facteur/retrait", _remove(browser, f"passkey {id_}"))
    assert account(house, who).passkeys == ()


def test_new_recovery_codes_void_those_before(house: Application, mailbox: Box) -> None:
    who = person(house)
    browser = log_in(house, who, mailbox)
    page = browser.send(browser.get("/compte"), "/compte/secours")
    assert page.html.count('<li><span class="code">') == 10
    other = Browser(house)
    assert other.send(first_step(other, who.login), "/connexion/code", code=who.codes[0]).status == 401


def test_another_password_ends_the_other_sessions(house: Application, mailbox: Box) -> None:
    who = person(house)
    browser, other = log_in(house, who, mailbox), log_in(house, who, mailbox)
    before = browser.cookie("session")
    typed = {"actuel": PASSWORD, "mot-de-passe": NEW, "confirmation": NEW}
    wrong = browser.send(browser.get("/compte/mot-de-passe"), "/compte/mot-de-passe", typed | {"actuel": "x"})
    assert wrong.status == 422
    own = typed | {"mot-de-passe": who.login + "12345", "confirmation": who.login + "12345"}
    assert browser.send(browser.get("/compte/mot-de-passe"), "/compte/mot-de-passe", own).status == 422
    assert browser.send(browser.get("/compte/mot-de-passe"), "/compte/mot-de-passe", typed).path == "/compte"
    sessions = house.services.sessions
    assert sessions.find(other.cookie("session")) is None
    assert sessions.find(before) is None
    assert sessions.find(browser.cookie("session"))
    assert first_step(Browser(house), who.login).status == 401
    assert first_step(Browser(house), who.login, NEW).path == "/connexion/code"


@pytest.mark.parametrize("path", ["/compte/facteur", "/compte/cle", "/compte/mot-de-passe"])
def test_what_guards_the_account_is_changed_after_a_recent_login_only(
    house: Application, mailbox: Box, path: str
) -> None:
    who = person(house)
    browser = log_in(house, who, mailbox)
    page = browser.get(path)
    grow_old(house, browser)
    assert browser.get(path).path.startswith("/connexion?suite=")
    typed = {"actuel": PASSWORD, "mot-de-passe": NEW, "confirmation": NEW, "moyen": "totp"}
    assert browser.send(page, path, typed).path.startswith("/connexion?suite=")
    assert account(house, who) == who.account
    login = browser.get(path)
    step = browser.send(login, "/connexion", {"identifiant": who.login, "mot-de-passe": PASSWORD})
    assert browser.send(step, "/connexion/code", code=mailed(mailbox, who)).path == path


def test_sessions_are_listed_and_ended_one_by_one_or_all(house: Application, mailbox: Box) -> None:
    who, stranger = person(house), person(house)
    here, there, elsewhere = (log_in(house, who, mailbox) for _ in range(3))
    foreign = log_in(house, stranger, mailbox)
    sessions = house.services.sessions
    page = here.get("/compte")
    assert page.text.count("Firefox sur Linux") == 3
    keys = [each.fields["session"] for each in page.forms if each.action == "/compte/sessions"]
    theirs = getattr(sessions.find(foreign.cookie("session")), "key", "")
    form = page.form("/compte/sessions")
    here.post("/compte/sessions", form.fields | {"session": theirs})
    assert sessions.find(foreign.cookie("session"))
    here.post("/compte/sessions", form.fields | {"session": keys[0]})
    left = [each for each in (there, elsewhere) if sessions.find(each.cookie("session"))]
    assert len(left) == 1
    here.post("/compte/sessions", form.fields | {"session": "toutes"})
    assert sessions.of(who.account.id) == []


def test_known_devices_are_forgotten(house: Application, mailbox: Box) -> None:
    who = person(house)
    browser = log_in(house, who, mailbox)
    page = browser.get("/compte")
    assert "1 appareil où vous" in page.text
    assert "Appareils reconnus" not in browser.send(page, "/compte/appareils").text
    assert not house.services.accounts.devices.knows(browser.cookie("appareil"), who.account.id)


def test_a_lost_password_is_replaced_by_two_proofs(house: Application, mailbox: Box) -> None:
    who = person(house)
    logged_in = log_in(house, who, mailbox)
    browser = Browser(house)
    page = browser.send(browser.get("/connexion/oubli"), "/connexion/oubli", identifiant=who.login)
    code = mailed(mailbox, who, r"\b[0-9A-Z]{5}-[0-9A-Z]{5}\b")
    typed = {"code": code, "second": who.codes[0], "mot-de-passe": NEW, "confirmation": NEW}
    assert browser.send(page, "/connexion/oubli/code", typed | {"second": "AAAA-AAAA-AAAA-AAAA"}).status == 401
    assert browser.send(page, "/connexion/oubli/code", typed | {"code": "AAAAA-AAAAA"}).status == 401
    assert browser.send(page, "/connexion/oubli/code", typed | {"mot-de-passe": "x"}).status == 422
    assert "est changé" in browser.send(page, "/connexion/oubli/code", typed).text
    assert house.services.sessions.find(logged_in.cookie("session")) is None
    assert not house.services.accounts.devices.knows(logged_in.cookie("appareil"), who.account.id)
    assert first_step(Browser(house), who.login, NEW).path == "/connexion/code"
    assert browser.send(page, "/connexion/oubli/code", typed).status == 401


def test_who_forgot_a_password_is_told_nothing_of_accounts(house: Application, mailbox: Box) -> None:
    who, answers = person(house), []
    for login in (who.login, "personne"):
        browser = Browser(house)
        page = browser.send(browser.get("/connexion/oubli"), "/connexion/oubli", identifiant=login)
        typed = {"code": "AAAAA-AAAAA", "second": "123456", "mot-de-passe": NEW, "confirmation": NEW}
        answers += [page.text, browser.send(page, "/connexion/oubli/code", typed).text]
    assert answers[:2] == answers[2:]


def test_who_asks_for_codes_in_anothers_name_does_not_keep_him_from_his(house: Application, mailbox: Box) -> None:
    who, codes = person(house), list[str]()
    for count in range(throttle.MESSAGES.free + 2):
        thief = Browser(house)
        asked = thief.send(thief.get("/connexion/oubli"), "/connexion/oubli", identifiant=who.login)
        if count < throttle.MESSAGES.free:
            codes.append(_other(mailbox, who, codes))
        throttle.Throttle(house.services.store).forget(throttle.PROOFS, "127.0.0.1")
    browser = Browser(house)
    page = browser.send(browser.get("/connexion/oubli"), "/connexion/oubli", identifiant=who.login)
    typed = {"code": codes[-1], "second": who.codes[0], "mot-de-passe": NEW, "confirmation": NEW}
    assert browser.send(page, "/connexion/oubli/code", typed | {"code": codes[0]}).status == 401
    assert "est changé" in browser.send(page, "/connexion/oubli/code", typed).text
    assert thief.send(asked, "/connexion/oubli/code", typed | {"second": who.codes[1]}).status == 401


def test_what_is_looked_up_does_not_depend_on_whether_there_is_an_account(
    house: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    who, room, counts = person(house, mail=False), house.services.accounts, list[int]()
    asked: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        real = getattr(Register, name)

        def call(*args: Any, **more: Any) -> Any:
            asked.append(name)
            return real(*args, **more)

        return call

    for name in ("find", "add", "put", "change"):
        monkeypatch.setattr(Register, name, counted(name))
    device = ".".join(secretly.token() for _ in range(4))
    for login in (who.login, "personne"):
        asked.clear()
        with pytest.raises(Refused):
            room.logins.begin(login, "wrong", Place(f"198.51.100.{len(counts)}", device))
        counts.append(len(asked))
        asked.clear()
        room.resets.begin(login, f"198.51.100.{len(counts)}")
        counts.append(len(asked))
    assert counts[:2] == counts[2:]


def test_a_new_password_ends_logins_that_are_between_their_steps(house: Application, mailbox: Box) -> None:
    who = person(house)
    between = first_step(thief := Browser(house), who.login)
    code = mailed(mailbox, who)
    room = house.services.accounts
    chosen = room.logins.choose_later(Passed(who.account, ("pwd", "otp", "mfa"), "", known=False))
    room.logins.end(who.account.id)
    assert thief.send(between, "/connexion/code", code=code).status == 401
    with pytest.raises(Refused):
        room.logins.choosing(chosen)
    browser = log_in(house, who, mailbox)
    between, code = first_step(thief, who.login), mailed(mailbox, who)
    typed = {"actuel": PASSWORD, "mot-de-passe": NEW, "confirmation": NEW}
    assert browser.send(browser.get("/compte/mot-de-passe"), "/compte/mot-de-passe", typed).status == 200
    assert thief.send(between, "/connexion/code", code=code).status == 401


def test_pages_of_the_account_need_a_login(house: Application) -> None:
    for path in ("/compte", "/compte/facteur", "/compte/cle", "/compte/mot-de-passe", "/choisir"):
        assert Browser(house).get(path).path.startswith("/connexion?suite=")


def test_a_name_is_shown_as_text(house: Application, mailbox: Box) -> None:
    who = person(house)
    house.operator().store(named("<script>alert(1)</script>", id=who.patient))
    page = log_in(house, who, mailbox).get("/compte")
    assert "<script>alert" not in page.html
    assert "<script>alert(1)</script>" in page.text or "&lt;script&gt;" in page.html


def _remove(browser: Browser, way: str) -> dict[str, str]:
    return browser.get("/compte").form("/compte/facteur/retrait").fields | {"moyen": way}


def _last_mail(box: Box, who: Person, words: str) -> str:
    return code_for(box, who.account.mail, words)


def _other(box: Box, who: Person, known: list[str]) -> str:
    """The code of an e-mail that is there by now, none of those known."""
    until = time.monotonic() + 60
    while (code := mailed(box, who, r"\b[0-9A-Z]{5}-[0-9A-Z]{5}\b")) in known:
        assert time.monotonic() < until
    return code
