"""The commands of the page about the record in a browser hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.docs import pages

if TYPE_CHECKING:
    from tests.serving import Served

PAGE = "docs/record.md"


def test_the_commands_of_the_page_about_the_record_hold(running: Served, family: None) -> None:
    printed = pages.printed(pages.block(PAGE, "sh record"), running)
    space = pages.printed(pages.block("docs/espace.md", "sh space"), running)
    languages = pages.printed(pages.block("docs/languages.md", "sh languages"), running)
    assert languages == ["<h1>Log in</h1>", '"start_url":"/"']
    assert space == ["Cochez la case pour confirmer", "L’espace est clôturé.", "L’espace est rouvert"]
    assert printed == ["Derniers documents", "2", "2", "200", "<strong>Vous</strong>"]
