"""The commands of the pages about imaging and about the pages of the service hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.docs import pages

if TYPE_CHECKING:
    from tests.serving import Served


def test_the_commands_of_the_pages_hold(running: Served, family: None) -> None:
    told = pages.printed(pages.block("docs/operator.md", "sh operator"), running)
    assert told == [
        '"possible","valueCode":"close"',
        '"quarantine-held","valueInteger":0',
        "202",
        '"faults","valueInteger":0',
    ]
    told = pages.printed(pages.block("docs/imaging.md", "sh imaging"), running)
    assert told == ['"count","valueInteger":9', "image/png", "404"]
