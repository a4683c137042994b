"""The commands of the page about documents hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.docs import pages
from tests.serving import serve

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "docs/documents.md"


def test_the_commands_of_the_page_about_documents_hold(tmp_path: Path) -> None:
    with serve(tmp_path / "data", "--workers", "1", "--profiles", "core") as running:
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
