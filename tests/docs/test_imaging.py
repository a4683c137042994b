"""The commands of the pages about imaging and about the pages of the service hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.cli.demo import bundle
from tests.docs import pages
from tests.imaging.serving import running as pacs
from tests.serving import serve

if TYPE_CHECKING:
    from pathlib import Path


def test_the_commands_of_the_pages_hold(tmp_path: Path) -> None:
    with pacs() as server:
        line = ("--workers", "1", "--profiles", "core")
        with serve(tmp_path / "data", *line, environ={"FHIRSERVER_DICOMWEB_URL": server.url}) as running:
            told = pages.printed(pages.block("docs/operator.md", "sh operator"), running)
            assert told == [
                '"possible","valueCode":"close"',
                '"quarantine-held","valueInteger":0',
                "202",
                '"faults","valueInteger":0',
            ]
            assert running.call("POST", "", running.token("--operator"), bundle()).status == 200
            told = pages.printed(pages.block("docs/imaging.md", "sh imaging"), running)
    assert told == ['"count","valueInteger":9', "image/png", "404"]
