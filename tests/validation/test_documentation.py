"""The page about validation says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fhirserver.validation import defaults
from fhirserver.validation.messages import RULES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "validation.md").read_text("utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_hold(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    exec(example, {})


def test_every_rule_is_used() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "fhirserver" / "validation").glob("*.py"))
    said = {key for key in RULES if sources.count(f'"{key}"') < 2}
    assert said == set()


def test_every_profile_set_is_told() -> None:
    assert all(f"`{name}`" in PAGE for name in defaults.SETS)
