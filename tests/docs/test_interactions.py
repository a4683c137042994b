"""The commands of the pages about interactions hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from fhirserver.rest.interactions import RESOURCE_INTERACTIONS, SYSTEM_INTERACTIONS
from fhirserver.rest.routes import ROUTES
from tests.docs import pages

if TYPE_CHECKING:
    from tests.serving import Served

FOLDER = "docs/interactions"
PAGES = sorted(path.stem for path in (pages.ROOT / FOLDER).glob("*.md") if path.stem != "README")

TOLD = {
    "read": ['"gender":"female"', '"versionId":"1"', "304", 'etag: W/"1"', "404"],
    "create": ['"versionId":"1"', "201", '"severity":"error"', "400"],
    "update": ['"versionId":"2"', "412", "412"],
    "delete": ["412", "204", "410", '"severity":"information"'],
    "search": ['"total":1', '"total":2', "1", '"code":"not-supported"'],
    "metadata": [
        '"fhirVersion":"4.0.1"', '<fhirVersion value="4.0.1"/>', '"valueCode":"4.0"', '"code":"not-supported"',
    ],
    "async": ['"type":"batch-response"', '"status":"200 OK"'],
    "bulk": ['"count":1', '"resourceType":"Patient"', "202"],
    "search-parameters": ['"total":1'],
    "conditional": ["201", "200", '"versionId":"2"', "204"],
    "history": ['"total":2', '"method":"DELETE"', '"method":"POST"', "1", "0"],
    "operations": ['"versionId":"2"', '"total":1', '"mode":"match"', '"mode":"match"'],
    "explain-access": [
        "Ce demandeur ne le voit pas.", "Aucune règle n’y donne accès.", '"valueCode":"holder"',
    ],
    "merge": [
        "1 resources were moved", '"total":1', '"active":false', '"type":"replaced-by"', "refer to that one", "200",
        '"total":1',
    ],
    "espace": [
        '"state","valueCode":"announced"', '"state","valueCode":"opposed"', '"state","valueCode":"open"',
        "The space is open: lift is not possible", '"name":"erased-by"', '"valueCode":"activate"',
    ],
    "cda": ["could not be established", '"valueCode":"held"', "201", "409", "201", "200"],
    "patch": ['"gender":"female"', '"family":"Ravel"', '"family":"Debussy"'],
    "bundles": [
        '"status":"200 OK"', '"status":"201 Created"', '"status":"404 Not Found"', '"code":"not-found"',
        '"code":"not-found"',
    ],
}  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_hold(running: Served, page: str) -> None:
    script = pages.block(f"{FOLDER}/{page}.md", f"sh {page}")
    assert pages.printed(script, running, EXAMPLES=str(pages.ROOT / "examples")) == TOLD[page]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_is_not_done_and_is_in_the_list(page: str) -> None:
    assert "\n## What is not done\n" in pages.text(f"{FOLDER}/{page}.md")
    assert f"({page}.md)" in pages.text(f"{FOLDER}/README.md")


def test_every_interaction_and_operation_has_a_page() -> None:
    offered = {*RESOURCE_INTERACTIONS, *SYSTEM_INTERACTIONS, "capabilities"}
    offered |= {word for route in ROUTES for word in re.findall(r"\$[a-z-]+", route.path)}
    rows = [line for line in pages.text(f"{FOLDER}/README.md").splitlines() if line.startswith("|")]
    listed = {word: row for row in rows for word in re.findall(r"`([^`]+)`", row.split("|")[1])}
    assert offered == set(listed)
    for name, row in listed.items():
        (page, *_) = re.findall(r"\(([^)]+\.md)\)", row)
        told = pages.text(f"{FOLDER}/{page}")
        assert page.startswith("..") or name in told, (name, page)
