"""The page about the person's space does what it says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fhirserver.access import SPACES
from fhirserver.espace.tables import NONE, delays, transitions
from fhirserver.rest.operations.espace import EVENTS
from tests.docs import pages

if TYPE_CHECKING:
    from tests.serving import Served


def test_the_commands_of_the_page_hold(running: Served) -> None:
    told = pages.printed(pages.block("docs/espace.md", "sh portability"), running)
    assert told[0] == "not known here"
    assert re.fullmatch(r'"resources","valueInteger":[1-9]', told[1])
    assert told[2] == "404"


def test_the_page_has_the_table_of_transitions() -> None:
    rows = [line.split("|")[1:-1] for line in pages.text("docs/interactions/espace.md").splitlines() if "| `" in line]
    told = {re.findall(r"`([a-z-]+)`", row[1])[0]: [cell.strip() for cell in row] for row in rows if len(row) == 6}
    assert told.keys() == {each.event for each in transitions().values()}
    operations = {event: f"`$espace-{name}`" for name, (event, _) in EVENTS.items()} | {"erase": "`$espace-erase`"}
    for each in transitions().values():
        operation, _, origin, to, who, article = told[each.event]
        assert operation == operations.get(each.event, "–")
        assert {one.origin for one in transitions().values() if one.event == each.event} == _origins(origin, each.to)
        assert each.to in to or to.endswith("…")
        assert set(who.split(", ")) == each.who
        assert article == each.article


def _origins(cell: str, to: str) -> set[str]:
    """The states that a cell names; `to`: where `all` does not lead from."""
    named = {*re.findall(r"`([a-z]+)`", cell), *([NONE] if "–" in cell else [])}
    return {*SPACES, NONE} - named - {to} if cell.startswith("all") else named


def test_the_page_has_the_delays() -> None:
    page = pages.text("docs/interactions/espace.md")
    for each in delays():
        assert f"{each.number} {each.unit}" in page
        assert each.article in page
