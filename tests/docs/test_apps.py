from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.docs import pages
from tests.serving import serve

PAGE = "docs/apps.md"


def test_the_commands_of_the_page_about_apps_hold(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with serve(tmp_path / "data", "--workers", "1", "--profiles", "core") as running:
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
