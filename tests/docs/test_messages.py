"""The commands of the page about messages hold, and it names each setting."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fhirserver.settings import Settings
from tests.docs import pages

if TYPE_CHECKING:
    from tests.serving import Served

PAGE = "docs/messages.md"


def test_the_commands_of_the_page_about_messages_hold(running: Served) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    told = pages.printed(pages.block(PAGE, "sh messages"), running, PATH=path, DATA=str(running.folder))
    assert told == ["404", '"received"', '"value":"10000000018"']


def test_the_page_names_each_setting() -> None:
    rows = [line for line in pages.text(PAGE).splitlines() if line.startswith("| `FHIRSERVER_MSSANTE_")]
    told = {name.strip("`…").removeprefix("FHIRSERVER_MSSANTE_").lstrip("_").lower()
            for row in rows for name in row.split("|")[1].replace(",", " ").split()}  # fmt: skip
    assert {f"mssante_{each}" for each in told} == {
        name for name in Settings.__dataclass_fields__ if name.startswith("mssante_")
    }
