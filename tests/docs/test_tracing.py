from __future__ import annotations

from typing import TYPE_CHECKING

from tests.docs import pages

if TYPE_CHECKING:
    from tests.serving import Served

PAGE = "docs/tracing.md"


def test_the_commands_of_the_page_about_the_trace_hold(running: Served) -> None:
    said = pages.printed(pages.block(PAGE, "sh tracing"), running)
    assert said == ['"total":1', "IHE.BasicAudit.PatientRead", "405"]
