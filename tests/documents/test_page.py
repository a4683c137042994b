"""The page on CDA documents: its example runs, and it names what the room derives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "cda.md").read_text("utf-8")


def test_the_example_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(ROOT)
    exec(compile(example, "docs/cda.md", "exec"), {})
    told = capsys.readouterr().out
    assert told.startswith("Carnet de vaccination 3 RENARD\ncompleted REPEVAX")
    assert "unread" in told


def test_every_derived_type_is_on_the_page() -> None:
    from tests.documents.corpus import converted, corpus

    types = {entry.resource["resourceType"] for name in corpus() for entry in converted(name).entries}
    assert [each for each in sorted(types) if not re.search(rf"\b{each}\b", PAGE)] == []
