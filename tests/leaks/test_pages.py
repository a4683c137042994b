"""The pages tell nobody of a record what they would not tell of one that never was: every route, found by walking.

Who may not see a record asks for each page of it, and for the same page of an id that was never given: status, headers
and body are equal but for that id. A new page is under test by itself; one whose address holds a part of a new name
fails here until `PARTS` says what to put there.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access
from fhirserver.espace.space import Actor
from tests.access.test_representation import R216, R217
from tests.application import applications, embedded_uri
from tests.espace.test_representatives import related
from tests.portal.browser import Browser
from tests.portal.people import named
from tests.portal.record.visiting import holder, logged_in, professional, representative
from tests.records import care_team, consent, document, observation, practitioner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.routing import Rule
    from werkzeug.test import TestResponse

    from fhirserver.access import Requester
    from tests.application import Application

__all__ = ["applications", "embedded_uri"]

ABSENT = "never-given"
ALICE, BOB, EVE = "10001112225", "10001112233", "10001112241"
TYPES = ("DocumentReference", "ImagingStudy", "Communication")
PARTS = {
    "id": "whatever the record holds", "patient": "the record", "job": "a job of the holder's", "place": 0, "number": 1,
    "client_id": "x", "name": "x", "digest": "x",
    "event": "close", "section": "allergies", "slot": "x", "schedule": "x", "secret": "x",
}  # fmt: skip
"""The parts of addresses that are known, and what stands there."""
_CSRF = re.compile(r"(name=\"csrf\" value=\")[^\"]*|(suite=)[\w-]+=*")
_NOT_COMPARED = {"x-request-id", "date", "set-cookie"}


class World:
    """A record with something on every page, and those who may not see it."""

    def __init__(self, application: Application) -> None:
        self.application = application
        operator = application.operator()
        self.people = {each: operator.create(practitioner(each)) for each in (ALICE, BOB, EVE)}
        self.patient = self._record("Claire")
        self.shut = {event: self._record(event) for event in ("close", "suspend", "die")}
        for event, id_ in self.shut.items():
            actor = Actor("time" if event == "die" else "operator", Access.system("test", datetime.now(UTC)))
            application.services.spaces.happen(actor, id_, event)
        self.other = operator.create(named("Autre"))
        self._ids: dict[str, list[str]] = {}
        operator.create(consent(self.patient, "deny", f"Practitioner/{self.people[BOB]}"))
        self.mother = operator.create(related(self.patient, R216, "MTH"))
        over = {"period": {"end": "2025-12-31"}}
        self.tutor = operator.create(related(self.patient, R217, "TUTEUR", **over))

    def _record(self, given: str) -> str:
        operator = self.application.operator()
        id_ = operator.create(named(given))
        operator.create(care_team(id_, *(f"Practitioner/{self.people[each]}" for each in (ALICE, BOB))))
        operator.create(document(id_))
        operator.create(observation(id_))
        study = {"resourceType": "ImagingStudy", "status": "available", "subject": {"reference": f"Patient/{id_}"}}
        operator.create(study)
        told = {"resourceType": "Communication", "status": "completed", "subject": {"reference": f"Patient/{id_}"}}
        operator.create(told)
        meeting = {"resourceType": "Appointment", "status": "booked", "start": "2026-03-02T09:00:00Z"}
        who = [{"actor": {"reference": f"Patient/{id_}"}, "status": "accepted"}]
        operator.create(meeting | {"end": "2026-03-02T09:30:00Z", "participant": who})
        return id_

    def ids(self, patient: str) -> list[str]:
        """Of what the record holds: a document, a study, a letter to the person."""
        if patient not in self._ids:
            operator, asked = self.application.operator(), ("subject", f"Patient/{patient}")
            self._ids[patient] = [each for type_ in TYPES for each in operator.search(type_, asked).ids]
        return self._ids[patient]

    def askers(self) -> dict[str, tuple[Requester | None, str]]:
        """Who asks, and whose record they may not see."""
        return {
            "nobody": (None, self.patient),
            "another patient": (holder(self.other), self.patient),
            "a professional whom the person blocked": (professional(BOB), self.patient),
            "a professional with nothing to do with the person": (professional(EVE), self.patient),
            "the mother of one who is of age": (representative(self.patient, self.mother), self.patient),
            "a tutor whose measure is over": (representative(self.patient, self.tutor), self.patient),
            "the care team of a closed space": (professional(ALICE), self.shut["close"]),
            "the care team of a suspended space": (professional(ALICE), self.shut["suspend"]),
            "the holder of a suspended space": (holder(self.shut["suspend"]), self.shut["suspend"]),
            "the care team of somebody who died": (professional(ALICE), self.shut["die"]),
        }

    def browser(self, who: Requester | None) -> Browser:
        return Browser(self.application) if who is None else logged_in(self.application, who)


@pytest.fixture(scope="module")
def world(applications: Any) -> Iterator[World]:
    with applications(address_rate=0, client_rate=0) as opened:
        yield World(opened)


def routes(application: Application, method: str) -> list[Rule]:
    """The routes of pages about a record, or about something of one."""
    found = [each for each in application.app.url_map.iter_rules() if each.endpoint.startswith("portal.")]
    return sorted(
        (each for each in found if each.arguments & {"patient", "id"} and method in (each.methods or ())), key=str
    )


def addresses(world: World, rule: Rule, patient: str, ids: list[str]) -> list[str]:
    adapter = world.application.app.url_map.bind("")
    method = "GET" if "GET" in (rule.methods or ()) else "POST"
    plain = {
        name: "poids" if "/mesures/<name>" in rule.rule and name == "name" else PARTS.get(name, "x")
        for name in rule.arguments
    }
    put = {"patient": patient} if "patient" in plain else {}
    values = [{**plain, **put, **({"id": id_} if "id" in plain else {})} for id_ in ids]
    return list(dict.fromkeys(adapter.build(rule.endpoint, each, method=method) for each in values))


def shown(answer: TestResponse, *ids: str) -> tuple[int, dict[str, str], str]:
    body = _CSRF.sub(r"\1\2", answer.get_data(as_text=True))
    headers = {name.lower(): value for name, value in answer.headers.items() if name.lower() not in _NOT_COMPARED}
    headers["location"] = headers.get("location", "").partition("?")[0]
    for each in ids:
        body = body.replace(each, "ID")
        headers = {name: value.replace(each, "ID") for name, value in headers.items()}
    headers.pop("content-length", None)
    return answer.status_code, headers, body


def test_all_parts_of_addresses_are_known(world: World) -> None:
    rules = [each for each in world.application.app.url_map.iter_rules() if each.endpoint.startswith("portal.")]
    unknown = {f"{each.rule}: {name}" for each in rules for name in each.arguments if name not in PARTS}
    assert not unknown, "say in PARTS what stands in these addresses"


def test_the_person_and_the_care_team_see_these_pages(world: World) -> None:
    """Without which the tests below would prove nothing."""
    for who, most in ((holder(world.patient), 10), (professional(ALICE), 6)):
        browser, count = world.browser(who), 0
        for rule in routes(world.application, "GET"):
            found = [
                browser.client.get(each).status_code
                for each in addresses(world, rule, world.patient, world.ids(world.patient))
            ]
            count += 200 in found
            assert max(found) < 500
        assert count >= most


NAMES = (
    "nobody",
    "another patient",
    "a professional whom the person blocked",
    "a professional with nothing to do with the person",
    "the mother of one who is of age",
    "a tutor whose measure is over",
    "the care team of a closed space",
    "the care team of a suspended space",
    "the holder of a suspended space",
    "the care team of somebody who died",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_that_is_not_theirs_is_as_one_that_never_was(world: World, name: str) -> None:
    who, patient = world.askers()[name]
    browser = world.browser(who)
    browser.get("/")
    for rule in routes(world.application, "GET"):
        there = addresses(world, rule, patient, world.ids(patient))
        gone = addresses(world, rule, ABSENT, [ABSENT])
        absent = shown(browser.client.get(gone[0]), ABSENT)
        for each in there:
            assert shown(browser.client.get(each), patient, *world.ids(patient)) == absent, (rule.rule, each)


@pytest.mark.parametrize("name", NAMES)
def test_a_form_that_is_not_theirs_is_as_one_that_never_was(world: World, name: str) -> None:
    who, patient = world.askers()[name]
    browser = world.browser(who)
    session = world.application.services.sessions.find(browser.cookie("session"))
    csrf = session.csrf if session is not None else browser.get("/connexion").form("/connexion").fields["csrf"]
    before = world.application.counts()
    for rule in routes(world.application, "POST"):
        typed = {"csrf": csrf, "version": "1", "confirmation": "oui", "choix": ABSENT}
        gone = addresses(world, rule, ABSENT, [ABSENT])
        absent = shown(browser.client.post(gone[0], data=typed), ABSENT)
        for each in addresses(world, rule, patient, world.ids(patient)):
            assert shown(browser.client.post(each, data=typed), patient, *world.ids(patient)) == absent, (
                rule.rule,
                each,
            )
    after = world.application.counts()
    assert {name: count for name, count in after.items() if not name.startswith("AuditEvent")} == {
        name: count for name, count in before.items() if not name.startswith("AuditEvent")
    }


def test_a_representative_of_yesterday_is_asked_to_log_in(world: World) -> None:
    """With an account, whose session ends with the right."""
    from fhirserver.auth.accounts.account import Reach

    room, found = world.application.services.accounts, world.application.services
    account = room.accounts.add("person", "mere-d-hier", "x", records=(Reach(world.patient, world.mother),))
    secret = found.sessions.open(representative(world.patient, world.mother), account.id, ("pwd", "otp"), "eidas2")
    browser = Browser(world.application)
    browser.client.set_cookie("session", secret)
    for path in (f"/dossier/{world.patient}", "/compte/espace"):
        answer = browser.client.get(path)
        assert (answer.status_code, answer.headers["Location"].startswith("/connexion")) == (303, True)


def test_what_a_minor_keeps_secret_is_on_no_page_of_a_parent(world: World) -> None:
    operator = world.application.operator()
    born = f"{(datetime.now(UTC) - timedelta(days=3650)).year}-05-01"
    child = operator.create(named("Lou", birth=born))
    mother = operator.create(related(child, R216, "MTH"))
    secret = operator.create(document(child, labels=("INVISIBLE_REPRESENTANTS_LEGAUX",), description="Secret de Lou"))
    open_ = operator.create(document(child, description="Ouvert"))
    browser = world.browser(representative(child, mother))
    seen = 0
    for rule in routes(world.application, "GET"):
        absent = shown(browser.client.get(addresses(world, rule, child, [ABSENT])[0]), ABSENT)
        for each in addresses(world, rule, child, [secret]):
            answer = shown(browser.client.get(each), secret)
            assert "Secret de Lou" not in answer[2], rule.rule
            if "id" in rule.arguments:
                assert answer == absent, rule.rule
        seen += any(open_ in browser.client.get(each).text for each in addresses(world, rule, child, [open_]))
    assert seen
