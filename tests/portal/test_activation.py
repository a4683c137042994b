from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyotp
import pytest

from fhirserver.access import Access
from fhirserver.auth.accounts import throttle
from fhirserver.auth.accounts.account import Reach
from fhirserver.auth.accounts.invitations import TooEarly
from fhirserver.espace import tables
from fhirserver.espace.tables import Delay
from tests.portal.browser import Browser
from tests.portal.people import PASSWORD, code_for, log_in, matricule, named, person

if TYPE_CHECKING:
    from tests.application import Application
    from tests.mail.server import Box
    from tests.portal.browser import Page

BIRTH = "29/02/1984"
SERIAL = "2500 1234 567890"


@pytest.fixture(autouse=True)
def no_tries(house: Application) -> None:
    tries = throttle.Throttle(house.services.store)
    for budget in (throttle.PROOFS, throttle.ADDRESS):
        tries.forget(budget, "127.0.0.1")


def api(house: Application, what: str, **body: Any) -> Any:
    client = house.app.test_client(use_cookies=False)
    token = house.operator().token
    return client.post(f"/accounts/api/{what}", json=body, headers={"Authorization": f"Bearer {token}"})


def invited(house: Application, patient: str, **more: Any) -> str:
    answer = api(house, "invitations", patient=patient, **more)
    assert answer.status_code == 201, answer.text
    return str(answer.json["code"])


def prove(browser: Browser, code: str, number: str, birth: str = BIRTH) -> Page:
    page = browser.get("/activation")
    return browser.send(page, "/activation", {"code": code, "naissance": birth, "matricule": number})


def fill(browser: Browser, page: Page, login: str, **more: str) -> Page:
    typed = {"identifiant": login, "mot-de-passe": PASSWORD, "confirmation": PASSWORD, "moyen": "mail"}
    return browser.send(page, "/activation/compte", typed | {"adresse": f"{login}@exemple.fr"} | more)


def test_a_space_is_activated_by_a_code_and_proofs(house: Application, mailbox: Box) -> None:
    number = matricule()
    id_ = house.operator().create(named("Claire", number=number))
    house.services.store.transact(Access.system("test"), lambda tx: tx.space(id_, "announced"))
    people = house.services.accounts.people
    assert people.state(id_) == "announced"
    code = invited(house, id_)
    browser = Browser(house)
    page = prove(browser, code.lower().replace("-", " "), f"{number[:13]} {number[13:]}")
    assert "Claire EXEMPLE" in page.text
    page = fill(browser, page, "claire.active")
    assert people.state(id_) == "announced"
    done = browser.send(page, "/activation/code", code=code_for(mailbox, "claire.active@exemple.fr"))
    assert "codes de secours" in done.text
    assert people.state(id_) == "open"
    found = house.services.sessions.find(browser.cookie("session"))
    assert found is not None
    assert found.subject.patient == id_
    assert browser.get("/compte").status == 200
    made = house.services.accounts.accounts.named("claire.active")
    assert made is not None
    assert (made.factors, made.records, len(made.recovery)) == (("mail",), (Reach(id_),), 10)
    assert prove(Browser(house), code, number).status == 401
    traces = house.services.store.traces(Access.system("test"))
    whats = [each["what"] for each in traces if id_ in each.get("pats", ())]
    assert whats[-2:] == ["activate", "login"]
    assert "invite" in whats


def test_an_app_is_set_up_while_activating(house: Application) -> None:
    number = matricule()
    browser = Browser(house)
    page = prove(browser, invited(house, house.operator().create(named("Claire", number=number))), number)
    page = fill(browser, page, "claire.app", moyen="totp", adresse="")
    seed = page.html.partition('Clé\u00a0: <span class="code">')[2].partition("<")[0]
    picture = browser.get("/facteur/qr.svg")
    assert picture.headers["content-type"] == "image/svg+xml"
    assert picture.html.startswith("<svg")
    assert browser.send(page, "/activation/code", code="000000").status == 401
    assert "codes de secours" in browser.send(page, "/activation/code", code=pyotp.TOTP(seed).now()).text
    made = house.services.accounts.accounts.named("claire.app")
    assert made is not None
    assert made.factors == ("totp",)


def test_the_code_of_a_minor_goes_to_the_parent(house: Application, mailbox: Box) -> None:
    operator, number = house.operator(), matricule()
    child = operator.create(named("Léa", birth="2020-06-21", number=number))
    assert api(house, "invitations", patient=child).status_code == 409
    related = operator.create(
        {
            "resourceType": "RelatedPerson",
            "patient": {"reference": f"Patient/{child}"},
            "telecom": [{"system": "email", "value": "parent.lea@exemple.fr"}],
        }
    )
    answer = api(house, "invitations", patient=child, send="mail")
    assert answer.status_code == 201
    assert "code" not in answer.json
    assert answer.json["related"] == related
    code = code_for(mailbox, "parent.lea@exemple.fr", r"\b[0-9A-Z]{5}-[0-9A-Z]{5}\b")
    browser = Browser(house)
    page = fill(browser, prove(browser, code, number, "21/06/2020"), "parent.lea")
    browser.send(page, "/activation/code", code=code_for(mailbox, "parent.lea@exemple.fr"))
    found = house.services.sessions.find(browser.cookie("session"))
    assert found is not None
    assert (found.subject.kind, found.subject.patient) == ("representative", child)
    assert found.subject.id == f"RelatedPerson/{related}"


def test_a_second_record_is_linked_to_the_account_that_is_logged_in(house: Application, mailbox: Box) -> None:
    parent, operator, number = person(house, "Marc"), house.operator(), matricule()
    child = operator.create(named("Léa", birth="2020-06-21", number=number))
    related = operator.create({"resourceType": "RelatedPerson", "patient": {"reference": f"Patient/{child}"}})
    browser = log_in(house, parent, mailbox)
    page = prove(browser, invited(house, child), number, "21/06/2020")
    assert page.path == "/activation/relier"
    chosen = browser.send(page, "/activation/relier")
    assert chosen.path == "/choisir"
    found = house.services.accounts.accounts.find(parent.account.id)
    assert found is not None
    assert found.records == (Reach(parent.patient), Reach(child, related))


@pytest.mark.parametrize(
    ("postal", "made", "last"),
    [
        ("75014", "2026-02-10T09:00+01:00", "2026-03-24T23:59:59.999+01:00"),
        ("75014", "2026-02-15T23:30+01:00", "2026-03-29T23:59:59.999+02:00"),  # summer time begins that night
        ("75014", "2026-09-13T10:00+02:00", "2026-10-25T23:59:59.999+01:00"),  # and ends
        ("75014", "2024-01-18T10:00+01:00", "2024-02-29T23:59:59.999+01:00"),
        ("97400", "2026-02-10T23:30+04:00", "2026-03-24T23:59:59.999+04:00"),
        ("98800", "2026-02-10T00:30+11:00", "2026-03-24T23:59:59.999+11:00"),
        ("98700", "2026-02-10T23:30-10:00", "2026-03-24T23:59:59.999-10:00"),
    ],
)
def test_a_code_is_good_until_midnight_after_six_weeks_where_the_person_lives(
    house: Application, postal: str, made: str, last: str
) -> None:
    number = matricule()
    id_ = house.operator().create(named("Claire", number=number, address=[{"use": "home", "postalCode": postal}]))
    begin, end = (datetime.fromisoformat(each).astimezone(UTC) for each in (made, last))
    code, _ = house.at(begin).services.accounts.invitations.invite(id_, by="test")
    later, soon = (house.at(each).services.accounts.invitations for each in (end + timedelta(milliseconds=1), end))
    assert later.prove(code, "1984-02-29", number, "192.0.2.1") is None
    assert soon.prove(code, "1984-02-29", number, "192.0.2.1")


def test_a_code_keeps_the_delay_of_the_day_on_which_it_was_made(
    house: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new rule is a new row of `espace/delays.csv`."""
    rows = (Delay("code", date(2022, 1, 1), 6, "weeks", "-"), Delay("code", date(2026, 3, 1), 10, "days", "-"))
    monkeypatch.setattr(tables, "delays", lambda: rows)
    id_ = house.operator().create(named("Claire"))
    for made, last in (("2026-02-28T12:00Z", date(2026, 4, 11)), ("2026-03-01T12:00Z", date(2026, 3, 11))):
        invitations = house.at(datetime.fromisoformat(made)).services.accounts.invitations
        assert invitations.invite(id_, by="test")[1].last == last
    told = [Browser(house.at(datetime.fromisoformat(each))).get("/activation").text
            for each in ("2026-02-28T22:59Z", "2026-02-28T23:00Z")]  # fmt: skip
    assert ["Il vaut 6 semaines." in told[0], "Il vaut 10 jours." in told[1]] == [True, True]


@pytest.mark.parametrize(
    ("postal", "last"), [("75014", "2026-02-21"), ("97400", "2026-02-21"), ("98700", "2026-02-21")]
)
def test_the_last_day_that_is_told_is_that_of_who_lives_there(house: Application, postal: str, last: str) -> None:
    """Its end is the next day of UTC in Polynesia."""
    number = matricule()
    id_ = house.operator().create(named("Claire", number=number, address=[{"use": "home", "postalCode": postal}]))
    room = house.at(datetime(2026, 1, 10, 12, tzinfo=UTC)).services.accounts
    assert room.invitations.invite(id_, by="test")[1].last.isoformat() == last
    assert next(iter(room.letters.made([id_], []))).until == last


def test_five_wrong_proofs_void_a_code(house: Application) -> None:
    number, invitations = matricule(), house.services.accounts.invitations
    code = invited(house, house.operator().create(named("Claire", number=number)))
    for each in range(5):
        assert invitations.prove(code, "1984-03-01", number, f"192.0.2.{each}") is None
    assert invitations.prove(code, "1984-02-29", number, "192.0.2.9") is None


def test_codes_cannot_be_tried_out_from_one_address(house: Application) -> None:
    invitations = house.services.accounts.invitations
    for _ in range(throttle.PROOFS.free):
        assert invitations.prove("AAAAA-AAAAA", "1984-02-29", "1", "192.0.2.200") is None
    with pytest.raises(TooEarly):
        invitations.prove("AAAAA-AAAAA", "1984-02-29", "1", "192.0.2.200")
    assert invitations.prove("AAAAA-AAAAA", "1984-02-29", "1", "192.0.2.201") is None


@pytest.mark.parametrize(
    ("birth", "number"), [("1984-02-28", None), ("", None), (None, "284027500000000"), (None, ""), (None, "None")]
)
def test_both_proofs_must_be_right(house: Application, birth: str | None, number: str | None) -> None:
    own = matricule()
    code = invited(house, house.operator().create(named("Claire", number=own)))
    given = ("1984-02-29" if birth is None else birth, own if number is None else number)
    assert house.services.accounts.invitations.prove(code, *given, "192.0.2.3") is None


def test_a_record_without_number_or_birth_date_is_activated_by_nobody(house: Application) -> None:
    code = invited(house, house.operator().create({"resourceType": "Patient", "active": True}))
    for birth in ("", "None", "null"):
        assert house.services.accounts.invitations.prove(code, birth, "", "192.0.2.4") is None


def test_of_sixteen_who_use_one_code_one_gets_it(house: Application) -> None:
    number, invitations = matricule(), house.services.accounts.invitations
    code = invited(house, house.operator().create(named("Claire", number=number)))
    found = invitations.prove(code, "1984-02-29", number, "192.0.2.5")
    assert found is not None
    start, taken = threading.Barrier(16), list[bool]()

    def take() -> None:
        start.wait()
        taken.append(invitations.take(found.key))

    threads = [threading.Thread(target=take) for _ in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert taken.count(True) == 1


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"identifiant": "ab"}, "de 3 à 100 caractères"),
        ({"mot-de-passe": "court"}, "au moins 12 caractères"),
        ({"mot-de-passe": "motdepasse2026!"}, "trop facile"),
        ({"confirmation": "autre chose encore"}, "pas les mêmes"),
        ({"moyen": "pigeon"}, "Choisissez un moyen"),
        ({"adresse": "pas une adresse"}, "nom@exemple.fr"),
        ({"identifiant": "<script>alert(1)</script>", "adresse": "x"}, "nom@exemple.fr"),
    ],
)
def test_what_is_wrong_in_the_form_is_said_and_what_was_typed_is_kept(
    house: Application, typed: dict[str, str], said: str
) -> None:
    number = matricule()
    browser = Browser(house)
    page = prove(browser, invited(house, house.operator().create(named("Claire", number=number))), number)
    answer = fill(browser, page, "claire.form", **typed)
    assert answer.status == 422
    assert said in answer.text
    assert 'role="alert"' in answer.html
    assert "<script>" not in answer.html
    assert PASSWORD not in answer.html


def test_an_identifier_is_had_once(house: Application) -> None:
    taken, number = person(house), matricule()
    browser = Browser(house)
    page = prove(browser, invited(house, house.operator().create(named("Claire", number=number))), number)
    assert "déjà pris" in fill(browser, page, taken.login.upper()).text


def test_who_has_no_code_gets_one_by_the_number_of_the_card(house: Application, mailbox: Box) -> None:
    number, operator = matricule(), house.operator()
    mail = [{"system": "email", "value": "carte@exemple.fr"}]
    id_ = operator.create(named("Claire", number=number, telecom=mail))
    assert api(house, "cards", patient=id_, serial=SERIAL).status_code == 201
    answers = []
    for serial in ("9999999999", SERIAL):
        browser = Browser(house)
        typed = {"naissance": BIRTH, "matricule": number, "carte": serial}
        answers.append(browser.send(browser.get("/activation/demande"), "/activation/demande", typed))
    assert answers[0].text == answers[1].text
    code = code_for(mailbox, "carte@exemple.fr", r"\b[0-9A-Z]{5}-[0-9A-Z]{5}\b")
    assert len([each for each in mailbox.recipients if each == "carte@exemple.fr"]) == 1
    assert prove(Browser(house), code, number).path == "/activation/compte"


def test_only_operators_make_codes_and_only_for_who_may_have_one(house: Application) -> None:
    id_ = house.operator().create(named("Claire"))
    client = house.app.test_client(use_cookies=False)

    def status(token: str | None, **body: Any) -> int:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = client.post("/accounts/api/invitations", json=body, headers=headers)
        assert answer.status_code == 201 or "OperationOutcome" in answer.text
        return int(answer.status_code)

    operator = house.operator().token
    assert status(None, patient=id_) == 401
    assert status(house.patient(id_).token, patient=id_) == 403
    assert status(operator, patient="nobody") == 404
    assert status(operator, patient=id_, related="x") == 409
    assert status(operator, patient=id_, send="pigeon") == 400
    assert status(operator, patient=id_, other=1) == 400
    assert status(operator) == 400
    assert status(operator, patient=id_, send="mail") == 409
    house.services.store.transact(Access.system("test"), lambda tx: tx.space(id_, "suspended"))
    assert status(operator, patient=id_) == 409


def test_the_steps_cannot_be_skipped(house: Application) -> None:
    browser = Browser(house)
    for path in ("/activation/compte", "/activation/code", "/activation/relier"):
        assert browser.get(path).status == 401
    number = matricule()
    prove(browser, invited(house, house.operator().create(named("Claire", number=number))), number)
    assert browser.get("/activation/code").path == "/activation/compte"
    assert browser.get("/facteur/qr.svg").status == 404
