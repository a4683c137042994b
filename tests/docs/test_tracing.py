from __future__ import annotations

from typing import TYPE_CHECKING

from tests.docs import pages
from tests.serving import serve

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "docs/tracing.md"


def test_the_commands_of_the_page_about_the_trace_hold(tmp_path: Path) -> None:
    with serve(tmp_path / "data", "--workers", "1", "--profiles", "core") as running:
        said = pages.printed(pages.block(PAGE, "sh tracing"), running)
    assert said == ['"total":1', "IHE.BasicAudit.PatientRead", "405"]
