from __future__ import annotations

from typing import TYPE_CHECKING

from tests.docs import pages

if TYPE_CHECKING:
    import pytest

PAGE = "docs/biology.md"


def test_the_python_of_the_page_about_biology_holds(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(pages.block(PAGE, "python"), PAGE, "exec"), {})
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "Hématologie final 2026-03-05T10:15:00+01:00",
        "58410-2 None None",
        "789-8 4.52 10*12/L",
        "789-8 4.48 10*12/L",
        "718-7 13.40 g/dL",
        "() ()",
    ]
