"""Every form of the pages against bad input: found by walking the routes, so that a new form is under test by itself.

No answer is a fault or tells of the inside; a form that another site sends, or that is sent again by another browser,
does nothing; what is typed is shown back escaped.
"""

from __future__ import annotations

import io
import re
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
from tests.records import document, observation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask
    from werkzeug.routing import Rule
    from werkzeug.test import TestResponse

    from tests.application import Application

FOREIGN = {"portal.authorize": "an app of another site leads here (OAuth 2.0, section 3.1): it only shows a page"}
"""Forms that other sites may send, and why."""
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


class House:
    """A record with a document, and who sends forms."""

    def __init__(self, application: Application) -> None:
        self.application = application
        operator = application.operator()
        self.patient = operator.create(named("Claire"))
        self.document = operator.create(document(self.patient))
        operator.create(observation(self.patient))
        who = Requester("operator", "operator/o", scopes=DEFAULT_SCOPES["operator"], name="o")
        self._people = (holder(self.patient), professional("10001112225", "750000001"), who)
        self.browsers = {each.kind: logged_in(application, each) for each in self._people}
        self.nobody = Browser(application)
        self.nobody.get("/")

    def path(self, rule: Rule) -> str:
        known = {"patient": self.patient, "id": self.document}
        values: dict[str, Any] = {name: known.get(name, "x") for name in rule.arguments}
        values |= {name: 0 for name in rule.arguments if f"<int:{name}>" in rule.rule}
        adapter = self.application.app.url_map.bind("")
        return adapter.build(rule.endpoint, values, method="POST")

    def fresh(self) -> None:
        """Logs in again who was logged out by a form."""
        for each in self._people:
            browser = self.browsers[each.kind]
            if self.application.services.sessions.find(browser.cookie("session")) is None:
                self.browsers[each.kind] = logged_in(self.application, each)

    def sender(self, rule: Rule) -> Browser:
        if rule.rule.startswith("/patients") or "situation" in rule.rule:
            return self.browsers["practitioner"]
        if re.match(r"/(catalogue/revue|exploitation|operat)", rule.rule):
            return self.browsers["operator"]
        return (
            self.nobody if rule.rule.startswith(("/connexion", "/activation", "/oppos")) else self.browsers["patient"]
        )

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
    typed = "&".join(f"{field}={raw}" for field in fields())
    for rule in forms(walked.application.app):
        if rule.endpoint in FOREIGN or len(typed) > MOST_FORM_BYTES:
            continue
        browser, path = walked.sender(rule), walked.path(rule)
        body = f"csrf={walked.token(browser)}&{typed}"
        answer = browser.client.post(path, data=body, content_type="application/x-www-form-urlencoded")
        fine(answer, rule.rule, name)
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
