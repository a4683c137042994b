"""Both languages of the pages: every text is in the tables, and a page tells the language that it is in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from fhirserver.portal import language
from tests.portal import texts
from tests.portal.browser import Browser

if TYPE_CHECKING:
    from tests.application import Application

IN_FRENCH = {
    "account.py": "e-mails",
    "federation/linking.py": "e-mails",
    "farewell.py": "the name of Pro Santé Connect",
    "language.py": "the name of a language",
}
PLACEHOLDER = re.compile(r"%(?:\(\w+\)s|%)")


def test_every_text_of_the_pages_has_an_english_one() -> None:
    missing = [each for each in texts.marked() if each.words not in language.english()]
    assert not missing, "\n".join(f"{each.where}: {each.words!r}" for each in missing)


def test_no_english_text_is_of_nothing() -> None:
    used = {each.words for each in texts.marked()}
    assert not [each for each in texts.tables() if each.words not in used]


def test_tables_do_not_contradict_one_another() -> None:
    seen: dict[str, str] = {}
    for where, row in texts.rows():
        assert set(row) == {"fr", "en"}, where
        assert row["en"].strip(), where
        assert seen.setdefault(row["fr"], row["en"]) == row["en"], where
        assert sorted(PLACEHOLDER.findall(row["fr"])) == sorted(PLACEHOLDER.findall(row["en"])), where


@pytest.mark.parametrize("name", texts.templates())
def test_a_template_translates_constants_only(name: str) -> None:
    assert not texts.of_variables(name)


@pytest.mark.parametrize("name", texts.templates())
def test_a_template_says_nothing_that_is_not_translated(name: str) -> None:
    assert not texts.unmarked(name)


def test_a_module_says_nothing_in_french_but_in_mails_and_names() -> None:
    assert {each.where for each in texts.literals()} <= set(IN_FRENCH)


def test_a_page_is_french_until_another_language_is_chosen_and_keeps_it(application: Application) -> None:
    browser = Browser(application)
    page = browser.get("/catalogue?a=%C3%A9&b=2")
    assert (page.headers["content-language"], page.headers["vary"]) == ("fr", "Cookie")
    assert '<html lang="fr">' in page.html
    chosen = browser.send(page, "/langue", {"langue": "en"}, follow=False)
    assert (chosen.status, chosen.headers["location"]) == (303, "/catalogue?a=%C3%A9&b=2")
    page = browser.get("/catalogue")
    assert page.headers["content-language"] == "en"
    assert '<html lang="en">' in page.html
    assert "Skip to content" in page.text
    assert browser.send(page, "/langue", {"langue": "fr"}).headers["content-language"] == "fr"


def test_the_setting_says_the_language_of_who_has_not_chosen(application: Application) -> None:
    with application.app.test_request_context("/", headers={"Cookie": "langue=xx"}):
        assert language.current() == "fr"
    with application.app.test_request_context("/", headers={"Cookie": "langue=en"}):
        assert language.current() == "en"


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/nulle-part", "/langue", "", "/\\evil"])
def test_the_choice_of_a_language_leads_to_pages_of_ours_only(application: Application, back: str) -> None:
    browser = Browser(application)
    page = browser.get("/")
    assert browser.send(page, "/langue", {"langue": "en", "retour": back}, follow=False).headers["location"] == "/"


def test_a_form_that_was_refused_keeps_its_page_in_the_other_language(application: Application) -> None:
    """Each address that takes forms only leads to the page where its form stands."""
    own = {"/entrer", "/deconnexion", "/langue", "/oauth/decision"}
    rules = [each for each in application.app.url_map.iter_rules() if each.endpoint.startswith("portal.")]
    taken = {str(each) for each in rules if "GET" not in (each.methods or ())}
    assert own < taken
    for rule in taken - own:
        path = re.sub("<(?:int:)?([^>]+)>", "1", rule)
        with application.app.test_request_context(f"{path}?x=1", method="POST"):
            back = language.here()
            assert language._is_page(back), rule
        assert path.startswith(f"{back}/"), rule


def test_the_page_to_come_back_to_is_never_markup(application: Application) -> None:
    browser = Browser(application)
    page = browser.get('/catalogue?x=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"><script>alert(2)</script>')
    assert "<script>alert" not in page.html
    assert browser.send(page, "/langue", {"langue": "en"}, follow=False).headers["location"].startswith("/catalogue?x=")


def test_a_language_that_is_none_is_not_kept(application: Application) -> None:
    browser = Browser(application)
    browser.send(browser.get("/"), "/langue", {"langue": "<script>"})
    assert browser.cookie("langue") is None
    assert browser.post("/langue", {"langue": "en"}).status == 403
