"""`/compte/espace` and `/opposition`: what a person does of the space itself, in each of its states."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access
from fhirserver.auth.accounts.account import Reach
from fhirserver.espace.space import Actor
from fhirserver.portal import language
from fhirserver.portal.espace import ACTS
from tests.access.test_representation import R216, R217
from tests.espace.test_representatives import related
from tests.portal.browser import Browser
from tests.portal.people import first_step, log_in, matricule, named, person
from tests.records import observation

if TYPE_CHECKING:
    from tests.application import Application
    from tests.portal.browser import Page
    from tests.portal.people import Person

PATH = "/compte/espace"


def happen(house: Application, patient: str, event: str, role: str = "operator") -> None:
    now = house.services.clock()
    house.services.spaces.happen(Actor(role, Access.system("test", now)), patient, event)


def state(house: Application, patient: str) -> str:
    from fhirserver.espace import machine

    return machine.state(house.services.spaces.row(patient), house.services.clock())


def entered(house: Application, **more: Any) -> tuple[Browser, Person]:
    who = person(house, totp=True, **more)
    return log_in(house, who), who


def test_a_space_is_closed_and_reopened_from_its_page(house: Application) -> None:
    browser, who = entered(house)
    page = browser.get(PATH)
    assert "L’espace est ouvert" in page.text
    refused = browser.send(page, f"{PATH}/cloture")
    assert (refused.status, "Cochez la case" in refused.text, state(house, who.patient)) == (422, True, "none")
    page = browser.send(page, f"{PATH}/cloture", confirmation="oui")
    assert "L’espace est clôturé." in page.text
    assert state(house, who.patient) == "closed"
    assert (
        browser.post(f"{PATH}/cloture", page.form(f"{PATH}/reouverture").fields | {"confirmation": "oui"}).status == 409
    )
    page = browser.send(page, f"{PATH}/reouverture")
    assert "rouvert" in page.text
    assert state(house, who.patient) == "open"


def test_closing_takes_a_login_of_the_last_minutes(house: Application) -> None:
    browser, who = entered(house)
    page = browser.get(PATH)
    session = house.services.sessions.find(browser.cookie("session"))
    assert session is not None
    house.services.sessions._rows.change(session.key, {"at": datetime.now(UTC) - timedelta(minutes=11)})
    for name in ("cloture", "effacement"):
        answer = browser.send(page, f"{PATH}/{name}", follow=False, confirmation="oui")
        assert (answer.status, answer.headers["location"].startswith("/connexion")) == (303, True)
    assert state(house, who.patient) == "none"


def test_an_erasure_is_asked_for_and_taken_back_by_reopening(house: Application) -> None:
    browser, who = entered(house)
    page = browser.send(browser.get(PATH), f"{PATH}/effacement", confirmation="oui")
    assert "au plus tard" in page.text
    assert "comme demandé" in page.text
    page = browser.send(page, f"{PATH}/reouverture")
    row = house.services.spaces.row(who.patient)
    assert row is not None
    assert row.get("asked") is None


@pytest.mark.parametrize(
    ("event", "act", "says", "after"),
    [("suspend", "objection", "suspendu", "suspended"), ("archive", "reouverture", "archivé", "open")],
)
def test_a_space_that_shows_nothing_leads_to_its_own_page(
    house: Application, event: str, act: str, says: str, after: str
) -> None:
    who = person(house, totp=True)
    if event == "archive":
        happen(house, who.patient, "close")
    happen(house, who.patient, event)
    browser = Browser(house)
    page = browser.send(first_step(browser, who.login), "/connexion/code", code=who.code)
    assert (page.path, says in page.text) == (PATH, True)
    assert browser.get(f"/dossier/{who.patient}").status == 404
    assert browser.get("/dossier").path == PATH
    assert browser.send(page, f"{PATH}/{act}").status == 200
    assert state(house, who.patient) == after
    if event == "suspend":
        row = house.services.spaces.row(who.patient)
        assert row is not None
        assert row["objected"]


def test_a_copy_of_everything_is_made_and_downloaded(house: Application) -> None:
    browser, who = entered(house)
    house.operator().create(observation(who.patient))
    page = browser.send(browser.get(PATH), f"{PATH}/copie")
    assert "en préparation" in page.text
    assert page.headers["refresh"] == "5"
    assert browser.get(f"{page.path}/dossier.zip").status == 404
    house.work()
    ready = browser.get(page.path)
    assert "prête" in ready.text
    answer = browser.client.get(f"{page.path}/dossier.zip")
    assert answer.headers["Content-Type"] == "application/zip"
    assert "donnees/Observation.ndjson" in zipfile.ZipFile(io.BytesIO(answer.data)).namelist()
    other, _ = entered(house)
    assert [other.get(each).status for each in (page.path, f"{page.path}/dossier.zip")] == [404, 404]


def test_the_page_tells_who_represents_the_person_since_and_until(house: Application) -> None:
    browser, who = entered(house)
    operator, name = house.operator(), [{"family": "TUTEUR", "given": ["Paul"]}]
    tutor = operator.create(
        related(who.patient, R217, "TUTEUR", name=name, period={"start": "2024-02-29", "end": "2999-12-31"})
    )
    operator.create(related(who.patient, R217, "CURATEUR", name=[{"family": "CURATRICE"}]))
    operator.create(related(who.patient, R216, "SIS", name=[{"family": "SOEUR"}]))
    text = browser.get(PATH).text
    assert "Paul TUTEUR : tutelle, depuis le 29 février 2024, jusqu’au 31 décembre 2999" in text
    assert "CURATRICE : curatelle" in text
    assert "SOEUR" not in text
    mine, _ = entered(house, records=(Reach(who.patient, tutor),))
    page = mine.get(PATH)
    assert "Paul TUTEUR (vous)" in page.text
    assert mine.send(page, f"{PATH}/cloture", confirmation="oui").status == 200
    assert state(house, who.patient) == "closed"


def test_a_mandatary_does_not_close(house: Application) -> None:
    patient = house.operator().create(named("Jeanne"))
    mandate = ("urn:fhirserver:representation", "mandat-de-protection-future")
    id_ = house.operator().create(related(patient, *mandate))
    browser, _ = entered(house, records=(Reach(patient, id_),))
    page = browser.get(PATH)
    refused = browser.send(page, f"{PATH}/cloture", confirmation="oui")
    assert (refused.status, "la personne elle-même" in refused.text) == (403, True)
    assert state(house, patient) == "none"


def announced(house: Application) -> tuple[str, str, str]:
    """A Patient of whom the opening was announced, his number, and the code of his letter."""
    number = matricule()
    id_ = house.operator().create(named("Luc", number=number))
    happen(house, id_, "announce")
    return id_, number, house.services.accounts.invitations.invite(id_, by="test")[0]


def opposes(house: Application, code: str, number: str, **more: str) -> Page:
    browser = Browser(house)
    typed = {"code": code, "naissance": "29/02/1984", "matricule": number, "confirmation": "oui"} | more
    return browser.send(browser.get("/opposition"), "/opposition", typed)


def test_the_opening_is_opposed_without_an_account(house: Application) -> None:
    id_, number, code = announced(house)
    assert opposes(house, code, number, confirmation="").status == 422
    assert opposes(house, code, number, naissance="01/01/1984").status == 401
    assert state(house, id_) == "announced"
    page = opposes(house, code, number)
    assert (page.status, "Luc EXEMPLE ne sera pas ouvert" in page.text) == (200, True)
    assert state(house, id_) == "opposed"
    assert opposes(house, code, number).status == 401, "a code is used once"
    assert house.services.accounts.accounts.of_patient(id_) == []


def test_a_space_that_is_open_is_not_opposed_and_keeps_its_code(house: Application) -> None:
    id_, number, code = announced(house)
    happen(house, id_, "activate")
    page = opposes(house, code, number)
    assert (page.status, "à tout moment" in page.text, state(house, id_)) == (409, True, "open")
    assert house.services.accounts.invitations.prove(code, "1984-02-29", number, "192.0.2.99")


def test_only_persons_have_the_page_of_a_space(house: Application) -> None:
    assert Browser(house).get(PATH, follow=False).status == 303
    browser, _ = entered(house)
    assert browser.get("/compte/espace/copie/nothing").status == 404
    assert browser.get("/compte/espace/copie/a%26b").status == 404
    assert {browser.get(f"{PATH}/{each}").status for each in ACTS} == {405}


def test_the_page_speaks_english(house: Application) -> None:
    browser, _ = entered(house)
    browser.client.set_cookie(language.COOKIE, "en")
    assert "The space is open" in browser.get(PATH).text
    assert "Refuse the opening" in browser.get("/opposition").text
