"""The pages of the service: who they are for, spaces, the verification of traces, counts."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

from fhirserver.access import Requester
from fhirserver.audit import verifying
from fhirserver.auth.sessions import Sessions
from fhirserver.auth.tokens import DEFAULT_SCOPES
from fhirserver.espace.tables import transitions
from fhirserver.portal.operator import spaces, traces
from tests.portal.browser import Browser
from tests.portal.people import INS_DEMO
from tests.portal.record.visiting import holder, professional, representative
from tests.records import observation, patient

if TYPE_CHECKING:
    from tests.application import Application
    from tests.portal.browser import Page

OPERATOR = Requester("operator", "operator/o", scopes=DEFAULT_SCOPES["operator"], name="operateur")
AGENT = Requester("operator", "agent/a", scopes=("espace",), name="agent")
PAGES = ("/operateur", "/operateur/espaces", "/operateur/traces", "/catalogue/revue")
SECRET = "Hémoglobine glyquée"
_numbers = itertools.count(284027500001001)


def entered(application: Application, subject: Requester, acr: str = "eidas2") -> Browser:
    found = Browser(application)
    secret = Sessions(application.services.store).open(subject, f"account-{subject.id}", ("pwd", "otp"), acr)
    found.client.set_cookie("session", secret)
    return found


def person(application: Application) -> tuple[str, str]:
    """The id and the matricule of somebody with a name and a result."""
    number = str(next(_numbers))
    made = patient(
        identifier=[{"system": INS_DEMO, "value": number}], name=[{"family": "SECRETE"}], birthDate="1980-01-01"
    )
    id_ = application.operator().create(made)
    application.operator().create(observation(id_) | {"code": {"text": SECRET}})
    return id_, number


def acted(browser: Browser, id_: str, event: str, **typed: str) -> Page:
    """An event, by way of its confirmation."""
    path = f"/operateur/espaces/{id_}/{event}"
    return browser.send(browser.get(path), path, {"confirmation": "oui"} | typed)


@pytest.mark.parametrize("path", [*PAGES, "/operateur/espaces/x", "/operateur/espaces/x/close"])
def test_for_others_there_is_nothing_here(application: Application, path: str) -> None:
    id_, _ = person(application)
    others = (holder(id_), representative(id_), professional("10000000018"))
    for each in others:
        assert entered(application, each).get(path).status == 404
        assert entered(application, each).get("/operateur/nulle-part").status == 404
    assert entered(application, OPERATOR, "eidas1").get(path).status == 404
    assert Browser(application).get(path, follow=False).status == 303


def test_an_agent_has_the_pages_of_spaces_alone(application: Application) -> None:
    agent = entered(application, AGENT)
    assert agent.get("/operateur").path == "/operateur/espaces"
    for path in ("/operateur/traces", "/catalogue/revue", "/dossier/x", "/patients"):
        assert agent.get(path).status == 404
    assert "agent de l’Assurance Maladie" in agent.get("/operateur/espaces").text
    assert "Vue d’ensemble" not in agent.get("/operateur/espaces").text


@pytest.mark.parametrize("who", [OPERATOR, AGENT])
def test_a_space_is_found_and_shows_no_name_and_nothing_of_health(application: Application, who: Requester) -> None:
    id_, number = person(application)
    browser = entered(application, who)
    form = browser.get("/operateur/espaces")
    for typed in (number, f"{number[:1]} {number[1:]}", id_):
        page = browser.send(form, "/operateur/espaces", {"matricule": typed})
        assert page.path == f"/operateur/espaces/{id_}"
        for told in ("SECRETE", number, "1980", SECRET):
            assert told not in page.html
    assert application.operator().get(f"AuditEvent?patient={id_}&altid={who.id}").total >= 4


@pytest.mark.parametrize("typed", ["284099999999999", "nobody"])
def test_what_names_no_space_is_told(application: Application, typed: str) -> None:
    assert {_looked_for(application, who, typed).status for who in (OPERATOR, AGENT)} == {404}


@pytest.mark.parametrize("typed", ["", "../x", "<script>alert(1)</script>", "é" * 15, "1" * 64, "$everything"])
def test_what_can_name_no_space_is_refused(application: Application, typed: str) -> None:
    for who in (OPERATOR, AGENT):
        page = _looked_for(application, who, typed)
        assert page.status == 422
        assert "<script" not in page.html


def _looked_for(application: Application, who: Requester, typed: str) -> Page:
    browser = entered(application, who)
    return browser.send(browser.get("/operateur/espaces"), "/operateur/espaces", {"matricule": typed})


def test_an_agent_activates_opposes_closes_and_reopens_for_a_person(application: Application) -> None:
    id_, _ = person(application)
    agent = entered(application, AGENT)
    for event, state in (
        ("announce", "annoncé"),
        ("oppose", "non ouvert : la personne s’y est opposée"),
        ("activate", "État ouvert"),
        ("close", "État clôturé"),
        ("reopen", "État ouvert"),
        ("request-erasure", "Effacé au plus tard"),
    ):
        page = acted(agent, id_, event)
        assert page.status == 200
        assert "C’est enregistré" in page.text
        assert state in page.text, event
    assert "un agent de l’Assurance Maladie – R.1111-36" in page.text
    assert "Suspendre" not in page.text


def test_an_operator_suspends_lifts_and_archives(application: Application) -> None:
    id_, _ = person(application)
    operator, agent = entered(application, OPERATOR), entered(application, AGENT)
    assert agent.get(f"/operateur/espaces/{id_}/suspend").status == 404
    assert "La personne en est informée." in operator.get(f"/operateur/espaces/{id_}/suspend").text
    for event, state in (
        ("suspend", "suspendu"),
        ("lift", "ouvert"),
        ("close", "clôturé"),
        ("archive", "clôturé et archivé"),
    ):
        assert state in acted(operator, id_, event).text


def test_without_a_tick_or_in_another_state_nothing_happens(application: Application) -> None:
    id_, _ = person(application)
    operator = entered(application, OPERATOR)
    path = f"/operateur/espaces/{id_}/close"
    form = operator.get(path)
    assert operator.send(form, path).status == 422
    assert operator.send(form, path, {"confirmation": "non"}).status == 422
    assert operator.send(form, path, {"confirmation": "oui", "etat": "open-9"}).status == 409
    assert operator.post(path, {"confirmation": "oui"}).status == 403, "no token"
    acted(operator, id_, "suspend")
    page = operator.send(form, path, {"confirmation": "oui"})
    assert page.status == 409
    assert "a changé entre-temps" in page.text
    done = acted(operator, id_, "close")
    assert "clôturé" in done.text
    again = operator.send(form, path, {"confirmation": "oui"})
    assert again.status == 409
    for event in ("die", "expire", "nothing", "erase/x"):
        assert operator.get(f"/operateur/espaces/{id_}/{event}").status == 404
    assert operator.get("/operateur/espaces/nobody").status == 404
    assert operator.get("/operateur/espaces/a%20b").status == 404


def test_a_person_is_erased_and_a_certificate_shown(application: Application) -> None:
    id_, number = person(application)
    path = f"/operateur/espaces/{id_}/erase"
    assert entered(application, AGENT).get(path).status == 404
    operator = entered(application, OPERATOR)
    page = acted(operator, id_, "erase")
    assert page.status == 200
    assert re.search(r"Numéro [0-9a-f]{16}", page.text)
    assert "Ressources effacées, avec leurs versions 2" in page.text
    assert "SECRETE" not in page.html
    assert operator.get(f"/operateur/espaces/{id_}").status == 404
    found = operator.send(operator.get("/operateur/espaces"), "/operateur/espaces", {"matricule": number})
    assert found.status == 404


def test_counts_of_what_waits_are_told_to_operators(application: Application) -> None:
    page = entered(application, OPERATOR).get("/operateur")
    assert "Applications à examiner 0" in page.text
    assert "Travaux qui ont échoué 0" in page.text


def test_traces_are_verified_and_what_is_wrong_is_said(application: Application) -> None:
    operator = entered(application, OPERATOR)
    page = operator.get("/operateur/traces")
    assert "Aucune vérification" in page.text
    begun = operator.send(page, "/operateur/traces")
    assert "Une vérification est en cours" in begun.text
    assert begun.headers["refresh"] == "5"
    assert operator.send(page, "/operateur/traces").status == 409
    application.work()
    done = operator.get("/operateur/traces")
    assert "Les chaînes de traces sont entières." in done.text
    assert "refresh" not in done.headers
    assert re.search(r"[0-9a-f]{32} – \d+ enregistrements", done.text)
    with MongoClient[dict[str, Any]](application.services.settings.mongo) as client:
        trace = client[application.services.settings.database]["trace"]
        first = trace.find_one({"who.id": "operator"}, sort=[("_id", 1)])
        assert first is not None
        trace.update_one({"_id": first["_id"]}, {"$set": {"status": 299}})
    operator.send(done, "/operateur/traces")
    application.work()
    wrong = operator.get("/operateur/traces")
    assert "Les chaînes de traces ne sont pas entières." in wrong.text
    assert "l’enregistrement a été modifié" in wrong.text
    assert operator.post("/operateur/traces", {}).status == 403


def test_every_fault_state_and_event_has_words() -> None:
    source = Path(verifying.__file__).read_text("utf-8")
    told = set(
        re.findall(r'"((?:it|the|an|what) [^"{]+)"', source.split("def _is_placed")[0] + source.split("def _ends")[1])
    )
    assert told == set(traces.FAULTS)
    assert traces.said("12 records are missing before record 30").startswith("12 enregistrements manquent")
    states = {each.to for each in transitions().values()} | {origin for _, origin in transitions()}
    assert states <= set(spaces.STATES)
    assert {event for event, _ in transitions()} <= set(spaces.HAPPENED)
    assert {who for each in transitions().values() for who in each.who} == set(spaces.BY)
    assert {event for event, _ in transitions()} - {"open", "lapse", "die", "come-of-age", "expire"} == set(spaces.ACTS)
