"""Where the suites that ship lie: `conformance/` of a checkout, `data/conformance` of an installation."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOM: Final = "conformance"


def folder() -> Path:
    """The folder of suites, one folder each, with `requirements.csv` beside them."""
    package = Path(__file__).parent.parent
    installed = package / "data" / ROOM
    return installed if installed.is_dir() else package.parent / ROOM
