"""The page of settings has a row for each, as the program has it."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from fhirserver.settings import CHOICES, PREFIX, Settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def row(name: str, default: object, meaning: str) -> str:
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    choices = f" ({' · '.join(CHOICES[name])})" if name in CHOICES else ""
    return f"| `{PREFIX}{name.upper()}` | {f'`{shown}`' if shown else 'empty'} | {meaning}{choices} |"


def test_every_setting_stands_on_its_page_with_its_default_and_meaning() -> None:
    said = re.findall(rf"^\| `{PREFIX}.*$", PAGE.read_text(), re.MULTILINE)
    meant = [row(each.name, each.default, each.metadata["meaning"]) for each in fields(Settings)]
    assert sorted(said) == sorted(meant)
