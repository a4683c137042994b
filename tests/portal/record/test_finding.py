"""A professional finds a record by INS, and breaks the glass of one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from fhirserver.cli.demo import PHYSICIAN
from tests.portal.record.visiting import holder, logged_in, patient_named, professional
from tests.records import document

if TYPE_CHECKING:
    from flask.testing import FlaskClient

    from tests.application import Application

CLAIRE, MARC = "284027505600134", "181117505600221"
STRANGER = "10000000321"


def test_a_record_is_found_by_its_ins_and_the_search_is_traced(demo: Application) -> None:
    claire, browser = patient_named(demo, "Claire"), logged_in(demo, professional(PHYSICIAN))
    assert browser.get("/dossier").path == "/patients"
    page = browser.send(browser.get("/patients"), "/patients", ins="2 84 02 75 056 001 34")
    assert (page.status, page.path) == (200, f"/dossier/{claire}")
    assert "Le dossier de Claire EXEMPLE" in page.text
    physician = ("agent:identifier", f"https://rpps.esante.gouv.fr|{PHYSICIAN}")
    assert demo.patient(claire).search("AuditEvent", physician, subtype="search-type").total >= 1


def test_who_may_not_see_a_record_finds_it_no_more_than_one_that_is_not_there(demo: Application) -> None:
    browser = logged_in(demo, professional(STRANGER))
    pages = [browser.send(browser.get("/patients"), "/patients", ins=each) for each in (CLAIRE, "284027505699999")]
    assert [each.status for each in pages] == [404, 404]
    assert pages[0].html.replace(CLAIRE, "INS") == pages[1].html.replace("284027505699999", "INS")


@pytest.mark.parametrize("typed", ["", "x,y", "a|b", "*", "é", "1" * 100])
def test_what_is_no_ins_finds_nothing(demo: Application, typed: str) -> None:
    browser = logged_in(demo, professional(PHYSICIAN))
    assert browser.send(browser.get("/patients"), "/patients", ins=typed).status == 404


def test_the_search_is_for_professionals(demo: Application) -> None:
    mine = logged_in(demo, holder(patient_named(demo, "Claire")))
    csrf = mine.get("/catalogue").form("/deconnexion").fields["csrf"]
    assert mine.get("/patients", Accept="text/html").status == 404
    assert mine.post("/patients", {"csrf": csrf, "ins": MARC}, Accept="text/html").status == 404
    sent = {"csrf": csrf, "matricule": MARC, "motif": "x"}
    assert mine.post("/patients/urgence", sent, Accept="text/html").status == 404


def test_the_glass_is_broken_of_one_record_for_a_reason_and_a_while(demo: Application) -> None:
    marc, claire = patient_named(demo, "Marc"), patient_named(demo, "Claire")
    id_ = demo.operator().create(document(marc))
    browser = logged_in(demo, professional(STRANGER))
    assert browser.get(f"/dossier/{marc}", Accept="text/html").status == 404
    refused = browser.send(browser.get("/patients"), "/patients/urgence", matricule=MARC, motif=" ")
    assert (refused.status, "Dites pourquoi" in refused.text) == (422, True)

    page = browser.send(browser.get("/patients"), "/patients/urgence", matricule=MARC, motif="Inconscient")
    assert (page.status, page.path) == (200, f"/dossier/{marc}")
    assert "accès en urgence" in page.text
    for path in ("/documents", f"/documents/{id_}", f"/documents/{id_}/lire", f"/documents/{id_}/fichier/0", "/profil"):
        assert browser.get(f"/dossier/{marc}{path}", Accept="text/html").status == 200, path
    assert "Inconscient" in logged_in(demo, holder(marc)).get(f"/dossier/{marc}/notifications").text
    assert browser.get(f"/dossier/{claire}", Accept="text/html").status == 404, "another record"
    other = logged_in(demo, professional(STRANGER))
    other.client.set_cookie("urgence", browser.cookie("urgence") or "")
    assert other.get(f"/dossier/{marc}", Accept="text/html").status == 404, "another session"
    later = demo.at(datetime.now(UTC) + timedelta(seconds=demo.services.settings.emergency_seconds + 1))
    browser.client = _with_cookies(later, browser.cookie("session"), browser.cookie("urgence"))
    assert browser.get(f"/dossier/{marc}", Accept="text/html").status == 404, "later"


def test_who_refused_emergencies_is_found_in_none(demo: Application) -> None:
    marc = patient_named(demo, "Marc")
    his, path = logged_in(demo, holder(marc)), f"/dossier/{marc}/partage"
    page = his.send(his.get(path), f"{path}/urgence", urgence="BTG")
    browser = logged_in(demo, professional("10000000322"))
    sent = browser.send(browser.get("/patients"), "/patients/urgence", matricule=MARC, motif="Inconscient")
    assert (sent.status, browser.cookie("urgence")) == (404, None)
    his.send(page, f"{path}/retrait")


def _with_cookies(application: Application, session: str | None, urgent: str | None) -> FlaskClient:
    client = application.app.test_client()
    client.set_cookie("session", session or "")
    client.set_cookie("urgence", urgent or "")
    return client
