from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.docs import pages
from tests.docs.pages import ROOT
from tests.serving import COMMAND

if TYPE_CHECKING:
    from tests.serving import Served


def test_the_tour_of_the_readme_holds_line_by_line(demo: Served) -> None:
    tour = pages.block("README.md", "sh tour")
    port = str(urlsplit(demo.base).port)
    script = tour.replace("8080", port).replace(".venv/bin/fhirserver", COMMAND)
    said = pages.printed(script.replace("--data data", f"--data {demo.folder}"))
    operator = demo.token("--operator")
    (newest,) = demo.call("GET", "Consent?_sort=-_lastUpdated&_count=1", operator).json["entry"]
    assert demo.call("DELETE", f"Consent/{newest['resource']['id']}", operator).status == 204  # for the next page
    assert " ".join(said).split() == [
        '"total":4', '"total":2', '"status":"active"', '"total":0', '"total":3', '"code":"login"',
    ]  # fmt: skip


@pytest.mark.parametrize(
    "page", sorted(path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))
)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    text = pages.text(page)
    targets = [each.partition("#")[0] for each in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in each]
    assert [each for each in targets if each and not ((ROOT / page).parent / each).exists()] == []


def test_every_command_of_the_readme_exists() -> None:
    from fhirserver.cli import COMMANDS

    text = pages.text("README.md")
    assert set(re.findall(r"^\| `fhirserver (\w+)", text, re.MULTILINE)) == set(COMMANDS)
