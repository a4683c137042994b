from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.docs import pages

if TYPE_CHECKING:
    from tests.serving import Served

PAGE = "docs/terminology.md"


def test_the_commands_of_the_page_about_terminology_hold(running: Served) -> None:
    said = pages.printed(pages.block(PAGE, "sh terminology"), running)
    assert said == [
        '"total":1',
        '"valueBoolean":false',
        '"valueString":"mg/dL"',
        '"subsumes"',
        '"code":"H"',
        "http://loinc.org is not known here",
        "Patient.gender",
    ]


def test_the_commands_about_releases_hold(demo: Served, tmp_path: Path) -> None:
    """Where there are two workers, which each take the release up by themselves."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    said = pages.printed(pages.block(PAGE, "sh releases"), demo, tmp_path, DATA=str(demo.folder), PATH=path)
    assert said == [
        "added ccam 1: 2 concepts",
        "ccam 1: 2 concepts",
        "Brossage d’écailles",
        '"subsumes"',
        "is no code of urn:oid:1.2.250.1.213.2.5",
    ]


def test_the_python_of_the_page_about_terminology_holds() -> None:
    exec(compile(pages.block(PAGE, "python"), "docs/terminology.md", "exec"), {})
