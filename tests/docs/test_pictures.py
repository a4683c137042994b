"""Every page of the portal has its pictures."""

from __future__ import annotations

from pathlib import Path

from tests.browser import screenshots

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_pictures_shows_every_page_at_both_sizes() -> None:
    assert (DOCS / "pictures.md").read_text("utf-8") == screenshots.page(), "make screenshots"
    names = {f"{name}-{kind}.webp" for name in screenshots.SHOWN.values() for kind in screenshots.SIZES}
    assert names == {each.name for each in (DOCS / "images").iterdir()}
