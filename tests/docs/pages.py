"""The commands in the pages: a page's code blocks by their words, and what they print."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.serving import Served

ROOT = Path(__file__).resolve().parents[2]


def text(page: str) -> str:
    """The page at that path below the project."""
    return (ROOT / page).read_text(encoding="utf-8")


def block(page: str, words: str) -> str:
    """The one code block of the page that begins with these words, such as `sh patch`."""
    (found,) = re.findall(rf"```{re.escape(words)}\n(.*?)```", text(page), re.DOTALL)
    return str(found)


def printed(script: str, running: Served | None = None, cwd: Path | None = None, **told: str) -> list[str]:
    """What a shell script prints, line by line; it must succeed. `$BASE` and `$TOKEN` (an operator's) of the server."""
    if running is not None:
        told = {"BASE": running.base, "TOKEN": running.token("--operator"), **told}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        cwd=cwd or (running.folder if running else None),
        env={**os.environ, **told},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()
