from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_example_of_the_page_on_packages_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "packages.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(ROOT)
    assert examples
    for example in examples:
        exec(compile(example, "docs/packages.md", "exec"), {})
