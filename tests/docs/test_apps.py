from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.docs import pages

if TYPE_CHECKING:
    from tests.serving import Served

PAGE = "docs/apps.md"


def test_the_commands_of_the_page_about_apps_hold(running: Served) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    examples = str(pages.ROOT / "examples")
    said = pages.printed(pages.block(PAGE, "sh apps"), running, PYTHON=sys.executable, EXAMPLES=examples, PATH=path)
    assert said == [
        '"status":"submitted"',
        '"status":"referenced"',
        '"status":"active"',
        "1",
        "204",
        "403",
        '  "organization": "750000001",',
        '"status": "referenced"',
        "200",
        "2",
        "401",
    ]
