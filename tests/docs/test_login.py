"""The commands of the page about accounts and login hold."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.docs import pages
from tests.serving import serve

PAGE = "docs/login.md"


def test_the_commands_of_the_page_about_login_hold(tmp_path: Path) -> None:
    with serve(tmp_path / "data", "--workers", "1", "--profiles", "core") as running:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        assert pages.printed(pages.block(PAGE, "sh invite"), running, PATH=path) == ["11", "until"]
        assert pages.printed(pages.block(PAGE, "sh operator"), running, PATH=path)[0].startswith(
            "usage: fhirserver account add"
        )
