"""Somebody's browser. What it asked for, and what it complained of, is kept."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, ViewportSize

NARROW: ViewportSize = {"width": 320, "height": 640}
"""The least that WCAG 2.2 asks of (1.4.10)."""
PHONE: ViewportSize = {"width": 360, "height": 740}
DESKTOP: ViewportSize = {"width": 1100, "height": 800}


class Visit:
    """A browser of its own, with one window."""

    def __init__(self, context: BrowserContext) -> None:
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self._pages: set[str] = set()
        context.on("request", self._asks)
        context.on("console", self._said)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.set_default_timeout(60_000)
        self.page: Page = context.new_page()

    @property
    def origins(self) -> set[str]:
        """Who was asked for anything."""
        return {f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, self.asked)}

    def press(self, name: str) -> None:
        """A button or a link of that name, first of those in the page's own part; until the next page is there."""
        page = self.page
        main = page.locator("main")
        within = main.get_by_role("button", name=name).or_(main.get_by_role("link", name=name))
        anywhere = page.get_by_role("button", name=name).or_(page.get_by_role("link", name=name))
        with page.expect_navigation():
            (within if within.count() else anywhere).first.click()

    def fill(self, **fields: str) -> None:
        """Fields by their labels; `_` stands for a space."""
        for label, value in fields.items():
            self.page.get_by_label(label.replace("_", " "), exact=True).fill(value)

    def title(self) -> str:
        return self.page.locator("h1").inner_text()

    def text(self) -> str:
        return " ".join(self.page.locator("main").inner_text().split())

    def _asks(self, request: Request) -> None:
        self.asked.append(request.url)
        if request.is_navigation_request():
            self._pages.add(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        a_page_that_refuses = "Failed to load resource" in message.text and message.location["url"] in self._pages
        if message.type in ("error", "warning") and not a_page_that_refuses:
            self.complaints.append(f"{message.location['url']}: {message.text}")


@contextmanager
def visiting(browser: Browser, origins: set[str], *, script: bool = True, phone: bool = False) -> Iterator[Visit]:
    """A browser in which nobody is logged in. Fails when something was asked of anybody else, or was complained of."""
    context = browser.new_context(
        java_script_enabled=script, viewport=PHONE if phone else DESKTOP, locale="fr-FR", service_workers="block"
    )
    visit = Visit(context)
    try:
        yield visit
        assert visit.origins <= origins, visit.origins - origins
        assert visit.complaints == [], visit.complaints
    except Exception as error:
        error.add_note(f"at {visit.page.url}, complaints: {visit.complaints}")
        raise
    finally:
        context.close()
