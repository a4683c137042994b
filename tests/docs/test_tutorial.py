"""The tutorial's commands hold, in order, in one shell."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tests.docs import pages
from tests.serving import COMMAND

if TYPE_CHECKING:
    import pytest

    from tests.serving import Served

PAGE = "docs/tutorial.md"
BLOCKS = ("setting", "push", "see", "mask", "traces")


def test_the_tutorial_holds(demo: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(COMMAND).parent}:{os.environ['PATH']}")
    script = "\n".join(pages.block(PAGE, f"sh {each}") for each in BLOCKS)
    said = pages.printed(script, demo, cwd=tmp_path, DATA=str(demo.folder))
    assert said == [
        "201",
        "200",
        '"total":2',
        '"total":2',
        '"total":0',
        "201",
        '"total":2',
        "Tension normale.",
        "200",
        '"total":1',
        "404",
        "404",
        '"total":2',
        '"total":2',
        '"total"',
        "rest",
    ]
