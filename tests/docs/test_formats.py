from __future__ import annotations

from typing import TYPE_CHECKING

from tests.docs import pages

if TYPE_CHECKING:
    from tests.serving import Served


def test_the_commands_of_the_page_about_formats_hold(running: Served) -> None:
    said = pages.printed(pages.block("docs/formats.md", "sh formats"), running)
    assert said == [
        '"value":71.50',
        '<value value="71.50"/>',
        '  <total value="1"/>',
        "<Observation ",
        '<code value="not-found"/>',
        "406",
        "did you mean 'name'",
    ]
