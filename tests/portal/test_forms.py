"""Every form of the pages against bad input: found by walking the routes, so that a new form is under test by itself.

No answer is a fault or tells of the inside; a form that another site sends, or that is sent again by another browser,
does nothing; what is typed is shown back escaped.
"""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes

import pytest

from fhirserver.access import Requester
from fhirserver.auth.tokens import DEFAULT_SCOPES
from fhirserver.portal.browser import MOST_FORM_BYTES
from fhirserver.portal.record.adding import MOST_BYTES
from tests.portal.browser import Browser
from tests.portal.people import named
from tests.portal.record.visiting import holder, logged_in, professional
from tests.portal.texts import TEMPLATES
from tests.records import document, observation, practitioner, reference
from tests.rest.agenda.world import HALF, slot, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask
    from werkzeug.routing import Rule
    from werkzeug.test import TestResponse

    from tests.application import Application

FOREIGN = {"portal.authorize": "an app of another site leads here (OAuth 2.0, section 3.1): it only shows a page"}
"""Forms that other sites may send, and why."""
ABSENT = {
    "portal.enter_demo": "no demo here",
    "portal.review_decision": "no app was registered",
    "portal.review_entry": "no app was registered",
    "portal.sharing_withdraw": "the choice is named in the form",
    "portal.agenda_book": "what is moved is named in the form",
    "portal.find_patient": "who is looked for is named in the form",
    "portal.break_glass": "who is looked for is named in the form",
    "portal.operator_spaces": "who is looked for is named in the form",
}
"""Forms that lead to nothing in this house, and why."""
CHECKED_FIRST = ("version", "deplace")
"""Fields that are good but for one case, since with a wrong one nothing else is read."""
MARKUP = "\"'><script>alert(7)</script><img src=x onerror=alert(8)>{{7*7}}"
HOSTILE: dict[str, str | bytes] = {
    "markup": MARKUP,
    "nul": "a\x00b",
    "control": "a\x1b[2J\x07\r\nSet-Cookie: a=b",
    "bidi": "a\u202egpj.exe",
    "surrogate": b"a\xed\xa0\x80b",
    "latin": b"\xe9\xff",
    "long": "x" * 4000,
    "number": "-99999999999999999999",
    "path": "../../../../etc/passwd",
    "query": '{"$ne": null}',
    "reference": "Patient/../Observation?_id=x",
    "date": "0000-99-99",
    "link": "//evil.example/\\x",
}
INSIDE = re.compile(r"Traceback|File \"/|pymongo|werkzeug\.|jinja2\.|<script>alert|onerror=alert\(8\)>|&#39;49")
_NAMED = re.compile(r"""name="([^"{}]+)"|f\.\w+\("([^"]+)\"""")


def fields() -> list[str]:
    """The names of all fields of all forms."""
    found = {name for each in TEMPLATES.rglob("*.html") for pair in _NAMED.findall(each.read_text()) for name in pair}
    return sorted(found - {"", "csrf", "viewport", "robots"})


def forms(app: Flask) -> list[Rule]:
    """The routes of pages that take a form."""
    rules = [each for each in app.url_map.iter_rules() if each.endpoint.startswith("portal.")]
    return sorted((each for each in rules if "POST" in (each.methods or ())), key=str)


RPPS, FINESS = "10001112225", "750000001"
OF_PROFESSIONALS = re.compile(
    r"/(patients|mon-agenda|messages)|/federation/psc/situation|.*/(messages/nouveau|agenda/inscrire)"
)
OF_OPERATORS = re.compile(r"/(catalogue/revue|operateur)")
OF_NOBODY = re.compile(r"/(connexion|activation|opposition)")
VALID = {"section": "allergies", "name": "poids", "event": "suspend"}
"""What stands in the addresses of forms, but for ids."""


class House:
    """A record that holds something for each form, and who sends forms."""

    def __init__(self, application: Application) -> None:
        self.application = application
        operator = application.operator()
        self.patient = operator.create(named("Claire"))
        self.document = operator.create(document(self.patient))
        operator.create(observation(self.patient))
        member = {"identifier": {"system": "https://rpps.esante.gouv.fr", "value": RPPS}}
        team = {"resourceType": "CareTeam", "status": "active", "participant": [{"member": member}]}
        operator.create(team | {"subject": reference(f"Patient/{self.patient}")})
        self.ids = {"/documents/": self.document, "/operateur/": self.patient} | self._profile() | self._agenda()
        topic = {"topic": {"text": "Résultats"}, "payload": [{"contentString": "Bonjour."}]}
        self.ids["/messages/"] = application.practitioner(RPPS, organization=FINESS).create({
            "resourceType": "Communication", "status": "completed", "subject": reference(f"Patient/{self.patient}"),
            "category": [{"coding": [{"system": "urn:fhirserver:message", "code": "message"}]}], **topic,
        })  # fmt: skip
        who = Requester("operator", "operator/o", scopes=DEFAULT_SCOPES["operator"], name="o")
        self._people = (holder(self.patient), professional(RPPS, FINESS), who)
        self.browsers = {each.kind: logged_in(application, each) for each in self._people}
        self.browsers["practitioner"].get(f"/dossier/{self.patient}")  # a first access, of which the person is told
        self.nobody = Browser(application)
        self.nobody.get("/")

    def _profile(self) -> dict[str, str]:
        mine = self.application.patient(self.patient)
        allergy = {"resourceType": "AllergyIntolerance", "patient": reference(f"Patient/{self.patient}"), **ACTIVE}
        vital = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}
        amount = {"value": 72.5, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"}
        more = {"category": [{"coding": [vital]}], "effectiveDateTime": "2026-03-01T08:00:00+01:00"}
        weight = observation(self.patient, "29463-7", valueQuantity=amount, **more)
        return {"/profil/": mine.create(allergy | {"code": {"text": "Latex"}}), "/mesures/": mine.create(weight)}

    def _agenda(self) -> dict[str, str]:
        """An appointment, and beside it a slot that is free."""
        who = self.application.operator().create(practitioner(RPPS))
        doctor = self.application.practitioner(RPPS, organization=FINESS)
        actor = {"actor": reference(f"Practitioner/{who}")}
        schedule = doctor.create({"resourceType": "Schedule", "active": True, "actor": [actor["actor"]]})
        first = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
        free, taken = (doctor.create(slot(schedule, first + HALF * each)) for each in (0, 1))
        person = {"actor": reference(f"Patient/{self.patient}")}
        times = {"start": told(first + HALF), "end": told(first + HALF * 2), "slot": [reference(f"Slot/{taken}")]}
        booked = self.application.patient(self.patient).create({
            "resourceType": "Appointment", "status": "booked", **times,
            "participant": [each | {"status": "accepted"} for each in (person, actor)],
        })  # fmt: skip
        return {"/rendez-vous/": booked, "/creneau": free}

    def path(self, rule: Rule) -> str:
        id_ = next((each for place, each in self.ids.items() if place in rule.rule), "x")
        known = {"patient": self.patient, "id": id_, "slot": id_, **VALID}
        values: dict[str, Any] = {name: known.get(name, "x") for name in rule.arguments}
        adapter = self.application.app.url_map.bind("")
        return adapter.build(rule.endpoint, values, method="POST")

    def fresh(self) -> None:
        """Logs in again who was logged out by a form."""
        for each in self._people:
            browser = self.browsers[each.kind]
            if self.application.services.sessions.find(browser.cookie("session")) is None:
                self.browsers[each.kind] = logged_in(self.application, each)

    def sender(self, rule: Rule) -> Browser:
        if OF_NOBODY.match(rule.rule):
            return self.nobody
        kind = "practitioner" if OF_PROFESSIONALS.match(rule.rule) else "patient"
        return self.browsers["operator" if OF_OPERATORS.match(rule.rule) else kind]

    def token(self, browser: Browser) -> str:
        session = self.application.services.sessions.find(browser.cookie("session"))
        if session is not None:
            return session.csrf
        return browser.get("/connexion").form("/connexion").fields["csrf"]


@pytest.fixture(scope="module")
def walked(applications: Any) -> Iterator[House]:
    with applications(password_memory=64, password_passes=1, address_rate=0, client_rate=0) as opened:
        yield House(opened)


def sent(browser: Browser, path: str, typed: dict[str, Any], **more: Any) -> TestResponse:
    return browser.client.post(path, data=typed, **more)


def fine(answer: TestResponse, *told: object) -> None:
    assert answer.status_code < 500, (answer.status_code, *told)
    assert not INSIDE.search(answer.get_data(as_text=True)), told


def test_every_form_refuses_what_its_own_page_did_not_send(walked: House) -> None:
    found = forms(walked.application.app)
    assert len(found) > 30
    before = walked.application.counts()
    for rule in found:
        if rule.endpoint in FOREIGN:
            continue
        browser, path = walked.sender(rule), walked.path(rule)
        good, other = walked.token(browser), walked.token(Browser(walked.application))
        cross = {"headers": {"Sec-Fetch-Site": "cross-site"}}
        for name, status, answer in (
            ("no token", 403, sent(browser, path, {})),
            ("empty token", 403, sent(browser, path, {"csrf": ""})),
            ("another's token", 403, sent(browser, path, {"csrf": other})),
            ("a token cut short", 403, sent(browser, path, {"csrf": good[:-1]})),
            ("token that is no text", 403, sent(browser, path, {"csrf": "\u202eé"})),
            ("from another site", 403, sent(browser, path, {"csrf": good}, **cross)),
            ("from a sister site", 403, sent(browser, path, {"csrf": good}, headers={"Sec-Fetch-Site": "same-site"})),
            ("token in the address", 403, sent(browser, f"{path}?csrf={good}", {})),
            ("JSON", 403, browser.client.post(path, json={"csrf": good})),
            ("plain text", 403, browser.client.post(path, data=f"csrf={good}", content_type="text/plain")),
            ("PUT", 405, browser.client.put(path, data={"csrf": good})),
            ("DELETE", 405, browser.client.delete(path, data={"csrf": good})),
        ):
            assert answer.status_code == status, (rule.rule, name, answer.status_code)
            fine(answer, rule.rule, name)
    walked.fresh()
    assert walked.application.counts() == before


def test_no_form_is_sent_by_opening_an_address_or_by_another_method(walked: House) -> None:
    before = walked.application.counts()
    for rule in forms(walked.application.app):
        browser, path = walked.sender(rule), walked.path(rule)
        good = walked.token(browser)
        for answer in (
            browser.client.get(f"{path}?csrf={good}&confirmation=oui", headers={"X-HTTP-Method-Override": "POST"}),
            browser.client.head(f"{path}?csrf={good}&_method=POST"),
        ):
            fine(answer, rule.rule)
    assert walked.application.counts() == before


def test_a_form_beyond_measure_is_refused(walked: House) -> None:
    for rule in forms(walked.application.app):
        if rule.endpoint in FOREIGN:
            continue
        browser, path = walked.sender(rule), walked.path(rule)
        view = walked.application.app.view_functions[rule.endpoint]
        most = MOST_FORM_BYTES + int(getattr(view, "_takes_uploads", getattr(view, "takes_uploads", 0)))
        if most > MOST_FORM_BYTES:
            continue
        answer = sent(browser, path, {"csrf": walked.token(browser), "x": "a" * (MOST_FORM_BYTES + 1)})
        assert answer.status_code == 413, (rule.rule, answer.status_code)
        fine(answer, rule.rule)
        parts = sent(browser, path, {"csrf": walked.token(browser), **{f"f{n}": "" for n in range(2000)}})
        assert parts.status_code < 500, rule.rule


@pytest.mark.parametrize("name", HOSTILE)
def test_no_form_is_upset_by_what_is_typed_and_markup_is_shown_as_text(walked: House, name: str) -> None:
    value = HOSTILE[name]
    raw = quote_from_bytes(value.encode() if isinstance(value, str) else value)
    pairs = [f"{field}={raw}" for field in fields() if field not in CHECKED_FIRST or name == "number"]
    at_once = (MOST_FORM_BYTES - 500) // max(map(len, pairs))
    for rule in forms(walked.application.app):
        if rule.endpoint in FOREIGN:
            continue
        for begin in range(0, len(pairs), at_once):
            browser, path = walked.sender(rule), walked.path(rule)
            version = 99 if path.endswith("/supprimer") else 1
            body = "&".join((f"csrf={walked.token(browser)}&version={version}", *pairs[begin : begin + at_once]))
            answer = browser.client.post(path, data=body, content_type="application/x-www-form-urlencoded")
            fine(answer, rule.rule, name)
            assert answer.status_code not in (404, 413) or rule.endpoint in ABSENT, (rule.rule, answer.status_code)
            location = answer.headers.get("Location", "/")
            assert location.startswith("/"), (rule.rule, location)
            assert not location.startswith("//"), (rule.rule, location)
            assert "Set-Cookie: a=b" not in str(answer.headers)
            walked.fresh()


STATUS = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
ACTIVE = {"clinicalStatus": {"coding": [{"system": STATUS, "code": "active"}]}}
PDF, PNG = b"%PDF-1.4 a", b"\x89PNG\r\n\x1a\nx"
FILES = {
    "HTML": (b"<!doctype html><script>alert(7)</script>", "a.html", 303),
    "HTML called PDF": (b"<html><script>alert(7)</script>", "a.pdf", 303),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(7)'/>", "a.svg", 303),
    "program": (b"MZ\x90\x00\x03", "a.exe", 422),
    "archive": (b"PK\x03\x04", "a.zip", 422),
    "GIF with script": (b"GIF89a/*<script>*/", "a.gif", None),
    "nothing": (b"", "a.pdf", 422),
    "blank": (b" \n ", "a.txt", 422),
    "NUL in text": (b"a\x00b", "a.txt", 422),
    "bytes that are no text": (b"\xff\xfe\x00", "a.txt", 422),
    "PDF with script": (PDF + b"<script>alert(7)</script>", "a.pdf", 303),
    "path": (PNG, "../../../../etc/passwd", 303),
    "name with markup": (PNG, MARKUP, None),
    "name with NUL": (PNG, "a\x00.png", 303),
    "too large": (PDF + b"x" * (MOST_BYTES + 1), "a.pdf", 422),
    "far too large": (PDF + b"x" * (MOST_BYTES + 2 * MOST_FORM_BYTES), "a.pdf", 413),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_taken_for_what_it_is_or_refused(walked: House, name: str) -> None:
    data, called, status = FILES[name]
    browser, path = walked.browsers["patient"], f"/dossier/{walked.patient}/documents/ajouter"
    typed = {"csrf": walked.token(browser), "titre": MARKUP, "type": "DOCPAT01", "fichier": (io.BytesIO(data), called)}
    before = walked.application.counts()
    answer = sent(browser, path, typed, content_type="multipart/form-data")
    answer.request.environ["wsgi.input"].close()  # the client's, which is a file when it is large
    fine(answer, name)
    assert status is None or answer.status_code == status, answer.get_data(as_text=True)[-1500:]
    if answer.status_code != 303:
        assert walked.application.counts() == before
        return
    found = walked.application.patient(walked.patient).search("DocumentReference", ("_sort", "-_lastUpdated"))
    stored = found.json["entry"][0]["resource"]
    assert "passwd" not in str(stored)
    shown = browser.client.get(f"/dossier/{walked.patient}/documents/{stored['id']}/lire")
    assert shown.headers["Content-Type"].partition(";")[0] in (
        "application/pdf",
        "image/png",
        "text/plain",
        "text/html",
    )
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    assert shown.headers["X-Content-Type-Options"] == "nosniff"


def test_a_name_with_markup_is_text_on_every_page(walked: House) -> None:
    """Of the person, of a physician, of a document: as a hospital sent them."""
    operator, app = walked.application.operator(), walked.application.app
    id_ = operator.create(named(MARKUP, family=MARKUP))
    operator.create(document(id_, description=MARKUP, author=[{"display": MARKUP}]))
    operator.create(observation(id_, performer=[{"display": MARKUP}], valueString=MARKUP, status="final"))
    operator.create(
        {"resourceType": "RelatedPerson", "patient": {"reference": f"Patient/{id_}"}, "name": [{"text": MARKUP}]}
    )
    operator.create(
        {
            "resourceType": "AllergyIntolerance",
            "patient": {"reference": f"Patient/{id_}"},
            "code": {"text": MARKUP},
            **ACTIVE,
        }
    )
    browser, adapter, count = logged_in(walked.application, holder(id_)), app.url_map.bind(""), 0
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("portal.") and "GET" in (rule.methods or ()) and rule.arguments <= {"patient"}:
            answer = browser.client.get(adapter.build(rule.endpoint, dict.fromkeys(rule.arguments, id_)))
            fine(answer, rule.rule)
            count += "alert(7)" in answer.get_data(as_text=True)
    assert count >= 3, "the name is shown"


def test_a_link_that_was_changed_is_refused(walked: House) -> None:
    browser = walked.browsers["patient"]
    for name in ("documents", "journal", "notifications"):
        for link in ("x", "A" * 200, "%00", "é", "../x", "gAAAAA"):
            answer = browser.client.get(f"/dossier/{walked.patient}/{name}?page={link}")
            fine(answer, name, link)
            assert answer.status_code in (200, 400, 404), (name, link, answer.status_code)
    for path in ("/connexion?suite=x", "/connexion?suite=%2F%2Fevil.example", "/connexion?suite=javascript:alert(7)"):
        page = Browser(walked.application).get(path)
        assert not re.search(r"""(href|action|src)="(//|javascript)""", page.html)
