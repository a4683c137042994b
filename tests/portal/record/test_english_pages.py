"""The pages themselves, in English: no French text of the tables stands in one."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from fhirserver.portal import language
from tests.portal import texts
from tests.portal.browser import Browser
from tests.portal.record.visiting import holder, logged_in, patient_named, professional

if TYPE_CHECKING:
    from tests.application import Application

TOLD = ("alt", "aria-label", "title", "placeholder", "data-error")
MANY = 10
"""Pages that are walked at least."""


@cache
def french() -> re.Pattern[str]:
    """A whole text of the tables that is another in English, whatever stands at its placeholders."""
    words = {
        re.sub(r"%\\\(\w+\\\)s|%\(\w+\)s", ".+", re.escape(" ".join(re.sub(r"<[^>]+>", "", fr).split())))
        for fr, en in language.english().items()
        if fr != en and fr not in language.english().values() and len(re.sub(r"%\(\w+\)s|\W", "", fr)) > 2
    }
    return re.compile("|".join(sorted(words, key=len, reverse=True)))


class Told(HTMLParser):
    """What a page says: its texts, and attributes that are read out."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.texts.append(" ".join(data.split()))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.texts += [value or "" for name, value in attrs if name in TOLD]


def left(html: str) -> list[str]:
    """The French texts that stand in a page."""
    told = Told()
    told.feed(html)
    return [each for each in told.texts if each and french().fullmatch(each)]


def paths(application: Application, patient: str) -> list[str]:
    """The address of every page that needs nothing but a record."""
    found = [
        rule
        for rule in application.app.url_map.iter_rules()
        if rule.endpoint.startswith("portal.") and "GET" in (rule.methods or ()) and rule.arguments <= {"patient"}
    ]
    return sorted(rule.rule.replace("<patient>", patient) for rule in found)


@pytest.mark.parametrize("kind", ["nobody", "holder", "professional"])
def test_a_page_in_english_holds_no_french_text(demo: Application, kind: str) -> None:
    patient = patient_named(demo, "Claire")
    who = {"holder": holder(patient), "professional": professional("10000000444", "750000001")}
    browser = logged_in(demo, who[kind]) if kind in who else Browser(demo)
    browser.client.set_cookie("langue", "en")
    walked = 0
    for path in paths(demo, patient):
        page = browser.get(path)
        if page.status == 200 and page.headers["content-type"].startswith("text/html"):
            walked += 1
            assert page.headers["content-language"] == "en", path
            assert not left(page.html), path
    assert walked >= MANY


def test_errors_of_forms_are_told_in_english(demo: Application) -> None:
    patient = patient_named(demo, "Claire")
    browser = logged_in(demo, holder(patient))
    browser.client.set_cookie("langue", "en")
    refused = browser.send(
        browser.get(f"/dossier/{patient}/partage"), f"/dossier/{patient}/partage/blocage", {"numero": "x"}
    )
    assert (refused.status, left(refused.html)) == (422, [])
    assert "Write an RPPS number (11 digits) or a FINESS number (9 characters)." in refused.text
    assert refused.form("/langue").fields["retour"] == f"/dossier/{patient}/partage", "the page of the form"
    gone = browser.get("/nulle-part", Accept="text/html")
    assert (gone.status, left(gone.html), "Page not found" in gone.text) == (404, [], True)


def test_the_table_of_texts_finds_what_was_forgotten() -> None:
    assert left("<p>Aucun document.</p><img alt='Résultats'><p>No documents.</p>") == ["Aucun document.", "Résultats"]
    assert left("<p>Depuis le 1 March 2026</p>") == ["Depuis le 1 March 2026"]
    assert texts.templates()
