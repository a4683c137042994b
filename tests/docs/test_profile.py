"""The page about the health profile: its table is the server's, its commands do what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.access import entered
from fhirserver.espace.profile import tables
from fhirserver.spec.systems import OBSERVATION_VALUE
from tests.docs import pages

if TYPE_CHECKING:
    from tests.serving import Served

PAGE = "docs/profile.md"


def test_the_table_of_measures_is_that_of_the_server() -> None:
    page = pages.text(PAGE)
    for each in tables.measures().values():
        if not tables.parts(each.name):
            codes = ", ".join(each.codes)
            assert f"| `{each.name}` | {codes} | {each.ucum} | {each.low:f} | {each.high:f} |" in page
    for section in tables.sections():
        assert f"/profil/{section}/…" in page


def test_the_page_tells_of_the_marks() -> None:
    page = pages.text(PAGE)
    assert OBSERVATION_VALUE in page
    assert all(f"`{code}`" in page for code in entered.CODES.values())


def test_the_commands_of_the_page_hold(running: Served) -> None:
    printed = pages.printed(pages.block(PAGE, "sh profile"), running)
    unprocessable = '"status":"422 Unprocessable Entity"'
    assert printed == ['"status":"201 Created"', unprocessable, '"status":"200 OK"', unprocessable, '"total":1']
