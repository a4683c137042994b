from __future__ import annotations

import threading
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher

from fhirserver.access import Access
from fhirserver.auth.accounts import factors, secretly, throttle
from fhirserver.auth.accounts.account import Passkey, Reach
from fhirserver.auth.accounts.login import Place
from fhirserver.auth.accounts.refused import Refused
from fhirserver.portal import sealed
from tests.mail.gateway import sms_gateway
from tests.portal.browser import Browser
from tests.portal.people import PASSWORD, Authenticator, first_step, log_in, mailed, named, person

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.auth.sessions import Session
    from tests.application import Application
    from tests.mail.server import Box

WRONG = "Identifiant ou mot de passe incorrect."


@pytest.fixture(autouse=True)
def no_tries(house: Application) -> None:
    """Each test begins without the tries of the others, which come from the same address."""
    throttle.Throttle(house.services.store).forget(throttle.ADDRESS, "127.0.0.1")


def session(house: Application, browser: Browser) -> Session:
    found = house.services.sessions.find(browser.cookie("session"))
    assert found is not None
    return found


def test_somebody_logs_in_by_password_and_a_code_by_mail(house: Application, mailbox: Box) -> None:
    who = person(house)
    browser = Browser(house)
    step = first_step(browser, who.login.upper())
    assert "c•••@e•••.fr" in step.text
    assert who.account.mail not in step.html
    assert browser.cookie("session") is None
    browser.send(step, "/connexion/code", code=mailed(mailbox, who), follow=False)
    found = session(house, browser)
    assert (found.subject.kind, found.subject.patient, found.account) == ("patient", who.patient, who.account.id)
    assert (found.acr, found.amr, found.device) == ("eidas2", ("pwd", "otp", "mfa"), "Firefox sur Linux")


def test_somebody_logs_in_by_the_code_of_an_app_which_is_good_once(house: Application) -> None:
    who = person(house, totp=True)
    code = who.code
    for expected in (303, 401):
        browser = Browser(house)
        step = first_step(browser, who.login)
        assert browser.send(step, "/connexion/code", code=code, follow=False).status == expected


def test_somebody_logs_in_by_a_passkey(house: Application) -> None:
    who, key = person(house), Authenticator()
    room = house.services.accounts
    options, challenge = factors.passkey_options(room.site, who.account.id, who.login, ())
    made = factors.passkey_made(room.site, challenge, key.create(options), "Ma clé")
    assert isinstance(made, Passkey)
    room.accounts.change(who.account, passkeys=(made,))
    browser = Browser(house)
    step = first_step(browser, who.login)
    assert "passkey.js" in step.html
    question = unescape(step.html.partition('data-get="')[2].partition('"')[0])
    answer = key.get(question)
    browser.send(step, "/connexion/code", cle=answer, follow=False)
    assert session(house, browser).amr == ("pwd", "hwk", "mfa")
    again = Browser(house)
    step = first_step(again, who.login)
    assert again.send(step, "/connexion/code", cle=answer, follow=False).status == 401


@pytest.mark.parametrize("fault", ["origin", "host", "key", "count"])
def test_a_passkey_of_another_site_or_key_or_a_copy_is_refused(house: Application, fault: str) -> None:
    who, key = person(house), Authenticator()
    room = house.services.accounts
    options, challenge = factors.passkey_options(room.site, who.account.id, who.login, ())
    made = factors.passkey_made(room.site, challenge, key.create(options), "Ma clé")
    assert made is not None
    account = room.accounts.change(who.account, passkeys=(made._replace(signs=5),))
    assert account is not None
    question, challenge = factors.passkey_question(room.site, account.passkeys)
    key.count = 1 if fault == "count" else 5
    if fault == "origin":
        key.origin = "https://evil.example"
    if fault == "host":
        key.host = "evil.example"
    if fault == "key":
        key.key = Authenticator().key
    answer = key.get(question)
    assert factors.use_passkey(room.accounts, room.site, account, challenge, answer) is None


@pytest.mark.parametrize("answer", ["", "{}", "[]", "null", "x", '{"id": 1, "response": {}}'])
def test_what_is_no_answer_of_a_passkey_is_refused(house: Application, answer: str) -> None:
    who = person(house)
    room = house.services.accounts
    assert factors.use_passkey(room.accounts, room.site, who.account, "AAAA", answer) is None
    assert factors.passkey_made(room.site, "AAAA", answer, "x") is None


def test_a_recovery_code_lets_in_once(house: Application) -> None:
    who = person(house)
    typed = who.codes[0].lower().replace("-", " ")
    for expected in (303, 401):
        browser = Browser(house)
        step = first_step(browser, who.login)
        assert browser.send(step, "/connexion/code", code=typed, follow=False).status == expected
    left = house.services.accounts.accounts.find(who.account.id)
    assert left is not None
    assert len(left.recovery) == 9


def test_somebody_logs_in_by_a_code_on_the_phone(house: Application) -> None:
    with sms_gateway() as gateway:
        sending = house.under(sms_url=gateway.url)
        who = person(sending, mail=False, phone="+33612345678")
        browser = Browser(sending)
        step = first_step(browser, who.login)
        assert "•• •• •• •• 78" in step.text
        ((_, sent),) = gateway.sent
        assert sent["to"] == "+33612345678"
        again = browser.send(step, "/connexion/envoi")
        old, code = (text["text"].split()[0] for _, text in gateway.sent)
        if old != code:
            assert browser.send(again, "/connexion/code", code=old).status == 401
        assert browser.send(again, "/connexion/code", code=code).path == f"/dossier/{who.patient}"
        gateway.status = 500
        assert "n’a pas pu être envoyé" in first_step(Browser(sending), who.login).text


def test_unknown_identifiers_and_wrong_passwords_answer_alike(
    house: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    who, verified = person(house), list[str]()
    verify = PasswordHasher.verify

    def watched(hasher: PasswordHasher, known: str, password: str) -> bool:
        verified.append(known.rpartition("$")[0].rpartition("$")[0])
        return verify(hasher, known, password)

    monkeypatch.setattr(PasswordHasher, "verify", watched)
    pages = [first_step(Browser(house), login, "un mot de passe faux") for login in (who.login, "personne")]
    assert [each.status for each in pages] == [401, 401]
    assert all(WRONG in each.text for each in pages)
    one, other = (each.html.partition('value="')[0] for each in pages)
    assert one == other
    assert len(verified) == 2
    assert verified[0] == verified[1]


def test_a_login_makes_a_new_session(house: Application, mailbox: Box) -> None:
    who = person(house)
    browser = log_in(house, who, mailbox)
    before = browser.cookie("session")
    other = Browser(house)
    other.client.set_cookie("session", "chosen-by-an-attacker")
    step = first_step(other, who.login)
    other.send(step, "/connexion/code", code=mailed(mailbox, who), follow=False)
    assert other.cookie("session") not in (before, "chosen-by-an-attacker")
    assert house.services.sessions.find("chosen-by-an-attacker") is None


def test_logging_out_ends_the_session(house: Application, mailbox: Box) -> None:
    browser = log_in(house, person(house), mailbox)
    secret = browser.cookie("session")
    assert browser.get("/deconnexion", follow=False).status == 405
    browser.send(browser.get("/"), "/deconnexion")
    assert house.services.sessions.find(secret) is None
    assert not browser.cookie("session")


def test_the_login_leads_on_to_where_it_was_asked_for(house: Application, mailbox: Box) -> None:
    who, browser = person(house), Browser(house)
    with house.app.test_request_context("/"):
        path = "/connexion?suite=" + sealed.seal("/oauth/authorize?state=x", "https://app.example")
    page = browser.get(path)
    assert "form-action 'self' https://app.example" in page.headers["content-security-policy"]
    step = browser.send(page, "/connexion", {"identifiant": who.login, "mot-de-passe": PASSWORD})
    for shown in (step, browser.send(step, "/connexion/code", code="x")):
        assert "form-action 'self' https://app.example" in shown.headers["content-security-policy"]
    done = browser.send(step, "/connexion/code", code=mailed(mailbox, who), follow=False)
    assert done.headers["location"] == "/oauth/authorize?state=x"


@pytest.mark.parametrize("onward", ["https://evil.example", "//evil.example", "gAAAA", "%00"])
def test_the_login_leads_nowhere_else(house: Application, mailbox: Box, onward: str) -> None:
    who, browser = person(house), Browser(house)
    step = first_step(browser, who.login, path=f"/connexion?suite={onward}")
    done = browser.send(step, "/connexion/code", code=mailed(mailbox, who), follow=False)
    assert done.headers["location"] == "/dossier"


def test_a_code_is_wrong_five_times_and_then_the_login_begins_anew(house: Application, mailbox: Box) -> None:
    who, browser = person(house), Browser(house)
    step = first_step(browser, who.login)
    code = mailed(mailbox, who)
    wrong = "000000" if code != "000000" else "111111"
    for _ in range(5):
        answer = browser.send(step, "/connexion/code", code=wrong)
        assert answer.status == 401
    assert browser.send(step, "/connexion/code", code=code).status == 401
    assert browser.cookie("session") is None


def test_of_sixteen_who_send_the_same_code_one_gets_in(house: Application, mailbox: Box) -> None:
    who, logins = person(house), house.services.accounts.logins
    token = logins.begin(who.login, PASSWORD, Place("192.0.2.16", None))
    logins.send_code(token, "mail")
    code = mailed(mailbox, who)
    assert _at_once(16, lambda: logins.finish(token, code)) == 1


def test_of_sixteen_who_use_the_same_code_of_an_app_one_gets_in(house: Application) -> None:
    who, logins = person(house, totp=True), house.services.accounts.logins
    throttle.Throttle(house.services.store).forget(throttle.SECOND, who.account.id)
    tokens = [logins.begin(who.login, PASSWORD, Place(f"192.0.2.{each}", None)) for each in range(16)]
    code = who.code
    assert _at_once(16, lambda: logins.finish(tokens.pop(), code)) == 1


def test_whoever_hammers_an_account_does_not_lock_its_owner_out(house: Application, mailbox: Box) -> None:
    who = person(house, totp=True)
    home = log_in(house, who)
    logins = house.services.accounts.logins
    for each in range(40):
        with pytest.raises(Refused):
            logins.finish(logins.begin(who.login, "faux mot de passe", Place(f"198.51.100.{each}", None)), "123456")
    for _ in range(8):
        with pytest.raises(Refused):
            logins.finish(logins.begin(who.login, "faux mot de passe", Place("127.0.0.1", None)), "123456")
    with pytest.raises(Refused) as refused:
        logins.begin(who.login, "faux mot de passe", Place("127.0.0.1", None))
    assert refused.value.wait > timedelta(0)
    home.client.delete_cookie("session")
    assert first_step(home, who.login).path == "/connexion/code"
    elsewhere = logins.begin(who.login, PASSWORD, Place("203.0.113.9", None))
    assert logins.finish(elsewhere, who.codes[0]).account.id == who.account.id


def test_of_an_account_under_attack_a_right_password_is_not_told_from_a_wrong_one(
    house: Application,
) -> None:
    who = person(house, totp=True)
    logins = house.services.accounts.logins
    for each in range(throttle.ATTACK.free):
        with pytest.raises(Refused):
            logins.begin(who.login, "faux mot de passe", Place(f"198.51.100.{each}", None))
    pages = [first_step(Browser(house), who.login, password) for password in (PASSWORD, "faux mot de passe")]
    assert [each.status for each in pages] == [200, 200]
    shapes = [each.html.replace(form.fields["csrf"], "") for each in pages for form in each.forms[:1]]
    assert shapes[0] == shapes[1]
    wrong = logins.begin(who.login, "faux mot de passe", Place("203.0.113.7", None))
    with pytest.raises(Refused):
        logins.finish(wrong, who.code)
    right = logins.begin(who.login, PASSWORD, Place("203.0.113.7", None))
    assert logins.finish(right, who.code).account.id == who.account.id


def test_of_an_account_under_attack_the_second_step_does_not_tell_the_password_either(house: Application) -> None:
    who = person(house, totp=True)
    logins = house.services.accounts.logins
    for each in range(throttle.ATTACK.free):
        with pytest.raises(Refused):
            logins.begin(who.login, "faux mot de passe", Place(f"198.51.100.{each}", None))
    told = list[str]()
    for password, times in ((PASSWORD, throttle.SECOND.free + 2), ("faux mot de passe", 2)):
        for each in range(times):
            token = logins.begin(who.login, password, Place(f"203.0.113.{each}", None))
            with pytest.raises(Refused) as refused:
                logins.finish(token, "000000")
            told.append(refused.value.why)
    assert set(told) == {"wrong"}
    elsewhere = logins.begin(who.login, PASSWORD, Place("192.0.2.99", None))
    assert logins.finish(elsewhere, who.codes[0]).account.id == who.account.id


def test_tries_at_once_share_one_budget(house: Application) -> None:
    logins = house.services.accounts.logins
    told: list[str] = []

    def attempt() -> None:
        try:
            logins.begin("personne", "faux mot de passe", Place("192.0.2.77", None))
        except Refused as refused:
            told.append(refused.why)
            raise

    assert _at_once(16, attempt) == 0
    assert told.count("wrong") <= throttle.PAIR.free + 1


def test_a_known_device_has_one_budget_however_its_cookie_is_written(house: Application, mailbox: Box) -> None:
    who = person(house, totp=True)
    logins, devices = house.services.accounts.logins, house.services.accounts.devices
    token = devices.remember(None, who.account.id)
    waits = []
    for number in range(throttle.DEVICE.free + 3):
        cookie = ".".join([token, secretly.token()] if number % 2 else [secretly.token(), token])
        with pytest.raises(Refused) as caught:
            logins.begin(who.login, "wrong", Place(f"192.0.2.{number}", cookie))
        waits.append(caught.value.why)
    assert waits == ["wrong"] * throttle.DEVICE.free + ["wait"] * 3


def test_codes_are_not_tried_out_at_a_known_device_either(house: Application) -> None:
    who = person(house, totp=True)
    logins, devices = house.services.accounts.logins, house.services.accounts.devices
    token = devices.remember(None, who.account.id)
    tries = throttle.Throttle(house.services.store)
    why: list[str] = []
    for _ in range(throttle.SECOND.free // 5 + 1):
        step = logins.begin(who.login, PASSWORD, Place("192.0.2.1", token))
        tries.forget(throttle.DEVICE, secretly.key(token), who.login)
        for _ in range(5):
            with pytest.raises(Refused) as caught:
                logins.finish(step, "000000")
            why.append(caught.value.why)
    assert why == ["wrong"] * throttle.SECOND.free + ["wait"] * 5
    elsewhere = logins.begin(who.login, PASSWORD, Place("192.0.2.2", None))
    assert logins.finish(elsewhere, who.code).account.id == who.account.id


def test_the_waits_grow_and_are_forgotten(house: Application) -> None:
    tries = throttle.Throttle(house.services.store)
    budget = throttle.Budget("test", 2, timedelta(minutes=15), timedelta(hours=1))
    assert [tries.spend(budget, "a") for _ in range(2)] == [timedelta(0)] * 2
    first = tries.spend(budget, "a")
    assert timedelta(seconds=10) < first <= timedelta(seconds=15)
    rows = house.services.store.register(throttle.REGISTER)
    key = throttle._key(budget, ("a",))
    rows.change(key, {"n": 5})
    assert tries.spend(budget, "a") > timedelta(seconds=100)
    rows.change(key, {"n": 60})
    assert tries.spend(budget, "a") <= timedelta(minutes=15)
    assert not tries.spend(budget, "b")
    tries.forget(budget, "a")
    assert not tries.spend(budget, "a")


def test_who_may_act_for_several_chooses(house: Application, mailbox: Box) -> None:
    parent = person(house, "Marc")
    operator = house.operator()
    child = operator.create(named("<script>alert(1)</script>", birth="2020-06-21"))
    related = operator.create(
        {"resourceType": "RelatedPerson", "patient": {"reference": f"Patient/{child}"}, "name": [{"family": "EXEMPLE"}]}
    )
    room = house.services.accounts
    room.accounts.change(parent.account, records=(Reach(parent.patient), Reach(child, related)))
    browser = Browser(house)
    step = first_step(browser, parent.login)
    chosen = browser.send(step, "/connexion/code", code=mailed(mailbox, parent))
    assert chosen.path == "/choisir"
    assert browser.cookie("session") is None
    assert "<script>" not in chosen.html
    form = chosen.forms[-1]
    assert browser.post("/choisir", form.fields | {"dossier": "other/"}, follow=False).status == 400
    browser.post("/choisir", form.fields | {"dossier": f"{child}/{related}"}, follow=False)
    found = session(house, browser)
    assert (found.subject.kind, found.subject.patient) == ("representative", child)
    assert found.subject.id == f"RelatedPerson/{related}"
    assert browser.get("/compte").path == "/compte"
    again = browser.get("/choisir")
    before = browser.cookie("session")
    browser.post("/choisir", again.forms[-1].fields | {"dossier": f"{parent.patient}/"}, follow=False)
    changed = session(house, browser)
    assert (changed.subject.kind, changed.at) == ("patient", found.at)
    assert house.services.sessions.find(before) is None


def test_a_representative_who_no_longer_is_one_is_logged_out(house: Application, mailbox: Box) -> None:
    operator = house.operator()
    child = operator.create(named("Léa", birth="2020-06-21"))
    relation = {"resourceType": "RelatedPerson", "patient": {"reference": f"Patient/{child}"}}
    related = operator.create(relation)
    browser = log_in(house, person(house, "Marc", records=(Reach(child, related),)), mailbox)
    assert browser.get("/compte").path == "/compte"
    operator.store(relation | {"id": related, "active": False})
    assert browser.get("/compte").path.startswith("/connexion?suite=")


def test_a_representative_has_no_way_in_after_majority_or_when_he_no_longer_is(house: Application) -> None:
    operator = house.operator()
    child, grown = (operator.create(named("Léa", birth=birth)) for birth in ("2020-06-21", "2000-01-01"))
    reaches = []
    for id_, active in ((child, False), (grown, True)):
        body = {"resourceType": "RelatedPerson", "patient": {"reference": f"Patient/{id_}"}, "active": active}
        reaches.append(Reach(id_, operator.create(body)))
    who = person(house, records=(*reaches, Reach("nobody"), Reach(child, reaches[1].related)))
    assert house.services.accounts.people.subjects(who.account) == []


def test_a_login_and_a_refusal_are_traced_in_the_record(house: Application, mailbox: Box) -> None:
    who = person(house)
    assert first_step(Browser(house), who.login, "faux mot de passe").status == 401
    log_in(house, who, mailbox)
    traces = house.services.store.traces(Access.system("test"))
    found = [each for each in traces if who.patient in each.get("pats", ()) and "login" in each["what"]]
    assert [(each["what"], each["status"]) for each in found] == [("login-refused", 401), ("login", 200)]
    assert who.login not in str(found)


def test_what_a_form_does_is_not_done_by_asking_for_headers(house: Application, mailbox: Box) -> None:
    sent = len(mailbox.messages)
    client = house.app.test_client()
    answers = [client.head(path) for path in ("/connexion", "/connexion/oubli", "/connexion/oubli/code", "/activation")]
    assert [each.status_code for each in answers] == [200] * 4
    assert [each.data for each in answers] == [b""] * 4
    browser = log_in(house, person(house), mailbox)
    held = browser.get("/compte/facteur/code", follow=False)
    assert browser.client.head("/compte/mot-de-passe").status_code == 200
    assert (held.status, len(mailbox.messages)) == (303, sent + 1)


def test_passwords_are_hashed_anew_when_the_parameters_change(house: Application) -> None:
    who = person(house)
    stronger = house.under(password_memory=128)
    stronger.services.accounts.logins.begin(who.login, PASSWORD, Place("192.0.2.55", None))
    found = house.services.accounts.accounts.find(who.account.id)
    assert found is not None
    assert "m=128" in found.password


def test_the_database_holds_no_secret_in_the_clear(house: Application, mailbox: Box) -> None:
    who = person(house, totp=True)
    logins = house.services.accounts.logins
    token = logins.begin(who.login, PASSWORD, Place("192.0.2.56", None))
    logins.send_code(token, "mail")
    code, store = mailed(mailbox, who), house.services.store
    rows = [store.register("accounts").find(who.account.id, house.services.clock())]
    rows.append(store.register("logins").find(secretly.key(token), house.services.clock()))
    assert None not in rows
    for secret in (PASSWORD, token, code, who.seed, *who.codes, secretly.read(who.codes[0])):
        assert secret not in str(rows)


def _at_once(count: int, work: Callable[[], object]) -> int:
    """How many of several who do it at the same time succeed."""
    start, done = threading.Barrier(count), []

    def run() -> None:
        start.wait()
        try:
            work()
        except Refused:
            return
        done.append(1)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return len(done)
