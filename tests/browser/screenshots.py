"""Pictures of the pages for the documentation: `python -m tests.browser.screenshots FOLDER [NAME…]`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playwright.sync_api import sync_playwright

from tests.browser import tour
from tests.browser.chromium import executable
from tests.browser.house import opened
from tests.browser.visit import DESKTOP, PHONE, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Page

SHOWN: Final = ("accueil", "activation", "connexion", "second-facteur", "consentement", "application", "compte",
                "autorisations", "catalogue", "fiche", "situation", "dossier")  # fmt: skip


def main() -> int:
    folder, names = Path(sys.argv[1]), sys.argv[2:] or SHOWN
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
                    for kind, size in (
                        (("phone", PHONE), ("desktop", DESKTOP)) if name in names or "all" in names else ()
                    ):
                        visit.page.set_viewport_size(size)
                        visit.page.screenshot(path=folder / f"{name}-{kind}.png", full_page=True, scale="css")
    return 0


def _taken(page: Page, folder: Path, name: str) -> None:
    for kind, size in (("phone", PHONE), ("desktop", DESKTOP)):
        page.set_viewport_size(size)
        page.screenshot(path=folder / f"{name}-{kind}.png", full_page=True, scale="css")


if __name__ == "__main__":
    raise SystemExit(main())
