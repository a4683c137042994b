"""The page about reminders holds what the tables hold, and its commands do what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.espace.reminders import engine
from fhirserver.espace.reminders.tables import rows
from tests.docs import pages
from tools.reminders import written

if TYPE_CHECKING:
    from tests.serving import Served

PAGE = "docs/reminders.md"


def test_the_tables_of_the_page_are_those_of_the_server() -> None:
    """`python -m tools.reminders` writes them."""
    page = pages.text(PAGE)
    assert written(page) == page
    for row in rows("rules.csv"):
        assert f"| {row['key']} | {row['title']} |" in page


def test_the_page_tells_of_each_state_and_answer() -> None:
    page = pages.text(PAGE)
    for word in (engine.AHEAD, *engine.SHOWN, engine.POSTPONED, *engine.ANSWERS, "again"):
        assert f"| `{word}` |" in page, word


def test_the_commands_of_the_page_hold(running: Served) -> None:
    printed = pages.printed(pages.block(PAGE, "sh reminders"), running)
    assert printed == ['"valueCode":"pneumo-65"', "0", "not proposed", '"postponed"']
