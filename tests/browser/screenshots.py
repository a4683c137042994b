"""Pictures of the pages for the documentation: `python -m tests.browser.screenshots FOLDER [NAME…]`.

Without names: of every page on the tour, and `pictures.md` beside the folder, which shows them.
"""

from __future__ import annotations

import base64
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playwright.sync_api import sync_playwright

from tests.browser import tour
from tests.browser.chromium import executable
from tests.browser.house import opened
from tests.browser.places import VISITED
from tests.browser.visit import DESKTOP, PHONE, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Page

SHOWN: Final = VISITED | {
    "/dossier/<patient>, for a professional": "espace-professionnel",
    "/dossier/<patient>, in an emergency": "urgence",
}
"""The names of the pictures, by address."""
SIZES: Final = {"phone": PHONE, "desktop": DESKTOP}
HEAD: Final = """# Pictures of the pages

Each page, with the demo family, at a phone's width and at a desk's. `make screenshots` takes them and writes this page.

| address | phone | desk |
|---|---|---|"""
SETTLED: Final = """async () => {
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  await Promise.all([...document.images].map(each => each.decode().catch(() => null)));
}"""
"""Images that a window of another size asks for are there."""
QUALITY: Final = 50
"""Of WebP: a quarter of what the same PNG takes."""


def main() -> int:
    folder, names = Path(sys.argv[1]), sys.argv[2:] or [*SHOWN.values()]
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as data,
        opened(Path(data)) as house,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=executable()) as browser,
    ):
        for way in tour.WAYS:
            with visiting(browser, house.origins) as visit:
                for name in way(visit, house):
                    if name in names:
                        _taken(visit.page, folder, name)
    if not sys.argv[2:]:
        (folder.parent / "pictures.md").write_text(page(), "utf-8")
    return 0


def page() -> str:
    """The page of the documentation that shows the pictures."""
    rows = [
        f"| `{rule}` | {' | '.join(f'![{each}](images/{each}-{kind}.webp)' for kind in SIZES)} |"
        for rule, each in SHOWN.items()
    ]
    return "\n".join((HEAD, *rows, ""))


def _taken(page: Page, folder: Path, name: str) -> None:
    for kind, size in SIZES.items():
        page.set_viewport_size(size)
        page.evaluate(SETTLED)
        height = page.evaluate("document.documentElement.scrollHeight")
        clip = {"x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1}
        asked = {"format": "webp", "quality": QUALITY, "clip": clip, "captureBeyondViewport": True}
        told = page.context.new_cdp_session(page).send("Page.captureScreenshot", asked)
        (folder / f"{name}-{kind}.webp").write_bytes(base64.b64decode(told["data"]))


if __name__ == "__main__":
    raise SystemExit(main())
