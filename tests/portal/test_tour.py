"""The tour goes to every page that there is."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

from tests.browser import people, tour
from tests.browser.places import REASONS, VISITED, misplaced

if TYPE_CHECKING:
    from tests.application import Application


def test_every_page_is_visited_by_some_way_or_says_why_not(application: Application) -> None:
    rules = {
        each.rule
        for each in application.app.url_map.iter_rules()
        if each.endpoint.startswith("portal.") and "GET" in (each.methods or ())
    }
    assert rules - VISITED.keys() - REASONS.keys() == set(), "add these to a way, and to VISITED"
    assert (VISITED.keys() | REASONS.keys()) - rules == set(), "no pages any longer"
    assert not VISITED.keys() & REASONS.keys()


def test_every_visited_page_is_named_by_a_way() -> None:
    """That it is found there, the ways themselves are held to."""
    modules = {inspect.getmodule(each) for each in (*tour.WAYS, people.activation_steps)}
    named = {name for each in modules if each for name in re.findall(r'"([a-z-]+)"', inspect.getsource(each))}
    assert set(VISITED.values()) - named == set()


def test_a_page_elsewhere_than_in_the_table_is_noticed() -> None:
    assert not misplaced("journal", "http://localhost:1/dossier/1/journal?miens=oui")
    assert not misplaced("journal-d-ailleurs", "http://localhost:1/")
    assert misplaced("journal", "http://localhost:1/dossier/1/journaux")
