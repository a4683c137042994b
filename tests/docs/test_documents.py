"""The commands of the page about documents hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.docs import pages

if TYPE_CHECKING:
    from tests.serving import Served

PAGE = "docs/documents.md"


def test_the_commands_of_the_page_about_documents_hold(running: Served) -> None:
    assert pages.printed(pages.block(PAGE, "sh documents"), running) == [
        "201",
        "200",
        '"total":1',
        "Hb: 13.4 g/dL",
        "13.4 206",
        '"contentType":"text/plain"',
        "406",
        *["201 Created"] * 3,
        "200",
        '"code":"60591-5"',
        "201",
        '"total":1',
        "the same",
    ]
