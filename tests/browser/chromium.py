"""Where Chromium is: that of the machine, or the one that `playwright install chromium` fetched."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")


@cache
def executable() -> str | None:
    """Its path; None where there is none."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    fetched = sorted(folder.glob("chromium-*/chrome-linux*/chrome"))
    return str(fetched[-1]) if fetched else None


if __name__ == "__main__":
    raise SystemExit(0 if executable() else 1)
