"""The commands of the page about accounts and login hold."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.docs import pages

if TYPE_CHECKING:
    from tests.serving import Served

PAGE = "docs/login.md"


def test_the_commands_of_the_page_about_login_hold(running: Served) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    assert pages.printed(pages.block(PAGE, "sh invite"), running, PATH=path) == ["11", "until"]
    assert pages.printed(pages.block(PAGE, "sh operator"), running, PATH=path)[0].startswith(
        "usage: fhirserver account add"
    )
