"""The pages at a phone's size and a desk's, light and dark: axe-core finds nothing, nothing is scrolled sideways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pytest

from tests.browser import tour
from tests.browser.places import misplaced
from tests.browser.tour_roles import representative
from tests.browser.visit import DESKTOP, NARROW, visiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.browser.house import House
    from tests.browser.visit import Visit

Schemes: TypeAlias = 'dict[str, Literal["light", "dark"]]'
pytestmark = pytest.mark.program("chromium", "node", "npm")

RULES = {
    "phone": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "desk": ["color-contrast", "target-size"],
}
"""Of axe-core: all that is of the standard; at a desk what may differ there."""
SCHEMES: Schemes = {"phone": "light", "desk": "dark"}
OTHERWISE: Schemes = {"phone": "dark", "desk": "light"}
"""On the representative's way, whose pages are those of a record again."""


@pytest.mark.parametrize("way", tour.WAYS, ids=lambda way: way.__name__)
def test_pages_can_be_used_by_everybody(
    chromium: Browser, house: House, modules: Path, way: Callable[[Visit, House], Iterator[str]]
) -> None:
    axe = (modules / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    faults: dict[str, list[str]] = {}
    with visiting(chromium, house.origins) as visit:
        for name in way(visit, house):
            assert not misplaced(name, visit.page.url), (name, visit.page.url)
            schemes = OTHERWISE if way is representative else SCHEMES
            found = [each for size, scheme in schemes.items() for each in _at(visit.page, axe, size, scheme)]
            faults |= {name: found} if found else {}
    assert faults == {}


def _at(page: Page, axe: str, size: str, scheme: Literal["light", "dark"]) -> Iterator[str]:
    page.set_viewport_size(NARROW if size == "phone" else DESKTOP)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    yield from _menu(page, size)
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        yield f"{size}: wider than the window"
    if page.evaluate("window.axe === undefined"):
        page.evaluate(f"void function () {{ {axe} }}.call(window)")
    told: dict[str, Any] = page.evaluate("rules => axe.run({runOnly: rules})", RULES[size])
    assert told["passes"]
    for violation in told["violations"]:
        places = ", ".join(" ".join(map(str, node["target"])) for node in violation["nodes"])
        yield f"{size}: {violation['id']} at {places}: {violation['help']}"


def _menu(page: Page, size: str) -> Iterator[str]:
    """The pages of a record are folded on a phone and shown at a desk; axe-core is to see them on both."""
    menu = page.locator("details.menu")
    if menu.count():
        menu.evaluate("each => { each.open = false }")
        if menu.get_by_role("link").first.is_visible() != (size == "desk"):
            yield f"{size}: the menu"
        menu.evaluate("each => { each.open = true }")
