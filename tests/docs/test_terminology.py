from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.docs import pages
from tests.serving import serve

PAGE = "docs/terminology.md"


def test_the_commands_of_the_page_about_terminology_hold(tmp_path: Path) -> None:
    with serve(tmp_path / "data", environ={"FHIRSERVER_PROFILES": "core"}) as running:
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


def test_the_commands_about_releases_hold(tmp_path: Path) -> None:
    data = tmp_path / "data"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with serve(data, environ={"FHIRSERVER_PROFILES": "core"}) as running:
        said = pages.printed(pages.block(PAGE, "sh releases"), running, tmp_path, DATA=str(data), PATH=path)
    assert said == [
        "added ccam 1: 2 concepts",
        "ccam 1: 2 concepts",
        "Brossage d’écailles",
        '"subsumes"',
        "is no code of urn:oid:1.2.250.1.213.2.5",
    ]


def test_the_python_of_the_page_about_terminology_holds() -> None:
    exec(compile(pages.block(PAGE, "python"), "docs/terminology.md", "exec"), {})
